"""kube-proxy does not forward Service traffic on a node.

Meaning:
    On every node, kube-proxy writes the rules that send traffic for a Service to one of its pods. On this node
    kube-proxy is missing, crashes, hangs or has lost its connection to the API server; or it runs, but its rules are
    missing or wrong.

Impact:
    Pods on that node cannot reach Services by ClusterIP, including the cluster's DNS, or are sent to pods that no
    longer exist. NodePorts on that node do not answer. Rules stay in place when kube-proxy stops, so the fault may
    show only when a Service is added or changed.

Diagnosis:
    Compare `kubectl -n kube-system get pods -l k8s-app=kube-proxy -o wide` with the list of nodes, and read the pod's
    log. On the node, run `curl localhost:10256/livez` and `iptables-save -t nat | grep KUBE-SVC` (or
    `nft list ruleset`, `ipvsadm -Ln`). Without `--probe`, a run sees whether kube-proxy runs and reports healthy, but
    not its rules.

Mitigation:
    Get its pod running again: fix its ConfigMap, or its connection to the API server. Restarting the pod rewrites all
    rules. Look for other programs that change rules on the node: firewall managers, another proxy, a manual flush.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kubevitals.errors import NotObserved, main_reason
from kubevitals.facts.network import cni
from kubevitals.facts.network.kube_proxy import (
    NO_ANSWERS,
    PORT,
    Unhealthy,
    nodes_without_kube_proxy,
    pod_on,
    runs_on,
    unhealthy_by_api,
)
from kubevitals.facts.network.kube_proxy_log import disconnected
from kubevitals.facts.network.reach import Pair, is_ipv6, lost, may_be_luck, reached, require_all, result, within_node
from kubevitals.facts.network.young_services import stale_services
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import daemon_look
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, SAME_NODE, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults, probed
from kubevitals.objects import Ref, ref
from kubevitals.probe.report import ProbeReport, Reach, Target

NEED_API_SERVER = ("startup-error", "readiness", "cni-daemonset[not-running]")

EXPLAINS = (
    Explains(("node-ready[silent]", "node-ready[not-ready]"), SAME_NODE, ("kube-proxy",)),
    Explains(BROKEN_PODS, CONCERNED, ("kube-proxy[not-running]",)),
    Explains(("kube-proxy[not-running]",), SAME_NODE, ("kube-proxy",)),
    Explains(("kube-proxy[unhealthy]",), SAME_NODE, ("kube-proxy[rules-wrong]", "kube-proxy[node-port]")),
    Explains(("kube-proxy",), SAME_NODE, ("cluster-dns[service-unreachable]",)),
    Explains(("kube-proxy[not-running]",), SAME_NODE, NEED_API_SERVER, words="not reach the api server"),
    Explains(("kube-proxy[not-running]",), CONCERNED, ("cluster-dns[failing]",), words="waits for the api server"),
)


def not_running(cluster: Cluster) -> Iterator[Finding]:
    """Find ready nodes where kube-proxy should run and its pod is missing, crashing or not ready.

    The DaemonSet's status is not used: its counts can look healthy while a node has no pod.
    """
    for missing in cluster.derive(nodes_without_kube_proxy):
        pod = missing.pod
        yield Finding(
            ref(missing.node),
            says=f"{missing.problem('kube-proxy')}: Service rules on the node go stale",
            remedy=missing.remedy,
            evidence=missing.evidence(cluster),
            concerns=(ref(pod),) if pod else (),
            look=ref(pod).kubectl("describe") if pod else "kubectl -n kube-system get pods -o wide",
        )


def unhealthy(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose kube-proxy runs, but does not answer on its health port or has stopped updating its rules.

    The probe queries the port on the node itself. Without the probe it is queried directly or through the API server.
    If that is not possible, or no port answers, the logs of the kube-proxies that started last are read.
    """
    for proxy in _unhealthy(cluster):
        yield Finding(
            Ref("Node", "", proxy.node),
            says=f"kube-proxy is unhealthy: {proxy.problem}",
            remedy="read its log: usually it cannot reach the API server; restart its pod",
            evidence=[proxy.evidence],
            look=daemon_look(pod_on(proxy.node, cluster)),
        )


