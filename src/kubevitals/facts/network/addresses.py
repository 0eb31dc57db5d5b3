"""The pod address ranges of nodes (podCIDRs), and how many of their addresses are in use."""

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AF_INET6, inet_pton
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import CLUSTER_CIDR
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network


class Pool(NamedTuple):
    """One podCIDR of a node.

    Attributes:
        used: how many pods of the node have an address in it.
    """

    network: IPNetwork
    used: int

    @property
    def usable(self) -> int:
        """How many addresses pods can get: not the network address, the gateway or the IPv4 broadcast address."""
        return max(1, self.network.num_addresses - (3 if self.network.version == 4 else 2))

    @property
    def percent(self) -> float:
        """How much of the pool is in use."""
        return 100 * self.used / self.usable

    def __str__(self) -> str:
        return f"{self.used} of {self.usable} addresses of {self.network}"


def pod_networks(node: pb.Node) -> list[IPNetwork]:
    """Return the node's podCIDRs, one for each IP family."""
    return networks(node.spec.podCIDRs or [node.spec.podCIDR])


def networks(cidrs: Iterable[str]) -> list[IPNetwork]:
    """Return the networks; text that is not a CIDR is skipped."""
    found: list[IPNetwork] = []
    for cidr in cidrs:
        with suppress(ValueError):
            found.append(ip_network(cidr, strict=False))
    return found


def used_addresses(pod: pb.Pod) -> list[IPAddress]:
    """Return the addresses that the pod occupies: none with hostNetwork, and none once it has finished."""
    return [] if pod.spec.hostNetwork else list(_addresses(_own_ips(pod)))


def _own_ips(pod: pb.Pod) -> list[str]:
    """Return the addresses of a pod that is not in the host network; none once it has finished."""
    return [] if is_finished(pod) else [ip.ip for ip in pod.status.podIPs] or [pod.status.podIP]


def used_by_node(cluster: Cluster) -> Mapping[str, list[bytes]]:
    """Return the addresses of the pods on each node, by its name, as bytes."""
    cluster.scope.need_all("pods of all namespaces use a node's addresses")
    used: dict[str, list[bytes]] = defaultdict(list)
    for pods in cluster.alike_pods:
        for pod in () if pods[0].spec.hostNetwork else pods:
            used[pod.spec.nodeName] += _packed(_own_ips(pod))
    return used


def _packed(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield addresses as bytes, which takes a tenth of the time of an object; text that is no address is skipped."""
    for text in texts:
        try:  # faster than suppress, for every pod
            yield inet_pton(AF_INET6 if ":" in text else AF_INET, text)
        except (OSError, ValueError):
            continue


def fullest_first(ranges: Iterable[IPNetwork], used: Iterable[bytes]) -> list[Pool]:
    """Return how many of some addresses are in each range, the fullest range first."""
    ordered = sorted((len(address), address) for address in used)
    return sorted((Pool(network, _count(ordered, network)) for network in ranges), key=lambda pool: -pool.percent)


def _count(ordered: Sequence[tuple[int, bytes]], network: IPNetwork) -> int:
    """Return how many addresses are in a network; they are in order, IPv4 first."""
    first, last = network.network_address.packed, network.broadcast_address.packed
    return bisect_right(ordered, (len(last), last)) - bisect_left(ordered, (len(first), first))


def pools(cluster: Cluster) -> Mapping[str, list[Pool]]:
    """Return the pools of every node that has podCIDRs, by the node's name, the fullest first."""
    used = cluster.derive(used_by_node)
    return {
        node.metadata.name: fullest_first(ranges, used.get(node.metadata.name, ()))
        for node in cluster.nodes
        if (ranges := pod_networks(node))
    }


_CIDR = re.compile(r"[0-9a-fA-F:.]{2,39}/\d{1,3}")

NETWORKS_NAMED = 4
"""How many networks of one message are looked at."""


def use_of_networks(message: str, cluster: Cluster) -> list[str]:
    """Return how many addresses of the networks that a message names are in use, and on which nodes."""
    return [_use(network, cluster) for network in networks(_CIDR.findall(message)[:NETWORKS_NAMED])]


def _use(network: IPNetwork, cluster: Cluster) -> str:
    on_node = Counter(pod.spec.nodeName for pod in cluster.pods for ip in used_addresses(pod) if ip in network)
    nodes = ", ".join(f"{node} {count}" for node, count in on_node.most_common(NETWORKS_NAMED))
    return f"{on_node.total()} of {network.num_addresses} addresses of {network} are in use" + (nodes and f": {nodes}")


def _addresses(texts: Iterable[str]) -> Iterator[IPAddress]:
    """Yield the addresses; text that is not an address is skipped."""
    for text in texts:
        with suppress(ValueError):
            yield ip_address(text)


def overlaps(cluster: Cluster) -> Iterator[tuple[pb.Node, IPNetwork, pb.Node, IPNetwork]]:
    """Yield each node whose podCIDR overlaps that of an older node, with that one.

    Two CIDRs overlap only if one contains the other; sorted by their first address, the larger one comes first.
    """
    ranges = [(network, node) for node in cluster.nodes for network in pod_networks(node)]
    ranges.sort(key=lambda pair: (pair[0].version, int(pair[0].network_address), pair[0].prefixlen))
    outer: tuple[IPNetwork, pb.Node] | None = None
    for network, node in ranges:
        if outer and outer[0].overlaps(network):
            older, younger = sorted((outer, (network, node)), key=lambda pair: _created(pair[1]))
            yield younger[1], younger[0], older[1], older[0]
        else:
            outer = (network, node)


def cluster_networks(cluster: Cluster) -> list[IPNetwork]:
    """Return the networks from which nodes get their podCIDRs, by kube-controller-manager's flag `--cluster-cidr`.

    Empty if kube-controller-manager does not run as a pod; kubeadm runs it as one.
    """
    arguments = (
        argument
        for pod in cluster.pods
        if pod.metadata.namespace == "kube-system" and pod.metadata.labels.get("component") == "kube-controller-manager"
        for container in pod.spec.containers
        for argument in [*container.command, *container.args]
        if argument.startswith(CLUSTER_CIDR)
    )
    return networks(cidr for argument in arguments for cidr in argument.removeprefix(CLUSTER_CIDR).split(","))


def strays(cluster: Cluster) -> Iterator[tuple[pb.Node, IPNetwork]]:
    """Yield each node with a podCIDR that is outside of all the cluster's networks of the same IP family."""
    known = cluster_networks(cluster)
    for node in cluster.nodes:
        for network in pod_networks(node):
            family = [outer for outer in known if outer.version == network.version]
            if family and not any(network.subnet_of(outer) for outer in family):  # type: ignore[arg-type]
                yield node, network


def _created(node: pb.Node) -> tuple[int, str]:
    return node.metadata.creationTimestamp.seconds, node.metadata.name
