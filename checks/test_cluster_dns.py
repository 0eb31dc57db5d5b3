"""DNS lookups fail: CoreDNS does not answer, or pods and nodes query the wrong resolver.

Meaning:
    The DNS Service has no ready pod; its ClusterIP or one of its pods does not answer on some node; the DNS pods
    answer with errors or cannot forward outside names; or the resolv.conf of pods, the resolv.conf of a node, or the
    kubelet's `clusterDNS` lists a name server that does not know the cluster.

Impact:
    Applications do not find each other. Most see time-outs of five seconds and more, because each failed lookup is
    tried again at the next server and with the next search domain.

Diagnosis:
    `kubectl -n kube-system get svc,endpointslices,pods -l k8s-app=kube-dns -o wide`, the logs and the ConfigMap of the
    DNS pods; in a pod `cat /etc/resolv.conf`, and `nslookup kubernetes.default.svc.cluster.local` at the Service's
    ClusterIP and at the IP of each DNS pod. Lookups from every node need the probe (`--probe`).

Mitigation:
    Fix the DNS pods, correct the Corefile, let `forward` point at name servers that answer; correct the kubelet's
    `clusterDNS` and `resolvConf`. If only the ClusterIP does not answer, see kube-proxy; if no pod does, see the CNI.
"""

from collections.abc import Iterator, Mapping

from kubevitals.errors import NotApplicable, NotObserved, main_reason
from kubevitals.facts.dns import resolv_conf
from kubevitals.facts.dns import service as dns
from kubevitals.facts.dns.corefile import edit_command
from kubevitals.facts.dns.logs import log_faults
from kubevitals.facts.dns.lookups import (
    NAME_ERRORS,
    by_nodes_resolver,
    lookup_line,
    lookups,
    outside_is_known,
    resolves_only_own,
)
from kubevitals.facts.dns.metrics import metric_faults
from kubevitals.facts.dns.no_endpoints import why_empty
from kubevitals.facts.dns.reach import pods_with_errors, unreachable_pods, unreachable_service
from kubevitals.facts.network.cni import without_network
from kubevitals.facts.network.reach import node_names, require_all
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import pod_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, EVERYWHERE, SAME_NODE, SAME_OWNER, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import probed
from kubevitals.objects import Ref, owner, ref
from kubevitals.probe.report import Lookup, ProbeReport, Through

NODES_SHOWN = 10
"""Nodes in the evidence of a finding."""

NEED_NAMES = (
    "startup-error[app-exit]",
    "startup-error[init-container]",
    "startup-error[init-waits]",
    "startup-error[post-start]",
    "liveness-probe[killed-by-probe]",
    "readiness[probe-failing]",
    "volume-claim[driver-down]",
)

EXPLAINS = (
    Explains(("cluster-dns[failing]",), SAME_OWNER, ("startup-error[app-exit]", "readiness")),
    Explains(BROKEN_PODS, CONCERNED, ("cluster-dns[no-endpoints]",)),
    Explains(("node-ready[silent]", "node-ready[not-ready]"), CONCERNED, ("cluster-dns[no-endpoints]",)),
    Explains(("cluster-dns",), EVERYWHERE, NEED_NAMES, NAME_ERRORS),
    Explains(("cluster-dns",), SAME_NODE, NEED_NAMES, NAME_ERRORS),
)


def no_endpoints(cluster: Cluster) -> Iterator[Finding]:
    """Find a DNS Service without a ready endpoint, with the reason."""
    if dns.ready_endpoints(cluster):
        return
    service = dns.service(cluster)
    if why := why_empty(cluster):
        yield Finding(
            ref(service),
            says=f"has no ready endpoint: {why.says}",
            remedy=why.remedy,
            evidence=why.lines,
            concerns=why.concerns,
        )


