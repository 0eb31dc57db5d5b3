"""The hooks by which the HTML report becomes part of pytest-html's file."""

from pathlib import Path

import pytest
from markupsafe import escape

from kubevitals.diagnosis.run import REPORTED, Run
from kubevitals.reports import atomic_file
from kubevitals.reports.html import adapter, page

DEFAULT_PATH = Path("reports/health.html")
"""Where the report is written unless ``--html`` gives another path."""


class HtmlReport:
    """Hooks of pytest-html for a run of checks."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def start(self, session: pytest.Session) -> None:
        """Begin the report that the user asked for, or one with the default path."""
        config = session.config
        try:
            adapter.add_report(config, config.invocation_params.dir / DEFAULT_PATH)
        except OSError as error:
            self._run.cannot_write(f"--html {config.option.htmlpath}", error)

        def write(path: Path, html: str) -> None:
            self._write(path, html, config)

        for report in adapter.reports(config):
            adapter.start(report, session, write)

    def _write(self, path: Path, html: str, config: pytest.Config) -> None:
        """Write the report in one step, once there is a result; pytest-html would write it after every test.

        The report is then unregistered, so that pytest-html does not announce it: the terminal report does.
        """
        if not self._run.report:
            return
        pytest_page, url = adapter.taken_apart(html), config.getoption("docs_url") or ""
        try:
            atomic_file.write(path, page.page(self._run.report, pytest_page, self._run.inputs.docstrings, url))
            self._run.page = path
        except OSError as error:
            self._run.cannot_write(f"--html {path}", error)
        adapter.cancel(config, path)

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Add a column for the outcome, and remove the one for links."""
        cells.pop()
        cells.insert(1, '<th class="sortable" data-column-type="outcome">Outcome</th>')

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        """Show the outcome of a check."""
        verdict = getattr(report, REPORTED, None)
        cells.pop()
        cells.insert(1, f'<td class="col-outcome">{escape(verdict.outcome if verdict else "")}</td>')
        cells[2] = f'<td class="col-testId">{escape(report.nodeid)}</td>'

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        """Show a summary of the verdict in place of the test's output."""
        if verdict := getattr(report, REPORTED, None):
            data[:] = [page.row(verdict)]
