"""Keeps the result of a run for --history, and removes those of the oldest runs."""

import pytest

from kubevitals.diagnosis.run import Run
from kubevitals.reports import atomic_file
from kubevitals.reports.writers import findings


class HistoryReport:
    """Hooks of a run whose result is kept."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write the file of this run, then remove what is no longer kept."""
        report, kept = self._run.report, self._run.inputs.kept
        if not report or not kept:
            return
        path = kept.path_of(report)
        try:
            atomic_file.write(path, findings(report, path))
            for old in kept.superfluous(path):
                old.unlink(missing_ok=True)
        except OSError as error:
            self._run.cannot_write(f"--history {kept.folder}", error)
