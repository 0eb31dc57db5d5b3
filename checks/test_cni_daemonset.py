"""Pods on a node have no network, or cannot reach pods on other nodes: the CNI does not work there.

Meaning:
    The CNI's pod is missing, crashes or is not ready on a node; the node reports that it has no network; or the CNI
    runs on both nodes, but packets between their pods are lost because a route is missing, a firewall blocks the
    tunnel or the MTU is too large.

Impact:
    New pods on the node get no IP address (ip-allocation). Running pods keep their network until a route, a policy or
    a tunnel must change. Lost traffic between nodes looks like random timeouts: it depends on where pods are placed.

Diagnosis:
    Compare the CNI's pods in `kubectl get pods -A -o wide` with the list of nodes; read the pod's log and the node's
    conditions. Which nodes reach which others is only known with `--probe`. On a node, look at `ip route`, and use
    `tcpdump` for the tunnel's port on both ends.

Mitigation:
    Get the CNI's pod running again. Allow its traffic between nodes (VXLAN 8472 or 4789/UDP, Geneve 6081/UDP,
    IP-in-IP, BGP 179, WireGuard 51871/UDP), correct its MTU, restart it on the node whose routes are missing.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.apps.why_ended import known_cause
from kubevitals.facts.network import cni
from kubevitals.facts.network.addresses import IPNetwork
from kubevitals.facts.network.cut_off import cut_off_nodes
from kubevitals.facts.network.default_routes import WithoutDefaultRoute, nodes_without_default_route
from kubevitals.facts.network.policies import answers_between_nodes, policies_on_probe
from kubevitals.facts.network.reach import (
    PAIRS_SHOWN,
    Blame,
    Pair,
    Way,
    blame,
    is_ipv6,
    lost_wholly,
    pairs,
    require_all,
    within_node,
)
from kubevitals.facts.network.routes import missing_routes, tunnels
from kubevitals.facts.nodes.lifecycle import settled_nodes
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import daemon_look, event_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, CONCERNS, EVERYWHERE, SAME_NODE, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults, probed
from kubevitals.objects import Ref, node_condition, ref
from kubevitals.probe.report import Target
from kubevitals.threshold import Threshold

LASTING = Threshold(
    "cni-daemonset.lasting", 30, "seconds that a node may be without network: a CNI sets it up when it starts"
)

POD_NETWORK = Ref("PodNetwork", "", "pods")
"""The object at fault if no node's pods reach the pods of any other node."""

_LOST = {
    Way.BOTH: "pods on this node and pods on other nodes cannot reach each other",
    Way.OUT: "pods on this node cannot reach pods on other nodes, which can reach them",
    Way.IN: "pods on other nodes cannot reach pods on this node, which can reach them",
    Way.PAIR: "pods on this node and pods on {peers} cannot reach each other",
    Way.PAIR_OUT: "pods on this node cannot reach pods on {peers}",
}


_OTHER_NETWORK = "specified in the flannel net config doesn't contain"
"""How flannel says that its network is not the cluster's (flannel-io/flannel pkg/subnet/kube/kube.go)."""

_REMEDIES = {
    _OTHER_NETWORK: "let Network in net-conf.json (ConfigMap kube-flannel-cfg) contain the podCIDRs of all nodes, and "
    "restart flannel: kubectl -n kube-flannel rollout restart daemonset kube-flannel-ds",
    "felix is not ready": "see the log of calico-node: Felix waits for Typha (port 5473/TCP) or the API server",
    "BGP not established": "let the nodes reach each other's port 179/TCP, and see which address Calico takes for each "
    "(IP_AUTODETECTION_METHOD)",
}
"""What helps, by a text of the daemon's last error (projectcalico/calico node/pkg/health/health.go)."""

SUFFERING = ("cluster-dns[service-unreachable]", "kube-proxy[rules-wrong]", "kube-proxy[node-port]")

EXPLAINS = (
    Explains(("node-ready[silent]",), SAME_NODE, ("cni-daemonset",)),
    Explains(("cni-daemonset[not-running]",), CONCERNS, BROKEN_PODS),
    Explains(("cni-daemonset",), SAME_NODE, SUFFERING),
    Explains(("cni-daemonset",), CONCERNED, (*SUFFERING, "cluster-dns[pod-unreachable]")),
    Explains(("cni-daemonset",), EVERYWHERE, (*SUFFERING, "cluster-dns[pod-unreachable]")),
    Explains(
        ("cni-daemonset[not-running]", "cni-daemonset[network-unavailable]"),
        SAME_NODE,
        ("ip-allocation[cni-unreachable]", "ip-allocation[cni-misconfigured]", "ip-allocation[sandbox-failed]"),
    ),
    Explains(
        ("cni-daemonset[not-running]", "cni-daemonset[network-unavailable]"),
        SAME_NODE,
        ("node-ready[not-ready]",),
        words="cni|network ?plugin",
    ),
    Explains(("cni-daemonset[not-running]",), SAME_NODE, ("cni-daemonset",)),
)


