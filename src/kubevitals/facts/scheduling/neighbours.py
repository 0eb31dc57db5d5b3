"""Which pods run where, as affinity, anti-affinity, topology spread and host ports need it: counted by topology."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import matches, selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import containers, is_finished

Ports = frozenset[tuple[int, str]]
"""Ports of a node with their protocols."""


class Peers(NamedTuple):
    """The pods that a term is about, as far as they tell terms apart: a selector, namespaces, a topology key."""

    selector: bytes
    namespaces: frozenset[str]
    topology: str


class Rule(NamedTuple):
    """What one pod demands of the domain of a topology that a node is in; of nodes without the label it gets ``""``."""

    topology: str
    allows: Callable[[str], bool]


def host_ports(spec: pb.PodSpec) -> Ports:
    """Return the ports of its node that a pod takes: on the host's network all that it declares."""
    declared = (port for container in containers(spec) for port in container.ports)
    taken = ((port.hostPort or (port.containerPort if spec.hostNetwork else 0), port.protocol) for port in declared)
    return frozenset((port, protocol or "TCP") for port, protocol in taken if port)


class Neighbours:
    """The pods that have a node; what is counted of them is counted once."""

    def __init__(self, cluster: Cluster) -> None:
        self._nodes = cluster.nodes_by_name
        self._pods = [pod for pod in cluster.pods if pod.spec.nodeName in self._nodes and not is_finished(pod)]
        self._counts: dict[Peers, Counter[str]] = {}

    @cached_property
    def _alike(self) -> Mapping[str, Mapping[frozenset[tuple[str, str]], list[str]]]:
        """The nodes of pods, by namespace and labels: the pods of a workload have the same."""
        alike: dict[str, dict[frozenset[tuple[str, str]], list[str]]] = defaultdict(lambda: defaultdict(list))
        for pod in self._pods:
            alike[pod.metadata.namespace][frozenset(pod.metadata.labels.items())].append(pod.spec.nodeName)
        return alike

    @cached_property
    def ports(self) -> Mapping[str, Ports]:
        """The ports that are taken, by node."""
        taken: dict[str, Ports] = defaultdict(frozenset)
        for pod in self._pods:
            taken[pod.spec.nodeName] |= host_ports(pod.spec)
        return taken

    def near(self, pod: pb.Pod) -> Iterator[Rule]:
        """Yield the pod's affinities. The first pod of a group that wants to be near its own kind may be anywhere."""
        for term in pod.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution:
            counts = self._count(_peers(term, pod))
            if counts or not selects(term.labelSelector, pod.metadata.labels):
                yield Rule(term.topologyKey, lambda place, counts=counts: bool(counts[place]))  # type: ignore[misc]

    def apart(self, pod: pb.Pod) -> Iterator[Rule]:
        """Yield the pod's anti-affinities, and those of pods that run to such a pod as this."""
        for term in pod.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution:
            counts = self._count(_peers(term, pod))
            yield Rule(term.topologyKey, lambda place, counts=counts: not (place and counts[place]))  # type: ignore[misc]
        for peers, domains in self._averse.items():
            to_this = pod.metadata.namespace in peers.namespaces and selects(
                pb.LabelSelector.FromString(peers.selector), pod.metadata.labels
            )
            if to_this:
                yield Rule(peers.topology, lambda place, domains=domains: place not in domains)  # type: ignore[misc]

    @cached_property
    def _averse(self) -> Mapping[Peers, set[str]]:
        """The anti-affinities of pods that run, each with the domains that it keeps others from."""
        averse: dict[Peers, set[str]] = defaultdict(set)
        for pod in self._pods:
            if pod.spec.affinity.HasField("podAntiAffinity"):
                for term in pod.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution:
                    if place := self._place(pod, term.topologyKey):
                        averse[_peers(term, pod)].add(place)
        return averse

    def spread(self, pod: pb.Pod) -> Iterator[Rule]:
        """Yield the pod's topology spread constraints that must be satisfied."""
        for wanted in pod.spec.topologySpreadConstraints:
            if wanted.whenUnsatisfiable == "DoNotSchedule":
                selector = wanted.labelSelector.SerializeToString(deterministic=True)
                peers = Peers(selector, frozenset({pod.metadata.namespace}), wanted.topologyKey)
                counts, itself = self._count(peers), selects(wanted.labelSelector, pod.metadata.labels)
                fewest = min((counts[domain] for domain in self._domains(wanted.topologyKey, pod.spec)), default=0)
                most = wanted.maxSkew + fewest - itself
                yield Rule(
                    wanted.topologyKey,
                    lambda place, counts=counts, most=most: bool(place) and counts[place] <= most,  # type: ignore[misc]
                )

    def _domains(self, topology: str, spec: pb.PodSpec) -> set[str]:
        """Return the domains of a topology in which the pod's node selector and affinity allow a node."""
        required = spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
        return {
            node.metadata.labels[topology]
            for node in self._nodes.values()
            if topology in node.metadata.labels
            and matches(required, node)
            and all(node.metadata.labels.get(label) == value for label, value in spec.nodeSelector.items())
        }

    def _count(self, peers: Peers) -> Counter[str]:
        """Return how many of the pods that run a term is about, by the domain that they are in."""
        if peers not in self._counts:
            selector = pb.LabelSelector.FromString(peers.selector)
            nodes = (
                node
                for namespace in peers.namespaces
                for labels, nodes in self._alike.get(namespace, {}).items()
                if selects(selector, dict(labels))
                for node in nodes
            )
            places = (self._nodes[node].metadata.labels.get(peers.topology, "") for node in nodes)
            self._counts[peers] = Counter(place for place in places if place)
        return self._counts[peers]

    def _place(self, pod: pb.Pod, topology: str) -> str:
        return self._nodes[pod.spec.nodeName].metadata.labels.get(topology, "")


def _peers(term: pb.PodAffinityTerm, pod: pb.Pod) -> Peers:
    namespaces = frozenset(term.namespaces or (pod.metadata.namespace,))
    return Peers(term.labelSelector.SerializeToString(deterministic=True), namespaces, term.topologyKey)
