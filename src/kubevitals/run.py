"""What a run knows: its cluster, what is expected of it, and the verdicts so far."""

from collections import Counter
from dataclasses import dataclass, field

import pytest

from kubevitals.finding import Severity
from kubevitals.inventory import Cluster
from kubevitals.known import KnownIssues
from kubevitals.verdict import Outcome, Verdict


@dataclass
class Run:
    """One run of the checks.

    Attributes:
        remarks: what the user should know of the run itself.
    """

    cluster: Cluster
    known: KnownIssues
    fail_on: Severity
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
    def stale(self) -> list[str]:
        """The known issues that are past their date or match nothing."""
        return self.known.stale((v.cause, v.variant) for v in self.verdicts if v.outcome is not Outcome.NOT_OBSERVED)


RUN = pytest.StashKey[Run]()
VERDICT = pytest.StashKey[Verdict]()

REPORTED = "verdict"
"""The attribute of a TestReport that holds the item's verdict, for every reporter."""
