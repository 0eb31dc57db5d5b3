"""What pytest keeps of a failed check instead of a traceback: JUnit reports show it."""

from typing import NamedTuple

from _pytest._code.code import TerminalRepr  # noqa: PLC2701
from _pytest._io import TerminalWriter

from kubevitals.diagnosis.turns import some
from kubevitals.diagnosis.verdict import Verdict
from kubevitals.findings.finding import Finding, fold
from kubevitals.text import plural

DETAILED = 100
"""How many findings have their evidence and remedy; others get one line each."""


class _Message(NamedTuple):
    message: str


class Failure(TerminalRepr):
    """The findings of a failed check, and what it could not observe."""

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict
        self.reprcrash = _Message(_headline(verdict))

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the findings; those that say the same have the evidence of the first one."""
        for number, group in enumerate(fold(self._verdict.findings)):
            tw.line(f"{_objects(group)}: {group[0].says}")
            if number < DETAILED:
                self._write_details(group[0], tw)
        for finding, issue in self._verdict.known:
            tw.line(f"known: {finding.obj}: {finding.says} ({issue})")
        if self._verdict.unseen:
            tw.line(f"not observed: {self._verdict.unseen}")

    @staticmethod
    def _write_details(finding: Finding, tw: TerminalWriter) -> None:
        for line in finding.evidence:
            tw.line(f"    | {line}")
        tw.line(f"  remedy: {finding.remedy}")
        tw.line(f"  look:   {finding.look}")


def _headline(verdict: Verdict) -> str:
    """Return the first finding of a verdict, and how many more there are, in one line."""
    groups = fold(verdict.findings)
    if not groups:
        return f"not observed: {verdict.unseen}"
    more = f" (and {plural(len(groups) - 1, 'more finding')})" if len(groups) > 1 else ""
    return f"{_objects(groups[0])}: {groups[0][0].says}{more}"


def _objects(group: list[Finding]) -> str:
    return some(str(finding.obj) for finding in group)
