"""What checks report: a finding has an object, a sentence about what is wrong with it, evidence and a remedy."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import NamedTuple, TypeVar

from kubevitals import schema_pb2 as pb
from kubevitals.findings.severity import Severity as Severity
from kubevitals.objects import Ref, condition, last_end, owner, ref, statuses
from kubevitals.text import clean

EVIDENCE_LIMIT = 60
"""How many lines of evidence a finding keeps: enough for twenty lines each of two logs, and some more."""


ALIKE = 4
"""This many ownerless objects with the same finding are reported as one group, with the evidence of the first one."""

T = TypeVar("T")


def rank(severity: Severity) -> int:
    """Return the place of a severity in an order that begins with the gravest."""
    return (Severity.ERROR, Severity.WARNING).index(severity)


def gravest(severities: Iterable[Severity]) -> Severity:
    """Return the gravest of several severities.

    Raises:
        ValueError: there are none.
    """
    return min(severities, key=rank)


class Replicas(NamedTuple):
    """How many replicas of a workload are not available, and how many it asks for."""

    missing: int
    of: int


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong with an object.

    All texts are cleaned and shortened when the finding is created, so it can be printed as it is. The HTML report
    escapes them.

    Attributes:
        obj: the object that has the fault. It may be an object that is missing.
        says: a sentence that says what is wrong and does not name the object: findings of one owner with the same
            sentence are shown as one.
        remedy: what to do about it.
        evidence: lines that a person would otherwise have to look up.
        severity: `Severity.ERROR` by default.
        owner: the controller of the object, such as a Deployment.
        concerns: other objects that have the fault or suffer from it, such as the pods that use a claim.
        look: the kubectl command that shows more; by default `kubectl describe` of the object.
        node: the name of the node that the fault is on; empty if it is not on one node.
        part: the part of the object that has the fault, such as a container, if one object can have several findings
            of one check. It identifies the finding in the next run, so it must not contain anything that changes:
            numbers, generated names.
        missing: objects that are referenced and do not exist. Findings that miss the same object may have one root.
        since: when the state began, in seconds since 1970; 0 if the cluster does not say.
        replicas: for a finding on a workload, how many of its replicas are not available.

    Raises:
        TypeError: a field has a value of the wrong type.
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
    replicas: Replicas | None = None

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
                hint = "; ref(…) returns the Ref of an object" if kind is Ref else ""
                raise TypeError(f"a field of Finding must be a {kind.__name__} and is {value!r:.60}{hint}")


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
    """Return a finding on a pod, with its owner, its node, and the time since when it has not been ready."""
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


def with_kubectl_options(finding: Finding, options: Mapping[str, str]) -> Finding:
    """Return the finding with these options in its kubectl commands, such as ``--context``."""
    given = (f"{option} {shlex.quote(clean(value))}" for option, value in options.items())
    kubectl = f"kubectl {' '.join(given)} "
    look, remedy = (text.replace("kubectl ", kubectl) for text in (finding.look, finding.remedy))
    return replace(finding, look=look, remedy=remedy)


FLIP = 15
"""Seconds that lie at most between the end of a container and the time when its pod reports that it is not ready."""


def _unready_since(pod: pb.Pod) -> int:
    """Return when the pod became not ready; 0 if it is ready, or if a crash moved that time, as each one may do.

    A container that crashes and is never ready in between does not move it, and neither do restarts of the past.
    """
    ready = condition(pod, "Ready")
    if ready is None or ready.status != "False":
        return 0
    turned = ready.lastTransitionTime.seconds
    ends = (last_end(status).finishedAt.seconds for status in statuses(pod) if status.restartCount)
    return 0 if any(abs(turned - ended) <= FLIP for ended in ends) else turned


def fold(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Group findings that say the same about objects of one owner, or about `ALIKE` ownerless objects of one kind.

    A group stands where its first finding was.
    """
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        common = finding.owner or finding.obj.kind
        groups.setdefault((common, finding.says, finding.remedy, finding.severity), []).append(finding)
    return [piece for group in groups.values() for piece in in_pieces(group, together=group[0].owner is not None)]


def in_pieces(group: list[T], *, together: bool = False) -> list[list[T]]:
    """Return a group as one piece if it has `ALIKE` members, else each member by itself, with its own evidence."""
    return [group] if together or len(group) >= ALIKE else [[member] for member in group]
