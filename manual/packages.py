"""The packages of the library as a table, from their docstrings and from the layers in pyproject.toml."""

import tomllib
from importlib import import_module
from inspect import getdoc
from types import ModuleType

from manual.links import REPOSITORY

LIBRARY = REPOSITORY / "src" / "kubevitals"


def of_packages() -> str:
    """Return all packages as a table, the highest layer first: each imports only what is below it."""
    lines = ["| package | content | limits |", "| --- | --- | --- |"]
    for name in _layers():
        module = import_module(f"kubevitals.{name}")
        if hasattr(module, "__path__"):
            lines.append(_row(name, module))
    return "\n".join(lines)


def _layers() -> list[str]:
    """Return the modules of the library in the order of their layers, each package before those inside it."""
    contracts = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = {
        contract["containers"][0].removeprefix("kubevitals").removeprefix("."): contract["layers"]
        for contract in contracts
        if contract["type"] == "layers"
    }
    names = [name for layer in layers[""] for name in layer.split(" : ")]
    return [name for top in names for name in (top, *(f"{top}.{inner}" for inner in layers.get(top, _inner(top))))]


def _inner(package: str) -> list[str]:
    """Return the names of the packages inside a package."""
    return sorted(path.parent.name for path in (LIBRARY / package).glob("*/__init__.py"))


def _row(name: str, module: ModuleType) -> str:
    """Return the row of a package: what its docstring says in the first paragraph, and in the others."""
    content, _, limits = (getdoc(module) or "").partition("\n\n")
    cells = (f"`{name.replace('.', '/')}/`", content, limits)
    return f"| {' | '.join(' '.join(cell.split()) for cell in cells)} |"
