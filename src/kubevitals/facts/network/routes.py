"""Missing routes to the pods of other nodes, for CNIs that write one route for each node."""

from collections.abc import Collection, Iterable, Mapping

from kubevitals.facts.network.addresses import IPNetwork, pod_networks
from kubevitals.facts.network.reach import Pair, is_ipv6
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults


def missing_routes(
    pairs: Iterable[Pair], results: ProbeResults, cluster: Cluster
) -> Mapping[tuple[str, str], IPNetwork]:
    """Return the pod network to which the source has no route, for pairs that fail, by source and target.

    Only if the source or the target has a route to another node's podCIDR: other CNIs use a single route for all pods.
    Routes are compared as text: the probe's parser writes them all in the same form.
    """
    networks = {node.metadata.name: pod_networks(node) for node in cluster.nodes}
    owners = {str(network): name for name, node_networks in networks.items() for network in node_networks}
    failing = [pair for pair in pairs if not pair.ok]
    known = {name: _routes(name, results) for pair in failing for name in (pair.source, pair.target)}
    routed = {name for name, routes in known.items() if any(owners.get(route, name) != name for route in routes)}
    return {
        (pair.source, pair.target): network
        for pair in failing
        if known[pair.source] and routed & {pair.source, pair.target}
        for network in networks.get(pair.target, ())
        if network.version == (6 if is_ipv6(pair.reach.address) else 4) and not _covered(network, known[pair.source])
    }


def _routes(node: str, results: ProbeResults) -> frozenset[str]:
    report = results.reports.get(node, {}).get("host")
    return frozenset(route.network for route in report.routes) if report else frozenset()


def _covered(network: IPNetwork, routes: Collection[str]) -> bool:
    """Return whether a route leads to the network; the default route does not count."""
    return any(str(network.supernet(new_prefix=prefix)) in routes for prefix in range(1, network.prefixlen + 1))
