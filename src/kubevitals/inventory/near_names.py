"""What a missing name was probably meant to be."""

from collections import defaultdict
from collections.abc import Iterable

from kubevitals.inventory.cluster import Cluster
from kubevitals.text import near_name

HINTS = 20
"""Missing names of one kind and namespace for which others are looked for: there may be tens of thousands."""


def did_you_mean(name: str, existing: Iterable[str] | None, kind: str, namespace: str, cluster: Cluster) -> str:
    """Return `` (did you mean "app-config"?)`` where a name exists that looks like the missing one, else nothing.

    Of very many names those are compared that stand next to it in the alphabet. Nothing is said, either, once `HINTS`
    others of the kind were missing in the namespace.
    """
    hints = cluster.derive(_hints)[kind, namespace]
    if name not in hints and len(hints) < HINTS:
        hints[name] = near_name(name, existing)
    return hints.get(name, "")


def _hints(_: Cluster) -> defaultdict[tuple[str, str], dict[str, str]]:
    """Return a place for what was said of each missing name of a kind and namespace."""
    return defaultdict(dict)