def rules_wrong(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that reach pods at their own addresses but not through a Service: the probe's own, or a young one.

    Rules go stale if kube-proxy does not hear from the API server: then only old Services go on working. One answer
    from a Service is enough. If pods on other nodes do not answer either, the pod network is at fault (cni-daemonset).
    A Service with endpoints on a node that is cut off may fail by chance.
    """
    results = probed(cluster)
    stale = stale_services(results, cluster)
    service = _ProbeService(results)
    failures = {node: list(_failing_services(reports.values(), service)) for node, reports in results.reports.items()}
    wrong = {node: lines for node, lines in failures.items() if lines}
    for node, lines in stale.items():
        if node not in wrong:
            yield Finding(
                Ref("Node", "", node),
                says="does not forward traffic to Services that changed lately, although their endpoints answer",
                remedy="read the log of kube-proxy on the node: usually it cannot reach the API server, and its rules "
                "are stale; restart its pod",
                evidence=lines,
                look=daemon_look(pod_on(node, cluster)),
            )
    if len(wrong) == len(results.reports) > 1 and not (stale or _api_service_fails(results)):
        raise NotObserved(
            "the probe's own Service answers on no node although the API server's does: it may not have had endpoints"
        )
    for node, lines in wrong.items():
        yield Finding(
            Ref("Node", "", node),
            says="does not forward Service traffic: pods answer at their own addresses, Services do not",
            remedy="restart the component that writes the Service rules there (kube-proxy, or the CNI that replaces "
            "it), and find out what removed them",
            evidence=[*lines, *stale.get(node, ())],
        )
    require_all(results, "pod", cni.without_network(cluster))


def node_port(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose NodePorts do not answer although Services answer by ClusterIP.

    A node that cannot reach its own NodePorts is not used to judge the NodePorts of other nodes.
    """
    results = probed(cluster)
    service = _ProbeService(results)
    attempts = [pair for pair in _node_port_attempts(results) if pair.ok or service.fails(pair.target, pair.reach)]
    if attempts and not any(pair.ok for pair in attempts):
        raise NotObserved(
            "NodePorts do not answer on any node: they may be closed on purpose (nodePortAddresses, a firewall, a CNI)"
        )
    answering = {pair.target for pair in attempts if pair.ok}
    closed = {pair.target for pair in attempts if pair.source == pair.target and not pair.ok}
    failing: dict[str, list[Pair]] = defaultdict(list)
    for pair in attempts:
        if not pair.ok and (pair.target in closed or pair.source not in closed):
            failing[pair.target].append(pair)
    for target, pairs in failing.items():
        yield _node_port_finding(target, pairs, partly=target in answering)
    require_all(results, "pod", cni.without_network(cluster))


def _node_port_finding(target: str, failing: Iterable[Pair], *, partly: bool) -> Finding:
    sources = sorted({pair.source for pair in failing})
    return Finding(
        Ref("Node", "", target),
        says="NodePorts on this node are unreachable from some nodes but reachable from others"
        if partly
        else "NodePorts on this node do not answer",
        remedy="check whether a firewall blocks the node's ports 30000-32767; restart the component that writes its "
        "Service rules",
        evidence=dict.fromkeys(map(str, failing)),
        concerns=tuple(Ref("Node", "", source) for source in sources) if partly else (),
    )


def _unhealthy(cluster: Cluster) -> Iterator[Unhealthy]:
    """Yield what the health ports say, and where they cannot be queried or none answers, what the logs say."""
    reported: set[str] = set()
    try:
        for proxy in _unhealthy_by_port(cluster):
            reported.add(proxy.node)
            yield proxy
    except NotObserved:
        yield from (proxy for proxy in disconnected(cluster) if proxy.node not in reported)
        raise


def _unhealthy_by_port(cluster: Cluster) -> Iterator[Unhealthy]:
    working = {node.metadata.name for node in runs_on(cluster)}
    try:
        results = probed(cluster)
    except NotObserved as unprobed:
        try:
            yield from unhealthy_by_api(cluster)
        except NotObserved as error:
            raise main_reason(unprobed, error) from None
        return
    attempts = {
        report.node: reach
        for report in results.of("host")
        if report.node in working
        for reach in reached(report, Target.KUBE_PROXY)
    }
    if attempts and not any(reach.ok for reach in attempts.values()):
        raise NotObserved(NO_ANSWERS)
    problem = f"/healthz on port {PORT} does not report healthy"
    for node, reach in attempts.items():
        if not reach.ok:
            yield Unhealthy(node, problem, evidence=f"{reach.address}: {result(reach)}")
    require_all(results, "host")


class _ProbeService:
    """The probe's own Service: it has an endpoint on every node with a probe pod in the pod network."""

    def __init__(self, results: ProbeResults) -> None:
        reports = list(results.of("pod"))
        self._endpoints, self._lost = [report.node for report in reports], lost(reports)

    def fails(self, node: str, reach: Reach) -> bool:
        """Return whether it does not answer by way of a node although that can hardly be chance."""
        chance = reach.kind in (Target.SERVICE, Target.NODE_PORT)
        return not reach.ok and not (chance and may_be_luck(reach, node, self._endpoints, self._lost))


def _failing_services(reports: Iterable[ProbeReport], probe_service: _ProbeService) -> Iterator[str]:
    """Yield the Services that do not answer although the pods behind them do, from one node."""
    for report in reports:
        for service, direct in (
            (Target.SERVICE, _peers(report)),
            (Target.API_SERVICE, reached(report, Target.API_ENDPOINT)),
        ):
            for reach in reached(report, service):
                same = [other for other in direct if is_ipv6(other.address) is is_ipv6(reach.address)]
                if probe_service.fails(report.node, reach) and same and all(other.ok for other in same):
                    yield f"from the {report.network} network: Service {reach.address}: {result(reach)}"
                    yield f"from the {report.network} network: its endpoint {same[0].address}: {result(same[0])}"


def _peers(report: ProbeReport) -> list[Reach]:
    """Return the attempts to reach pods on other nodes, or the node's own pod if no other was tried."""
    others = [reach for reach in reached(report, Target.PEER) if reach.node != report.node]
    return others or within_node(report)


def _api_service_fails(results: ProbeResults) -> bool:
    """Return whether the API server's Service fails on a node, too, and not only the probe's own."""
    return any(
        not reach.ok
        for reports in results.reports.values()
        for report in reports.values()
        for reach in reached(report, Target.API_SERVICE)
    )


def _node_port_attempts(results: ProbeResults) -> list[Pair]:
    """Return the attempts to reach NodePorts, between nodes that both reach Services by ClusterIP."""
    fine = {node for node, reports in results.reports.items() if _services_answer(reports.values())}
    return [
        Pair(source, reach.node, reach)
        for source in sorted(fine)
        for report in results.reports[source].values()
        for reach in reached(report, Target.NODE_PORT)
        if reach.node in fine
    ]


def _services_answer(reports: Iterable[ProbeReport]) -> bool:
    services = [reach for report in reports for reach in reached(report, Target.SERVICE)]
    return bool(services) and all(reach.ok for reach in services)


@check(not_running, unhealthy, rules_wrong, node_port, chapter="4.1")
def test_services_are_forwarded() -> None:
    """Every node forwards Service traffic to the Service's pods."""
