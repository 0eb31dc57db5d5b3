"""The podCIDRs of nodes, where pods get their addresses from them: flannel, kindnet, kubenet, host-local, Cilium."""

from kubevitals.errors import NotApplicable
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.addresses import pools
from kubevitals.facts.network.pod_cidrs import unused_because
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import ref

ADD_NODES = "move pods to other nodes or add nodes; new nodes can be given larger podCIDRs"


def read(cluster: Cluster) -> list[Supply]:
    """Return the fuller podCIDR of each node.

    Raises:
        NotApplicable: pods get their addresses from elsewhere.
        NotObserved: the pods of some namespaces are not in the scope.
    """
    by_node = cluster.derive(pools)
    if not by_node:
        raise NotApplicable("no node has a podCIDR: pod addresses come from elsewhere, a cloud's subnet for instance")
    if reason := unused_because(cluster):
        raise NotApplicable(reason)
    return [
        Supply(
            ref(node),
            str(of_node[0].network),
            of_node[0].usable,
            of_node[0].used,
            frozenset({node.metadata.name}),
            remedy=ADD_NODES,
            lines=tuple(f"{pool} are in use" for pool in of_node),
        )
        for node in cluster.derive(our_nodes)
        if (of_node := by_node.get(node.metadata.name))
    ]
