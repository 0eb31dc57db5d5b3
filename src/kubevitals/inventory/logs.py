"""Logs of containers: a few last lines of a few of them."""

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
"""Bounds of a log that is read, and how many are read in a run: one for an owner's containers of one name."""

NAMESPACE_REQUESTS = 40
"""Logs of one namespace that are read: no namespace's pods keep those of others from being read."""

SILENT = 3
"""Logs that are waited for in vain until no more are asked for."""


PODS = 2
"""Pods of one owner that are tried until a log can be read."""

_GONE = b"unable to retrieve container logs for "
"""The kubelet's answer, with HTTP 200, if the log is gone (kubernetes/kubernetes pkg/kubelet/kuberuntime)."""

_Key = tuple[Ref, str, bool]


class Logs:
    """The logs that were read in a run."""

    def __init__(self, get: Callable[[Request], Answer]) -> None:
        self._get = get
        self._read: dict[_Key, tuple[str, ...]] = {}
        self._failed: dict[_Key, dict[str, NotObserved]] = defaultdict(dict)
        self._of: Counter[str] = Counter()
        self._breaker = CircuitBreaker("logs", SILENT)

    def read(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...]:
        """Return the last lines of a container, or of the one before it; one container answers for all like it.

        If its log cannot be read, that of another pod of the owner is tried when it is asked for.

        Raises:
            NotObserved: it is refused or gone, there was no answer, or enough logs were read.
        """
        key = (owner(pod) or ref(pod), container, previous)
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
            raise NotObserved(f"{NAMESPACE_REQUESTS} logs of a namespace are read in a run")
        if self._of.total() >= LOG_REQUESTS:
            raise NotObserved(f"{LOG_REQUESTS} logs are read in a run")
        self._of[namespace] += 1

    def _ask(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...]:
        query = {"container": container, "tailLines": LOG_LINES, "limitBytes": LOG_BYTES} | (
            {"previous": "true"} if previous else {}
        )
        request = Request(f"{path(pod)}/log?{urlencode(query)}")
        answer = self._breaker.get(self._get, request).expect("get pods/log")
        if answer.body.startswith(_GONE):
            raise NotObserved("the kubelet no longer has the log: unable to retrieve container logs")
        lines = redact(answer.body[:LOG_BYTES].decode("utf-8", "replace")).splitlines()[-LOG_LINES:]
        return tuple(clean(line) for line in lines) or ("(the log is empty)",)
