"""Names and items of many namespaces, taken in turn: one namespace with very many hides none of the others."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def some(names: Iterable[str], shown: int = 3) -> str:
    """Return names: all of a few, the first ones of many, one of each namespace before a second one."""
    every = list(names)
    if len(every) <= shown:
        return ", ".join(every)
    return f"{', '.join(in_turn(every, _place)[:shown])} and {len(every) - shown:,} more"


def _place(name: str) -> str:
    """Return an object's kind and namespace."""
    return name.rpartition("/")[0]


def counted(items: Iterable[T], namespace: Callable[[T], str]) -> Iterator[tuple[int, T]]:
    """Yield each with how many of its namespace came before it: whoever sorts by that lets none drown the others."""
    seen: Counter[str] = Counter()
    for item in items:
        yield seen[namespace(item)], item
        seen[namespace(item)] += 1


def in_turn(items: Iterable[T], namespace: Callable[[T], str]) -> list[T]:
    """Return the items, one of each namespace before a second one."""
    return [item for _, item in sorted(counted(items, namespace), key=lambda pair: pair[0])]
