"""Whether pods get their addresses from the nodes' podCIDRs."""

from kubevitals.facts.network.addresses import pod_networks, used_addresses
from kubevitals.facts.network.cni import recognised
from kubevitals.inventory.cluster import Cluster
from kubevitals.text import plural


def unused_because(cluster: Cluster) -> str:
    """Return why the nodes' podCIDRs say nothing about pod addresses; empty if pods get their addresses from them.

    The CNI decides. If it is not recognised, or can work either way, the addresses of pods tell.
    """
    cnis = recognised(cluster)
    if any(cni.uses_pod_cidrs for cni in cnis):
        return ""
    if other := next((cni.name for cni in cnis if cni.uses_pod_cidrs is False), ""):
        return f"{other} assigns pod addresses itself and does not use the nodes' podCIDRs"
    inside, outside = cluster.derive(_addresses_inside_and_outside)
    if inside > outside:
        return ""
    if outside:
        return f"{plural(outside, 'pod')} of {inside + outside} have an address outside of their node's podCIDR"
    return "no pod has an address yet, and the CNI is not one that is known to use the nodes' podCIDRs"


def _addresses_inside_and_outside(cluster: Cluster) -> tuple[int, int]:
    """Return how many pods have an address of their node's podCIDRs, and how many have another one."""
    networks = {node.metadata.name: pod_networks(node) for node in cluster.nodes}
    inside = outside = 0
    for pod in cluster.pods:
        addresses = used_addresses(pod)
        if addresses and networks.get(pod.spec.nodeName):
            if any(address in network for address in addresses for network in networks[pod.spec.nodeName]):
                inside += 1
            else:
                outside += 1
    return inside, outside
