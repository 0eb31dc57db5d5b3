"""One run of the checks: what it was given, and what it has found so far."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from time import monotonic

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.identity import identity
from kubevitals.diagnosis.kept_runs import KeptRuns
from kubevitals.diagnosis.known_issues import KnownIssues
from kubevitals.diagnosis.result import HOUR, Report
from kubevitals.diagnosis.unexplained_events import unexplained
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.errors import NotObserved
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.explains import Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster

API_SERVER = "api-server"
"""The cause that needs no right: a user who may see nothing else still sees that the API server is up."""

API_SERVER_CERTIFICATE = "certificates[api-server]"
"""The check of a certificate that every client is shown, without a right."""


@dataclass(frozen=True)
class Inputs:
    """What a run is given before its first check. It does not change during the run.

    Attributes:
        causes: all causes in the folders of the checks, including those that were not selected.
        variants: all variants of the causes of this run, including those that were not selected.
        chapters: the chapter of the guide for each cause.
        docstrings: the documentation of each cause.
        rules: which finding explains which.
        planned: the selected checks, each ``cause[variant]``.
        history: what an earlier run found.
        kept: the last runs; nothing without --history.
        only_new: whether findings that the earlier run had as well do not make a check fail.
        period: seconds from the start of a run to that of the next one.
        started: the monotonic clock when the run began, in seconds.
    """

    cluster: Cluster
    known: KnownIssues
    fail_on: Severity
    causes: frozenset[str]
    variants: Mapping[str, frozenset[str]] = field(default_factory=dict)
    chapters: Mapping[str, str] = field(default_factory=dict)
    docstrings: Mapping[str, str] = field(default_factory=dict)
    rules: Sequence[Explains] = ()
    planned: Sequence[str] = ()
    history: History = field(default_factory=History)
    kept: KeptRuns | None = None
    only_new: bool = False
    period: float = HOUR
    started: float = field(default_factory=monotonic)

    def exempts(self, check: str, finding: Finding) -> bool:
        """Return whether ``--only-new`` ignores a finding: the earlier run had it, and it has not become worse."""
        return self.only_new and self.history.status(identity(check, finding), finding.severity) == "ongoing"

    def may_exist(self, check: str) -> bool:
        """Return whether there may be such a check. Variants are only known of the causes of this run."""
        cause, variant = cause_in(check), variant_in(check)
        return cause in self.causes and (not variant or variant in self.variants.get(cause, (variant,)))


@dataclass
class Run:
    """A run in progress, and then its result.

    Attributes:
        verdicts: of the checks that were judged so far.
        seconds: how long each check took.
        remarks: what the user should know about the run itself.
        report: the result, once all checks are judged.
        page: the path of the HTML report, once it is written.
        unwritten: whether a report could not be written.
        required: how many checks failed only because they had to observe something and could not.
    """

    inputs: Inputs
    verdicts: list[Verdict] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    report: Report | None = None
    page: Path | None = None
    unwritten: bool = False
    required: int = 0

    @property
    def cluster(self) -> Cluster:
        """The cluster that is judged."""
        return self.inputs.cluster

    def cannot_write(self, what: str, error: OSError) -> None:
        """Note that a report could not be written, which the user is told and which fails the run."""
        self.unwritten = True
        self.remarks.append(f"{what} cannot be written: {error.strerror}")

    @property
    def counts(self) -> Counter[Outcome]:
        """How many checks had each outcome."""
        return Counter(verdict.outcome for verdict in self.verdicts)

    @property
    def unjudged(self) -> list[str]:
        """The checks that have no verdict: the run was stopped before, or they crashed."""
        judged = {verdict.check for verdict in self.verdicts}
        return [check for check in self.inputs.planned if check not in judged]

    @property
    def observed(self) -> bool:
        """Whether any check was observed, not counting those that need no right unless there are no others.

        Nothing was if the cluster has no node or no namespace: nothing runs there whose health could be judged.
        """
        if self.vacancy:
            return False
        unseen = (Outcome.NOT_OBSERVED, Outcome.NOT_APPLICABLE)
        seen = [verdict for verdict in self.verdicts if verdict.outcome not in unseen]
        return any(not _needs_no_right(each) for each in seen) or (
            bool(seen) and all(map(_needs_no_right, self.verdicts))
        )

    @cached_property
    def vacancy(self) -> str:
        """What every cluster has and this one does not; an empty text if it has that, or it is not observed.

        The exit code depends on it when the lists are gone.
        """
        for what in ("nodes", "namespaces"):
            with suppress(NotObserved):
                if not getattr(self.cluster, what):
                    return f"the API server lists no {what}, so this run says nothing about a cluster's health"
        return ""

    @property
    def unexplained(self) -> list[str]:
        """The Warning events that no finding explains; only known once all causes were judged."""
        if self.unjudged or not self.observed or self.inputs.causes - {verdict.cause for verdict in self.verdicts}:
            return []
        return unexplained(self.cluster, (finding for verdict in self.verdicts for finding in verdict.all_findings))

    @property
    def stale(self) -> list[str]:
        """The known issues that have expired, that match nothing, or whose check does not exist."""
        known = self.inputs.known
        unknown = [issue for issue in known.valid if not self.inputs.may_exist(issue.check)]
        seen = [verdict for verdict in self.verdicts if verdict.outcome is not Outcome.NOT_OBSERVED]
        matched = {issue for verdict in self.verdicts for _, issue in verdict.known}
        return [
            *(f"names a check that does not exist: {issue}" for issue in unknown),
            *known.stale(((verdict.cause, verdict.variant) for verdict in seen), matched),
        ]


def _needs_no_right(verdict: Verdict) -> bool:
    """Return whether the check is about the API server itself: its answers, or the certificate that it shows."""
    return verdict.cause == API_SERVER or verdict.check == API_SERVER_CERTIFICATE


REPORTED = "verdict"
"""The attribute of a TestReport that holds the verdict of the check, for every reporter."""
