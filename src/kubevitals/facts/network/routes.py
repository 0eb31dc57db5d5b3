"""Missing routes to the pods of other nodes, for CNIs that write routes for each node's pod addresses."""

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import ip_network

from kubevitals.facts.network.addresses import IPNetwork, pod_networks
from kubevitals.facts.network.reach import Pair
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import Route


def missing_routes(
    attempts: Iterable[Pair], results: ProbeResults, cluster: Cluster
) -> Mapping[tuple[str, str], IPNetwork]:
    """Return the pod addresses to which the source has no route, for pairs that fail, by source and target.

    Only if the source or the target has a route to the pods of another node: other CNIs need no such routes.
    Routes are compared as text: the probe's parser writes them all in the same form.
    """
    listed = [(pair, address) for pair in attempts if (address := pod_address(pair))]
    routes = {report.node: {route.network: route for route in report.routes} for report in results.of("host")}
    routed = {pair.source for pair, address in listed if _route_to(address, routes.get(pair.source, {}))}
    return {
        (pair.source, pair.target): _range_of(address, pair.target, routes.get(pair.target, {}), cluster)
        for pair, address in listed
        if not pair.ok
        and routes.get(pair.source)
        and routed & {pair.source, pair.target}
        and not _route_to(address, routes[pair.source])
    }


def pod_address(pair: Pair) -> IPNetwork | None:
    """Return the address that was tried; None if it is not an IP address."""
    text = pair.reach.address.rpartition(":")[0].strip("[]")
    try:
        return ip_network(text)
    except ValueError:
        return None


def _range_of(address: IPNetwork, node: str, routes: Mapping[str, Route], cluster: Cluster) -> IPNetwork:
    """Return the range of the node's pod addresses that has this one: its podCIDR, or the widest of its own routes."""
    known = cluster.nodes_by_name.get(node)
    networks = [network for network in (pod_networks(known) if known else []) if _contains(network, address)]
    networks += (network for network in _supernets(address) if str(network) in routes and not routes[str(network)].via)
    return networks[0] if networks else address


def _contains(network: IPNetwork, address: IPNetwork) -> bool:
    return network.version == address.version and address.network_address in network


def _route_to(address: IPNetwork, routes: Mapping[str, Route]) -> bool:
    """Return whether a route leads to the address; the default route does not count."""
    return any(str(network) in routes for network in _supernets(address))


def _supernets(address: IPNetwork) -> Iterator[IPNetwork]:
    """Yield the networks that contain the address, the widest first, and not the one of all addresses."""
    return (address.supernet(new_prefix=prefix) for prefix in range(1, address.prefixlen + 1))


_TUNNELS = {
    "flannel.1": "VXLAN 8472/UDP",
    "vxlan.calico": "VXLAN 4789/UDP",
    "vxlan-v6.calico": "VXLAN 4789/UDP",
    "cilium_vxlan": "VXLAN 8472/UDP",
    "tunl0": "IP-in-IP, IP protocol 4",
    "wireguard.cali": "WireGuard 51820/UDP",
    "flannel-wg": "WireGuard 51820/UDP",
    "cilium_wg0": "WireGuard 51871/UDP",
    "genev_sys_6081": "Geneve 6081/UDP",
}
"""Tunnels by their device: flannel-io/flannel Documentation/backends.md, docs.tigera.io "Network requirements",
docs.cilium.io "Firewall Rules", antrea.io "Network requirements"."""

_ANY_TUNNEL = "VXLAN 8472 or 4789/UDP, Geneve 6081/UDP, IP-in-IP, BGP 179, WireGuard 51871/UDP"


def tunnels(results: ProbeResults) -> str:
    """Return the protocols and ports of the tunnels on the nodes' routes, or those of all CNIs if there are none."""
    devices = {route.device for report in results.of("host") for route in report.routes}
    known = dict.fromkeys(tunnel for device, tunnel in _TUNNELS.items() if device in devices)
    return ", ".join(known) or _ANY_TUNNEL
