"""The report in the terminal, written through pytest's own reporter."""

from collections.abc import Generator, Mapping, Sequence

import pytest
from _pytest._code.code import TerminalRepr  # noqa: PLC2701
from _pytest._io import TerminalWriter

from kubevitals.diagnosis.assemble import cluster_info
from kubevitals.diagnosis.result import Report, ReportedFinding, Root
from kubevitals.diagnosis.run import Run
from kubevitals.diagnosis.turns import counted, some
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.findings.finding import Finding, Severity, fold
from kubevitals.inventory.cluster import Cluster
from kubevitals.reports.wording import (
    chain_line,
    changes,
    cluster_line,
    heading,
    not_observed,
    past_line,
    place_names,
    replicas_line,
    since,
    start_with,
    why_blind,
)
from kubevitals.text import plural

SHOWN_OBJECTS = 5
"""How many objects are listed of findings that say the same."""

DETAILED = 100
"""How many findings of one check and namespace are shown with evidence and remedy; others get one line each."""

SHOWN_ROOTS, SHOWN_SYMPTOMS, SHOWN_CHAINS, SHOWN_CHANGES = 20, 5, 3, 20
"""How many roots the diagnosis shows, symptoms and chains of each, and findings of each kind of change."""


class FindingsRepr(TerminalRepr):
    """The findings of a failed check, which replace the traceback; with ``--tb=line`` only one line."""

    def __init__(self, verdict: Verdict, run: Run, style: str = "auto") -> None:
        self.verdict, self._run, self._style = verdict, run, style
        self.reprcrash = _Line(verdict.check, headline(verdict))

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the findings, the expected ones, and what was not observed."""
        if self._style == "line":
            return
        write_all(tw, self.verdict, self._run)
        if self.verdict.unseen:
            tw.line(f"not observed: {self.verdict.unseen}", yellow=True)


class _Line:
    """One line about a failed check: without its name for pytest's short summary, with it for ``--tb=line``."""

    def __init__(self, check: str, message: str) -> None:
        self._check, self.message = check, message

    def __str__(self) -> str:
        return f"{self._check}: {self.message}"


def headline(verdict: Verdict) -> str:
    """Return the first finding of a verdict, and how many more there are, in one line."""
    groups = fold(verdict.findings)
    if not groups:
        return f"not observed: {verdict.unseen}"
    first = groups[0][0]
    more = f" (and {plural(len(verdict.findings) - 1, 'more finding')})" if len(verdict.findings) > 1 else ""
    return f"{first.obj}: {first.says}{more}"


def write_all(tw: TerminalWriter, verdict: Verdict, run: Run) -> None:
    """Write the findings of a verdict; if one namespace has very many, most of them in one line each."""
    for before, group in counted(fold(verdict.findings), lambda group: group[0].obj.namespace):
        if before < DETAILED:
            write_findings(tw, group, verdict, run)
        else:
            tw.line(f"{title(group)}: {group[0].says}")
    write_known(tw, verdict)


def write_findings(tw: TerminalWriter, group: list[Finding], verdict: Verdict, run: Run) -> None:
    """Write findings that say the same as one, with the evidence and the remedy of the first one."""
    first = group[0]
    colour = "red" if first.severity is Severity.ERROR else "yellow"
    tw.line(title(group), bold=True, **{colour: True})
    tw.line(f"  {verdict.variant}: {first.says}")
    for root in dict.fromkeys(filter(None, (run.explanation(verdict.check, finding) for finding in group))):
        tw.line(f"  symptom of: {root}", bold=True)
    for line in first.evidence:
        tw.line(f"    | {line}")
    _write_help(first, tw)


def title(group: list[Finding]) -> str:
    """Return the objects of findings that say the same; if there are many, the first ones."""
    first = group[0]
    if len(group) == 1:
        return f"{first.obj}{f'  (of {first.owner.kind} {first.owner.name})' if first.owner else ''}"
    of = f" of {first.owner}" if first.owner else ""
    return f"{len(group):,}× {first.obj.kind}{of}: {some((str(finding.obj) for finding in group), SHOWN_OBJECTS)}"


def write_known(tw: TerminalWriter, verdict: Verdict) -> None:
    """Write the findings that known issues expect."""
    for finding, issue in verdict.known:
        tw.line(f"known: {finding.obj}: {finding.says}", blue=True)
        tw.line(f"  {issue}")


def describe(cluster: Cluster) -> list[str]:
    """Return which cluster this is, and the time of its state."""
    return [f"cluster: {cluster_line(cluster_info(cluster), cluster.now)}"]


def write_details(run: Run, reporter: pytest.TerminalReporter) -> None:
    """Write warnings, known issues, unexplained events, and what was not observed."""
    tw: TerminalWriter = reporter._tw  # noqa: SLF001
    reporter.ensure_newline()
    _write_warnings(run, reporter, tw)
    if run.report:
        _write_unexplained(run.report, reporter, tw)
        _write_unseen(run.report, reporter, tw)


