"""Pods of a node have no network, or none to the pods of other nodes: its CNI does not do its work there.

Meaning:
    The CNI's daemon is missing, crashes or is not ready on a node; the node says itself that it has no network; or
    both ends run, and yet packets between pods of two nodes are lost: a route that is missing, a tunnel that a
    firewall blocks, a packet size that does not fit.

Impact:
    New pods of the node get no address (ip-allocation); those that run lose what the daemon kept up: routes, policies,
    tunnels. Lost traffic between nodes looks like time-outs at random: it depends on where pods happen to be.

Diagnosis:
    `kubectl get pods -A -o wide` for the CNI's DaemonSet, compared with the nodes; the pod's log; the node's
    conditions. Who reaches whom needs the probe (`--probe`); on a node `ip route`, and `tcpdump` for the tunnel's port
    on both ends.

Mitigation:
    Bring the daemon's pod back. Open what it needs between nodes (VXLAN 8472 or 4789/UDP, Geneve 6081/UDP, IP-in-IP,
    BGP 179, WireGuard 51871/UDP), correct its MTU, restart it on the node whose routes are missing.
"""

from collections.abc import Iterable, Iterator
from itertools import islice

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network import cni
from kubevitals.facts.network.reach import (
    PAIRS_SHOWN,
    Blame,
    Pair,
    Way,
    blame,
    is_ipv6,
    lost_wholly,
    own,
    pairs,
    require_all,
)
from kubevitals.facts.network.routes import missing_routes
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import daemon_look, event_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, EVERYWHERE, SAME_NODE, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults, probed
from kubevitals.objects import Ref, node_condition, ref
from kubevitals.probe.report import Target
from kubevitals.threshold import Threshold

LASTING = Threshold(
    "cni-daemonset.lasting", 30, "seconds a node may be without network: CNIs set theirs up when they start"
)
JOINING = Threshold("cni-daemonset.joining", 180, "seconds a node may take to get its network after it joined")

POD_NETWORK = Ref("PodNetwork", "", "pods")
"""What is at fault where no node's pods reach another node's."""

_LOST = {
    Way.BOTH: "has pods that reach no pod on other nodes, and that none of these reaches",
    Way.OUT: "has pods that reach no pod on other nodes, though they are reached",
    Way.IN: "has pods that no pod on another node reaches, though they reach others",
    Way.PAIR: "has pods that do not reach those on {peers}, nor the other way",
    Way.PAIR_OUT: "has pods that do not reach those on {peers}",
}


SUFFERING = ("cluster-dns[service-unreachable]", "kube-proxy[rules-wrong]", "kube-proxy[node-port]")

