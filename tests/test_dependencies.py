"""Whatever the package imports is among its declared dependencies."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

ROOT = Path(__file__).parents[1]


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def test_what_is_imported_is_declared() -> None:
    """Also what another dependency happens to bring; google.protobuf is a part of a package that others share."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = {re.split(r"[<>=\s]", line)[0].lower() for line in project["dependencies"]}
    files = [*(ROOT / "src/kubevitals").rglob("*.py"), *(ROOT / "checks").glob("*.py")]
    names = {name.partition(".")[0] for path in files for name in imported(path)}
    names -= {*sys.stdlib_module_names, "kubevitals", "google", "checks"}
    brought = packages_distributions()
    missing = {name for name in names if declared.isdisjoint(d.lower() for d in brought.get(name, [name]))}
    assert not missing
