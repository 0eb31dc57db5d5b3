"""Nodes whose pods reach nothing outside the node, while pods on other nodes do."""

from collections.abc import Iterator

from kubevitals.facts.network.reach import reached
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.objects import internal_address
from kubevitals.probe.report import ProbeReport, Target, Through


def cut_off_nodes(results: ProbeResults, cluster: Cluster) -> list[str]:
    """Return the nodes whose pods reach neither pods on other nodes nor an API server on another node.

    Empty if that is true of all nodes: then a network policy may forbid it.
    """
    pods = {f"{pod.metadata.namespace}/{pod.metadata.name}": pod.spec.nodeName for pod in cluster.pods}
    addresses = {node.metadata.name: internal_address(node) for node in cluster.nodes}
    reports = list(results.of("pod"))
    nodes = [
        report.node
        for report in reports
        if (api_servers := list(_other_api_servers(report, addresses.get(report.node, ""))))
        and not any(api_servers)
        and not any(_other_pods(report, pods))
    ]
    return nodes if len(nodes) < len(reports) else []


def _other_api_servers(report: ProbeReport, own_address: str) -> Iterator[bool]:
    for reach in reached(report, Target.API_ENDPOINT):
        if reach.address.rpartition(":")[0].strip("[]") != own_address:
            yield reach.ok


def _other_pods(report: ProbeReport, nodes: dict[str, str]) -> Iterator[bool]:
    yield from (reach.ok for reach in reached(report, Target.PEER) if reach.node != report.node)
    for lookup in report.lookups:
        if lookup.through is Through.POD and nodes.get(lookup.pod, report.node) != report.node:
            yield lookup.ok
