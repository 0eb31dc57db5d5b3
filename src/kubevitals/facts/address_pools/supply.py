"""Addresses that some pods get theirs from, whichever CNI assigns them."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_finished
from kubevitals.quantity import amount
from kubevitals.text import clean, plural

NAMED = 3
"""How many nodes, namespaces or pools a text names."""

ENLARGE = "give the pool more addresses or add a pool, or remove pods that use it"


class Supply(NamedTuple):
    """Addresses that some pods get theirs from, and that no other addresses can replace.

    Attributes:
        at: the object that has too few addresses if they are in use: a pool, a subnet, or a node.
        of: whose addresses they are, for people: ``10.244.1.0/24``.
        size: how many addresses there are for pods.
        used: how many of them are in use.
        nodes: the nodes whose pods get their addresses from here; empty if they are not known.
        who: which pods do, if not all pods of these nodes.
        remedy: how to get more.
        lines: evidence.
        part: what distinguishes several supplies of one object.
        said: what the CNI says of it, if it gives no numbers.
        ip_pools: the names of Calico's IPPools that have them.
    """

    at: Ref
    of: str
    size: int
    used: int
    nodes: frozenset[str] = frozenset()
    who: str = ""
    remedy: str = ENLARGE
    lines: tuple[str, ...] = ()
    part: str = ""
    said: str = ""
    ip_pools: tuple[str, ...] = ()

    @property
    def percent(self) -> float:
        """How much of it is in use; all of it if there are no addresses."""
        return 100 * self.used / self.size if self.size > 0 else 100.0

    def __str__(self) -> str:
        return self.said or f"{self.used} of {self.size} addresses of {self.of} are in use"


def some(names: Iterable[str], noun: str) -> str:
    """Return the names, if there are few, or how many there are and the first: ``4 nodes (a, b, c, …)``."""
    ordered = sorted(names)
    listed = ", ".join(clean(name, 100) for name in ordered[:NAMED])
    if len(ordered) == 1:
        return f"{noun} {listed}"
    return f"{plural(len(ordered), noun)} ({listed}{', …' if len(ordered) > NAMED else ''})"


def pods_left(cluster: Cluster) -> Mapping[str, int]:
    """Return how many more pods each node takes (its allocatable `pods`), by the names of nodes that say so."""
    running = Counter(pod.spec.nodeName for pod in cluster.pods if not is_finished(pod))
    return {
        node.metadata.name: int(amount(node.status.allocatable, "pods")) - running[node.metadata.name]
        for node in cluster.nodes
        if "pods" in node.status.allocatable
    }
