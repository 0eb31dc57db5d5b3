"""GitHub Actions: shows the roots as annotations, and keeps the cluster's texts from acting as workflow commands."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.run import Run
from kubevitals.reports.wording import heading, why_blind
from kubevitals.text import plural

SHOWN = 10
"""How many annotations of a severity GitHub shows for a step, and how many roots have a group in the log."""


def in_actions() -> bool:
    """Return whether the run is a step of a GitHub workflow."""
    return os.environ.get("GITHUB_ACTIONS") == "true"


@contextmanager
def commands_stopped(reporter: pytest.TerminalReporter) -> Iterator[None]:
    """Let no text that is printed meanwhile act as a workflow command."""
    token = secrets.token_hex(16)
    lines = (f"::stop-commands::{token}", f"::{token}::") if in_actions() else ()
    for line in lines[:1]:
        reporter.write_line(line)
    yield
    for line in lines[1:]:
        reporter.write_line(line)


class Annotations:
    """Hooks of a run in a workflow."""

    def __init__(self, run: Run) -> None:
        self._run, self._token = run, secrets.token_hex(16)

    @pytest.hookimpl(trylast=True)
    def pytest_report_collectionfinish(self) -> list[str]:
        """Stop workflow commands before any text of the cluster is printed."""
        return [f"::stop-commands::{self._token}"]

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the annotations and the evidence, and stop workflow commands again before pytest prints more."""
        if report := self._run.report:
            lines = (*annotations(report), *groups(report, self._token))
            for line in (f"::{self._token}::", *lines, f"::stop-commands::{self._token}"):
                terminalreporter.write_line(line)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Resume workflow commands for the rest of the step."""
        if reporter := config.pluginmanager.getplugin("terminalreporter"):
            reporter.write_line(f"::{self._token}::")


def annotations(report: Report) -> Iterator[str]:
    """Yield a workflow command for each root that GitHub shows, or for a run that observed nothing."""
    if reason := why_blind(report):
        yield f"::error title=not observed::{_data(f'{heading(report)}: {reason}')}"
    for severity in ("error", "warning"):
        for root in [root for root in report.roots if root.severity == severity][:SHOWN]:
            more = f" (explains {plural(len(root.symptoms), 'symptom')})" if root.symptoms else ""
            yield f"::{severity} title={_property(root.check)}::{_data(f'{root}{more}')}"


def groups(report: Report, token: str) -> Iterator[str]:
    """Yield the first roots with their evidence, each folded; workflow commands are stopped within."""
    findings = {finding.id: finding for finding in report.findings}
    for root in report.roots[:SHOWN]:
        finding = findings[root.id]
        yield f"::group::{_data(f'{root.severity}: {root}')}"
        yield f"::stop-commands::{token}"
        yield from (f"remedy: {finding.remedy}", f"look: {finding.look}", *finding.evidence)
        yield f"::{token}::"
        yield "::endgroup::"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
