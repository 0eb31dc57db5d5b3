"""The result of a run: what ``--findings`` writes, ``--compare`` reads and every report shows.

``tools/schema`` generates its JSON Schema, docs/findings.schema.json, from these types.
"""

import re
from datetime import date, datetime
from inspect import cleandoc
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from kubevitals.diagnosis.trend import Occurrences, PastRun, Time
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.finding import Severity

DIALECT = "https://json-schema.org/draft/2020-12/schema"

HOUR = 3600.0
"""Seconds. Runs start every hour, unless the user says something else."""

SCHEMA = 1
"""The version of the format. It rises when a field is removed or changes its meaning, not when one is added."""

Status = Literal["new", "worse", "ongoing"]
Id = Annotated[
    str, Meta(description="Stable from run to run. A suffix after a dot distinguishes parts of one finding.")
]


class ClusterInfo(Struct, frozen=True):
    """The cluster that was checked.

    Attributes:
        context: the kubeconfig context, or the name that --display-name gives.
        uid: the uid of the namespace kube-system, which distinguishes clusters with the same context name.
        version: the version of Kubernetes.
        nodes: the names of its nodes; null if they were not observed.
        namespaces: how many there are; null if they were not observed.
        pods: how many there are; null if they were not observed.
    """

    context: str
    uid: str = ""
    version: str = ""
    nodes: list[str] | None = None
    namespaces: int | None = None
    pods: int | None = None


class Item(Struct, frozen=True):
    """A check and its outcome.

    Attributes:
        check: the name, ``cause[variant]``.
        chapter: the chapter of the guide.
        seconds: how long it took.
        findings: the ids of its findings.
        unseen: why it could not see everything that it needs.
        right: the RBAC right that is missing.
        asked: whether an option of the run asks for just what could not be seen.
        inapplicable: why it does not apply to this cluster.
    """

    check: str
    chapter: str
    outcome: Outcome
    seconds: float = 0.0
    findings: list[Id] = []
    unseen: str = ""
    right: str = ""
    asked: bool = False
    inapplicable: str = ""


class Place(Struct, frozen=True):
    """An object that has the fault, and its node."""

    object: str
    node: str = ""


class Known(Struct, frozen=True):
    """The known issue that expects a finding."""

    reason: str
    until: date


class Replicas(Struct, frozen=True):
    """How many replicas of workloads are not available, and how many these workloads ask for."""

    missing: int
    of: int


class Link(Struct, frozen=True):
    """One of the objects through which a fault spreads.

    Attributes:
        object: the object, or the owner of the objects.
        says: what is wrong with it, without the reason.
        finding: the id of the finding; empty for an object that does not exist.
    """

    object: str
    says: str
    finding: Id = ""


class ReportedFinding(Struct, frozen=True):
    """A finding. The replicas of one owner with the same root are one finding.

    Attributes:
        owner: the controller of the objects, such as a Deployment.
        says: what is wrong, in a sentence that does not name the object.
        also: further sentences, if it says something else about some of the objects.
        remedy: what to do about it.
        look: the kubectl command that shows more.
        evidence: lines that support it: conditions, events, logs.
        places: the objects that have the fault.
        concerns: other objects that have the fault or suffer from it.
        missing: objects that are referenced and do not exist.
        since: when the state began; null if the cluster does not say.
        first_seen: when a run first found it, this one or an earlier one that it was compared with.
        status: what has changed since the earlier run (worse: it was a warning then); null if there is no such run.
        known: the known issue that expects it, or null.
        root: the id of its root; empty if it is a root itself.
        cause: the id of the finding that explains it directly, which may be a symptom too; empty if it is a root.
        replicas: how many replicas of a workload are not available; null if it is not about a workload.
        occurrences: in how many of the last runs it was found; null without --history.
    """

    id: Id
    check: str
    severity: Severity
    namespace: str
    owner: str
    says: str
    also: list[str]
    remedy: str
    look: str
    evidence: list[str]
    places: Annotated[list[Place], Meta(min_length=1)]
    concerns: list[str]
    missing: list[str]
    first_seen: Time
    since: Time | None = None
    status: Status | None = None
    known: Known | None = None
    root: Id = ""
    cause: Id = ""
    replicas: Replicas | None = None
    occurrences: Occurrences | None = None

    @property
    def began(self) -> datetime:
        """The earliest time at which the fault is known to have existed."""
        return min(self.since or self.first_seen, self.first_seen)


