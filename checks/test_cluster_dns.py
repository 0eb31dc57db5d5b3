"""Names are not resolved: the cluster's DNS does not answer, or pods and nodes ask the wrong server.

Meaning:
    The DNS Service has no ready pod behind it, its address or one of its pods does not answer somewhere, its pods
    answer with errors, or cannot forward names from outside; or the resolv.conf of pods, of the node, or the kubelet's
    `clusterDNS` names a server that does not know the cluster.

Impact:
    Applications do not find each other, mostly as time-outs of five seconds and more: each lookup that fails is tried
    again at the next server, with the next search domain.

Diagnosis:
    `kubectl -n kube-system get svc,endpointslices,pods -l k8s-app=kube-dns -o wide`, the log of the DNS pods, their
    ConfigMap; in a pod `cat /etc/resolv.conf` and `nslookup kubernetes.default.svc.cluster.local` at the Service's
    address and at each pod's. Lookups from every node need the probe (`--probe`).

Mitigation:
    Bring the pods back, correct the Corefile, let `forward` point at name servers that live; correct the kubelet's
    `clusterDNS` and `resolvConf`. Where only the Service's address is dead, see kube-proxy; where a node reaches no
    pod at all, its CNI.
"""

from collections.abc import Iterator, Mapping

from kubevitals.errors import NotObserved, demanded
from kubevitals.facts.dns import faults, resolv_conf
from kubevitals.facts.dns import service as dns
from kubevitals.facts.dns.lookups import by_pod, deaf, fails, lookups, reaches_others, refused, told
from kubevitals.facts.network.cni import without_network
from kubevitals.facts.network.reach import lost, node_names, require_all
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, EVERYWHERE, SAME_NODE, SAME_OWNER, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults, probed
from kubevitals.objects import Ref, owner, ref
from kubevitals.probe.report import Lookup, ProbeReport, Through

NAME_ERRORS = (
    "no such host|name or service not known|name resolution|could not resolve host|name does not resolve"
    "|bad address|eai_again|enotfound|unknownhostexception"
)
"""What programs say that find no address for a name: of Go, glibc, curl, musl, busybox, Node.js, Java."""

EXPLAINS = (
    Explains(("cluster-dns[failing]",), SAME_OWNER, ("startup-error[app-exit]",)),
    Explains(BROKEN_PODS, CONCERNED, ("cluster-dns[no-endpoints]",)),
    Explains(("node-ready[silent]", "node-ready[not-ready]"), CONCERNED, ("cluster-dns[no-endpoints]",)),
    Explains(("cluster-dns",), EVERYWHERE, ("startup-error", "liveness-probe[killed-by-probe]"), NAME_ERRORS),
    Explains(("cluster-dns",), SAME_NODE, ("startup-error", "liveness-probe[killed-by-probe]"), NAME_ERRORS),
)


NODES_SHOWN = 10
"""Nodes that a finding about a DNS pod names."""


def no_endpoints(cluster: Cluster) -> Iterator[Finding]:
    """Find a DNS Service that has no ready endpoint, with the reason."""
    if dns.ready_endpoints(cluster):
        return
    service = dns.service(cluster)
    if why := faults.why_empty(cluster):
        yield Finding(
            ref(service),
            says=f"has no ready endpoint: {why.says}",
            remedy=why.remedy,
            evidence=why.lines,
            concerns=why.concerns,
        )


def service_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes where a lookup through the DNS Service's address fails, and not for want of a DNS pod.

    Its pods answer there, or nothing that serves names answers there while other addresses do.
    """
    found = probed(cluster)
    if not dns.ready_endpoints(cluster):
        return
    answering = {report.node for report in found.of("pod") if not fails(lookups(report, Through.SERVICE))}
    for report in found.of("pod"):
        asked, direct = lookups(report, Through.SERVICE), lookups(report, Through.POD)
        if not fails(asked) or refused(asked):
            continue
        pods_answer = bool(direct) and all(lookup.ok for lookup in direct)
        if pods_answer or (fails(direct) and answering and reaches_others(report)):
            yield Finding(
                Ref("Node", "", report.node),
                says="has pods that reach no DNS by the Service's address"
                + (", though DNS pods answer there" if pods_answer else ", nor any DNS pod, though other pods answer"),
                remedy="see whether other Services answer there: if not it is kube-proxy; else look at this Service's "
                "rules on the node, and at what drops port 53",
                evidence=[told(lookup) for lookup in [*asked, *direct]],
            )
    require_all(found, "pod", without_network(cluster))


def pod_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find ready DNS pods that answer from no node, or from some only; not what a node has to answer for itself.

    Where nothing at all passes between a node and the pod's, the pod network is at fault (cni-daemonset).
    """
    found = probed(cluster)
    excused, ready, between = deaf(found), dns.ready_pods(cluster), lost(found.of("pod")).between
    for name, nodes in by_pod(found).items():
        if not (pod := ready.get(name)):
            continue
        due = {node: asked for node, asked in nodes.items() if not between(node, pod.spec.nodeName)}
        failed = {node: asked for node, asked in due.items() if fails(asked) and not refused(asked)}
        if len(failed) < len(due):
            failed = {node: asked for node, asked in failed.items() if node not in excused}
        if failed:
            whole = len(failed) == len(due)
            yield Finding(
                ref(pod),
                says=f"answers lookups from {'no node' if whole else f'some nodes, not from {node_names(failed)}'}",
                remedy="see what stands between: NetworkPolicies, the pod's node and its CNI; delete the pod, so that "
                "another takes its place",
                evidence=_asked(failed),
                owner=owner(pod),
                concerns=() if whole else tuple(Ref("Node", "", node) for node in sorted(failed)),
            )
    require_all(found, "pod", without_network(cluster))


