"""CNIs that give each node a range or a number of addresses: OVN-Kubernetes by an annotation, Azure by an object."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

import msgspec

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.facts.address_pools.annotated import NODES, Node
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.addresses import fullest_first, networks, used_by_node
from kubevitals.facts.network.cni import recognised
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.inventory.served import list_if_served
from kubevitals.objects import Ref

NODE_SUBNETS = "k8s.ovn.org/node-subnets"
"""The annotation of a node with its subnets, by network: ``{"default":["10.128.0.0/23"]}``; older versions have a text
instead of a list (ovn-kubernetes/ovn-kubernetes go-controller/pkg/util/subnet_annotations.go)."""

HOST_PREFIX = "move pods to other nodes or add nodes; new clusters can be given a shorter hostPrefix"
AZURE_SUBNET = "enlarge the pod subnet in Azure or add a node pool with another one, or move pods to other nodes"
SUBNET_FULL = "NCUpdateSubnetFullError"
"""The status of a network container that gets no more addresses (nodenetworkconfig.go)."""


class Scaler(Fields, frozen=True):
    """How many addresses a node may get at most; 0 if that is fixed."""

    maxIPCount: int = 0  # noqa: N815


class NetworkContainer(Fields, frozen=True):
    """A part of a subnet that a node has, and how the last request for more addresses ended."""

    subnetName: str = ""  # noqa: N815
    status: str = ""


class NodeNetworkConfigStatus(Fields, frozen=True):
    """How many addresses a node has."""

    assignedIPCount: int = 0  # noqa: N815
    scaler: Scaler = Scaler()
    networkContainers: tuple[NetworkContainer, ...] = ()  # noqa: N815


class NodeNetworkConfig(Resource, frozen=True):
    """A node's addresses, with the node's name (Azure/azure-container-networking crd/nodenetworkconfig/api/v1alpha)."""

    status: NodeNetworkConfigStatus = NodeNetworkConfigStatus()


class ClusterSubnetStatus(Fields, frozen=True):
    """Whether a subnet has no addresses left."""

    exhausted: bool = False


class ClusterSubnetState(Resource, frozen=True):
    """A subnet for pods (Azure/azure-container-networking crd/clustersubnetstate)."""

    status: ClusterSubnetStatus = ClusterSubnetStatus()


CONFIGS = Kind(
    "/apis/acn.azure.com/v1alpha/nodenetworkconfigs", NodeNetworkConfig, namespaced=True, optional=True, page=100
)
SUBNETS = Kind("/apis/acn.azure.com/v1alpha1/clustersubnetstates", ClusterSubnetState, namespaced=True, optional=True)

Used = Mapping[str, Sequence[bytes]]
"""The addresses of the pods on each node."""


def read_ovn_kubernetes(cluster: Cluster) -> list[Supply]:
    """Return the subnets of nodes, if the CNI is OVN-Kubernetes.

    Raises:
        NotObserved: nodes cannot be listed.
    """
    if not any(cni.name == "OVN-Kubernetes" for cni in recognised(cluster)):
        return []
    ours = {node.metadata.name for node in cluster.derive(our_nodes)}
    nodes = [node for node in cluster.objects(NODES) if node.metadata.name in ours]
    return list(of_ovn_kubernetes(nodes, cluster.derive(used_by_node)))


def of_ovn_kubernetes(nodes: Iterable[Node], used: Used) -> Iterator[Supply]:
    """Yield the fuller subnet of each node, for its pods in the default network."""
    for node in nodes:
        name = node.metadata.name
        if ranges := fullest_first(networks(_default_subnets(node)), used.get(name, ())):
            yield Supply(
                Ref("Node", "", name),
                str(ranges[0].network),
                ranges[0].usable,
                ranges[0].used,
                frozenset({name}),
                remedy=HOST_PREFIX,
                lines=tuple(f"{pool} are in use" for pool in ranges),
            )


def _default_subnets(node: Node) -> list[str]:
    with suppress(msgspec.MsgspecError, RecursionError):
        text = node.metadata.annotations.get(NODE_SUBNETS, "{}")
        subnets = msgspec.json.decode(text, type=dict[str, str | list[str]]).get("default", [])
        return [subnets] if isinstance(subnets, str) else subnets
    return []


def read_azure(cluster: Cluster) -> list[Supply]:
    """Return the addresses of nodes and the subnets of Azure CNI that assigns them dynamically.

    Raises:
        NotObserved: they cannot be listed.
    """
    configs, subnets = list_if_served(CONFIGS, cluster), list_if_served(SUBNETS, cluster)
    ours = {node.metadata.name for node in cluster.derive(our_nodes)}
    return list(of_azure(configs, subnets, ours, cluster.derive(used_by_node) if configs else {}))


def of_azure(
    configs: Iterable[NodeNetworkConfig], subnets: Iterable[ClusterSubnetState], judged: Collection[str], used: Used
) -> Iterator[Supply]:
    """Yield each subnet, and what each judged node has. A node gets more addresses unless its subnet is full."""
    full = set()
    for subnet in subnets:
        name, exhausted = subnet.metadata.name, subnet.status.exhausted
        at = Ref("ClusterSubnetState", subnet.metadata.namespace, name)
        full |= {name} if exhausted else set()
        said = "Azure reports that the subnet is exhausted" if exhausted else ""
        yield Supply(at, "the subnet", int(not exhausted), 0, remedy=AZURE_SUBNET, said=said)
    for config in configs:
        name, status = config.metadata.name, config.status
        if name in judged and status.assignedIPCount:
            stuck = any(c.status == SUBNET_FULL or c.subnetName in full for c in status.networkContainers)
            most = 0 if stuck else status.scaler.maxIPCount
            size, taken = max(status.assignedIPCount, most), len(used.get(name, ()))
            at, of = Ref("Node", "", name), "NodeNetworkConfig"
            yield Supply(at, of, size, taken, frozenset({name}), remedy=AZURE_SUBNET)
