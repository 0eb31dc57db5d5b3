"""Users' own checks: those of the documentation, and helpers that read the report of a run."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.result import Item, Report

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/own-checks.md").read_text()
PODS, DEPLOYMENTS = (code for code in re.findall(r"```python\n(.*?)```", DOCUMENT, re.DOTALL) if "@check" in code)

Look = Callable[..., pytest.RunResult]


def report() -> Report:
    return read(Path("findings.json"))


def item(check: str) -> Item:
    return next(item for item in report().items if item.check == check)
