"""How much is read of lists, by what has come: no server keeps a run busy without end, or fills its memory."""

from threading import Lock
from typing import NamedTuple

from kubevitals.encoding.protobuf import OBJECTS
from kubevitals.errors import NotObserved
from kubevitals.source.request import BODY_LIMIT


class Bounds(NamedTuple):
    """The most that is read.

    Attributes:
        size: bytes of the answers, unpacked.
        seconds: that requests took.
    """

    objects: int
    size: int
    seconds: float


LIST = Bounds(objects=OBJECTS, size=BODY_LIMIT, seconds=300)
"""Of one list, with all its pages: as many objects and bytes as one answer may have.

Kubernetes supports 150,000 pods (https://kubernetes.io/docs/setup/best-practices/cluster-large/): a list of about
1 GiB, which a busy API server takes a minute for.
"""

RUN = Bounds(objects=5_000_000, size=8 << 30, seconds=3600)
"""Of all lists of a run, of which several are requested at a time."""


class Account:
    """What has been read so far, of one list or of all."""

    def __init__(self, what: str, bounds: Bounds, total: "Account | None" = None) -> None:
        self._what, self._bounds, self._total = what, bounds, total
        self._lock = Lock()
        self._used = Bounds(0, 0, 0)

    def add(self, objects: int, size: int, seconds: float) -> None:
        """Note a page.

        Raises:
            NotObserved: that is more than the bounds.
        """
        with self._lock:
            used = self._used
            self._used = Bounds(used.objects + objects, used.size + size, used.seconds + seconds)
        for read, bound, unit in zip(self._used, self._bounds, ("objects", "bytes", "seconds"), strict=True):
            if read > bound:
                raise NotObserved(f"{self._what}: more than {bound:,} {unit}, which is the limit")
        if self._total:
            self._total.add(objects, size, seconds)
