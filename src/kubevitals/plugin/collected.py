"""Which checks a run has: what pytest collected, what installed packages bring, and what is refused of both."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import cast

import pytest

from kubevitals.errors import Unusable
from kubevitals.findings.check_names import check_name
from kubevitals.findings.declaration import Rule, variant_name
from kubevitals.text import clean

GROUP = "kubevitals.checks"
"""The group of entry points by which installed packages say where their checks are."""


@dataclass(frozen=True)
class Plan:
    """The checks of a run.

    Attributes:
        items: the tests that are checks.
        unread: the files that could not be imported, and why.
    """

    items: Sequence[pytest.Function]
    unread: dict[str, str] = field(default_factory=dict)

    @property
    def checks(self) -> list[str]:
        """The names of all checks, and the causes of files that could not be imported."""
        return [*map(check_of, self.items), *(cause_of(Path(path)) for path in self.unread)]

    @property
    def causes(self) -> frozenset[str]:
        """All causes in the folders of the checks, whether chosen for this run or not."""
        folders = {item.path.parent for item in self.items}
        return frozenset(cause_of(path) for folder in folders for path in folder.glob("test_*.py"))

    @property
    def variants(self) -> dict[str, frozenset[str]]:
        """All variants of the causes of this run, whether chosen for it or not."""
        return {cause_of(item.path): frozenset(_variants(item.module)) for item in self.items}

    @property
    def chapters(self) -> dict[str, str]:
        """The chapter of each cause."""
        return {cause_of(item.path): chapter_of(item) for item in self.items}

    @property
    def modules(self) -> list[object]:
        """All modules that declare thresholds and what explains what: the checks', and the library's that they use."""
        library = [module for name, module in sys.modules.items() if name.startswith("kubevitals.")]
        return list(dict.fromkeys([*library, *(item.module for item in self.items)]))

    def refuse_twice(self) -> None:
        """Refuse checks that could not be told apart, and what looks like a check and is none.

        Raises:
            Unusable: there are some.
        """
        seen: dict[str, str] = {}
        files: dict[str, Path] = {}
        for item in self.items:
            if files.setdefault(cause_of(item.path), item.path) != item.path:
                both = f"{_short(files[cause_of(item.path)], item)} and {_short(item.path, item)}"
                raise Unusable(f"{both} are both of the cause {cause_of(item.path)}: rename one, or leave one out")
            if check_of(item) in seen:
                raise Unusable(f"{check_of(item)} is declared by {seen[check_of(item)]} and by {item.nodeid}")
            seen[check_of(item)] = item.nodeid


def plan(session: pytest.Session, unread: dict[str, str]) -> Plan:
    """Return the checks that were collected.

    Raises:
        Unusable: some cannot be told apart, or are not declared with `check`.
    """
    items = [item for item in session.items if item.get_closest_marker("cause")]
    for item in items:
        if not isinstance(item, pytest.Function) or not callable(getattr(item, "callspec", None) and variant_of(item)):
            raise Unusable(f"{item.nodeid} is marked as a check and is none: declare it with kubevitals.check")
    found = Plan(cast("list[pytest.Function]", items), unread if items else {})
    found.refuse_twice()
    return found


def installed() -> list[str]:
    """Return the folders or files of the checks that installed packages bring.

    Raises:
        Unusable: there are none, or they cannot be found.
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
            f"the installed checks {clean(str(point.value))} are not there: is their package installed whole?"
        )
    return spec.submodule_search_locations or [spec.origin]


def cause_of(path: Path) -> str:
    """Return the cause that a file of checks is of: ``checks/test_volume_claim.py`` is of ``volume-claim``."""
    return clean(path.stem.removeprefix("test_").replace("_", "-"))


def chapter_of(item: pytest.Item) -> str:
    """Return the chapter under which an item is shown."""
    marker = item.get_closest_marker("cause")
    return clean(str(marker.kwargs.get("chapter", ""))) if marker else ""


def variant_of(item: pytest.Function) -> Rule:
    """Return the rule that an item applies."""
    return cast("Rule", item.callspec.params.get("variant"))


def _variants(module: object) -> Iterable[str]:
    marks = [mark for value in vars(module).values() for mark in getattr(value, "pytestmark", ())]
    return (variant_name(rule) for mark in marks if mark.name == "parametrize" for rule in mark.args[1])


def check_of(item: pytest.Function) -> str:
    """Return the name of an item's check, ``cause[variant]``."""
    return check_name(cause_of(item.path), variant_name(variant_of(item)))


def _short(path: Path, item: pytest.Item) -> Path:
    root = item.config.invocation_params.dir
    return path.relative_to(root) if path.is_relative_to(root) else path
