"""Takes names and items of many namespaces in turn, so that a namespace with very many hides none of the others."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def some(names: Iterable[str], shown: int = 3) -> str:
    """Return a few names as one text; if there are more, the first ones, from as many namespaces as possible."""
    listed = list(names)
    if len(listed) <= shown:
        return ", ".join(listed)
    return f"{', '.join(in_turn(listed, _kind_and_namespace)[:shown])} and {len(listed) - shown:,} more"


def _kind_and_namespace(name: str) -> str:
    return name.rpartition("/")[0]


def counted(items: Iterable[T], namespace: Callable[[T], str]) -> Iterator[tuple[int, T]]:
    """Yield each item with the number of items of its namespace that came before it."""
    seen: Counter[str] = Counter()
    for item in items:
        yield seen[namespace(item)], item
        seen[namespace(item)] += 1


def in_turn(items: Iterable[T], namespace: Callable[[T], str]) -> list[T]:
    """Return the items: the first one of each namespace, then the second one of each, and so on."""
    return [item for _, item in sorted(counted(items, namespace), key=lambda pair: pair[0])]
