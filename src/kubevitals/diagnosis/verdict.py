"""From a rule to a verdict: which of the six outcomes an item has, and why."""

from collections.abc import Callable, Iterable, Sized
from dataclasses import dataclass, field
from enum import StrEnum

from kubevitals.diagnosis.known_issues import KnownIssue, KnownIssues
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.findings.check_names import check_name
from kubevitals.findings.finding import Finding, Severity


class Outcome(StrEnum):
    """What became of an item. Only broken fails, unless the user asks for more."""

    HEALTHY = "healthy"
    BROKEN = "broken"
    WARNED = "warned"
    KNOWN = "known"
    NOT_OBSERVED = "not observed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An item's outcome with all that led to it.

    Attributes:
        findings: what nobody expected.
        known: what a known issue expects, with that issue.
        unseen: what kept the check from seeing all, even where it found something.
        inapplicable: why the check does not apply to this cluster.
    """

    cause: str
    variant: str
    outcome: Outcome
    findings: list[Finding] = field(default_factory=list)
    known: list[tuple[Finding, KnownIssue]] = field(default_factory=list)
    unseen: NotObserved | None = None
    inapplicable: str = ""

    @property
    def check(self) -> str:
        """The item's name, ``cause[variant]``."""
        return check_name(self.cause, self.variant)

    @property
    def unasked(self) -> bool:
        """Whether the check could not see all only because the run's options leave something out."""
        return self.unseen is not None and self.unseen.unasked

    @property
    def judged(self) -> list[tuple[Finding, KnownIssue | None]]:
        """All findings, those that were expected with the known issue that expects them."""
        return [*((finding, None) for finding in self.findings), *self.known]

    @property
    def all_findings(self) -> list[Finding]:
        """The findings, those included that were expected."""
        return [finding for finding, _ in self.judged]


def judge(
    cause: str,
    variant: str,
    check: Callable[[], Iterable[Finding]],
    known: KnownIssues,
    fail_on: Severity = Severity.ERROR,
    exempt: Callable[[str, Finding], bool] = lambda check, finding: False,
) -> Verdict:
    """Run a check for one variant. What was found before something turned out not to be observed is kept.

    What `exempt` accepts of a check does not make it fail.
    """
    findings: list[Finding] = []
    expected: list[tuple[Finding, KnownIssue]] = []
    unseen: NotObserved | None = None
    try:
        for finding in check():
            if issue := known.match(cause, variant, finding):
                expected.append((finding, issue))
            else:
                findings.append(finding)
    except NotObserved as error:
        unseen = error
    except NotApplicable as reason:
        return Verdict(cause, variant, Outcome.NOT_APPLICABLE, inapplicable=str(reason))
    counting = [finding for finding in findings if not exempt(check_name(cause, variant), finding)]
    outcome = _outcome(counting, findings or expected, unseen, fail_on)
    return Verdict(cause, variant, outcome, findings, expected, unseen)


def _outcome(findings: list[Finding], all_: Sized, unseen: NotObserved | None, fail_on: Severity) -> Outcome:
    if any(finding.severity is Severity.ERROR or fail_on is Severity.WARNING for finding in findings):
        return Outcome.BROKEN
    if unseen:
        return Outcome.NOT_OBSERVED
    if findings:
        return Outcome.WARNED
    return Outcome.KNOWN if all_ else Outcome.HEALTHY
