"""Services whose name the cluster's DNS does not resolve to their address, by the probe's sample of names."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.dns.lookups import fails, lookups, refused
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import Lookup, ProbeReport, Through
from kubevitals.probe.sample import has_address


class WrongName(NamedTuple):
    """A Service, and the lookups of its name that did not bring its address, by node."""

    service: pb.Service
    tried: Mapping[str, Lookup]

    @property
    def says(self) -> str:
        """What the DNS answers instead, without the Service's name."""
        first = next(iter(self.tried.values()))
        if first.ok:
            return f"its name resolves to {', '.join(first.addresses[:3])}, which is not its ClusterIP"
        return f"its name is not resolved ({first.said or 'no answer'}), although the cluster's DNS resolves others"


def wrong_names(results: ProbeResults, cluster: Cluster) -> Iterator[WrongName]:
    """Yield the sampled Services whose name is not resolved to their address, although DNS answers there.

    A time-out counts only if every node that looked up the name had one: packets get lost.
    """
    services = {
        f"{s.metadata.name}.{s.metadata.namespace}.svc.{results.domain}": s for s in cluster.services if has_address(s)
    }
    sampled: dict[str, dict[str, Lookup]] = defaultdict(dict)
    for report in results.of("pod"):
        for lookup in _sampled(report):
            sampled[lookup.name].setdefault(report.node, lookup)
    for name, by_node in sampled.items():
        if service := services.get(name):
            wrong = {node: lookup for node, lookup in by_node.items() if _is_wrong(lookup, service)}
            if wrong and (len(wrong) == len(by_node) or any(_has_answer(lookup) for lookup in wrong.values())):
                yield WrongName(service, dict(sorted(wrong.items(), key=lambda item: not _has_answer(item[1]))))


def is_sampled(results: ProbeResults) -> bool:
    """Return whether any name of a Service was looked up."""
    return any(lookup.sample for report in results.of("pod") for lookup in report.lookups)


def _sampled(report: ProbeReport) -> Iterator[Lookup]:
    """Yield the lookups of sampled names, where the DNS Service resolves the name of the API server's Service."""
    usual = lookups(report, Through.SERVICE)
    if usual and not fails(usual):
        yield from (lookup for lookup in report.lookups if lookup.sample)


def _is_wrong(lookup: Lookup, service: pb.Service) -> bool:
    return not (lookup.ok and {service.spec.clusterIP, *service.spec.clusterIPs} & set(lookup.addresses))


def _has_answer(lookup: Lookup) -> bool:
    return lookup.ok or refused([lookup])
