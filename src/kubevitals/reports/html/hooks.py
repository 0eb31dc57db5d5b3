"""pytest-html's report with ours on top: plain HTML that is there without scripts; templates escape every string."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_html.plugin
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import escape
from pytest_html.basereport import BaseReport
from pytest_metadata.plugin import metadata_key

from kubevitals.diagnosis.result import Found, Item, Report, Root
from kubevitals.diagnosis.run import REPORTED, Run
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.reports import atomic_file, wording
from kubevitals.reports.html import heat_map, page

DEFAULT_PATH = Path("reports/health.html")
"""Where the report is written unless --html says otherwise."""

CARDS, SYMPTOMS, PLACES, CONCERNS, PAST = 200, 25, 10, 50, 100
"""Roots that are shown, symptoms of one, objects of one finding, objects it concerns, lines of other lists."""

EVIDENCE = 1_000_000
"""Characters of evidence that are shown; findings further down refer to the findings file."""

SIGNS = {
    Outcome.HEALTHY: "✓",
    Outcome.BROKEN: "✗",
    Outcome.WARNED: "!",
    Outcome.KNOWN: "≈",
    Outcome.NOT_OBSERVED: "?",
    Outcome.NOT_APPLICABLE: "·",
}

_TEMPLATES = Environment(
    loader=PackageLoader("kubevitals.reports.html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class HtmlReport:
    """Hooks of pytest-html for a run of checks."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def start(self, session: pytest.Session) -> None:
        """Take part in the report the user asked for, or have one written: checks were collected."""
        config = session.config
        config.stash[metadata_key] = {}
        if not config.option.htmlpath and config.pluginmanager.has_plugin("html"):
            config.option.htmlpath = str(config.invocation_params.dir / DEFAULT_PATH)
            config.option.self_contained_html = True
            try:
                pytest_html.plugin.pytest_configure(config)
            except OSError as error:
                self._run.cannot_write(f"--html {config.option.htmlpath}", error)
        for report in _reports(config):
            report._write_report = self._writer(report, config)  # noqa: SLF001
            report.pytest_sessionstart(session)
            report.pytest_collection_finish(session)

    def _writer(self, report: BaseReport, config: pytest.Config) -> Callable[[str], None]:
        """Return what takes the place of pytest-html's own writing: the file is replaced in one step, or not at all."""
        path: Path = report._report_path  # noqa: SLF001

        def write(html: str) -> None:
            if self._run.report:
                try:
                    atomic_file.write(path, page.finish(html))
                except OSError as error:
                    self._run.cannot_write(f"--html {path}", error)
                    config.pluginmanager.unregister(report)  # or it would tell that it wrote the report

        return write

    @staticmethod
    def cancel(config: pytest.Config) -> None:
        """Have no report written: the run does not begin."""
        for report in _reports(config):
            config.pluginmanager.unregister(report)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: object) -> None:
        """Give the report its title."""
        report.title = "Cluster health"  # type: ignore[attr-defined]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Add a column for our outcomes, in place of pytest-html's for links."""
        cells.pop()
        cells.insert(1, '<th class="sortable" data-column-type="outcome">Outcome</th>')

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Show the outcome of an item."""
        verdict: Verdict | None = getattr(report, REPORTED, None)
        cells.pop()
        cells.insert(1, f'<td class="col-outcome">{escape(verdict.outcome if verdict else "")}</td>')
        cells[2] = f'<td class="col-testId">{escape(report.nodeid)}</td>'

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """Say in a line what was found, and why something was not: the findings themselves stand above the table."""
        if verdict := getattr(report, REPORTED, None):
            data[:] = [_TEMPLATES.get_template("row.html").render(verdict=verdict, shown=PLACES)]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Tell the whole story above pytest's own table."""
        if report := self._run.report:
            prefix.append(render(report))


def _reports(config: pytest.Config) -> list[BaseReport]:
    return [plugin for plugin in config.pluginmanager.get_plugins() if isinstance(plugin, BaseReport)]


class Card(NamedTuple):
    """A root as it is shown: its finding, others that say the same, and what they explain."""

    root: Root
    found: Found
    others: list[Found]
    symptoms: list[Found]


def _card(root: Root, by_id: Mapping[str, Found]) -> Card:
    others, symptoms = root.others[:PAST], root.symptoms[:SYMPTOMS]
    return Card(root, by_id[root.id], [by_id[other] for other in others], [by_id[symptom] for symptom in symptoms])


def render(report: Report) -> str:
    """Return the report as HTML that stands within a page."""
    by_id = {found.id: found for found in report.findings}
    cards = [_card(root, by_id) for root in report.roots[:CARDS]]
    told = [found for card in cards for found in (card.found, *card.symptoms)]
    shown = [*told, *(other for card in cards for other in card.others)]
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        cards=cards,
        linked={found.id for found in shown},
        namespaces=sorted({found.namespace for found in shown if found.namespace}),
        chapters=[(key, list(items)) for key, items in groupby(sorted(report.items, key=_chapter), key=_chapter)],
        known=[found for found in report.findings if found.known],
        not_observed=wording.not_observed(report),
        evidence=_budget(told),
        style=page.STYLE,
        script=page.SCRIPT,
        **_WORDS,
        **_map(report),
    )


_WORDS: dict[str, object] = {
    "outcomes": list(Outcome),
    "signs": SIGNS,
    "heading": wording.heading,
    "calls_first": wording.calls_first,
    "changes": wording.changes,
    "why_blind": wording.why_blind,
    "since": wording.since,
    "names": partial(wording.place_names, shown=PLACES),
    "moment": wording.moment,
    "cluster_line": wording.cluster_line,
    "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
    "variant": lambda item: variant_in(item.check),
    "shown_concerns": CONCERNS,
    "shown_past": PAST,
}


def _chapter(item: Item) -> tuple[str, str]:
    return item.chapter, cause_in(item.check)


def _map(report: Report) -> dict[str, object]:
    return {
        "map": heat_map.heat_map(report),
        "size": heat_map.CELL,
        "head": heat_map.HEAD,
    }


def _budget(shown: Iterable[Found]) -> Callable[[Found], list[str]]:
    """Return what gives each finding its evidence, for as long as the page does not become too large."""
    given: dict[str, list[str]] = defaultdict(list)
    left = EVIDENCE
    for found in shown:
        left -= sum(map(len, found.evidence))
        if left < 0:
            break
        given[found.id] = found.evidence
    return lambda found: given[found.id]
