"""What pods request of their nodes, and what nodes have left."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished
from kubevitals.quantity import number

PODS = "pods"
"""The resource that every pod takes one of."""

Amounts = Mapping[str, float]
"""Cores, bytes or a count, by resource."""


def requests_of(spec: pb.PodSpec) -> Amounts:
    """Return what the scheduler reserves for a pod.

    Init containers run one after another, beside the sidecars that were started before them
    (kubernetes/kubernetes staging/src/k8s.io/component-helpers/resource/helpers.go). What the pod as a whole requests
    counts before the sum of its containers.
    """
    running: dict[str, float] = {}
    for container in spec.containers:
        _add(running, container.resources.requests)
    if spec.initContainers:
        running = _with_init_containers(spec, running)
    for resource, quantity in spec.resources.requests.items():
        running[resource] = number(quantity.string)
    _add(running, spec.overhead)
    running[PODS] = 1
    return running


def _with_init_containers(spec: pb.PodSpec, running: Mapping[str, float]) -> dict[str, float]:
    sidecars: dict[str, float] = {}
    most: dict[str, float] = {}
    for container in spec.initContainers:
        beside = dict(sidecars)
        _add(beside, container.resources.requests)
        if container.restartPolicy == "Always":
            sidecars = beside
        most = {resource: max(most.get(resource, 0), beside.get(resource, 0)) for resource in {*most, *beside}}
    return {
        resource: max(running.get(resource, 0) + sidecars.get(resource, 0), most.get(resource, 0))
        for resource in {*running, *most}
    }


def _add(amounts: dict[str, float], quantities: Mapping[str, pb.Quantity]) -> None:
    for resource, quantity in quantities.items():
        amounts[resource] = amounts.get(resource, 0) + number(quantity.string)


def free(cluster: Cluster) -> Mapping[str, Amounts]:
    """Return what each node has left, by its name: what is allocatable less what its pods request."""
    used: dict[str, dict[str, float]] = defaultdict(dict)
    for pod in cluster.pods:
        if pod.spec.nodeName and not is_finished(pod):
            on_node = used[pod.spec.nodeName]
            for resource, amount in requests_of(pod.spec).items():
                on_node[resource] = on_node.get(resource, 0) + amount
    return {node.metadata.name: _left(node, used[node.metadata.name]) for node in cluster.nodes}


def _left(node: pb.Node, used: Amounts) -> Amounts:
    return {
        resource: number(quantity.string) - used.get(resource, 0)
        for resource, quantity in node.status.allocatable.items()
    }


def most_free(resource: str, nodes: Iterable[str], cluster: Cluster) -> float:
    """Return how much of a resource is left on the node, of some, that has most of it."""
    left: Mapping[str, Amounts] = cluster.derive(free)
    return max((left[node].get(resource, 0) for node in nodes), default=0)
