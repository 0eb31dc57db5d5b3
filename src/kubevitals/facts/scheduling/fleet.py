"""The nodes of a cluster in classes: what a constraint says of one it says of all that are alike."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.facts.nodes.placement import meant_for
from kubevitals.facts.scheduling.constraints import Blocker, Constraint, Demand, labels_that_matter, of_node
from kubevitals.facts.scheduling.neighbours import Neighbours
from kubevitals.facts.scheduling.requests import Amounts, free
from kubevitals.inventory.cluster import Cluster

Keeps = Callable[[str], bool]
"""Whether one constraint keeps a pod from the node of a name."""


class Class(NamedTuple):
    """Nodes with the same taints, and the same values of the labels that matter.

    Attributes:
        least, most: what is free at least, and at most, on one of them, by resource.
    """

    example: pb.Node
    names: list[str]
    least: Amounts
    most: Amounts


class Fleet:
    """The nodes that may take a pod, with what they have left."""

    def __init__(self, cluster: Cluster) -> None:
        self._nodes = {node.metadata.name: node for node in our_nodes(cluster)}
        self._left: Mapping[str, Amounts] = cluster.derive(free)
        self._neighbours = cluster.derive(Neighbours)
        self._labels = {node.metadata.name: node.metadata.labels for node in self._nodes.values()}
        self._taints = {node.metadata.name: _taints(node) for node in self._nodes.values()}
        self._classes: dict[frozenset[str], list[Class]] = {}

    def against(self, demand: Demand) -> Mapping[frozenset[Blocker], list[str]]:
        """Return what keeps a pod from nodes: each set of constraints with the nodes that it is the reason of."""
        against: dict[frozenset[Blocker], list[str]] = defaultdict(list)
        for class_ in self._candidates(demand):
            static = of_node(demand, class_.example) | _short_everywhere(demand.requests, class_)
            tests = [*self._short_somewhere(demand.requests, class_), *self._rules(demand), *self._ports(demand)]
            if tests:
                for name in class_.names:
                    against[static.union(blocker for blocker, keeps in tests if keeps(name))].append(name)
            else:
                against[static] += class_.names
        return against

    def _candidates(self, demand: Demand) -> list[Class]:
        if not (names := meant_for(demand.spec)):
            return self._by_labels(labels_that_matter(demand))
        return [self._class([self._nodes[name]]) for name in sorted(names) if name in self._nodes]

    def _by_labels(self, keys: frozenset[str]) -> list[Class]:
        if keys not in self._classes:
            ordered = sorted(keys)
            alike: dict[object, list[pb.Node]] = defaultdict(list)
            for node in self._nodes.values():
                name, labels = node.metadata.name, node.metadata.labels
                values = (name if key == "metadata.name" else labels.get(key) for key in ordered)
                alike[self._taints[name], *values].append(node)
            self._classes[keys] = [self._class(nodes) for nodes in alike.values()]
        return self._classes[keys]

    def _class(self, nodes: list[pb.Node]) -> Class:
        names = [node.metadata.name for node in nodes]
        left = [self._left[name] for name in names if self._left[name]]
        resources = {resource for amounts in left for resource in amounts}
        least = {resource: min(amounts.get(resource, 0) for amounts in left) for resource in resources}
        most = {resource: max(amounts.get(resource, 0) for amounts in left) for resource in resources}
        return Class(nodes[0], names, least, most)

    def _short_somewhere(self, requests: Amounts, class_: Class) -> Iterator[tuple[Blocker, Keeps]]:
        for resource, amount in requests.items():
            if class_.least.get(resource, 0) < amount <= class_.most.get(resource, 0):
                yield Blocker(Constraint.RESOURCE, resource), self._keeps(resource, amount)

    def _keeps(self, resource: str, amount: float) -> Keeps:
        return lambda name: self._left[name].get(resource, 0) < amount

    def _rules(self, demand: Demand) -> Iterator[tuple[Blocker, Keeps]]:
        for constraint, rule in demand.rules:
            yield (
                Blocker(constraint, rule.topology),
                lambda name, rule=rule: not rule.allows(self._labels[name].get(rule.topology, "")),  # type: ignore[misc]
            )

    def _ports(self, demand: Demand) -> Iterator[tuple[Blocker, Keeps]]:
        taken = self._neighbours.ports if demand.ports else {}
        for port in demand.ports:
            yield Blocker(Constraint.PORT, str(port[0])), lambda name, port=port: port in taken[name]  # type: ignore[misc]


def _taints(node: pb.Node) -> tuple[bool, frozenset[tuple[str, str, str]]]:
    return node.spec.unschedulable, frozenset((t.key, t.value, t.effect) for t in node.spec.taints)


def _short_everywhere(requests: Amounts, class_: Class) -> frozenset[Blocker]:
    """Return what no node of the class has enough of; nothing where nodes do not say what they have."""
    short = (resource for resource, amount in requests.items() if amount > class_.most.get(resource, 0))
    return frozenset(Blocker(Constraint.RESOURCE, resource) for resource in short if class_.most)
