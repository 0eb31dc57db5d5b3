"""Selects checks by the names that reports print: ``scheduling[unschedulable]``, or ``scheduling`` for a cause."""

from collections.abc import Collection, Sequence

import pytest

from kubevitals.errors import Unusable
from kubevitals.findings.check_names import cause_in
from kubevitals.plugin.collected import check_of, is_check
from kubevitals.plugin.refusal import refusal
from kubevitals.text import clean, near_name


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let -k select checks by these names."""
    if is_check(item) and hasattr(item, "callspec"):
        item.extra_keyword_matches.add(check_of(item))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect all but the checks that --check names."""
    if names := config.getoption("check"):
        try:
            items[:], others = _split(items, names)
        except Unusable as error:
            raise refusal(error, config) from None
        config.hook.pytest_deselected(items=others)


def _split(items: Sequence[pytest.Item], names: Collection[str]) -> tuple[list[pytest.Item], list[pytest.Item]]:
    """Return the checks with one of these names, and all other items.

    Raises:
        Unusable: there is no check of a name.
    """
    ours = {item: check_of(item) for item in items if is_check(item)}
    existing = {*ours.values(), *map(cause_in, ours.values())}
    for name in names:
        if name not in existing:
            raise Unusable(f"there is no check {clean(name, 100)}{near_name(name, existing) or _known(existing)}")
    chosen: list[pytest.Item] = [item for item, check in ours.items() if {check, cause_in(check)} & set(names)]
    return chosen, [item for item in items if item not in chosen]


def _known(existing: Collection[str]) -> str:
    return f"; causes: {', '.join(sorted(name for name in existing if '[' not in name)) or 'none'}"