def resolv_conf_pod(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose pods are given a resolv.conf that does not lead to the cluster's DNS."""
    found = probed(cluster)
    servers = dns.addresses(cluster)
    for report in found.of("pod"):
        if wrong := list(resolv_conf.of_pod(report, servers)):
            yield Finding(
                Ref("Node", "", report.node),
                says=f"gives its pods a resolv.conf that does not serve: {'; '.join(wrong)}",
                remedy="correct clusterDNS and clusterDomain of the kubelet's configuration and restart it; pods get "
                "them when they are made anew",
                evidence=resolv_conf.lines(report),
            )
    require_all(found, "pod", without_network(cluster))


def resolv_conf_node(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose own resolv.conf, which DNS pods inherit by dnsPolicy Default, is empty, loops or is too long."""
    by_events = resolv_conf.over_limits(cluster)
    for node, events in by_events.items():
        yield resolv_conf.node_finding(node, ["it holds more than pods can take: the rest is left out"], events)
    found = probed(cluster)
    for report in found.of("host"):
        if report.node not in by_events and (wrong := list(resolv_conf.of_node(report))):
            yield resolv_conf.node_finding(report.node, wrong, resolv_conf.lines(report))
    require_all(found, "host")


def kubelet_mismatch(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose kubelet gives pods a name server that is no DNS Service's address, nor NodeLocal DNS."""
    right = dns.service(cluster).spec.clusterIP
    servers = dns.addresses(cluster)
    for node, given in dns.name_servers_of_kubelets(cluster):
        if not given or any(ip not in servers and not dns.is_node_local(ip) for ip in given):
            yield Finding(
                Ref("Node", "", node),
                says=f"has a kubelet whose clusterDNS is {', '.join(given) or 'not set'}: no DNS Service is there",
                remedy=f"set clusterDNS to {right} in the kubelet's configuration, restart it, make its pods anew",
                evidence=[
                    f"clusterDNS of the kubelet: {', '.join(given) or 'none'}",
                    f"{ref(dns.service(cluster))}: {right}",
                ],
            )


def upstream(cluster: Cluster) -> Iterator[Finding]:
    """Find DNS that resolves the cluster's names, but none from outside.

    Unless the user names one, a name is asked for that exists nowhere; only where the nodes' own name servers say so
    should the cluster's DNS say it, too: a cluster may be cut off on purpose.
    """
    found = probed(cluster)
    asked = {r.node: lookups(r, Through.SERVICE, outside=True) for r in found.of("pod")}
    if not any(asked.values()):
        require_all(found, "pod", without_network(cluster))
        raise NotObserved("no name from outside was looked up (--probe-outside NAME)")
    failed = {node: tries for node, tries in asked.items() if _resolves_only_own(found.reports[node]["pod"])}
    if failed and not faults.outside_is_known(found):
        raise NotObserved(
            "neither the cluster's DNS nor the nodes' own name servers know of names outside: the cluster may be cut "
            "off on purpose (--probe-outside NAME asks for one that they should know)"
        )
    if failed:
        whole = len(failed) == len(asked)
        yield Finding(
            ref(dns.service(cluster)),
            says=f"resolves the cluster's names, but none from outside{'' if whole else f' for {node_names(failed)}'}",
            remedy="see where `forward` of the Corefile points, whether these servers live, and whether the DNS pods' "
            "nodes reach them on port 53, UDP and TCP",
            evidence=[*_asked(failed), *faults.by_nodes_resolver(found)],
            concerns=() if whole else tuple(Ref("Node", "", node) for node in sorted(failed)),
        )
    require_all(found, "pod", without_network(cluster))


def failing(cluster: Cluster) -> Iterator[Finding]:
    """Find DNS that ends itself for its configuration, answers with SERVFAIL, or panics: logs, metrics, lookups say."""
    yield from faults.by_log(cluster)
    unprobed: list[NotObserved] = []
    try:
        found = probed(cluster)
    except NotObserved as error:
        found = ProbeResults({}, (), (), 0)
        unprobed.append(error)
    ready = dns.ready_pods(cluster)
    for name, nodes in by_pod(found).items():
        bad = {node: asked for node, asked in nodes.items() if refused(asked)}
        if name in ready and bad and all(map(fails, nodes.values())):
            yield Finding(
                ref(ready[name]),
                says="answers, but not even the cluster's own names",
                remedy="read its log: mostly it does not reach the API server, or its Corefile lacks the domain",
                evidence=_asked(bad),
                owner=owner(ready[name]),
            )
    try:
        yield from faults.by_metrics(cluster)
    except NotObserved as error:
        raise demanded(*unprobed, error) from None


def _resolves_only_own(report: ProbeReport) -> bool:
    """Return whether a node has the cluster's names, and none from outside, through the Service or any DNS pod."""
    outside = [lookup for lookup in report.lookups if lookup.outside and lookup.through is not Through.RESOLVER]
    return fails(outside) and any(lookup.ok for lookup in lookups(report, Through.SERVICE))


def _asked(failed: Mapping[str, list[Lookup]]) -> list[str]:
    return [f"from {node}: {told(asked[0])}" for node, asked in sorted(failed.items())[:NODES_SHOWN] if asked]


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
    """Pods on every node resolve the cluster's names, and those from outside."""
