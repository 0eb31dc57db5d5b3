"""Logs of containers: a few last lines of a few of them."""

from collections import Counter
from collections.abc import Callable
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


class Logs:
    """The logs that were read in a run."""

    def __init__(self, get: Callable[[Request], Answer]) -> None:
        self._get = get
        self._read: dict[tuple[Ref, str, bool], tuple[str, ...] | NotObserved] = {}
        self._of: Counter[str] = Counter()
        self._breaker = CircuitBreaker("logs", SILENT)

    def read(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...]:
        """Return the last lines of a container, or of the one before it; one container answers for all like it.

        Raises:
            NotObserved: it is refused or gone, there was no answer, or enough logs were read.
        """
        key = (owner(pod) or ref(pod), container, previous)
        if key not in self._read:
            self._count(pod.metadata.namespace)
            self._read[key] = self._ask(pod, container, previous=previous)
        lines = self._read[key]
        if isinstance(lines, NotObserved):
            raise NotObserved(lines.reason, lines.right)
        return lines

    def _count(self, namespace: str) -> None:
        if self._of[namespace] >= NAMESPACE_REQUESTS:
            raise NotObserved(f"{NAMESPACE_REQUESTS} logs of a namespace are read in a run")
        if self._of.total() >= LOG_REQUESTS:
            raise NotObserved(f"{LOG_REQUESTS} logs are read in a run")
        self._of[namespace] += 1

    def _ask(self, pod: pb.Pod, container: str, *, previous: bool) -> tuple[str, ...] | NotObserved:
        query = {"container": container, "tailLines": LOG_LINES, "limitBytes": LOG_BYTES} | (
            {"previous": "true"} if previous else {}
        )
        try:
            answer = self._breaker.get(self._get, Request(f"{path(pod)}/log?{urlencode(query)}")).expect("get pods/log")
        except NotObserved as error:
            return error
        lines = redact(answer.body[:LOG_BYTES].decode("utf-8", "replace")).splitlines()[-LOG_LINES:]
        return tuple(clean(line) for line in lines) or ("(the log is empty)",)
