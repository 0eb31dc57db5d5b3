"""What keeps a pod from a node: each constraint that the scheduler's filters check, by itself.

The filters are those of kubernetes/kubernetes pkg/scheduler/framework/plugins: node conditions and cordons (as taints),
node affinity, resources, ports, inter-pod affinity, topology spread and volume binding.
"""

from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import matches, tolerates
from kubevitals.facts.scheduling.neighbours import Neighbours, Ports, Rule, host_ports
from kubevitals.facts.scheduling.requests import Amounts, requests_of
from kubevitals.facts.scheduling.storage import Storage

CORDONED = "node.kubernetes.io/unschedulable"
"""The taint of a node that is cordoned."""


OF_THE_NODE = {
    "node.kubernetes.io/not-ready": "not ready",
    "node.kubernetes.io/unreachable": "unreachable",
    "node.kubernetes.io/disk-pressure": "under disk pressure",
    "node.kubernetes.io/memory-pressure": "under memory pressure",
    "node.kubernetes.io/pid-pressure": "short of process IDs",
    "node.kubernetes.io/network-unavailable": "without a network",
}
"""Taints that the node lifecycle controller sets, and what they say (well_known_taints.go of k8s.io/api)."""


class Constraint(StrEnum):
    """What a pod may ask of a node, or a node of its pods; first what was done to a node, last what a volume needs."""

    CLAIM = "PersistentVolumeClaim"
    CORDON = "cordon"
    TAINT = "taint"
    LABEL = "node label"
    AFFINITY = "node affinity"
    RESOURCE = "resource"
    PORT = "host port"
    NEAR = "pod affinity"
    APART = "pod anti-affinity"
    SPREAD = "topology spread"
    VOLUME = "volume"


class Blocker(NamedTuple):
    """One constraint that a node does not satisfy.

    Attributes:
        detail: which one: the claim, the taint, the label, the resource, the port, the topology key, the volume.
    """

    constraint: Constraint
    detail: str = ""

    @property
    def key(self) -> str:
        """The key of a taint."""
        return self.detail.partition(":")[0].partition("=")[0]


class Demand(NamedTuple):
    """What a pod asks of nodes, computed once for all of them.

    Attributes:
        storage: what its claims ask.
        rules: what it asks of the pods that are there.
    """

    spec: pb.PodSpec
    requests: Amounts
    ports: Ports
    storage: Storage
    rules: tuple[tuple[Constraint, Rule], ...]


def demand_of(pod: pb.Pod, storage: Storage, neighbours: Neighbours) -> Demand:
    """Return what a pod asks of nodes."""
    rules = (
        *((Constraint.NEAR, rule) for rule in neighbours.near(pod)),
        *((Constraint.APART, rule) for rule in neighbours.apart(pod)),
        *((Constraint.SPREAD, rule) for rule in neighbours.spread(pod)),
    )
    return Demand(pod.spec, requests_of(pod.spec), host_ports(pod.spec), storage, rules)


def of_node(demand: Demand, node: pb.Node) -> frozenset[Blocker]:
    """Return what keeps a pod from all nodes that have this one's taints and labels, whatever runs there."""
    return frozenset(
        (
            *_taints(demand.spec, node),
            *_labels(demand.spec, node),
            *(Blocker(Constraint.CLAIM, name) for name in demand.storage.unbound),
            *(Blocker(Constraint.VOLUME, name) for name in demand.storage.elsewhere(node)),
        )
    )


def labels_that_matter(demand: Demand) -> frozenset[str]:
    """Return the keys of the node labels that decide what `of_node` returns; metadata.name stands for the field."""
    required = demand.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    selectors = (required, *(selector for _, selector in demand.storage.volumes))
    terms = [term for selector in selectors for term in selector.nodeSelectorTerms]
    wanted = (requirement.key for term in terms for requirement in (*term.matchExpressions, *term.matchFields))
    return frozenset((*demand.spec.nodeSelector, *wanted))


def _taints(spec: pb.PodSpec, node: pb.Node) -> Iterator[Blocker]:
    taints = {taint.key: taint for taint in node.spec.taints if not tolerates(spec, taint)}
    cordon = pb.Taint(key=CORDONED, effect="NoSchedule")
    if taints.pop(CORDONED, None) or (node.spec.unschedulable and not tolerates(spec, cordon)):
        yield Blocker(Constraint.CORDON)
    for taint in taints.values():
        yield Blocker(Constraint.TAINT, f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}")


def _labels(spec: pb.PodSpec, node: pb.Node) -> Iterator[Blocker]:
    for key, value in spec.nodeSelector.items():
        if node.metadata.labels.get(key) != value:
            yield Blocker(Constraint.LABEL, f"{key}={value}")
    if not matches(spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution, node):
        yield Blocker(Constraint.AFFINITY)
