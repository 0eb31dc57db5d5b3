"""The report in the terminal: one list of lines, each with the least verbose level of ``-q`` and ``-v`` that shows it.

So a level adds lines to those of the level below, and the order is the same at all levels.
"""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from enum import IntEnum
from os.path import relpath
from textwrap import wrap
from typing import NamedTuple, TypeVar

import pytest
from _pytest._io import TerminalWriter

from kubevitals.diagnosis.assemble import cluster_info
from kubevitals.diagnosis.result import Link, Report, ReportedFinding, Root
from kubevitals.diagnosis.run import Run
from kubevitals.diagnosis.turns import some
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.inventory.cluster import Cluster
from kubevitals.reports.wording import (
    Unseen,
    chain_line,
    changes,
    chart,
    cluster_line,
    heading,
    not_observed,
    often,
    past_line,
    place_names,
    replicas_line,
    root_line,
    since,
    trend,
)
from kubevitals.text import clean, plural

T = TypeVar("T")

SHOWN = 10
"""How many roots, reasons and remarks are shown below ``-vv``."""

SYMPTOMS, CHAINS, OBJECTS = 5, 3, 100
"""How many symptoms and chains of a root are shown below ``-vv``, and how many of its objects with it."""

ROWS = 3
"""How many rows of the terminal a text takes below ``-v``, which shows it in full."""

EVIDENCE = 500_000
"""How many characters of evidence are shown. The findings file has everything."""

LETTERS = "dots: . healthy, F broken, w warned, k known, o not observed, - not applicable"


class Level(IntEnum):
    """The options that show a line, as pytest counts them."""

    QQ = -2
    Q = -1
    DEFAULT = 0
    V = 1
    VV = 2


class Line(NamedTuple):
    """A line of the report.

    Attributes:
        level: the least verbose level that shows it.
        indent: columns before the text; a row that continues it has two more.
        limit: how many rows are shown; nothing for all of them.
        is_command: whether it stays in one row, so that it can be copied.
    """

    level: Level
    text: str
    indent: int = 0
    colour: str = ""
    limit: int | None = None
    is_command: bool = False

    def rows(self, width: int) -> list[str]:
        """Return the rows of a terminal of this width. Names are never broken."""
        begin = " " * self.indent
        if self.is_command:
            return [begin + self.text]
        return wrap(
            self.text,
            width,
            initial_indent=begin,
            subsequent_indent=f"{begin}  ",
            break_long_words=False,
            break_on_hyphens=False,
            max_lines=self.limit,
            placeholder=" …",
        )


