"""Pods that do not query the cluster's DNS, by their own specification, so that they resolve no Service."""

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.dns.service import addresses, is_node_local
from kubevitals.inventory.cluster import Cluster
from kubevitals.text import listed

SERVERS = 3
"""Name servers that are listed."""


def foreign_resolver(pod: pb.Pod, cluster: Cluster) -> tuple[str, str]:
    """Return why a pod queries other name servers than the cluster's, and what to do; empty if it queries these.

    kubernetes.io: DNS for Services and Pods, Pod's DNS Policy.
    """
    servers = list(pod.spec.dnsConfig.nameservers)
    if _has_own(servers, cluster):
        return "", ""
    match pod.spec.dnsPolicy:
        case "None" if servers:
            why = f"its dnsPolicy is None, and {listed(servers, SERVERS)} is not the cluster's DNS"
            return why, "leave dnsPolicy and dnsConfig out of the pod template, or add the cluster's name server"
        case "Default":
            return (
                "with dnsPolicy Default it queries the node's name servers, which know no Service",
                "leave dnsPolicy out of the pod template (ClusterFirst)",
            )
        case "ClusterFirst" | "" if pod.spec.hostNetwork:
            return (
                "in the host network, dnsPolicy ClusterFirst means the node's name servers, which know no Service",
                "set dnsPolicy of the pod template to ClusterFirstWithHostNet",
            )
    return "", ""


def _has_own(servers: list[str], cluster: Cluster) -> bool:
    """Return whether one of these name servers is the cluster's, or may be."""
    if not servers:
        return False
    try:
        return any(is_node_local(server) or server in addresses(cluster) for server in servers)
    except NotObserved:
        return True
