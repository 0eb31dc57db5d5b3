"""The result of a roll-up: what ``--findings`` writes for a fleet, ``--compare`` reads, and every report shows.

``tools/schema fleet`` generates its JSON Schema, docs/fleet.schema.json, from these types.
"""

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta, Struct

from kubevitals.diagnosis.trend import Time
from kubevitals.findings.finding import Severity

SCHEMA = 1
"""The version of the format. It rises when a field is removed or changes its meaning, not when one is added."""

ROLLUP: Literal["roll-up"] = "roll-up"
"""What distinguishes the result of a roll-up from that of a run."""

ClusterId = Annotated[
    str, Meta(description="The uid of the cluster's namespace kube-system or, if that is not known, its name.")
]


class State(StrEnum):
    """What is known of a cluster, the worst first."""

    BROKEN = "broken"
    UNREACHABLE = "unreachable"
    NOT_OBSERVED = "not observed"
    STALE = "stale"
    NO_REPORT = "no report"
    UNUSABLE = "unusable"
    WARNED = "warned"
    KNOWN = "known"
    HEALTHY = "healthy"


UNSEEN = (State.UNREACHABLE, State.NOT_OBSERVED, State.STALE, State.NO_REPORT, State.UNUSABLE)
"""The states of a cluster that was not looked at, or not within its period."""

SEEN = tuple(state for state in State if state not in UNSEEN)
"""The states of a cluster whose findings are current."""


class Count(Struct, frozen=True):
    """How many root causes of one cause a cluster has."""

    errors: int = 0
    warnings: int = 0
    known: int = 0


class FleetCluster(Struct, kw_only=True):
    """A cluster, whether it was looked at or not.

    Attributes:
        name: its name in the clusters file; if it is not there, the context of its run.
        uid: the uid of its namespace kube-system; empty if that is not known.
        reason: why it is in this state; empty if its root causes say so.
        notes: what else to know of it, such as that it has several findings files.
        group: the group of clusters that should be alike.
        link: the address of its own page; it may be relative to the page of the fleet.
        file: its findings file, below the folder of all of them.
        version: the version of Kubernetes.
        kubevitals: the version of kubevitals that looked at it.
        taken: the time of its state; null if there is no findings file that can be read.
        checks: how many checks its run had.
        blind: how many of them could not see everything that they need.
        causes: its root causes, by cause. A cluster that is stale has those of its last run.
    """

    id: ClusterId
    name: str
    state: State
    uid: str = ""
    reason: str = ""
    notes: list[str] = []
    group: str = ""
    owner: str = ""
    link: str = ""
    file: str = ""
    version: str = ""
    kubevitals: str = ""
    taken: Time | None = None
    checks: int = 0
    blind: int = 0
    causes: dict[str, Count] = {}


class Fault(Struct, kw_only=True):
    """A root cause, with all clusters that have it.

    Attributes:
        id: the same in all clusters and roll-ups: that of the findings, or of the object that does not exist.
        checks: the checks that found it.
        objects: the objects that have the fault, as most of the clusters say.
        says: what is wrong, as most of the clusters say.
        severity: the gravest one.
        known: whether a known issue expects it in all these clusters.
        clusters: the clusters that have it, also those that are stale.
        since: when it first began in a cluster, as far as that is known.
        status: what has changed since the earlier roll-up (spread: it is in further clusters); null if there is none.
        new_in: the clusters that did not have it in the earlier roll-up.
    """

    id: str
    checks: list[str]
    objects: str
    says: str
    remedy: str
    severity: Severity
    known: bool
    clusters: list[ClusterId]
    since: Time | None = None
    status: Literal["new", "spread", "ongoing"] | None = None
    new_in: list[ClusterId] = []

    def __str__(self) -> str:
        return f"{self.objects}: {self.says}"


class Difference(Struct, frozen=True):
    """What some clusters of a group have and others do not.

    Attributes:
        what: a version or a fault.
        fault: the id of the fault; empty for a version.
        clusters: the clusters that differ from most of the others.
        others: how many others there are.
        have_it: whether it is the clusters listed here that have it, or the others.
    """

    what: str
    clusters: list[ClusterId]
    others: int
    have_it: bool
    fault: str = ""


class Part(Struct, kw_only=True):
    """The clusters of one group or one owner.

    Attributes:
        name: the group or the owner.
        states: how many of its clusters are in each state.
        faults: how many root causes they have; one in several clusters counts once.
        differences: for a group, what differs between the clusters that were looked at; the rarest first.
        more: how many further differences there are.
    """

    name: str
    states: dict[State, int]
    faults: int
    differences: list[Difference] = []
    more: int = 0


class PastFault(Struct, frozen=True):
    """A root cause that clusters had in the earlier roll-up and do not have any more."""

    id: str
    objects: str
    says: str
    clusters: list[ClusterId]
    checks: list[str]
    severity: Severity


class Turn(Struct, frozen=True):
    """A cluster whose state has changed since the earlier roll-up."""

    cluster: ClusterId
    before: str
    now: State


class Changes(Struct, frozen=True):
    """What has changed since an earlier roll-up.

    Attributes:
        taken: the time of the earlier roll-up.
        new: how many root causes are new in a cluster; one that is new in two clusters counts twice.
        resolved: root causes that are gone from clusters whose checks saw everything that they need.
        unconfirmed: root causes of clusters that were not looked at again, or not by all of the checks.
        turns: the clusters whose state has changed.
    """

    taken: Time
    new: int
    resolved: list[PastFault]
    unconfirmed: list[PastFault]
    turns: list[Turn]


class Rollup(Struct, kw_only=True):
    """The result of a roll-up.

    Attributes:
        schema: the version of this format.
        fleet: distinguishes this format from that of the findings of one cluster.
        kubevitals: the version of kubevitals that wrote it.
        taken: the time of the roll-up, from which ages are counted.
        states: the number of clusters in each state.
        clusters: all clusters, the worst first.
        faults: the root causes of all clusters, the gravest and then the most common first; known ones are last.
        groups: the groups of the clusters file.
        owners: the owners of the clusters file.
        changes: what has changed since an earlier roll-up; null if there is no such roll-up.
        remarks: what else the user should know, such as files that were refused.
    """

    schema: int
    fleet: Literal["roll-up"] = ROLLUP
    kubevitals: str
    taken: Time
    states: dict[State, int]
    clusters: list[FleetCluster]
    faults: list[Fault]
    groups: list[Part] = []
    owners: list[Part] = []
    changes: Changes | None = None
    remarks: list[str] = []