EXPLAINS = (
    Explains(("node-ready[silent]",), SAME_NODE, ("cni-daemonset",)),
    Explains(BROKEN_PODS, CONCERNED, ("cni-daemonset[not-running]",)),
    Explains(("cni-daemonset",), SAME_NODE, SUFFERING),
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
    """Find nodes where the CNI's daemon belongs and is missing, crashing or not ready.

    Nodes that are not ready for another reason are node-ready's.
    """
    for lack in cluster.derive(cni.lacking_network):
        suffers = "pods there get no network, or lose it"
        yield lack.finding("CNI", suffers, "kubectl get daemonsets -A", cluster)


def network_unavailable(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that say that they have no network, by a condition or as the reason why they are not ready."""
    lacking = _named_lacking(cluster)
    for node in cluster.nodes:
        unavailable, ready = node_condition(node, "NetworkUnavailable"), node_condition(node, "Ready")
        if unavailable is not None and unavailable.status == "True":
            state = unavailable
        elif ready is not None and cni.no_network(node):
            state = ready
        else:
            continue
        old = cluster.over(node.metadata.creationTimestamp, JOINING) and cluster.over(state.lastTransitionTime, LASTING)
        if old and node.metadata.name not in lacking:
            yield Finding(
                ref(node),
                says=f"has no network for pods: {state.reason}: {state.message}",
                remedy="restart the CNI's pod on the node: mostly it puts its configuration and routes in place again",
                evidence=[f"{state.type}={state.status}", *event_lines(node, cluster)],
                since=state.lastTransitionTime.seconds,
                look=daemon_look(cni.pod_on(node.metadata.name, cluster)),
            )


def no_route(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose pods do not reach those of other nodes, or are not reached: which, and in which direction.

    Each node is asked by a few others and asks a few: where none of them succeeds it is to blame, and none of its
    peers. Large packets are tried apart: where only they are lost, the packet size (MTU) is wrong.
    """
    found = probed(cluster)
    explained = cni.without_network(cluster)
    small = [p for p in pairs(found.of("pod"), Target.PEER) if not explained & {p.source, p.target}]
    if not small:
        require_all(found, "pod", explained)
        raise NotApplicable("there are no two nodes whose pods could reach each other")
    yield from _lost(small, found, cluster)
    reached = {(p.source, p.reach.address) for p in small if p.ok}
    large = [p for p in pairs(found.of("pod"), Target.LARGE) if (p.source, p.reach.address) in reached]
    yield from _lost_large(large, cluster)
    require_all(found, "pod", explained)


def _named_lacking(cluster: Cluster) -> set[str]:
    try:
        return {lack.node.metadata.name for lack in cluster.derive(cni.lacking_network)}
    except NotObserved:
        return set()


def _lost(every: list[Pair], found: ProbeResults, cluster: Cluster) -> Iterator[Finding]:
    for family, failing in lost_wholly(every).items():
        if not family:
            yield _nothing_passes(failing, found)
            return
        yield _network_finding(
            f"carries nothing between nodes over {family}, though it does over the other address family",
            "see whether the nodes forward it (net.ipv6.conf.all.forwarding, net.ipv4.ip_forward), have routes to each "
            "other's pods, and whether firewalls and security groups between them pass it",
            failing,
        )
    routes = missing_routes(every, found, cluster)
    working = {(pair.source, pair.target, is_ipv6(pair.reach.address)) for pair in every if pair.ok}
    for fault in blame(every):
        at_fault = next((pair for pair in fault.pairs if (pair.source, pair.target) in routes), None)
        if fault.way is Way.PAIR and at_fault:
            fault = fault._replace(node=at_fault.source, peers=(at_fault.target,))
        missing = [
            f"{s} has no route to {routes[s, t]}, the pods of {t}" for s, t, _ in fault.pairs if (s, t) in routes
        ]
        back = {(target, source, is_ipv6(reach.address)) for source, target, reach in fault.pairs} <= working
        works = "; the other way works" if back and fault.way is Way.PAIR_OUT else ""
        yield _finding(fault, f"{_says(fault)}{works}", missing, cluster)


def _lost_large(every: list[Pair], cluster: Cluster) -> Iterator[Finding]:
    for family, failing in lost_wholly(every).items():
        over = f" over {family}" if family else ""
        yield _network_finding(
            f"loses large packets between all nodes{over}, small ones pass: its packet size (MTU) is too large",
            "set the CNI's MTU to that of the nodes' network less what its tunnel adds (VXLAN 50, IP-in-IP 20, "
            "WireGuard 60 bytes)",
            failing,
        )
    for fault in blame(every):
        yield _finding(
            fault, f"{_says(fault)}: only large packets are lost, the packet size (MTU) differs", [], cluster
        )


def _says(fault: Blame) -> str:
    only = f" (over {fault.family} only)" if fault.family else ""
    return _LOST[fault.way].format(peers=", ".join(fault.peers[:3])) + only


def _nothing_passes(failing: Iterable[Pair], found: ProbeResults) -> Finding:
    """Return the finding that the whole network is at fault, where pods of one node do reach each other.

    Raises:
        NotObserved: pods of one node do not reach each other, either, or were not asked: something may forbid it.
    """
    near = [reach for report in found.of("pod") for reach in own(report)]
    if not near or not all(reach.ok for reach in near):
        raise NotObserved(
            "no probe pod reaches another one, on any node: a NetworkPolicy, a service mesh or a firewall may forbid "
            "what the probe asks; let its namespace be reached, or see whether the pod network works at all"
        )
    return _network_finding(
        "carries nothing between nodes, though pods of one node reach each other",
        "let the nodes' firewalls and security groups pass the CNI's traffic (VXLAN 8472 or 4789/UDP, Geneve "
        "6081/UDP, IP-in-IP, BGP 179, WireGuard 51871/UDP); see whether a NetworkPolicy forbids the probe's",
        failing,
    )


def _network_finding(says: str, remedy: str, failing: Iterable[Pair]) -> Finding:
    evidence = map(str, islice(failing, PAIRS_SHOWN))
    return Finding(POD_NETWORK, says=says, remedy=remedy, evidence=evidence, look="kubectl get pods -A -o wide")


def _finding(fault: Blame, says: str, missing: list[str], cluster: Cluster) -> Finding:
    return Finding(
        Ref("Node", "", fault.node),
        says=says,
        remedy="restart the CNI's pod on the node, which writes its routes anew"
        if missing
        else "restart the CNI's pod on the node; see what drops its traffic between the nodes: a firewall, a security "
        "group, a route, a NetworkPolicy that forbids the probe's",
        evidence=[*missing, *fault.lines],
        concerns=tuple(Ref("Node", "", peer) for peer in fault.peers) if fault.way in (Way.PAIR, Way.PAIR_OUT) else (),
        look=daemon_look(cni.pod_on(fault.node, cluster)),
    )


@check(not_running, network_unavailable, no_route, chapter="4.5")
def test_pod_network_spans_nodes() -> None:
    """Every node's pods have a network that leads to the pods of all other nodes."""
