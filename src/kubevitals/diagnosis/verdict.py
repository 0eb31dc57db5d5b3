"""The verdict on a check: which of the six outcomes it has, and why."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from kubevitals.diagnosis.known_issues import KnownIssue, KnownIssues
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.findings.check_names import check_name
from kubevitals.findings.finding import Finding, Severity, rank


class Outcome(StrEnum):
    """The outcome of a check. Only `BROKEN` fails the run, unless the user asks for more."""

    HEALTHY = "healthy"
    BROKEN = "broken"
    WARNED = "warned"
    KNOWN = "known"
    NOT_OBSERVED = "not observed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a check with its reasons.

    Attributes:
        findings: the findings that no known issue expects.
        known: the findings that a known issue expects, each with that issue.
        unseen: why the check could not see everything that it needs, although it may have found something.
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
        """The name of the check, ``cause[variant]``."""
        return check_name(self.cause, self.variant)

    @property
    def unasked(self) -> bool:
        """Whether the check could not see everything only because the run's options exclude something."""
        return self.unseen is not None and self.unseen.unasked

    @property
    def judged(self) -> list[tuple[Finding, KnownIssue | None]]:
        """All findings, each with the known issue that expects it, if there is one."""
        return [*((finding, None) for finding in self.findings), *self.known]

    @property
    def all_findings(self) -> list[Finding]:
        """All findings, including the expected ones."""
        return [finding for finding, _ in self.judged]


def judge(
    cause: str,
    variant: str,
    check: Callable[[], Iterable[Finding]],
    known: KnownIssues,
    fail_on: Severity = Severity.ERROR,
    exempt: Callable[[str, Finding], bool] = lambda check, finding: False,
) -> Verdict:
    """Run a check for one variant, and return the verdict.

    If the check raises `NotObserved`, the findings that it yielded before are kept. Findings for which `exempt` is true
    do not make the check fail.
    """
    unexpected: list[Finding] = []
    expected: list[tuple[Finding, KnownIssue]] = []
    unseen: NotObserved | None = None
    try:
        for finding in check():
            if issue := known.match(cause, variant, finding):
                expected.append((finding, issue))
            else:
                unexpected.append(finding)
    except NotObserved as error:
        unseen = error
    except NotApplicable as reason:
        return Verdict(cause, variant, Outcome.NOT_APPLICABLE, inapplicable=str(reason))
    counting = [finding for finding in unexpected if not exempt(check_name(cause, variant), finding)]
    outcome = _outcome(counting, fail_on, unseen, any_findings=bool(unexpected or expected))
    return Verdict(cause, variant, outcome, unexpected, expected, unseen)


def _outcome(counting: list[Finding], fail_on: Severity, unseen: NotObserved | None, *, any_findings: bool) -> Outcome:
    if any(rank(finding.severity) <= rank(fail_on) for finding in counting):
        return Outcome.BROKEN
    if unseen:
        return Outcome.NOT_OBSERVED
    if counting:
        return Outcome.WARNED
    return Outcome.KNOWN if any_findings else Outcome.HEALTHY
