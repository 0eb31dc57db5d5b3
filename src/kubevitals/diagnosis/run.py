"""What a run knows: its cluster, what is expected of it, and the verdicts so far."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from time import monotonic

import pytest

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.identity import identity
from kubevitals.diagnosis.known_issues import KnownIssues
from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.unexplained_events import unexplained
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.explains import Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import PROBE_HINT
from kubevitals.text import plural

API_SERVER = "api-server"
"""The cause that takes no right: whoever may see nothing at all sees that the API server is up."""


@dataclass
class Run:
    """One run of the checks.

    Attributes:
        causes: all there are, whether chosen for this run or not.
        variants: likewise all variants of the causes of this run.
        chapters: of the guide, by cause.
        rules: what explains what.
        history: what an earlier run found.
        only_new: whether only findings that the history does not have make a check fail.
        seconds: what each check took.
        remarks: what the user should know of the run itself.
        report: the result, once all checks are through.
        planned: the checks that were chosen, each ``cause[variant]``.
        unwritten: whether a report could not be written.
        started: the clock's time when it began.
    """

    cluster: Cluster
    known: KnownIssues
    fail_on: Severity
    causes: frozenset[str]
    variants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    chapters: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[Explains] = ()
    planned: Sequence[str] = ()
    history: History = field(default_factory=History)
    only_new: bool = False
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    report: Report | None = None
    unwritten: bool = False
    started: float = field(default_factory=monotonic)

    def exempts(self, check: str, finding: Finding) -> bool:
        """Return whether a finding does not count: with --only-new what an earlier run found, no less bad."""
        return self.only_new and self.history.status(identity(check, finding), finding.severity) == "ongoing"

    def cannot_write(self, what: str, error: OSError) -> None:
        """Remember that a report could not be written: the user is told, and the run fails."""
        self.unwritten = True
        self.remarks.append(f"{what} cannot be written: {error.strerror}")

    def explanation(self, check: str, finding: Finding) -> str:
        """Return the root of which a finding is a symptom, or nothing; known once the report is made."""
        return self._explanations.get((check, str(finding.obj)), "") if self.report else ""

    @cached_property
    def _explanations(self) -> Mapping[tuple[str, str], str]:
        if not self.report:
            return {}
        roots = {id_: str(root) for root in self.report.roots for id_ in (root.id, *root.others)}
        return {(f.check, place.object): roots[f.root] for f in self.report.findings if f.root for place in f.places}

    @property
    def counts(self) -> Counter[Outcome]:
        """How many items had each outcome."""
        return Counter(verdict.outcome for verdict in self.verdicts)

    @property
    def unjudged(self) -> list[str]:
        """The checks that have no verdict: the run ended before, or they failed themselves."""
        judged = {verdict.check for verdict in self.verdicts}
        return [check for check in self.planned if check not in judged]

    @property
    def observed(self) -> bool:
        """Whether any check could see what it needs: one of the cluster, unless only its API server was looked at."""
        seen = {v.cause for v in self.verdicts if v.outcome not in (Outcome.NOT_OBSERVED, Outcome.NOT_APPLICABLE)}
        asked = {v.cause for v in self.verdicts}
        return bool(seen - {API_SERVER}) or (bool(seen) and asked == {API_SERVER})

    @property
    def unprobed(self) -> str:
        """How much a probe would have shown, and what it does to the cluster; nothing where it lacked nowhere."""
        count = sum(v.unseen is not None and v.unseen.reason.endswith(PROBE_HINT) for v in self.verdicts)
        return f"{plural(count, 'network item')} not observed: {PROBE_HINT[1:-1]}" if count else ""

    @property
    def unexplained(self) -> list[str]:
        """The Warning events that no finding explains, once every cause was judged and something was observed."""
        if self.unjudged or not self.observed or self.causes - {verdict.cause for verdict in self.verdicts}:
            return []
        return unexplained(self.cluster, (finding for v in self.verdicts for finding in v.all_findings))

    @property
    def stale(self) -> list[str]:
        """The known issues that are past their date, match nothing, or name no check."""
        unknown = [issue for issue in self.known.valid if not self._there_is(issue.check)]
        judged = ((v.cause, v.variant) for v in self.verdicts if v.outcome is not Outcome.NOT_OBSERVED)
        return [*(f"names no check: {issue}" for issue in unknown), *self.known.stale(judged)]

    def _there_is(self, check: str) -> bool:
        """Return whether a check may be there: of a cause that this run leaves out the variants are not known."""
        cause, variant = cause_in(check), variant_in(check)
        return cause in self.causes and (not variant or variant in self.variants.get(cause, (variant,)))


RUN = pytest.StashKey[Run]()
VERDICT = pytest.StashKey[Verdict]()

REPORTED = "verdict"
"""The attribute of a TestReport that holds the item's verdict, for every reporter."""
