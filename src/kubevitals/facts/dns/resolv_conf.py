"""What makes a resolv.conf useless to pods."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from kubevitals.facts.dns.lookups import fails, lookups
from kubevitals.facts.dns.service import is_node_local
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import event_line
from kubevitals.objects import Ref
from kubevitals.probe.report import ProbeReport, Through
from kubevitals.threshold import Threshold

NAME_SERVERS = 3
"""Name servers that the C library reads, and a pod may have (MaxDNSNameservers of the API's validation)."""

SEARCH_DOMAINS = 32
"""Search domains that a pod may have (MaxDNSSearchPaths of the API's validation)."""

RECENT = Threshold(
    "cluster-dns.limits",
    3600,
    "how recent the kubelet's word must be that a resolv.conf is too long: it says so again and again",
)

_LIMITS = ("Nameserver limits were exceeded", "Search Line limits were exceeded", "contains search line ")
"""What the kubelet says of a resolv.conf that is too long (kubernetes/kubernetes pkg/kubelet/network/dns/dns.go)."""


def of_pod(report: ProbeReport, servers: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the resolv.conf that a node gives its pods; `servers` are those of the DNS Services."""
    if (found := report.resolver) is None:
        return
    foreign = [ip for ip in found.nameservers if ip not in servers and not is_node_local(ip)]
    if foreign or not found.nameservers:
        yield f"name server {', '.join(foreign)} is not the cluster's DNS" if foreign else "it names no name server"
    elif dead := _dead(report):
        yield f"name server {', '.join(dead)} does not answer, the DNS Service does"
    if not any(domain.startswith("svc.") for domain in found.search):
        yield "the search domain svc.DOMAIN is missing"
    if not any(option.startswith("ndots:") for option in found.options):
        yield "the option ndots is missing"


def _dead(report: ProbeReport) -> list[str]:
    """Return the link-local name servers that do not answer where the DNS Service does."""
    asked = [lookup for lookup in lookups(report, Through.RESOLVER) if is_node_local(lookup.server)]
    through_service = lookups(report, Through.SERVICE)
    if not through_service or fails(through_service) or not fails(asked):
        return []
    return sorted({lookup.server for lookup in asked})


def of_node(report: ProbeReport) -> Iterator[str]:
    """Yield what is wrong with the resolv.conf that a node hands on to pods with dnsPolicy Default."""
    if (found := report.resolver) is None:
        return
    if not found.nameservers:
        yield "it names no name server"
    if loops := [ip for ip in found.nameservers if ip.startswith("127.") or ip == "::1"]:
        yield f"name server {', '.join(loops)} is a loopback address: in a pod that is the pod itself"
    if len(found.nameservers) > NAME_SERVERS:
        yield f"it names {len(found.nameservers)} name servers, more than {NAME_SERVERS}: the rest is left out"
    if len(found.search) > SEARCH_DOMAINS:
        yield f"it has {len(found.search)} search domains, more than {SEARCH_DOMAINS}: the rest is left out"


def lines(report: ProbeReport) -> Iterator[str]:
    """Yield the resolv.conf itself."""
    if found := report.resolver:
        yield f"nameserver {' '.join(found.nameservers)}"
        yield f"search {' '.join(found.search)}"
        yield f"options {' '.join(found.options)}"


def over_limits(cluster: Cluster) -> Mapping[str, list[str]]:
    """Return what kubelets say of a resolv.conf that is too long, by node: it is cut, and then fits.

    Of pods that add name servers or search domains of their own it tells nothing of the node's.
    """
    cluster.scope.need_all("kubelets tell of a resolv.conf by events on pods")
    inherit = (p for p in cluster.pods if not (p.spec.dnsConfig.nameservers or p.spec.dnsConfig.searches))
    on = {(p.metadata.namespace, p.metadata.name): p.spec.nodeName for p in inherit}
    found: dict[str, list[str]] = defaultdict(list)
    for event in cluster.all_events:
        recent = seen_ago(event, cluster) < cluster.limit(RECENT)
        if recent and any(text in event.message for text in _LIMITS):
            about = event.involvedObject
            node = about.name if about.kind == "Node" else on.get((about.namespace, about.name), "")
            if node:
                found[node].append(event_line(event))
    return found


def node_finding(node: str, wrong: list[str], evidence: Collection[str] | Iterator[str]) -> Finding:
    """Return the finding about a node's own resolv.conf."""
    return Finding(
        Ref("Node", "", node),
        says=f"has a resolv.conf that does not serve its pods: {'; '.join(wrong)}",
        remedy="correct /etc/resolv.conf on the node, or let the kubelet's resolvConf point at one that pods can use: "
        "with systemd-resolved /run/systemd/resolve/resolv.conf; then make the DNS pods there anew",
        evidence=evidence,
    )