class Conclusion:
    """Writes the diagnosis and the verdict at the very end, where users look first."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> Generator[None, None, None]:
        """Write after all other plugins."""
        yield
        if exitstatus != pytest.ExitCode.USAGE_ERROR:
            conclude(self._run, terminalreporter)


def conclude(run: Run, reporter: pytest.TerminalReporter) -> None:
    """Write the diagnosis, remarks on the run, the counts of outcomes, and the root cause to start with."""
    tw: TerminalWriter = reporter._tw  # noqa: SLF001
    report, counts = run.report, run.counts
    if report and reporter.verbosity > -2:
        _write_diagnosis(report, reporter, tw)
        _write_changes(report, reporter, tw)
    for line in [*(f"known issue {line}" for line in run.stale), *run.remarks, *run.cluster.remarks]:
        tw.line(line, yellow=True)
    reporter.section("cluster health", sep="=")
    tw.line(
        ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "no check was judged"
    )
    if run.unprobed:
        tw.line(run.unprobed, yellow=True)
    if run.verdicts and not run.observed:
        tw.line("nothing was observed: this run says nothing about the cluster", red=True)
    if report:
        _write_verdict(report, tw)


def _write_verdict(report: Report, tw: TerminalWriter) -> None:
    if report.unjudged:
        tw.line(heading(report), yellow=True)
    if reason := why_blind(report):
        tw.line(f"most common reason: {reason}", bold=True)
    if line := changes(report):
        tw.line(line)
    if root := start_with(report):
        finding = next(finding for finding in report.findings if finding.id == root.id)
        tw.line(f"start with: {root}", bold=True)
        _write_help(finding, tw)


def _write_help(finding: Finding | ReportedFinding, tw: TerminalWriter) -> None:
    tw.line(f"  remedy: {finding.remedy}", green=True)
    tw.line(f"  look:   {finding.look}")


def _write_diagnosis(report: Report, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    if not report.roots:
        return
    reporter.section(f"diagnosis: {heading(report).lower()}", sep="=")
    by_id = {finding.id: finding for finding in report.findings}
    for root in report.roots[:SHOWN_ROOTS]:
        _write_root(root, by_id, report, tw)
    if len(report.roots) > SHOWN_ROOTS:
        tw.line(f"and {plural(len(report.roots) - SHOWN_ROOTS, 'more root cause')}")


def _write_changes(report: Report, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    if not (comparison := report.comparison):
        return
    reporter.section("changes", sep="=")
    for status in ("new", "worse"):
        changed = [finding for finding in report.findings if finding.status == status]
        _write_some(
            status, [f"{place_names(finding)}: {finding.says}  [{finding.check}]" for finding in changed], tw, red=True
        )
    _write_some("resolved", list(map(past_line, comparison.resolved)), tw, green=True)
    _write_some("not checked again", list(map(past_line, comparison.unconfirmed)), tw, yellow=True)


def _write_some(what: str, lines: Sequence[str], tw: TerminalWriter, **markup: bool) -> None:
    for line in lines[:SHOWN_CHANGES]:
        tw.line(f"{what}: {line}", **markup)
    if len(lines) > SHOWN_CHANGES:
        tw.line(f"{what}: {len(lines) - SHOWN_CHANGES} more", **markup)


def _write_root(root: Root, by_id: Mapping[str, ReportedFinding], report: Report, tw: TerminalWriter) -> None:
    finding = by_id[root.id]
    tw.line(str(root), bold=True, red=root.severity == Severity.ERROR)
    began = since(finding, report)
    known = "known" if finding.known else ""
    missing = replicas_line(root.replicas)
    facts = filter(None, (missing, root.check, finding.status, known, f"since {began}" if began else ""))
    tw.line(f"  {', '.join(facts)}", light=True)
    for links in root.chains[:SHOWN_CHAINS]:
        tw.line(f"  {chain_line(links)}")
    if root.symptoms:
        tw.line(f"  explains {plural(len(root.symptoms), 'symptom')}:")
    for id_ in root.symptoms[:SHOWN_SYMPTOMS]:
        symptom = by_id[id_]
        tw.line(f"    {place_names(symptom)}  [{symptom.check}]")
    if len(root.symptoms) > SHOWN_SYMPTOMS:
        tw.line(f"    and {len(root.symptoms) - SHOWN_SYMPTOMS:,} more")


def _write_warnings(run: Run, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    warned = [verdict for verdict in run.verdicts if verdict.outcome is not Outcome.BROKEN and verdict.all_findings]
    if not warned:
        return
    reporter.section("warnings and known issues", sep="=")
    for verdict in warned:
        tw.line(verdict.check, bold=True)
        write_all(tw, verdict, run)


def _write_unseen(report: Report, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    unseen = not_observed(report)
    if not unseen:
        return
    reporter.section("not observed", sep="=")
    for reason, checks in unseen.items():
        tw.line(reason, yellow=True)
        tw.line(f"  affects {', '.join(checks)}")


def _write_unexplained(report: Report, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    if lines := report.unexplained:
        reporter.section("warning events that no finding explains (they do not affect the verdict)", sep="=")
        for line in lines:
            tw.line(line)
