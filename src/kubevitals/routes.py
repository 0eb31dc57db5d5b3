"""Routes that a node should have to other nodes' pods, where its CNI works with a route a node."""

from collections.abc import Iterable, Mapping
from ipaddress import ip_network

from kubevitals.addresses import Network, pod_networks
from kubevitals.inventory import Cluster
from kubevitals.probe.probed import Probed
from kubevitals.probe.report import Report
from kubevitals.reach import Pair, is_ipv6


def missing_routes(pairs: Iterable[Pair], found: Probed, cluster: Cluster) -> Mapping[tuple[str, str], Network]:
    """Return the pod network that a pair's source has no route to, for the pairs that fail, by source and target.

    Only where the source or its target has a route to some other node's podCIDR: others reach pods by a single route.
    """
    networks = {node.metadata.name: pod_networks(node) for node in cluster.nodes}
    every = {network: node for node, own in networks.items() for network in own}
    missing = {}
    known = {report.node: _networks(report) for report in found.of("host") if report.routes}
    routed = {node for node, own in known.items() if any(every.get(network, node) != node for network in own)}
    for pair in pairs:
        if pair.ok or pair.source not in known or not routed & {pair.source, pair.target}:
            continue
        for network in networks.get(pair.target, []):
            if network.version == (6 if is_ipv6(pair.reach.address) else 4) and not _covered(
                network, known[pair.source]
            ):
                missing[pair.source, pair.target] = network
    return missing


def _networks(report: Report) -> set[Network]:
    """Return the networks that the node has routes to; a default route leads to no pods."""
    found: set[Network] = set()
    for route in report.routes:
        try:
            network = ip_network(route.network, strict=False)
        except ValueError:
            continue
        if network.prefixlen:
            found.add(network)
    return found


def _covered(network: Network, known: set[Network]) -> bool:
    return any(network.supernet(new_prefix=prefix) in known for prefix in range(1, network.prefixlen + 1))
