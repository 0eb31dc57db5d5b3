"""pytest-html's report, with findings in place of logs; the templates escape every string from the cluster."""

from pathlib import Path

import pytest
import pytest_html.plugin
from jinja2 import Environment, PackageLoader
from markupsafe import escape
from pytest_html.basereport import BaseReport
from pytest_metadata.plugin import metadata_key

from kubevitals.finding import fold
from kubevitals.run import REPORTED, Run
from kubevitals.terminal import describe, title, unprobed
from kubevitals.verdict import Outcome, Verdict

DEFAULT_PATH = Path("reports/health.html")
"""Where the report is written unless --html says otherwise."""

_TEMPLATES = Environment(loader=PackageLoader("kubevitals"), autoescape=True)


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
                self._run.remarks.append(f"no HTML report: {config.option.htmlpath}: {error.strerror}")
        for report in config.pluginmanager.get_plugins():
            if isinstance(report, BaseReport):
                report.pytest_sessionstart(session)
                report.pytest_collection_finish(session)

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
        """Show what was found, and why something was not."""
        if verdict := getattr(report, REPORTED, None):
            data[:] = [
                _TEMPLATES.get_template("verdict.html").render(
                    verdict=verdict, groups=fold(verdict.findings), title=title
                )
            ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        """Count our outcomes above pytest's own."""
        run = self._run
        prefix.append(
            _TEMPLATES.get_template("summary.html").render(
                header=describe(run.cluster),
                counts=run.counts,
                outcomes=list(Outcome),
                observed=run.observed,
                stale=run.stale,
                remarks=run.cluster.remarks,
                unexplained=run.unexplained,
                unprobed=unprobed(run),
            )
        )
