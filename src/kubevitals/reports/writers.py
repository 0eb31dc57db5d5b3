"""Writes the requested report files when the run is over."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.run import Run
from kubevitals.reports import atomic_file
from kubevitals.reports.markdown import markdown
from kubevitals.reports.metrics import openmetrics


def findings(report: Report, _: Path) -> bytes:
    """Return the content of a findings file."""
    return msgspec.json.format(msgspec.json.encode(report), indent=1) + b"\n"


def _metrics(report: Report, _: Path) -> str:
    return openmetrics(report)


def _markdown(report: Report, path: Path) -> str:
    return appended(markdown(report), path)


def appended(text: str, path: Path) -> str:
    """Return a text; for the summary of a GitHub job, after what earlier steps wrote."""
    append = os.environ.get("GITHUB_STEP_SUMMARY") == str(path) and path.exists()
    return (path.read_text("utf-8", "replace") if append else "") + text


WRITERS: Mapping[str, Callable[[Report, Path], bytes | str]] = {
    "--findings": findings,
    "--metrics": _metrics,
    "--markdown": _markdown,
}


class FileReports:
    """Hooks of a run whose result is written to files."""

    def __init__(self, run: Run, paths: Mapping[str, Path]) -> None:
        self._run, self._paths = run, paths

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self) -> None:
        """Write each file."""
        if not (report := self._run.report):
            return
        for option, path in self._paths.items():
            try:
                atomic_file.write(path, WRITERS[option](report, path))
            except OSError as error:
                self._run.cannot_write(f"{option} {path}", error)