class TerminalReport:
    """Hooks that write the report after all other plugins, and the verdict once more as the last line."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._ends_with_verdict = False

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter, exitstatus: int
    ) -> Generator[None, None, None]:
        """Write the report."""
        yield
        if exitstatus != pytest.ExitCode.USAGE_ERROR:
            self._write(terminalreporter)

    def _write(self, reporter: pytest.TerminalReporter) -> None:
        tw: TerminalWriter = reporter._tw  # noqa: SLF001
        reporter.ensure_newline()
        if reporter.verbosity >= Level.DEFAULT:
            reporter.section("cluster health", sep="=")
        lines = [line for line in lines_of(self._run, tw.fullwidth) if line.level <= reporter.verbosity]
        for line in lines:
            write(line, tw)
        self._ends_with_verdict = len(lines) == 1 and reporter.verbosity <= Level.QQ

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        """Write the verdict after all that pytest writes."""
        yield
        reporter: pytest.TerminalReporter | None = session.config.pluginmanager.getplugin("terminalreporter")
        if reporter and self._run.report and not self._ends_with_verdict:
            write(_verdict(self._run.report), reporter._tw)  # noqa: SLF001


def write(line: Line, tw: TerminalWriter) -> None:
    """Write a line, wrapped at the width of the terminal."""
    for row in line.rows(tw.fullwidth):
        tw.line(row, **{line.colour: True} if line.colour else {})


def header(cluster: Cluster, reporter: pytest.TerminalReporter) -> Iterator[str]:
    """Yield which cluster this is, the time of its state, remarks, and what the letters mean that follow."""
    which = Line(Level.QQ, f"cluster: {cluster_line(cluster_info(cluster), cluster.now)}")
    remarks = (Line(Level.Q, clean(remark)) for remark in cluster.remarks)
    for line in (which, *remarks, Line(Level.Q, LETTERS)):
        if line.level <= reporter.verbosity:
            yield from line.rows(reporter._tw.fullwidth)  # noqa: SLF001


def _verdict(report: Report) -> Line:
    colours = {Outcome.BROKEN: "red", Outcome.HEALTHY: "green"}
    return Line(Level.QQ, heading(report), colour=colours.get(report.outcome, "yellow"))


def lines_of(run: Run, width: int) -> Iterator[Line]:
    """Yield the lines of the report for a terminal of this width, each with its level."""
    if not run.report:
        yield Line(Level.QQ, "no check was judged", colour="red")
        yield from (Line(Level.QQ, clean(remark)) for remark in run.remarks)
        return
    yield from _Lines(run.report, width).all([*map(clean, run.remarks)])
    if run.page:
        yield Line(Level.DEFAULT, f"page: {relpath(run.page)}")


class _Lines:
    """The lines of a report for a terminal of this width."""

    def __init__(self, report: Report, width: int) -> None:
        self._report, self._width = report, width
        self._by_id = {finding.id: finding for finding in report.findings}
        self._evidence = EVIDENCE

    def all(self, refusals: Sequence[str]) -> Iterator[Line]:
        """Yield all lines.

        Args:
            refusals: what could not be done, such as to write a report or to import a file.
        """
        report = self._report
        yield _verdict(report)
        if line := changes(report):
            yield Line(Level.QQ, line)
        if line := trend(report):
            yield Line(Level.Q, f"{line} {chart(report)}")
        yield from _first(refusals, self._remark, Level.QQ, "more remark")
        yield from _first(not_observed(report), self._unseen, Level.QQ, "more reason")
        remarks = [*report.remarks, *(f"known issue {line}" for line in report.stale)]
        yield from _first([each for each in remarks if each not in refusals], self._remark, Level.Q, "more remark")
        yield from _first(report.roots, self._root, Level.Q, "more root cause")
        yield from _past(report)
        yield from _rest(report)

    def _short(self, level: Level, text: str, indent: int = 0, colour: str = "") -> Iterator[Line]:
        """Yield a text in a few rows; if it is longer, also the whole text for ``-v``."""
        yield Line(level, text, indent, colour, ROWS)
        if len(text) > self._width and len(Line(level, text, indent).rows(self._width)) > ROWS:
            yield Line(max(level, Level.V), f"in full: {text}", indent + 2)

    def _remark(self, text: str, level: Level) -> Iterator[Line]:
        yield from self._short(level, text, colour="yellow")

    def _unseen(self, unseen: Unseen, level: Level) -> Iterator[Line]:
        what = "asked for, but not observed" if unseen.asked else "not observed"
        text = f"{what} ({plural(unseen.checks, 'check')}): {unseen.reason}"
        yield from self._short(level, text, colour="red" if unseen.asked else "yellow")
        yield Line(max(level, Level.V), f"affects {', '.join(unseen.affected)}", 2)

    def _root(self, root: Root, level: Level) -> Iterator[Line]:
        first, detail = self._by_id[root.id], max(level, Level.V)
        colour = "red" if root.severity == "error" and not root.known else "yellow"
        yield from self._short(level, root_line(root, self._by_id), colour=colour)
        yield from self._short(max(level, Level.DEFAULT), f"remedy: {first.remedy}", indent=2)
        yield Line(detail, f"look: {first.look}", 2, is_command=True)
        began = since(first, self._report)
        facts = (root.check, replicas_line(root.replicas), f"since {began}" if began else "", often(first))
        yield Line(detail, ", ".join(filter(None, facts)), 2)
        places = [place.object for id_ in (root.id, *root.others) for place in self._by_id[id_].places]
        yield Line(Level.VV, f"objects: {some(places, OBJECTS)}", 2)
        if first.known:
            yield Line(detail, f"known until {first.known.until}: {first.known.reason}", 2)
        yield from self._evidence_of(first, detail)
        yield from _first(root.chains, _chain, detail, "more chain", CHAINS, 2)
        symptoms = [self._by_id[id_] for id_ in root.symptoms]
        yield from _first(symptoms, self._symptom, detail, "more symptom", SYMPTOMS, 2)

    def _symptom(self, symptom: ReportedFinding, level: Level) -> Iterator[Line]:
        yield Line(level, f"explains {place_names(symptom)}: {symptom.says} [{symptom.check}]", 2)
        yield from self._evidence_of(symptom, Level.VV)

    def _evidence_of(self, finding: ReportedFinding, level: Level) -> Iterator[Line]:
        for line in (*(f"also: {says}" for says in finding.also), *finding.evidence):
            self._evidence -= len(line)
            if self._evidence > 0:
                yield Line(level, f"| {line}", 4)


def _chain(links: Sequence[Link], level: Level) -> Iterator[Line]:
    yield Line(level, chain_line(links), 2)


def _first(
    items: Sequence[T],
    lines: Callable[[T, Level], Iterable[Line]],
    level: Level,
    noun: str,
    shown: int = SHOWN,
    indent: int = 0,
) -> Iterator[Line]:
    """Yield the lines of the first items at this level, how many more there are, and those for ``-vv``."""
    for number, item in enumerate(items):
        if number == shown:
            yield Line(level, f"and {plural(len(items) - shown, noun)} (-vv shows all)", indent)
        yield from lines(item, level if number < shown else Level.VV)


def _past(report: Report) -> Iterator[Line]:
    """Yield the findings of the earlier run that are gone."""
    if not (comparison := report.comparison):
        return
    for what, gone in (("resolved", comparison.resolved), ("not checked again", comparison.unconfirmed)):
        lines = [f"{what}: {past_line(past)}" for past in gone]
        yield from _first(lines, lambda line, at: [Line(at, line)], Level.V, "more finding")


def _rest(report: Report) -> Iterator[Line]:
    if report.unexplained:
        yield Line(Level.V, "Warning events that no finding explains (they do not affect the verdict):")
        yield from (Line(Level.V, line, 2) for line in report.unexplained)
    if report.unjudged:
        yield Line(Level.V, f"not judged: {', '.join(report.unjudged)}")
    yield from (
        Line(Level.VV, f"not applicable: {item.check}: {item.inapplicable}")
        for item in report.items
        if item.inapplicable
    )