class Root(Struct, frozen=True):
    """A finding that nothing explains.

    Four or more that say the same about objects without a common owner are one root.

    Attributes:
        objects: the objects that have the fault, as a text; if there are many, the first ones.
        severity: the gravest severity of the root and its symptoms.
        symptoms: the ids of the findings that it explains.
        others: the ids of the findings that say the same about other objects.
        known: whether a known issue expects it.
        replicas: how many replicas are not available because of it; null if no workload is short of any.
        chains: how it spreads over more than one step: each from the last symptom to the root, and to an object that
            does not exist.
    """

    id: Id
    check: str
    objects: str
    says: str
    severity: Severity
    symptoms: list[Id]
    others: list[Id]
    known: bool = False
    replicas: Replicas | None = None
    chains: list[list[Link]] = []

    def __str__(self) -> str:
        return f"{self.objects}: {self.says}"


class Past(Struct, frozen=True):
    """A finding of the earlier run that is not found any more. With --state it has no sentence.

    Attributes:
        root: the id of its root; empty if it was a root itself.
        known: whether a known issue expected it.
    """

    id: Id
    check: str
    namespace: str
    object: str
    says: str
    severity: Severity
    first_seen: Time
    root: Id = ""
    known: bool = False


class Comparison(Struct, frozen=True):
    """What has changed since an earlier run.

    Attributes:
        taken: the time of the cluster's state in the earlier run.
        resolved: earlier findings whose checks saw everything they need and did not find them again.
        unconfirmed: earlier findings whose checks were not run or could not see everything, or whose namespace was not
            checked.
    """

    taken: Time
    new: int
    worse: int
    ongoing: int
    resolved: list[Past]
    unconfirmed: list[Past]


class Report(Struct, frozen=True):
    """The result of a run.

    Attributes:
        schema: the version of this format.
        kubevitals: the version of kubevitals that wrote it.
        taken: the time of the cluster's state, from which ages are counted.
        finished: when the run ended.
        seconds: how long it took.
        outcome: the worst outcome of all checks.
        counts: the number of checks by outcome.
        roots: the findings that nothing explains, in the order of what they cost; known ones are last.
        findings: all findings, each root before its symptoms.
        items: all checks with their outcomes.
        comparison: what has changed since an earlier run; null if there is no such run.
        unexplained: Warning events that no finding explains.
        stale: known issues that have expired, that match nothing, or whose check does not exist.
        remarks: what else the user should know.
        redacted: whether texts that look like credentials were redacted; false with --no-redact.
        unjudged: selected checks that have no outcome: the run was stopped before, or they crashed. A report that has
            any is partial.
        runs: the runs that --history keeps, the oldest first and this one last; empty without --history.
        period: seconds from the start of a run to that of the next one, as --period gives it.
    """

    schema: int
    kubevitals: str
    cluster: ClusterInfo
    taken: Time
    finished: Time
    seconds: float
    outcome: Outcome
    counts: dict[Outcome, int]
    roots: list[Root]
    findings: list[ReportedFinding]
    items: list[Item]
    comparison: Comparison | None = None
    unexplained: list[str] = []
    stale: list[str] = []
    remarks: list[str] = []
    redacted: bool = True
    unjudged: list[str] = []
    runs: list[PastRun] = []
    period: float = HOUR


def json_schema(of: type[Struct] = Report) -> str:
    """Return the JSON Schema of a format, with the docstrings of its types as descriptions."""
    schema = msgspec.json.schema(of)
    for definition in schema["$defs"].values():
        _describe(definition)
    return msgspec.json.format(msgspec.json.encode({"$schema": DIALECT} | schema), indent=1).decode() + "\n"


def _describe(definition: dict[str, Any]) -> None:
    """Move the descriptions of attributes from a docstring to the properties."""
    text, _, attributes = cleandoc(definition.get("description", "")).partition("\n\nAttributes:\n")
    definition["description"] = " ".join(text.split())
    for entry in re.split(r"\n(?=    \S)", attributes):
        name, _, description = entry.strip().partition(": ")
        if name:
            definition["properties"][name]["description"] = " ".join(description.split())