def not_running(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes where the CNI's pod should run and is missing, crashing or not ready.

    Nodes that are not ready for another reason are reported by node-ready.
    """
    for missing in cluster.derive(cni.nodes_without_cni):
        pod, error = missing.pod, missing.last_error(cluster)
        cause = known_cause(pod, cluster) if pod else None
        suffers = error or (cause.means if cause else "new pods there get no network, and existing routes go stale")
        remedy = cause.remedy if cause else missing.remedy
        yield Finding(
            ref(missing.node),
            says=f"{missing.problem('CNI')}: {suffers}",
            remedy=next((known for text, known in _REMEDIES.items() if text in error), remedy),
            evidence=missing.evidence(cluster),
            concerns=(ref(pod),) if pod else (),
            look=ref(pod).kubectl("describe") if pod else "kubectl get daemonsets -A",
        )


def network_unavailable(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that report that they have no network, by a condition or as the reason why they are not ready."""
    without_cni = _without_cni(cluster)
    for node in cluster.derive(settled_nodes):
        unavailable, ready = node_condition(node, "NetworkUnavailable"), node_condition(node, "Ready")
        if unavailable is not None and unavailable.status == "True":
            state = unavailable
        elif ready is not None and cni.no_network(node):
            state = ready
        else:
            continue
        if cluster.over(state.lastTransitionTime, LASTING) and node.metadata.name not in without_cni:
            yield Finding(
                ref(node),
                says=f"has no network for pods: {state.reason}: {state.message}",
                remedy="restart the CNI's pod on the node: usually it then writes its configuration and routes again",
                evidence=[f"{state.type}={state.status}", *event_lines(node, cluster)],
                since=state.lastTransitionTime.seconds,
                look=daemon_look(cni.pod_on(node.metadata.name, cluster)),
            )


def no_route(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose pods cannot reach pods on other nodes, or cannot be reached, and nodes without a default route.

    Each node is tested with a few others. If none of these tests succeeds, the node is blamed and its peers are not.
    Large packets are tested separately: if only they are lost, the MTU is wrong.
    """
    results = probed(cluster)
    explained = cni.without_network(cluster)
    for node in nodes_without_default_route(results, cluster):
        yield _no_default_route(node)
        explained |= {node.node}
    small = [pair for pair in pairs(results.of("pod"), Target.PEER) if explained.isdisjoint((pair.source, pair.target))]
    if not small:
        require_all(results, "pod", explained)
        raise NotApplicable("there are no two nodes whose pods could reach each other")
    yield from _lost(small, results, cluster)
    reached = {(pair.source, pair.reach.address) for pair in small if pair.ok}
    large = [pair for pair in pairs(results.of("pod"), Target.LARGE) if (pair.source, pair.reach.address) in reached]
    yield from _lost_large(large, cluster)
    require_all(results, "pod", explained)


def _no_default_route(node: WithoutDefaultRoute) -> Finding:
    return Finding(
        Ref("Node", "", node.node),
        says=f"has no {node.family} default route, which other nodes have: its host network reaches no Service "
        "addresses, or nothing outside of its own subnet",
        remedy="restore the default route (ip route show default on another node), and find out what removed it: "
        "DHCP, the node's network configuration, or a CNI",
        evidence=node.lines[:PAIRS_SHOWN],
        part="default route",
    )


def _without_cni(cluster: Cluster) -> set[str]:
    try:
        return {missing.node.metadata.name for missing in cluster.derive(cni.nodes_without_cni)}
    except (NotApplicable, NotObserved):
        return set()


def _lost(attempts: list[Pair], results: ProbeResults, cluster: Cluster) -> Iterator[Finding]:
    for family, failing in lost_wholly(attempts).items():
        if not family:
            yield from _nothing_passes(failing, results, cluster)
            return
        yield _network_finding(
            f"carries no {family} traffic between nodes, although the other address family works",
            "check that the nodes forward packets (net.ipv6.conf.all.forwarding, net.ipv4.ip_forward), have routes to "
            "each other's pods, and that firewalls and security groups between them allow the traffic",
            failing,
        )
    routes = missing_routes(attempts, results, cluster)
    working = {(pair.source, pair.target, is_ipv6(pair.reach.address)) for pair in attempts if pair.ok}
    for fault in blame(attempts):
        without_route = next((pair for pair in fault.pairs if (pair.source, pair.target) in routes), None)
        if fault.way is Way.PAIR and without_route:
            fault = fault._replace(node=without_route.source, peers=(without_route.target,))
        back = {(target, source, is_ipv6(reach.address)) for source, target, reach in fault.pairs} <= working
        works = "; the other direction works" if back and fault.way is Way.PAIR_OUT else ""
        missing = {ends: routes[ends] for ends in dict.fromkeys(pair[:2] for pair in fault.pairs) if ends in routes}
        yield _finding(fault, f"{_says(fault)}{works}{_missing_words(fault.node, missing)}", missing, cluster)


def _missing_words(node: str, missing: Mapping[tuple[str, str], IPNetwork]) -> str:
    """Return which route is missing: one that the node does not have, or one that other nodes do not have to it."""
    to_node = {str(network) for (_, target), network in missing.items() if target == node}
    if any(source == node for source, _ in missing):
        return ": a route to them is missing on this node"
    return f": other nodes have no route to {', '.join(sorted(to_node))}" if to_node else ""


def _lost_large(attempts: list[Pair], cluster: Cluster) -> Iterator[Finding]:
    for family, failing in lost_wholly(attempts).items():
        over = f" over {family}" if family else ""
        yield _network_finding(
            f"loses large packets between all nodes{over}, while small ones pass: its MTU is too large",
            "set the CNI's MTU to the MTU of the nodes' network minus the overhead of its tunnel (VXLAN 50, "
            "IP-in-IP 20, WireGuard 60 bytes)",
            failing,
        )
    for fault in blame(attempts):
        yield _finding(fault, f"{_says(fault)} with large packets, small ones pass: the MTU differs", {}, cluster)


def _says(fault: Blame) -> str:
    only = f" (over {fault.family} only)" if fault.family else ""
    return _LOST[fault.way].format(peers=", ".join(fault.peers[:3])) + only


def _nothing_passes(failing: Collection[Pair], results: ProbeResults, cluster: Cluster) -> Iterator[Finding]:
    """Yield the finding that the whole network is at fault, or the nodes that cannot reach anything else either.

    Raises:
        NotObserved: other pods do answer between nodes, or none was tried: a policy may block the probe.
    """
    if cut_off := cut_off_nodes(results, cluster):
        for node in cut_off:
            pairs_of_node = tuple(pair for pair in failing if node in pair[:2])
            fault = Blame(node, Way.BOTH, (), pairs_of_node)
            yield _finding(fault, "pods on this node reach neither other nodes' pods nor the API server", {}, cluster)
        return
    answers = answers_between_nodes(results, cluster)
    if any(answers):
        raise NotObserved(
            "the probe's pods do not reach each other, although other pods on other nodes answer: a network policy "
            f"blocks the probe: {policies_on_probe(cluster)}"
        )
    same_node = [reach for report in results.of("pod") for reach in within_node(report)]
    if not answers or not same_node or not all(reach.ok for reach in same_node):
        raise NotObserved(
            "probe pods do not reach each other on any node: a NetworkPolicy, a service mesh or a firewall may block "
            "the probe; allow traffic to its namespace, or check whether the pod network works at all"
        )
    yield _network_finding(
        "carries no traffic between nodes: neither the probe's pods nor DNS pods on other nodes answer",
        f"let the nodes' firewalls and security groups pass the CNI's traffic ({tunnels(results)}); check whether a "
        "network policy blocks the probe",
        failing,
    )


def _network_finding(says: str, remedy: str, failing: Iterable[Pair]) -> Finding:
    evidence = map(str, islice(failing, PAIRS_SHOWN))
    return Finding(POD_NETWORK, says=says, remedy=remedy, evidence=evidence, look="kubectl get pods -A -o wide")


def _finding(fault: Blame, says: str, missing: Mapping[tuple[str, str], IPNetwork], cluster: Cluster) -> Finding:
    lines = [
        f"{source} has no route to {network}, the pods on {target}" for (source, target), network in missing.items()
    ]
    return Finding(
        Ref("Node", "", fault.node),
        says=says,
        remedy="restart the CNI's pod on the node without the route: it then writes its routes again; with Calico, "
        "check that an IPPool still contains the range"
        if missing
        else "restart the CNI's pod on the node; find out what drops traffic between the nodes: a firewall, a security "
        "group, a route, or a NetworkPolicy that blocks the probe",
        evidence=[*lines, *fault.lines],
        concerns=tuple(Ref("Node", "", peer) for peer in fault.peers) if fault.way in (Way.PAIR, Way.PAIR_OUT) else (),
        look=daemon_look(cni.pod_on(fault.node, cluster)),
    )


@check(not_running, network_unavailable, no_route, chapter="4.5")
def test_pod_network_spans_nodes() -> None:
    """Pods on every node have a network and reach pods on all other nodes."""
