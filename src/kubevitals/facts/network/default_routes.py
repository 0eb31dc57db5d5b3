"""Nodes without a default route, which other nodes have, and what they cannot reach for that reason."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from kubevitals.facts.network.reach import reached, result
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.objects import internal_address
from kubevitals.probe.report import ProbeReport, Reach, Target

PEERS = 2
"""Nodes that must have a default route before another one is said to be without."""

_NEEDED_FOR = (Target.SERVICE, Target.API_SERVICE, Target.API_ENDPOINT, Target.PEER)
"""What a node reaches by its default route, or at least by some route: the kernel looks for one before iptables
changes the address of a Service into that of an endpoint."""


class WithoutDefaultRoute(NamedTuple):
    """A node without a default route.

    Attributes:
        family: the address family of the node's own address.
        lines: what its host network cannot reach, though that of other nodes can.
    """

    node: str
    family: str
    lines: list[str]


def nodes_without_default_route(results: ProbeResults, cluster: Cluster) -> Iterator[WithoutDefaultRoute]:
    """Yield the nodes that have no default route, although most nodes have one, and whose host network is cut off.

    A node with routes of its own to all that it needs, or with its default route in another table, is not cut off.
    """
    for family, reports in _by_family(results, cluster).items():
        with_route = [report for report in reports if family in (report.default_routes or ())]
        if len(with_route) < max(PEERS, len(reports) / 2):
            continue
        working = {reach.kind for report in with_route for reach in report.reached if _is_elsewhere(reach, report)}
        for report in reports:
            if family not in (report.default_routes or ()) and (lines := list(_cut_off(report, working))):
                yield WithoutDefaultRoute(report.node, family, lines)


def _by_family(results: ProbeResults, cluster: Cluster) -> Mapping[str, list[ProbeReport]]:
    """Return the reports that say whether there is a default route, by the family of their node's address."""
    by_family: dict[str, list[ProbeReport]] = defaultdict(list)
    for report in results.of("host"):
        if report.default_routes is not None:
            node = cluster.nodes_by_name.get(report.node)
            by_family["IPv6" if node and ":" in internal_address(node) else "IPv4"].append(report)
    return by_family


def _is_elsewhere(reach: Reach, report: ProbeReport) -> bool:
    """Return whether the attempt succeeded, and not on the node itself."""
    return reach.ok and reach.node != report.node


def _cut_off(report: ProbeReport, working: Collection[Target]) -> Iterator[str]:
    """Yield what the node's host network does not reach at all, of the kinds that other nodes reach."""
    for kind in _NEEDED_FOR:
        attempts = [reach for reach in reached(report, kind) if reach.node != report.node]
        if kind in working and not any(reach.ok for reach in attempts):
            yield from (f"{kind} {reach.address}: {result(reach)}" for reach in attempts)
