"""The addresses that nodes have for pods, and how many of them pods hold."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import CLUSTER_CIDR
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished

Network = IPv4Network | IPv6Network


class Pool(NamedTuple):
    """One podCIDR of a node and the number of pods that hold an address in it."""

    network: Network
    held: int

    @property
    def usable(self) -> int:
        """Addresses for pods: the network's own, its gateway's and IPv4's broadcast address are none."""
        return max(1, self.network.num_addresses - (3 if self.network.version == 4 else 2))

    @property
    def percent(self) -> float:
        """How much of the pool is held."""
        return 100 * self.held / self.usable

    def __str__(self) -> str:
        return f"{self.held} of {self.usable} addresses of {self.network}"


def pod_networks(node: pb.Node) -> list[Network]:
    """Return the node's podCIDRs, one for each IP family."""
    return _networks(node.spec.podCIDRs or [node.spec.podCIDR])


def _networks(cidrs: Iterable[str]) -> list[Network]:
    found: list[Network] = []
    for cidr in cidrs:
        try:
            found.append(ip_network(cidr, strict=False))
        except ValueError:
            continue
    return found


def held_addresses(pod: pb.Pod) -> list[str]:
    """Return the pod's own addresses; in the host network it has none, and a finished pod has given them back."""
    if pod.spec.hostNetwork or is_finished(pod):
        return []
    return [ip.ip for ip in pod.status.podIPs if ip.ip] or [pod.status.podIP] * bool(pod.status.podIP)


def pools(cluster: Cluster) -> Mapping[str, list[Pool]]:
    """Return the pools of every node that has podCIDRs, by the node's name, the tightest first."""
    cluster.scope.need_all("the pods of all namespaces hold a node's addresses")
    held: dict[str, list[IPv4Address | IPv6Address]] = defaultdict(list)
    for pod in cluster.pods:
        held[pod.spec.nodeName] += _addresses(held_addresses(pod))
    return {
        node.metadata.name: sorted(
            (Pool(net, sum(ip in net for ip in held[node.metadata.name])) for net in networks),
            key=lambda pool: -pool.percent,
        )
        for node in cluster.nodes
        if (networks := pod_networks(node))
    }


def _addresses(texts: Iterable[str]) -> Iterator[IPv4Address | IPv6Address]:
    """Yield the addresses; what is none holds none."""
    for text in texts:
        with suppress(ValueError):
            yield ip_address(text)


def overlaps(cluster: Cluster) -> Iterator[tuple[pb.Node, Network, pb.Node, Network]]:
    """Yield each node whose podCIDR overlaps that of an older node, with that one.

    Two CIDRs overlap only where one contains the other: in the order of their beginnings it comes first.
    """
    every = [(net, node) for node in cluster.nodes for net in pod_networks(node)]
    every.sort(key=lambda pair: (pair[0].version, int(pair[0].network_address), pair[0].prefixlen))
    outer: tuple[Network, pb.Node] | None = None
    for net, node in every:
        if outer and outer[0].overlaps(net):
            older, younger = sorted((outer, (net, node)), key=lambda pair: _birth(pair[1]))
            yield younger[1], younger[0], older[1], older[0]
        else:
            outer = (net, node)


def cluster_networks(cluster: Cluster) -> list[Network]:
    """Return the networks of which nodes get their podCIDRs; none where the control plane does not show its settings.

    kube-controller-manager's flag tells them, where it runs as a pod: kubeadm's clusters are so.
    """
    words = (
        word
        for pod in cluster.pods
        if pod.metadata.namespace == "kube-system" and pod.metadata.labels.get("component") == "kube-controller-manager"
        for container in pod.spec.containers
        for word in [*container.command, *container.args]
    )
    return _networks(cidr for word in words for cidr in word.removeprefix(CLUSTER_CIDR).split(","))


def strays(cluster: Cluster) -> Iterator[tuple[pb.Node, Network]]:
    """Yield each node's podCIDR that lies in none of the cluster's networks of its family."""
    known = cluster_networks(cluster)
    for node in cluster.nodes:
        for own in pod_networks(node):
            family = [net for net in known if net.version == own.version]
            if family and not any(own.subnet_of(net) for net in family):  # type: ignore[arg-type]
                yield node, own


def _birth(node: pb.Node) -> tuple[int, str]:
    return node.metadata.creationTimestamp.seconds, node.metadata.name
