"""Logs of containers: the last lines of a bounded number of them."""

from collections import Counter, defaultdict
from collections.abc import Callable
from copy import copy
from urllib.parse import urlencode

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.circuit_breaker import CircuitBreaker
from kubevitals.objects import Ref, owner, path, ref
from kubevitals.redaction import redact
from kubevitals.source.request import Answer, Request
from kubevitals.text import clean

LOG_LINES, LOG_BYTES, LOG_REQUESTS = 20, 4096, 50
"""Limits: lines and bytes of one log, and logs of a run. Containers of one name and owner share one log."""

TAILS = ((LOG_LINES, LOG_BYTES), (5, 65_536), (1, 65_536))
"""Lines and bytes to request. The kubelet counts bytes from the first of these lines, so a long line hides the last
ones (kubernetes/kubernetes staging/src/k8s.io/cri-client/pkg/logs/logs.go): an answer that is cut off is requested
again with fewer lines."""

EMPTY = "(the log is empty)"
"""What stands for a log without lines."""

NAMESPACE_REQUESTS = 40
"""Logs of one namespace in a run, so that one namespace does not use up the limit of all."""

FAILURES = 3
"""Logs without an answer until no more are requested."""


PODS = 2
"""Pods of one owner that are tried until a log can be read."""

_GONE = b"unable to retrieve container logs for "
"""The kubelet's answer, with HTTP 200, if the log is gone (kubernetes/kubernetes pkg/kubelet/kuberuntime)."""

_Key = tuple[Ref, str, bool]


class Logs:
    """The logs that are read in a run."""

    def __init__(self, get: Callable[[Request], Answer]) -> None:
        self._get = get
        self._read: dict[_Key, tuple[str, ...]] = {}
        self._failed: dict[_Key, dict[str, NotObserved]] = defaultdict(dict)
        self._of: Counter[str] = Counter()
        self._breaker = CircuitBreaker("logs", FAILURES)

    def read(self, pod: pb.Pod, container: str, *, previous: bool, shared: bool = True) -> tuple[str, ...]:
        """Return the last lines of a container's log, or of its previous instance's.

        Pods of one owner share a log, unless it is not to be `shared`. If it cannot be read from one of them, the next
        one is tried.

        Raises:
            NotObserved: the log is refused or gone, there was no answer, or a limit is reached.
        """
        key = ((shared and owner(pod)) or ref(pod), container, previous)
        if key not in self._read:
            failed = self._failed[key]
            if pod.metadata.name not in failed and len(failed) < PODS:
                self._count(pod.metadata.namespace)
                try:
                    self._read[key] = self._ask(pod, container, previous=previous)
                except NotObserved as error:
                    failed[pod.metadata.name] = error
        if key not in self._read:
            first = next(iter(self._failed[key].values()))
            raise copy(first)
        return self._read[key]

    def _count(self, namespace: str) -> None:
        if self._of[namespace] >= NAMESPACE_REQUESTS:
            raise NotObserved(f"this run has read {NAMESPACE_REQUESTS} logs of the namespace, its limit")
        if self._of.total() >= LOG_REQUESTS:
            raise NotObserved(f"this run has read {LOG_REQUESTS} logs, its limit")
        self._of[namespace] += 1

    def _ask(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...]:
        lines: list[str] = []
        for count, size in TAILS:
            try:
                body = self._tail(pod, container, count, size, previous=previous)
            except NotObserved:
                if not lines:
                    raise
                break
            tail = redact(_text(body[:size])).splitlines()[-count:]
            lines = [*(line for line in lines if not any(new.startswith(line) for new in tail)), *tail]
            if len(body) < size:
                break
        return tuple(clean(line) for line in lines[-LOG_LINES:]) or (EMPTY,)

    def _tail(self, pod: pb.Pod, container: str, count: int, size: int, *, previous: bool) -> bytes:
        query = {"container": container, "tailLines": count, "limitBytes": size}
        query |= {"previous": "true"} if previous else {}
        request = Request(f"{path(pod)}/log?{urlencode(query)}", limit=size)
        answer = self._breaker.get(self._get, request).expect("get pods/log")
        if answer.body.startswith(_GONE):
            raise NotObserved("the kubelet no longer has the log: unable to retrieve container logs")
        return answer.body


def _text(body: bytes) -> str:
    """Return the text of a log; bytes that are not UTF-8 become U+FFFD. Without zeros, UTF-16 is readable, too."""
    return body.replace(b"\0", b"").decode("utf-8", "replace")
