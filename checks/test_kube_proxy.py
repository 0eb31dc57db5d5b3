"""kube-proxy does not forward Service traffic on a node.

Meaning:
    kube-proxy writes each node's rules that turn a Service's address into that of one of its pods. On a node it is
    missing, crashes, hangs or no longer hears from the API server; or its rules are gone or wrong, though it runs.

Impact:
    Pods of that node reach no Service by its ClusterIP, the cluster's DNS among them, or reach pods that are gone;
    NodePorts of that node do not answer. Rules outlive kube-proxy: the fault may only show with the next Service.

Diagnosis:
    `kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide` compared with the nodes, the pod's log, and on the
    node `curl localhost:10256/livez` and `iptables-save -t nat | grep KUBE-SVC` (`nft list ruleset`, `ipvsadm -Ln`).
    Without a probe pod on the node (`--probe`) only whether kube-proxy runs and is well can be seen, not its rules.

Mitigation:
    Bring its pod back, correct its ConfigMap, let it reach the API server; restarting the pod writes all rules anew.
    Look for what else changes rules on the node: firewall managers, another proxy, a flush by hand.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kubevitals.errors import NotObserved, demanded
from kubevitals.facts.network.kube_proxy import Unhealthy, lacking_kube_proxy, pod_on, runs_on, unhealthy_by_api
from kubevitals.facts.network.reach import Pair, is_ipv6, own, reached, require_all, told
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import daemon_look
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, SAME_NODE, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults, probed
from kubevitals.objects import Ref
from kubevitals.probe.report import ProbeReport, Reach, Target

EXPLAINS = (
    Explains(("node-ready[silent]", "node-ready[not-ready]"), SAME_NODE, ("kube-proxy",)),
    Explains(BROKEN_PODS, CONCERNED, ("kube-proxy[not-running]",)),
    Explains(("kube-proxy[not-running]",), SAME_NODE, ("kube-proxy",)),
    Explains(("kube-proxy",), SAME_NODE, ("cluster-dns[service-unreachable]",)),
)


def not_running(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that are ready, where a kube-proxy pod belongs and is missing, crashing or not ready.

    The DaemonSet's own count is not asked: it can look healthy while a node lacks its pod.
    """
    for lack in cluster.derive(lacking_kube_proxy):
        look = "kubectl -n kube-system get pods -o wide"
        yield lack.finding("kube-proxy", "its Service rules grow old", look, cluster)


