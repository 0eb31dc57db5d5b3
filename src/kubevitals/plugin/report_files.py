"""The files that reports are written to, checked before the run starts."""

from pathlib import Path

import pytest

from kubevitals.errors import Unusable
from kubevitals.plugin.options import REPORTS
from kubevitals.reports import atomic_file
from kubevitals.text import clean

PYTEST = {"--html": "htmlpath", "--junitxml": "xmlpath"}
"""The options of pytest and pytest-html that write a report, with the names of their values."""


def report_paths(config: pytest.Config) -> dict[str, Path]:
    """Return the paths of the reports that the user asked for, by option."""
    return _paths(config, {option: option for option in REPORTS})


def check_report_paths(config: pytest.Config) -> list[str]:
    """Refuse report files that could not be written at the end of the run.

    Returns:
        A remark for each folder that did not exist.

    Raises:
        Unusable: a file cannot be written, or two options have the same file.
    """
    paths = _paths(config, PYTEST) | report_paths(config)
    _refuse_one_file_for_two(paths | _paths(config, {"--record": "record"}))
    remarks = []
    for option, path in paths.items():
        try:
            if folder := atomic_file.prepare(path):
                remarks.append(f"{option}: created the folder {clean(str(folder))}")
        except OSError as error:
            raise Unusable(f"{option} {clean(str(path))} cannot be written: {error.strerror}") from error
    return remarks


def _paths(config: pytest.Config, options: dict[str, str]) -> dict[str, Path]:
    values = {option: config.getoption(name, None) for option, name in options.items()}
    return {option: Path(value) for option, value in values.items() if value}


def _refuse_one_file_for_two(paths: dict[str, Path]) -> None:
    """Refuse two reports in one file: the second would replace the first."""
    options: dict[Path, str] = {}
    for option, path in paths.items():
        other = options.setdefault(path.resolve(), option)
        if other != option and not atomic_file.is_special(path):
            raise Unusable(f"{other} and {option} have the same file {clean(str(path))}: give each its own")
