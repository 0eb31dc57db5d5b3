"""A run's result as a file: the format that ``--findings`` writes, ``--compare`` reads and every report is drawn from.

docs/findings.schema.json is its JSON Schema, made of these types by ``tools/schema``.
"""

import re
from datetime import date, datetime
from inspect import cleandoc
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.finding import Severity

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SCHEMA = 1
"""The version of the format; it rises when a field changes its meaning or goes, not when one is added."""

Time = Annotated[datetime, Meta(tz=True)]
Status = Literal["new", "worse", "ongoing"]
Id = Annotated[str, Meta(description="Stable from run to run; what stands behind a dot tells parts of one finding.")]


class ClusterInfo(Struct, frozen=True):
    """The cluster that was looked at.

    Attributes:
        uid: of the namespace kube-system: what tells clusters of one name apart.
    """

    context: str
    uid: str = ""
    version: str = ""
    nodes: list[str] | None = None
    namespaces: int | None = None
    pods: int | None = None


class Item(Struct, frozen=True):
    """A check's variant, and what became of it.

    Attributes:
        check: ``cause[variant]``.
        chapter: of the guide.
        seconds: what it took.
        unseen: why it could not see all that it needs.
        right: the right that would change that.
        inapplicable: why it does not apply to this cluster.
    """

    check: str
    chapter: str
    outcome: Outcome
    seconds: float = 0.0
    findings: list[Id] = []
    unseen: str = ""
    right: str = ""
    inapplicable: str = ""


class Place(Struct, frozen=True):
    """An object that has the fault, and the node on which it shows."""

    object: str
    node: str = ""


class Known(Struct, frozen=True):
    """The known issue that expects a finding."""

    reason: str
    until: date


class Found(Struct, frozen=True):
    """A finding; those of alike objects of one owner with the same root are one.

    Attributes:
        also: what else it says of further objects.
        look: the command with which to look further.
        concerns: other objects that suffer from it.
        missing: objects that are named and do not exist.
        since: when the state began, where the cluster says so.
        first_seen: when it was first found: in the earliest of the runs compared.
        status: compared with an earlier run, in which what is worse was a warning; null without one.
        root: the finding that explains it; empty if it is a root itself.
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

    @property
    def began(self) -> datetime:
        """Since when it is known to be so: by the cluster's word, or found by a run."""
        return min(self.since or self.first_seen, self.first_seen)


class Root(Struct, frozen=True):
    """A finding that nothing explains, the most probable first; those that say the same of other objects are one root.

    Attributes:
        objects: what has it, for people: all of a few, the first ones of many.
        severity: the worst of it and its symptoms.
        explains: objects that have its symptoms.
        others: the findings that say the same.
    """

    id: Id
    check: str
    objects: str
    says: str
    severity: Severity
    explains: int
    symptoms: list[Id]
    others: list[Id]

    def __str__(self) -> str:
        return f"{self.objects}{':' if ', ' in self.objects else ''} {self.says}"


class Past(Struct, frozen=True):
    """A finding of the run compared with that is not found any more."""

    id: Id
    check: str
    namespace: str
    object: str
    says: str
    severity: Severity
    first_seen: Time


class Comparison(Struct, frozen=True):
    """What changed since an earlier run.

    Attributes:
        taken: the time of the earlier run's cluster.
        resolved: what is not found any more by checks that saw all they need.
        unconfirmed: earlier findings in namespaces that were not looked at, or of checks that were not run or could not
            see.
    """

    taken: Time
    new: int
    worse: int
    ongoing: int
    resolved: list[Past]
    unconfirmed: list[Past]


class Report(Struct, frozen=True):
    """A run's result.

    Attributes:
        schema: the version of this format.
        kubevitals: the version that wrote it.
        taken: the time of the cluster's state, from which ages are counted.
        finished: when the run ended.
        seconds: what it took.
        outcome: of the whole run: the worst of its items'.
        counts: items by outcome.
        unexplained: Warning events that no finding explains.
        stale: known issues that are past their date, match nothing or name no check.
        remarks: what else the user should know.
        redacted: whether what looks like a credential was left out: not with --no-redact.
        unjudged: checks that were chosen and have no outcome: the run was stopped before, or they failed themselves.
            A report that has some is partial.
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
    findings: list[Found]
    items: list[Item]
    comparison: Comparison | None = None
    unexplained: list[str] = []
    stale: list[str] = []
    remarks: list[str] = []
    redacted: bool = True
    unjudged: list[str] = []


def json_schema() -> str:
    """Return the format's JSON Schema, with these docstrings as descriptions."""
    schema = msgspec.json.schema(Report)
    for definition in schema["$defs"].values():
        _describe(definition)
    return msgspec.json.format(msgspec.json.encode({"$schema": DIALECT} | schema), indent=1).decode() + "\n"


def _describe(definition: dict[str, Any]) -> None:
    """Move what a docstring says of attributes to where a schema says it."""
    text, _, attributes = cleandoc(definition.get("description", "")).partition("\n\nAttributes:\n")
    definition["description"] = " ".join(text.split())
    for entry in re.split(r"\n(?=    \S)", attributes):
        name, _, says = entry.strip().partition(": ")
        if name:
            definition["properties"][name]["description"] = " ".join(says.split())
