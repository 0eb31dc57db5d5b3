"""What checks say: a finding names an object, what is wrong with it, the evidence and the remedy."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TypeVar

from kubevitals import schema_pb2 as pb
from kubevitals.objects import Ref, condition, owner, ref, statuses
from kubevitals.text import clean

EVIDENCE_LIMIT = 60
"""Lines of evidence a finding keeps: twenty of each of two logs, and what stands around them."""


ALIKE = 4
"""So many objects without an owner in common that show the same are told of as one, with the evidence of the first."""

T = TypeVar("T")


class Severity(StrEnum):
    """How bad a finding is."""

    WARNING = "warning"
    """A risk, or something of the past."""
    ERROR = "error"
    """Broken now."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with an object.

    All texts are cleaned when they come in, so a finding can be printed as it is; HTML is escaped by the report.
    What is no text, no name of an object or no time raises a TypeError here, rather than in a report.

    Attributes:
        obj: the object that has the fault; it may be one that should exist and does not.
        says: what is wrong, in a sentence that does not name the object: findings of one owner that say the same
            are shown as one.
        remedy: what to do about it.
        evidence: what a person would have looked for by hand, a line each.
        severity: an error unless said otherwise.
        owner: what made the object, for instance a Deployment.
        concerns: other objects that have the fault or suffer from it: the pods that wait for a claim.
        look: the kubectl command with which to look further.
        node: the name of the node on which it shows, or nothing.
        part: which part of the object has the fault, where one object may have it twice: a container, a condition.
            It tells findings apart from run to run, so it must not hold what changes: figures, generated names.
        missing: objects that are named and do not exist: what misses the same may have the same root.
        since: when the state began, in seconds since 1970; 0 where the cluster does not say.
    """

    obj: Ref
    says: str
    remedy: str
    evidence: Iterable[str] = ()
    severity: Severity = Severity.ERROR
    owner: Ref | None = None
    concerns: tuple[Ref, ...] = ()
    look: str = ""
    node: str = ""
    part: str = ""
    missing: tuple[Ref, ...] = ()
    since: int = 0

    def __post_init__(self) -> None:
        lines = (self.evidence,) if isinstance(self.evidence, str) else tuple(islice(self.evidence, EVIDENCE_LIMIT))
        self._refuse(str, self.says, self.remedy, self.look, self.node, self.part, *lines)
        self._refuse(Ref, self.obj, *self.concerns, *self.missing, *filter(None, [self.owner]))
        self._refuse(int, self.since)
        set_ = object.__setattr__
        set_(self, "severity", Severity(self.severity))
        set_(self, "says", clean(self.says))
        set_(self, "remedy", clean(self.remedy))
        set_(self, "evidence", tuple(map(clean, lines)))
        set_(self, "concerns", tuple(self.concerns))
        set_(self, "missing", tuple(self.missing))
        set_(self, "look", clean(self.look) or self.obj.kubectl("describe"))
        if self.obj.kind == "Node":
            set_(self, "node", self.obj.name)

    @staticmethod
    def _refuse(kind: type, *values: object) -> None:
        for value in values:
            if not isinstance(value, kind):
                hint = "; ref(…) gives an object's" if kind is Ref else ""
                raise TypeError(f"a Finding has {value!r:.60} where a {kind.__name__} belongs{hint}")


def pod_finding(
    pod: pb.Pod,
    *,
    says: str,
    remedy: str,
    evidence: Iterable[str] = (),
    severity: Severity = Severity.ERROR,
    part: str = "",
    missing: tuple[Ref, ...] = (),
    concerns: tuple[Ref, ...] = (),
    look: str = "",
) -> Finding:
    """Return a finding on a pod, with its owner, its node, and since when it is not ready."""
    return Finding(
        ref(pod),
        says,
        remedy,
        evidence,
        severity,
        owner(pod),
        concerns,
        look=look,
        node=pod.spec.nodeName,
        part=part,
        missing=missing,
        since=_unready_since(pod),
    )


def in_context(finding: Finding, context: str) -> Finding:
    """Return the finding with its kubectl commands for this context, which need not be the kubeconfig's current one."""
    told = f"kubectl --context {shlex.quote(clean(context))} "
    look, remedy = (text.replace("kubectl ", told) for text in (finding.look, finding.remedy))
    return replace(finding, look=look, remedy=remedy)


def _unready_since(pod: pb.Pod) -> int:
    """Return when the pod turned not ready; a container that ends again and again turns it so each time anew."""
    ready = condition(pod, "Ready")
    told = ready is not None and ready.status == "False" and not any(s.restartCount for s in statuses(pod))
    return ready.lastTransitionTime.seconds if ready and told else 0


def fold(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return the findings grouped: those that say the same stand together, in their first one's place.

    They are about objects of one owner or, where they have none and are `ALIKE`, of one kind.
    """
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        place = finding.owner or finding.obj.kind
        groups.setdefault((place, finding.says, finding.remedy, finding.severity), []).append(finding)
    return [piece for group in groups.values() for piece in in_pieces(group, together=group[0].owner is not None)]


def in_pieces(group: list[T], *, together: bool = False) -> list[list[T]]:
    """Return what says the same in one piece if it is `ALIKE`; a few are told one by one, each with its evidence."""
    return [group] if together or len(group) >= ALIKE else [[each] for each in group]
