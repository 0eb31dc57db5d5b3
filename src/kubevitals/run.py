"""What a run knows: its cluster, what is expected of it, and the verdicts so far."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from kubevitals.finding import Severity
from kubevitals.inventory import Cluster
from kubevitals.known import KnownIssues
from kubevitals.source import PROBE_HINT
from kubevitals.unexplained import unexplained
from kubevitals.verdict import Outcome, Verdict


@dataclass
class Run:
    """One run of the checks.

    Attributes:
        causes: all there are, whether chosen for this run or not.
        remarks: what the user should know of the run itself.
    """

    cluster: Cluster
    known: KnownIssues
    fail_on: Severity
    causes: frozenset[str]
    verdicts: list[Verdict] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def counts(self) -> Counter[Outcome]:
        """How many items had each outcome."""
        return Counter(verdict.outcome for verdict in self.verdicts)

    @property
    def observed(self) -> bool:
        """Whether any check could see what it needs."""
        return any(v.outcome not in (Outcome.NOT_OBSERVED, Outcome.NOT_APPLICABLE) for v in self.verdicts)

    @property
    def unprobed(self) -> int:
        """How many items were not observed for want of the probe."""
        return sum(v.unseen is not None and v.unseen.reason.endswith(PROBE_HINT) for v in self.verdicts)

    @property
    def unexplained(self) -> list[str]:
        """The Warning events that no finding explains, once every cause was judged."""
        if self.causes - {verdict.cause for verdict in self.verdicts}:
            return []
        return unexplained(self.cluster, (finding for v in self.verdicts for finding in v.all_findings))

    @property
    def stale(self) -> list[str]:
        """The known issues that are past their date, match nothing, or name no check."""
        unknown = [i for i in self.known.valid if i.check.partition("[")[0] not in self.causes]
        judged = ((v.cause, v.variant) for v in self.verdicts if v.outcome is not Outcome.NOT_OBSERVED)
        return [*(f"names no check: {issue}" for issue in unknown), *self.known.stale(judged)]


RUN = pytest.StashKey[Run]()
VERDICT = pytest.StashKey[Verdict]()

REPORTED = "verdict"
"""The attribute of a TestReport that holds the item's verdict, for every reporter."""
