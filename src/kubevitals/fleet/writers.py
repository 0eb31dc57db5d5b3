"""Writes the reports of a roll-up."""

from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from kubevitals.fleet.markdown import markdown
from kubevitals.fleet.metrics import openmetrics
from kubevitals.fleet.page import page
from kubevitals.fleet.result import Rollup
from kubevitals.reports.writers import appended

DEFAULT_PAGE = Path("reports/fleet.html")
"""Where the page is written unless ``--html`` gives another path."""


def _json(rollup: Rollup, _: Path) -> bytes:
    return msgspec.json.encode(rollup) + b"\n"


def _page(rollup: Rollup, _: Path) -> str:
    return page(rollup)


def _markdown(rollup: Rollup, path: Path) -> str:
    return appended(markdown(rollup), path)


def _metrics(rollup: Rollup, _: Path) -> str:
    return openmetrics(rollup)


WRITERS: Mapping[str, Callable[[Rollup, Path], bytes | str]] = {
    "--html": _page,
    "--findings": _json,
    "--metrics": _metrics,
    "--markdown": _markdown,
}
