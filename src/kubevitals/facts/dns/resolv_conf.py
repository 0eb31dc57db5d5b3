"""What makes a resolv.conf useless to pods."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from kubevitals.facts.dns.lookups import fails, lookups, refused
from kubevitals.facts.dns.service import is_node_local
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import event_line
from kubevitals.probe.report import ProbeReport, Through
from kubevitals.threshold import Threshold

NAME_SERVERS = 3
"""Name servers that the C library reads, and a pod may have (MaxDNSNameservers of the API's validation)."""

SEARCH_DOMAINS = 32
"""Search domains that a pod may have (MaxDNSSearchPaths of the API's validation)."""

SHOWN = 5
"""Name servers that a finding lists."""

RECENT = Threshold(
    "cluster-dns.limits",
    3600,
    "how recent the kubelet's event must be that a resolv.conf is too long, on nodes without a probe",
)

_LIMITS = ("Nameserver limits were exceeded", "Search Line limits were exceeded", "contains search line ")
"""The kubelet's words about a resolv.conf that is too long (kubernetes/kubernetes pkg/kubelet/network/dns/dns.go)."""


class Fault(NamedTuple):
    """What is wrong with a node's resolv.conf.

    Attributes:
        harmless: whether its pods resolve names all the same.
    """

    says: str
    harmless: bool = False


def of_pod(report: ProbeReport, servers: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the resolv.conf that a node gives its pods; `servers` are the right name servers.

    Any other name server is right, too, if it resolves the cluster's own names.
    """
    if (resolver := report.resolver) is None:
        return
    right = {*servers, *(lookup.server for lookup in lookups(report, Through.RESOLVER) if lookup.ok)}
    foreign = [ip for ip in resolver.nameservers if ip not in right and not is_node_local(ip)]
    if not resolver.nameservers:
        yield "no nameserver line"
    elif foreign:
        yield f"name server {', '.join(foreign)} is not the cluster's DNS"
    elif dead := _dead(report, servers):
        yield f"name server {', '.join(dead)} does not answer"
    if not any(domain.startswith("svc.") for domain in resolver.search):
        yield "the search domain svc.DOMAIN is missing"
    if not any(option.startswith("ndots:") for option in resolver.options):
        yield "the option ndots is missing"


def _dead(report: ProbeReport, servers: Collection[str]) -> list[str]:
    """Return the link-local name servers that do not answer.

    NodeLocal DNS asks the DNS Service: it is not at fault if the Service does not answer either.
    """
    at_node_local = [lookup for lookup in lookups(report, Through.RESOLVER) if is_node_local(lookup.server)]
    through_service = lookups(report, Through.SERVICE)
    depends_on_service = not any(lookup.server in servers for lookup in at_node_local)
    if not fails(at_node_local) or (depends_on_service and (not through_service or fails(through_service))):
        return []
    return sorted({lookup.server for lookup in at_node_local})


def of_node(report: ProbeReport) -> Iterator[Fault]:
    """Yield what is wrong with the resolv.conf that a node passes on to pods with dnsPolicy Default."""
    if (resolver := report.resolver) is None:
        return
    if not resolver.nameservers:
        yield Fault("no nameserver line")
    if loops := [ip for ip in resolver.nameservers if ip.startswith("127.") or ip == "::1"]:
        yield Fault(f"name server {', '.join(loops)} is a loopback address: in a pod that is the pod itself")
    if ignored := resolver.nameservers[NAME_SERVERS:]:
        listed = f"it lists {len(resolver.nameservers)} name servers, and pods ignore {', '.join(ignored[:SHOWN])}"
        if _none_answers(report):
            yield Fault(f"{listed}; the first {NAME_SERVERS} do not answer")
        else:
            yield Fault(listed, harmless=True)
    if len(resolver.search) > SEARCH_DOMAINS:
        says = f"it lists {len(resolver.search)} search domains: only the first {SEARCH_DOMAINS} are used"
        yield Fault(says, harmless=True)


def _none_answers(report: ProbeReport) -> bool:
    """Return whether no name server that pods use gave any answer, be it that there is no such name."""
    tried = [lookup for lookup in report.lookups if lookup.through is Through.RESOLVER]
    return fails(tried) and not refused(tried)


def lines(report: ProbeReport) -> Iterator[str]:
    """Yield the resolv.conf itself, as evidence."""
    if resolver := report.resolver:
        yield f"nameserver {' '.join(resolver.nameservers)}"
        yield f"search {' '.join(resolver.search)}"
        yield f"options {' '.join(resolver.options)}"


def over_limits(cluster: Cluster) -> Mapping[str, list[str]]:
    """Return the kubelets' events about a resolv.conf that is too long, by node: the kubelet cuts it.

    Events about pods with name servers or search domains of their own are left out: they do not concern the node's.
    """
    cluster.scope.need_all("kubelets report a long resolv.conf by events on pods")
    by_node: dict[str, list[str]] = defaultdict(list)
    for event in cluster.all_events:
        recent = seen_ago(event, cluster) < cluster.limit(RECENT)
        if recent and any(text in event.message for text in _LIMITS):
            about = event.involvedObject
            inherited = cluster.derive(_nodes_of_pods_that_inherit)
            node = about.name if about.kind == "Node" else inherited.get((about.namespace, about.name), "")
            if node:
                by_node[node].append(event_line(event))
    return by_node


def _nodes_of_pods_that_inherit(cluster: Cluster) -> Mapping[tuple[str, str], str]:
    """Return the nodes of the pods without name servers or search domains of their own, by namespace and name."""
    inherit = (p for p in cluster.pods if not (p.spec.dnsConfig.nameservers or p.spec.dnsConfig.searches))
    return {(p.metadata.namespace, p.metadata.name): p.spec.nodeName for p in inherit}
