"""What an earlier roll-up found, and what has changed since."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, TypeVar

import msgspec
from msgspec.structs import replace

from kubevitals.diagnosis.trend import Time
from kubevitals.errors import Unusable
from kubevitals.findings.finding import Severity
from kubevitals.fleet.clusters import Seen
from kubevitals.fleet.findings_file import NAME
from kubevitals.fleet.result import SCHEMA, Changes, Fault, FleetCluster, PastFault, State, Turn
from kubevitals.input_files import require_readable
from kubevitals.reports.wording import moment
from kubevitals.text import clean

SIZE_LIMIT = 1 << 30
"""Bytes of the JSON of a roll-up. One of 5,000 clusters with 50 faults each has less than 200 million."""

T = TypeVar("T")


class EarlierCluster(msgspec.Struct):
    """A cluster of an earlier roll-up."""

    id: str
    name: str
    state: str
    uid: str = ""


class _EarlierFault(msgspec.Struct):
    id: str
    checks: list[str]
    objects: str
    says: str
    severity: Severity
    clusters: list[str]


class _File(msgspec.Struct):
    schema: int
    fleet: Literal["roll-up"]
    kubevitals: str
    taken: Time
    clusters: list[EarlierCluster]
    faults: list[_EarlierFault]


class Earlier:
    """An earlier roll-up, or nothing."""

    def __init__(self, file: _File | None = None) -> None:
        self._file = file
        self.clusters = file.clusters if file else []
        self._by_uid = {cluster.uid: cluster for cluster in self.clusters if cluster.uid}
        self._by_name = _unique(self.clusters)
        self._had = {fault.id: frozenset(fault.clusters) for fault in file.faults} if file else {}

    @property
    def taken(self) -> datetime | None:
        """The time of the earlier roll-up."""
        return self._file.taken if self._file else None

    def without(self, seen: Iterable[Seen]) -> "Earlier":
        """Return the earlier roll-up without clusters that were not selected this time."""
        if not self._file:
            return self
        ids = {then.id for each in seen if (then := self.of(each.cluster))}
        faults = [
            replace(fault, clusters=[id_ for id_ in fault.clusters if id_ not in ids]) for fault in self._file.faults
        ]
        return Earlier(replace(self._file, clusters=[c for c in self.clusters if c.id not in ids], faults=faults))

    def vanished(self, seen: Iterable[Seen]) -> list[Seen]:
        """Return the clusters that have no findings file any more, each as one that was not looked at."""
        now = {then.id for each in seen if (then := self.of(each.cluster))}
        reason = f"was in the roll-up of {moment(self._file.taken)}, and has no findings file now" if self._file else ""
        return [
            Seen(FleetCluster(id=each.id, name=each.name, uid=each.uid, state=State.NO_REPORT, reason=reason), None)
            for each in self.clusters
            if each.id not in now
        ]

    def of(self, cluster: FleetCluster) -> EarlierCluster | None:
        """Return what the earlier roll-up had of a cluster: by its uid or, where one is not known, by its name."""
        if cluster.uid and (same := self._by_uid.get(cluster.uid)):
            return same
        named = self._by_name.get(cluster.name)
        return named if named and not (named.uid and cluster.uid) else None

    def new_in(self, fault: str, clusters: Iterable[FleetCluster]) -> list[str]:
        """Return the ids of the clusters that did not have a fault then."""
        had = self._had.get(fault, frozenset())
        pairs = ((cluster, self.of(cluster)) for cluster in clusters) if self._file else ()
        return list(dict.fromkeys(cluster.id for cluster, then in pairs if not then or then.id not in had))

    def status(self, new_in: Sequence[str], count: int) -> Literal["new", "spread", "ongoing"] | None:
        """Return what has changed about a fault that is in so many clusters; nothing without an earlier roll-up."""
        if not self._file:
            return None
        return "ongoing" if not new_in else "new" if len(new_in) == count else "spread"

    def changes(self, seen: Sequence[Seen], faults: Sequence[Fault]) -> Changes | None:
        """Return what has changed; nothing without an earlier roll-up."""
        if not self._file:
            return None
        now = {then.id: each for each in seen if (then := self.of(each.cluster))}
        present = {fault.id: frozenset(fault.clusters) for fault in faults}
        resolved, unconfirmed = [], []
        for fault in self._file.faults:
            of_fault = present.get(fault.id, frozenset())
            gone = [id_ for id_ in fault.clusters if id_ not in now or now[id_].cluster.id not in of_fault]
            sure = [id_ for id_ in gone if id_ in now and _judged(now[id_], fault.checks)]
            resolved += _past(fault, sure)
            unconfirmed += _past(fault, [id_ for id_ in gone if id_ not in set(sure)])
        turns = [
            Turn(each.cluster.id, then.state, each.cluster.state)
            for each in seen
            if (then := self.of(each.cluster)) and then.state != each.cluster.state
        ]
        return Changes(self._file.taken, sum(len(fault.new_in) for fault in faults), resolved, unconfirmed, turns)


def _judged(seen: Seen, checks: Iterable[str]) -> bool:
    """Return whether a cluster was looked at, and these checks saw everything that they need."""
    return seen.is_current and seen.looked is not None and seen.looked.judged.issuperset(checks)


def _past(fault: _EarlierFault, clusters: list[str]) -> list[PastFault]:
    texts = clean(fault.id, NAME), clean(fault.objects), clean(fault.says)
    checks = [clean(check, NAME) for check in fault.checks]
    return [PastFault(*texts, [clean(id_, NAME) for id_ in clusters], checks, fault.severity)] if clusters else []


def _unique(clusters: Iterable[EarlierCluster]) -> dict[str, EarlierCluster]:
    named = defaultdict(list)
    for cluster in clusters:
        named[cluster.name].append(cluster)
    return {name: same[0] for name, same in named.items() if len(same) == 1}


def load(path: Path) -> Earlier:
    """Return the earlier roll-up in a file, or the newest one in a folder. An empty folder has none.

    Raises:
        Unusable: a file cannot be read, or is not the JSON of a roll-up in this format.
    """
    try:
        files = [_read(file) for file in (sorted(path.glob("*.json")) if path.is_dir() else [path])]
    except OSError as error:
        raise Unusable(f"--compare {clean(str(path))} cannot be read: {error.strerror}") from error
    return Earlier(max(files, key=lambda file: file.taken, default=None))


def _read(path: Path) -> _File:
    name = clean(str(path))
    try:
        file = msgspec.json.decode(require_readable(path, SIZE_LIMIT).read_bytes(), type=_File)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Unusable(f"--compare: {name} is not the JSON of an earlier roll-up: {clean(str(error))}") from error
    if file.schema != SCHEMA:
        raise Unusable(f"--compare: {name} has another format, of kubevitals {clean(file.kubevitals, NAME)}")
    for cluster in file.clusters:
        cluster.id, cluster.name = clean(cluster.id, NAME), clean(cluster.name, NAME)
        cluster.uid, cluster.state = clean(cluster.uid, NAME), clean(cluster.state, NAME)
    return replace(file, taken=file.taken.astimezone(UTC))
