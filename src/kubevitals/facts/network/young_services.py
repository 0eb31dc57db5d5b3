"""Services that changed lately and do not answer on a node although their endpoints do: the node's rules are stale."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from kubevitals.facts.network.reach import Lost, lost, may_be_luck, reached, result
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.objects import Ref, ref, service_of
from kubevitals.probe.report import ProbeReport, Reach, Target
from kubevitals.probe.sample import has_address, is_ready_endpoint

if TYPE_CHECKING:
    from kubevitals import schema_pb2 as pb


class _Known(NamedTuple):
    """A Service at one of its addresses.

    Attributes:
        endpoints: addresses of its ready endpoints; `nodes` has the node of each.
    """

    service: Ref
    endpoints: frozenset[str]
    nodes: tuple[str, ...]


def stale_services(results: ProbeResults, cluster: Cluster) -> Mapping[str, list[str]]:
    """Return, by node, the sampled Services that do not answer there although the tried endpoint does, as evidence."""
    reports = [report for report in results.of("pod") if reached(report, Target.OPEN_SERVICE)]
    if not reports:
        return {}
    known, traffic = _known(cluster), lost(results.of("pod"))
    lines = {report.node: list(_stale(report, known, traffic)) for report in reports}
    return {node: stale for node, stale in lines.items() if stale}


def _stale(report: ProbeReport, known: Mapping[str, _Known], traffic: Lost) -> Iterator[str]:
    endpoints = reached(report, Target.OPEN_ENDPOINT)
    for reach in reached(report, Target.OPEN_SERVICE):
        service = known.get(reach.address)
        if reach.ok or service is None or may_be_luck(reach, report.node, service.nodes, traffic):
            continue
        behind = [other for other in endpoints if other.address in service.endpoints]
        if behind and all(other.ok for other in behind):
            yield f"{service.service} at {reach.address}: {result(reach)}"
            yield f"its endpoint {_first(behind)}"


def _first(endpoints: list[Reach]) -> str:
    return f"{endpoints[0].address}: {result(endpoints[0])}"


def _known(cluster: Cluster) -> Mapping[str, _Known]:
    """Return the Services by ``ADDRESS:PORT``, as a `Reach` has them."""
    slices: dict[tuple[str, str], list[pb.EndpointSlice]] = defaultdict(list)
    for part in cluster.endpoint_slices:
        slices[service_of(part)].append(part)
    known = {}
    for service in filter(has_address, cluster.services):
        parts = slices[service.metadata.namespace, service.metadata.name]
        ready = [(part, endpoint) for part in parts for endpoint in part.endpoints if is_ready_endpoint(endpoint)]
        endpoints = {
            _address(ip, port.port) for part, endpoint in ready for port in part.ports for ip in endpoint.addresses[:1]
        }
        nodes = tuple(endpoint.nodeName for _, endpoint in ready)
        for port in service.spec.ports:
            address = _address(service.spec.clusterIP, port.port)
            known[address] = _Known(ref(service), frozenset(endpoints), nodes)
    return known


def _address(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
