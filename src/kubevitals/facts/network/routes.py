"""Routes that a node should have to other nodes' pods, where its CNI works with a route a node."""

from collections.abc import Collection, Iterable, Mapping

from kubevitals.facts.network.addresses import Network, pod_networks
from kubevitals.facts.network.reach import Pair, is_ipv6
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults


def missing_routes(pairs: Iterable[Pair], found: ProbeResults, cluster: Cluster) -> Mapping[tuple[str, str], Network]:
    """Return the pod network that a pair's source has no route to, for the pairs that fail, by source and target.

    Only where the source or its target has a route to some other node's podCIDR: others reach pods by a single route.
    Routes are compared as they are written, in the one form that the probe's parser gives them.
    """
    networks = {node.metadata.name: pod_networks(node) for node in cluster.nodes}
    owners = {str(network): name for name, own in networks.items() for network in own}
    failing = [pair for pair in pairs if not pair.ok]
    known = {name: _routes(name, found) for name in {name for pair in failing for name in (pair.source, pair.target)}}
    routed = {name for name, own in known.items() if any(owners.get(route, name) != name for route in own)}
    return {
        (pair.source, pair.target): network
        for pair in failing
        if known[pair.source] and routed & {pair.source, pair.target}
        for network in networks.get(pair.target, ())
        if network.version == (6 if is_ipv6(pair.reach.address) else 4) and not _covered(network, known[pair.source])
    }


def _routes(node: str, found: ProbeResults) -> frozenset[str]:
    report = found.reports.get(node, {}).get("host")
    return frozenset(route.network for route in report.routes) if report else frozenset()


def _covered(network: Network, routes: Collection[str]) -> bool:
    """Return whether a route leads to the network; a default route leads to no pods."""
    return any(str(network.supernet(new_prefix=prefix)) in routes for prefix in range(1, network.prefixlen + 1))
