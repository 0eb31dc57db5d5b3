"""What checks say: a finding names an object, what is wrong with it, the evidence and the remedy."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from kubevitals.objects import Ref
from kubevitals.text import clean

EVIDENCE_LIMIT = 60
"""Lines of evidence a finding keeps: twenty of each of two logs, and what stands around them."""


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
    """

    obj: Ref
    says: str
    remedy: str
    evidence: Iterable[str] = ()
    severity: Severity = Severity.ERROR
    owner: Ref | None = None
    concerns: tuple[Ref, ...] = ()
    look: str = ""

    def __post_init__(self) -> None:
        set_ = object.__setattr__
        set_(self, "says", clean(self.says))
        set_(self, "remedy", clean(self.remedy))
        set_(self, "evidence", tuple(clean(line) for line in list(self.evidence)[:EVIDENCE_LIMIT]))
        set_(self, "look", self.look or self.obj.kubectl("describe"))


def fold(findings: Iterable[Finding]) -> list[list[Finding]]:
    """Return the findings grouped: those of one owner that say the same stand together, in their first one's place."""
    groups: dict[object, list[Finding]] = {}
    for finding in findings:
        key = (finding.owner or finding.obj, finding.says, finding.severity)
        groups.setdefault(key, []).append(finding)
    return list(groups.values())