def unhealthy(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose kube-proxy runs, but does not answer on its health port or has not refreshed its rules.

    The probe asks on the node itself; without it the API server asks, where the user may do that.
    """
    for ill in _unhealthy(cluster):
        yield Finding(
            Ref("Node", "", ill.node),
            says=f"has a kube-proxy that is not well: {ill.says}",
            remedy="read its log: mostly it does not reach the API server; restart its pod",
            evidence=[ill.line],
            look=daemon_look(pod_on(ill.node, cluster)),
        )


def rules_wrong(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes from which pods answer at their own address but not at a Service's.

    A Service that answers once is not wrong; where pods on other nodes do not answer either, the pod network is at
    fault (cni-daemonset).
    """
    found = probed(cluster)
    wrong = {node: lines for node, reports in found.reports.items() if (lines := list(_wrong(reports.values())))}
    if len(wrong) == len(found.reports) > 1 and not _others_fail(found):
        raise NotObserved("the probe's own Service answers on no node while others do: it may not have had endpoints")
    for node, lines in wrong.items():
        yield Finding(
            Ref("Node", "", node),
            says="does not forward Service traffic: pods answer at their own addresses, Services do not",
            remedy="restart what writes the Service rules there (kube-proxy, or the CNI that replaces it), and find "
            "out what removed them",
            evidence=lines,
        )
    require_all(found, "pod")


def node_port(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose NodePorts do not answer, though Services answer there by their ClusterIP.

    A node that does not reach its own is to blame for what it reaches nowhere.
    """
    found = probed(cluster)
    asked = _node_ports(found)
    if asked and not any(pair.ok for pair in asked):
        raise NotObserved(
            "NodePorts answer on no node: they may be kept shut on purpose (nodePortAddresses, a firewall, a CNI)"
        )
    answering = {pair.target for pair in asked if pair.ok}
    shut = {pair.target for pair in asked if pair.source == pair.target and not pair.ok}
    lost: dict[str, list[Pair]] = defaultdict(list)
    for pair in asked:
        if not pair.ok and (pair.target in shut or pair.source not in shut):
            lost[pair.target].append(pair)
    for target, pairs in lost.items():
        some = target in answering
        yield Finding(
            Ref("Node", "", target),
            says="does not answer on its NodePorts" + (" to some nodes, to others it does" if some else ""),
            remedy="see whether a firewall stands before the node's ports 30000-32767; restart what writes its rules",
            evidence=dict.fromkeys(map(str, pairs)),
            concerns=tuple(Ref("Node", "", source) for source in sorted({p.source for p in pairs})) if some else (),
        )
    require_all(found, "pod")


def _unhealthy(cluster: Cluster) -> Iterator[Unhealthy]:
    names = {node.metadata.name for node in runs_on(cluster)}
    try:
        found = probed(cluster)
    except NotObserved as unprobed:
        try:
            yield from unhealthy_by_api(cluster)
        except NotObserved as error:
            raise demanded(unprobed, error) from None
        return
    asked = {
        r.node: reaches for r in found.of("host") if r.node in names and (reaches := reached(r, Target.KUBE_PROXY))
    }
    if asked and not any(reach.ok for reaches in asked.values() for reach in reaches):
        raise NotObserved("no kube-proxy answers on its health port: healthzBindAddress may be another")
    for node, reaches in asked.items():
        if not any(reach.ok for reach in reaches):
            yield Unhealthy(
                node, "it does not say on its health port that it is", f"{reaches[0].address}: {told(reaches[0])}"
            )
    require_all(found, "host")


def _wrong(reports: Iterable[ProbeReport]) -> Iterator[str]:
    """Yield what was tried in vain by a Service's address and answered at a pod's, from one node."""
    for report in reports:
        for service, direct in (
            (Target.SERVICE, _peers(report)),
            (Target.API_SERVICE, reached(report, Target.API_ENDPOINT)),
        ):
            for reach in reached(report, service):
                same = [other for other in direct if is_ipv6(other.address) is is_ipv6(reach.address)]
                if not reach.ok and same and all(other.ok for other in same):
                    yield f"from its {report.network} network: Service {reach.address}: {told(reach)}"
                    yield f"from its {report.network} network: behind it {same[0].address}: {told(same[0])}"


def _peers(report: ProbeReport) -> list[Reach]:
    """Return the attempts to reach pods: on other nodes, or where it has asked none, on its own."""
    others = [reach for reach in reached(report, Target.PEER) if reach.node != report.node]
    return others or own(report)


def _others_fail(found: ProbeResults) -> bool:
    """Return whether a Service that is not the probe's own fails somewhere, too."""
    return any(
        not reach.ok
        for reports in found.reports.values()
        for r in reports.values()
        for reach in reached(r, Target.API_SERVICE)
    )


def _node_ports(found: ProbeResults) -> list[Pair]:
    """Return the attempts at each node's NodePort from nodes where Services answer, if they answer there as well."""
    fine = {node for node, reports in found.reports.items() if _services_answer(reports.values())}
    return [
        Pair(source, reach.node, reach)
        for source in sorted(fine)
        for report in found.reports[source].values()
        for reach in reached(report, Target.NODE_PORT)
        if reach.node in fine
    ]


def _services_answer(reports: Iterable[ProbeReport]) -> bool:
    services = [reach for report in reports for reach in reached(report, Target.SERVICE)]
    return bool(services) and all(reach.ok for reach in services)


@check(not_running, unhealthy, rules_wrong, node_port, chapter="4.1")
def test_services_are_forwarded() -> None:
    """Every node turns Services' addresses into those of their pods."""
