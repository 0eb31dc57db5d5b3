"""Parses the routes of a node, which a probe pod in the host network prints."""

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv4Network, IPv6Address, IPv6Network

from kubevitals.probe.report import Route
from kubevitals.text import clean

ROUTES = 1000
"""Routes that are read. Routes of a node with more are not judged: which of them are missing cannot be seen."""

CACHED = 20_000
"""Routes that are cached: the nodes of a cluster report the same ones."""

FAMILIES = ("IPv4", "IPv6")


def parse_default_routes(lines: Iterable[tuple[str, str]]) -> tuple[str, ...] | None:
    """Return the address families for which the node has a default route; None if the probe did not print them."""
    for word, line in lines:
        if word == "defaults":
            said = line.split()
            return tuple(family for family in FAMILIES if family in said)
    return None


def parse_routes(lines: Iterable[tuple[str, str]]) -> tuple[Route, ...]:
    """Return the routes of /proc/net/route (addresses as little-endian hex) and /proc/net/ipv6_route."""
    routes: list[Route | None] = []
    for word, line in lines:
        parts = line.split()
        try:
            if word == "route" and len(parts) == 4:
                routes.append(_route(*parts))
            elif word == "route6" and len(parts) == 4:
                routes.append(_route6(*parts))
        except (ValueError, AddressValueError):
            continue  # such as the header
    return tuple(route for route in routes if route) if len(routes) <= ROUTES else ()


@lru_cache(CACHED)
def _route(device: str, network: str, via: str, mask: str) -> Route:
    net = IPv4Network((_ipv4(network), str(_ipv4(mask))), strict=False)
    gateway = _ipv4(via)
    return Route(str(net), str(gateway) if int(gateway) else "", clean(device, 60))


@lru_cache(CACHED)
def _route6(device: str, network: str, size: str, via: str) -> Route | None:
    net = IPv6Network((_ipv6(network), int(size, 16)), strict=False)
    if net.network_address.is_link_local or net.network_address.is_multicast:
        return None
    gateway = _ipv6(via)
    return Route(str(net), str(gateway) if int(gateway) else "", clean(device, 60))


def _ipv4(text: str) -> IPv4Address:
    return IPv4Address(bytes.fromhex(text)[::-1])


def _ipv6(text: str) -> IPv6Address:
    return IPv6Address(bytes.fromhex(text))