def service_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes where a lookup at the ClusterIP of the DNS Service fails, although a DNS pod is ready.

    Either the DNS pods answer there, or neither the Service nor a DNS pod answers although other pods do.
    """
    results = probed(cluster)
    if not dns.ready_endpoints(cluster):
        return
    for node, tried, pods_answer in unreachable_service(results):
        yield Finding(
            Ref("Node", "", node),
            says="pods on this node cannot reach the DNS Service at its ClusterIP, although "
            + ("they reach the DNS pods" if pods_answer else "they reach other pods (but no DNS pod)"),
            remedy="check whether other Services answer on this node: if not, it is kube-proxy; if so, look at the "
            "node's rules for this Service and at what drops port 53",
            evidence=map(lookup_line, tried),
        )
    require_all(results, "pod", without_network(cluster))


def pod_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find ready DNS pods that no node, or only some nodes, can query. Nodes that are at fault themselves are left out.

    If nothing at all passes between a node and the pod's node, the pod network is at fault (cni-daemonset).
    """
    results = probed(cluster)
    for pod, failed, everywhere in unreachable_pods(results, dns.ready_pods(cluster)):
        yield Finding(
            ref(pod),
            says="is ready, but answers no queries"
            if everywhere
            else f"is ready, but does not answer queries from {node_names(failed)}",
            remedy="look for what stands between: NetworkPolicies, the pod's node and its CNI; delete the pod, so that "
            "another one replaces it",
            evidence=_tried(failed),
            owner=owner(pod),
            concerns=() if everywhere else _nodes(failed),
        )
    require_all(results, "pod", without_network(cluster))


