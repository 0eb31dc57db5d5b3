"""Which existing names missing objects were probably meant to have."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from heapq import nsmallest

from kubevitals.objects import Ref
from kubevitals.text import near_name

HINTS = 20
"""Missing names of one kind and namespace that get a hint, the first in the alphabet: there may be tens of thousands,
and a hint takes some milliseconds."""


def near_names(missing: Iterable[Ref], existing: Callable[[str, str], Iterable[str] | None]) -> dict[Ref, str]:
    """Return `` (did you mean "app-config"?)`` for each missing object if one with such a name exists.

    Args:
        missing: all objects of a kind that are referenced and do not exist.
        existing: returns the names of a kind in a namespace, or nothing if they are not observed.
    """
    groups: dict[tuple[str, str], set[Ref]] = defaultdict(set)
    for obj in missing:
        groups[obj.kind, obj.namespace].add(obj)
    hints = {}
    for group, objects in groups.items():
        names = existing(*group)
        hints.update({obj: near_name(obj.name, names) for obj in nsmallest(HINTS, objects)})
    return hints
