"""Nodes whose pods reach nothing outside the node, while pods on other nodes do."""

from collections.abc import Iterator, Mapping

from kubevitals.facts.network.reach import reached
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.objects import internal_address
from kubevitals.probe.report import ProbeReport, Target, Through


def cut_off_nodes(results: ProbeResults, cluster: Cluster) -> list[str]:
    """Return the nodes whose pods reach nothing outside: neither other nodes' pods nor API servers, nor the reverse.

    Only if pods of another node do reach an API server: else a network policy may forbid it.
    """
    pods = {f"{pod.metadata.namespace}/{pod.metadata.name}": pod.spec.nodeName for pod in cluster.pods}
    addresses = {node.metadata.name: internal_address(node) for node in cluster.nodes}
    reports = list(results.of("pod"))
    reaching = {report.node for report in reports for reach in reached(report, Target.API_ENDPOINT) if reach.ok}
    answering = {node for report in reports for node, ok in _other_pods(report, pods) if ok}
    return [
        report.node
        for report in reports
        if (servers := list(_other_api_servers(report, addresses.get(report.node, ""))))
        and not any(servers)
        and not any(ok for _, ok in _other_pods(report, pods))
        and report.node not in answering
        and reaching - {report.node}
    ]


def _other_api_servers(report: ProbeReport, own_address: str) -> Iterator[bool]:
    for reach in reached(report, Target.API_ENDPOINT):
        if reach.address.rpartition(":")[0].strip("[]") != own_address:
            yield reach.ok


def _other_pods(report: ProbeReport, nodes: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield the node of each pod on another node that was tried, and whether it answered."""
    yield from ((reach.node, reach.ok) for reach in reached(report, Target.PEER) if reach.node != report.node)
    for lookup in report.lookups:
        node = nodes.get(lookup.pod, "") if lookup.through is Through.POD else ""
        if node not in ("", report.node):
            yield node, lookup.ok