def resolv_conf_pod(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that give their pods a resolv.conf that does not lead to the cluster's DNS."""
    results = probed(cluster)
    servers = dns.addresses(cluster)
    for report in results.of("pod"):
        if faults := list(resolv_conf.of_pod(report, servers)):
            yield Finding(
                Ref("Node", "", report.node),
                says=f"gives its pods a broken resolv.conf: {'; '.join(faults)}",
                remedy="correct clusterDNS and clusterDomain in the kubelet's configuration and restart the kubelet; "
                "pods get them when they are recreated",
                evidence=resolv_conf.lines(report),
            )
    require_all(results, "pod", without_network(cluster))


def resolv_conf_node(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose own resolv.conf, which pods with dnsPolicy Default inherit, is empty, loops or is too long.

    The probe reads it. Only on a node without a probe do the kubelet's events decide: they may be an hour old.
    """
    no_probe: NotObserved | None = None
    reports: list[ProbeReport] = []
    try:
        reports = [report for report in probed(cluster).of("host") if report.resolver]
    except NotObserved as error:
        no_probe = error
    for report in reports:
        if faults := list(resolv_conf.of_node(report)):
            yield _node_resolv_conf(report.node, faults, list(resolv_conf.lines(report)))
    read = {report.node for report in reports}
    for node, lines in resolv_conf.over_limits(cluster).items() if len(read) < len(cluster.nodes) else ():
        if node not in read:
            too_long = resolv_conf.Fault("it is longer than pods can use: the kubelet cuts it", harmless=True)
            yield _node_resolv_conf(node, [too_long], lines)
    if no_probe:
        raise no_probe
    require_all(probed(cluster), "host")


def _node_resolv_conf(node: str, faults: list[resolv_conf.Fault], evidence: list[str]) -> Finding:
    return Finding(
        Ref("Node", "", node),
        says=f"has a resolv.conf that does not suit its pods: {'; '.join(fault.says for fault in faults)}",
        remedy="correct /etc/resolv.conf on the node, or let the kubelet's resolvConf point at a file that pods can "
        "use (with systemd-resolved /run/systemd/resolve/resolv.conf); then recreate the DNS pods there",
        evidence=evidence,
        severity=Severity.WARNING if all(fault.harmless for fault in faults) else Severity.ERROR,
    )


def kubelet_mismatch(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose kubelet gives pods a name server that is neither a DNS Service nor NodeLocal DNS.

    Where all kubelets give name servers outside of the Services' network, DNS is meant to be there.
    """
    servers = dns.addresses(cluster)
    for node, given in dns.name_servers_of_kubelets(cluster):
        if not given or any(ip not in servers and not dns.is_node_local(ip) for ip in given):
            right = ", ".join(sorted(servers)[:3])
            yield Finding(
                Ref("Node", "", node),
                says=f"its kubelet has clusterDNS {', '.join(given)}: no DNS Service has this address"
                if given
                else "its kubelet has no clusterDNS",
                remedy="set clusterDNS in the kubelet's configuration to the address of the DNS Service, restart the "
                "kubelet, recreate its pods",
                evidence=[f"clusterDNS of the kubelet: {', '.join(given) or 'not set'}", f"DNS is at {right}"],
            )


def upstream(cluster: Cluster) -> Iterator[Finding]:
    """Find DNS that resolves the cluster's names, but no outside name.

    Unless the user gives a name, the probe looks up one that exists nowhere. The cluster's DNS has to say so only where
    the nodes' own name servers do: a cluster may be cut off on purpose.
    """
    results = probed(cluster)
    tried = {r.node: lookups(r, Through.SERVICE, outside=True) for r in results.of("pod")}
    if not any(tried.values()):
        require_all(results, "pod", without_network(cluster))
        raise NotObserved("no outside name was looked up (--probe-outside NAME)")
    failed = {node: tries for node, tries in tried.items() if resolves_only_own(results.reports[node]["pod"])}
    if failed and not outside_is_known(results):
        raise NotObserved(
            "neither the cluster's DNS nor the nodes' own name servers resolve outside names: the cluster may be cut "
            "off on purpose (--probe-outside NAME looks up a name that they should know)"
        )
    if failed:
        everywhere = len(failed) == len(tried)
        where = "" if everywhere else f" for pods on {node_names(failed)}"
        yield Finding(
            ref(dns.service(cluster)),
            says=f"resolves the cluster's names, but no outside names{where}",
            remedy="check where `forward` of the Corefile points, whether these name servers answer, and whether the "
            "nodes of the DNS pods reach them on port 53, UDP and TCP",
            evidence=[*_tried(failed), *by_nodes_resolver(results)],
            concerns=() if everywhere else _nodes(failed),
        )
    require_all(results, "pod", without_network(cluster))


def failing(cluster: Cluster) -> Iterator[Finding]:
    """Find DNS pods that exit because of their configuration, answer with SERVFAIL, or panic."""
    for fault in log_faults(cluster):
        yield Finding(
            fault.owner,
            says=f"does not serve DNS: {fault.known.means}",
            remedy=fault.known.remedy.format(edit=edit_command(cluster)),
            evidence=[f"log: {fault.line}", *pod_lines(fault.pods[0], cluster)],
            concerns=fault.concerned,
        )
    no_probe: list[NotObserved] = []
    try:
        yield from _answering_with_errors(cluster)
    except NotObserved as error:
        no_probe.append(error)
    try:
        yield from _by_metrics(cluster)
    except NotApplicable:
        if no_probe:
            raise no_probe[0] from None
    except NotObserved as error:
        raise main_reason(*no_probe, error) from None


def _answering_with_errors(cluster: Cluster) -> Iterator[Finding]:
    for pod, failed, _ in pods_with_errors(probed(cluster), dns.ready_pods(cluster)):
        yield Finding(
            ref(pod),
            says="answers, but fails to resolve even cluster-internal names (SERVFAIL or NXDOMAIN)",
            remedy="read its log: often it cannot reach the API server, or its Corefile does not list the domain",
            evidence=_tried(failed),
            owner=owner(pod),
        )


def _by_metrics(cluster: Cluster) -> Iterator[Finding]:
    for pod, says, line, recent in metric_faults(cluster):
        yield Finding(
            ref(pod),
            says=says,
            remedy="read its log for the plugin that fails: `forward` if its name servers do not answer, `kubernetes` "
            "if the API server does not",
            evidence=[line],
            severity=Severity.ERROR if recent else Severity.WARNING,
            owner=owner(pod),
        )


def _tried(failed: Mapping[str, list[Lookup]]) -> list[str]:
    """Return the first lookup from each node, as evidence."""
    return [f"from {node}: {lookup_line(tried[0])}" for node, tried in sorted(failed.items())[:NODES_SHOWN] if tried]


def _nodes(failed: Mapping[str, list[Lookup]]) -> tuple[Ref, ...]:
    return tuple(Ref("Node", "", node) for node in sorted(failed))


@check(
    no_endpoints,
    service_unreachable,
    pod_unreachable,
    resolv_conf_pod,
    resolv_conf_node,
    kubelet_mismatch,
    upstream,
    failing,
    chapter="4.2",
)
def test_names_are_resolved() -> None:
    """Pods on every node resolve the cluster's names and outside names."""
