"""The checks of a run: those that pytest collected and those of installed packages; invalid ones are refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import walk_packages
from typing import TypeGuard, cast

import pytest

from kubevitals.errors import Unusable
from kubevitals.findings.check_names import check_name
from kubevitals.findings.declaration import Rule, variant_name
from kubevitals.text import clean
from kubevitals.threshold import Threshold, declared

GROUP = "kubevitals.checks"
"""The group of entry points with which installed packages declare their checks."""

LIBRARY = ("kubevitals.inventory", "kubevitals.facts")
"""The packages of the library that declare thresholds."""


@dataclass(frozen=True)
class Collected:
    """The checks of a run.

    Attributes:
        items: the tests that are checks.
        unread: why files could not be imported, by path.
    """

    items: Sequence[pytest.Function]
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def checks(self) -> list[str]:
        """The names of all checks, and the causes of the files that could not be imported."""
        return [*map(check_of, self.items), *(cause_of(Path(path)) for path in self.unread)]

    @property
    def causes(self) -> frozenset[str]:
        """All causes in the directories of the checks, whether selected for this run or not."""
        folders = {item.path.parent for item in self.items}
        return frozenset(cause_of(path) for folder in folders for path in folder.glob("test_*.py"))

    @property
    def variants(self) -> dict[str, frozenset[str]]:
        """All variants of this run's causes, whether selected or not."""
        return {cause_of(item.path): frozenset(_variants(item.module)) for item in self.items}

    @property
    def chapters(self) -> dict[str, str]:
        """The chapter of each cause."""
        return {cause_of(item.path): chapter_of(item) for item in self.items}

    @property
    def docstrings(self) -> dict[str, str]:
        """The documentation of each cause."""
        return {cause_of(item.path): item.module.__doc__ or "" for item in self.items}

    @property
    def modules(self) -> list[object]:
        """The modules of the checks, which declare rules, thresholds and what explains what."""
        return list(dict.fromkeys(item.module for item in self.items))

    @property
    def thresholds(self) -> dict[str, Threshold]:
        """The thresholds of the library and of the checks, by name.

        Raises:
            Unusable: two have the same name.
        """
        return declared([*library_modules(), *self.modules])

    def refuse_duplicates(self) -> None:
        """Refuse two files of one cause, and two checks of one name.

        Raises:
            Unusable: there are some.
        """
        seen: dict[str, str] = {}
        files: dict[str, Path] = {}
        for item in self.items:
            if files.setdefault(cause_of(item.path), item.path) != item.path:
                both = f"{_short(files[cause_of(item.path)], item)} and {_short(item.path, item)}"
                raise Unusable(f"{both} both declare the cause {cause_of(item.path)}: rename or omit one")
            if check_of(item) in seen:
                raise Unusable(f"{check_of(item)} is declared twice, by {seen[check_of(item)]} and {item.nodeid}")
            seen[check_of(item)] = item.nodeid


@cache
def library_modules() -> tuple[object, ...]:
    """Return the modules of the library that may declare thresholds."""
    packages = [import_module(name) for name in LIBRARY]
    names = [module.name for package in packages for module in walk_packages(package.__path__, f"{package.__name__}.")]
    return tuple(import_module(name) for name in names)


def checks(session: pytest.Session, unread: dict[str, str]) -> Collected:
    """Return the checks that were collected.

    Raises:
        Unusable: two have the same name, or one is not declared with `check`.
    """
    items = [item for item in session.items if item.get_closest_marker("cause")]
    for item in items:
        if not isinstance(item, pytest.Function) or not callable(getattr(item, "callspec", None) and variant_of(item)):
            raise Unusable(f"{item.nodeid} has the marker of a check but is not one: declare it with kubevitals.check")
    collected = Collected(cast("list[pytest.Function]", items), unread if items else {})
    collected.refuse_duplicates()
    return collected


def installed() -> list[str]:
    """Return the directories and files of the checks of installed packages.

    Raises:
        Unusable: there are no such checks, or they cannot be found.
    """
    points = sorted(entry_points(group=GROUP))
    if not points:
        raise Unusable(f"--installed-checks: no installed package has checks (an entry point in the group {GROUP})")
    return [place for point in points for place in _places(point)]


def _places(point: EntryPoint) -> Iterable[str]:
    try:
        spec = find_spec(point.value)
    except Exception as error:
        raise Unusable(
            f"the installed checks {clean(str(point.value))} cannot be imported: {clean(str(error))}"
        ) from error
    if not spec or not spec.origin:
        raise Unusable(
            f"the installed checks {clean(str(point.value))} do not exist: is their package installed completely?"
        )
    return spec.submodule_search_locations or [spec.origin]


def cause_of(path: Path) -> str:
    """Return the cause that a file declares: ``volume-claim`` for ``checks/test_volume_claim.py``."""
    return clean(path.stem.removeprefix("test_").replace("_", "-"))


def chapter_of(item: pytest.Item) -> str:
    """Return the chapter of an item in reports."""
    marker = item.get_closest_marker("cause")
    return clean(str(marker.kwargs.get("chapter", ""))) if marker else ""


def variant_of(item: pytest.Function) -> Rule:
    """Return the rule that an item runs."""
    return cast("Rule", item.callspec.params.get("variant"))


def _variants(module: object) -> Iterable[str]:
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ())]
    return (variant_name(rule) for mark in marks if mark.name == "parametrize" for rule in mark.args[1])


def is_check(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Return whether an item is a check."""
    return isinstance(item, pytest.Function) and item.get_closest_marker("cause") is not None


def check_of(item: pytest.Function) -> str:
    """Return the name of an item's check, ``cause[variant]``."""
    return check_name(cause_of(item.path), variant_name(variant_of(item)))


def _short(path: Path, item: pytest.Item) -> Path:
    root = item.config.invocation_params.dir
    return path.relative_to(root) if path.is_relative_to(root) else path
