"""Which node's network is at fault, and when no node's is."""

import json
import time

import pytest
from msgspec.structs import replace

from checks.test_cni_daemonset import EXPLAINS, network_unavailable, no_route, not_running
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.cni import RECOGNISED, Cni, daemon_sets
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import MissingReport
from kubevitals.objects import ref
from kubevitals.probe.report import ProbeReport, Route, Target, Through
from kubevitals.source.request import Answer
from tests.fakes import ago, cluster_of
from tests.networks import Lost, UseProbe, daemon, daemon_set, found, judged, lookup, mesh, node, pod, reach

KINDNET = daemon_set("kindnet")
NAMES = ("one", "two", "three", "four", "five", "six")
NODES = [node(name, cidr=f"10.244.{number}.0/24") for number, name in enumerate(NAMES)]
PODS = [daemon(KINDNET, name) for name in NAMES]
CLUSTER = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=PODS)


# --- not-running, network-unavailable ---


@pytest.mark.parametrize("cni", RECOGNISED, ids=lambda cni: cni.daemon_set)
def test_a_cni_is_recognised_where_it_is_installed(cni: Cni) -> None:
    place = cni.namespaces[0] if cni.namespaces else "anywhere"
    made = daemon_set(cni.daemon_set, place)
    assert [ds.metadata.name for ds in daemon_sets(cluster_of(daemon_sets=[made, daemon_set("fluentd")]))] == [
        made.metadata.name
    ]


def test_another_cni_is_named_by_an_option() -> None:
    others = [daemon_set("my-cni", "net"), daemon_set("kindnet", "shop")]
    assert "--cni-daemonset" in str(judged(not_running, cluster_of(daemon_sets=others, nodes=NODES))[1])
    named = cluster_of(daemon_sets=others, nodes=NODES[:2], pods=[daemon(others[0], "one")])
    named.cni_daemon_sets = frozenset({"net/my-cni"})
    assert found(not_running, named) == ["Node/two"]
    misspelt = cluster_of(daemon_sets=others)
    misspelt.cni_daemon_sets = frozenset({"net/my-cnii"})
    with pytest.raises(NotObserved, match="there is no DaemonSet net/my-cnii"):
        list(not_running(misspelt))


def test_a_node_needs_all_daemons_that_belong_there() -> None:
    cilium, cns = daemon_set("cilium"), daemon_set("azure-cns")
    pods = [daemon(cilium, "one", "False", 600, "CrashLoopBackOff"), daemon(cns, "one")]
    pods += [daemon(cilium, "two"), daemon(cns, "two")]
    assert found(not_running, cluster_of(daemon_sets=[cilium, cns], nodes=NODES[:2], pods=pods)) == ["Node/one"]
    assert found(not_running, cluster_of(daemon_sets=[cilium, cns], nodes=NODES[:1])) == ["Node/one"]


TAINT = pb.Taint(key="dedicated", value="gpu", effect="NoExecute")


def tainted(**labels: str) -> pb.Node:
    made = node("two", labels=labels)
    made.spec.taints.append(TAINT)
    return made


def intolerant(name: str) -> pb.DaemonSet:
    made = daemon_set(name)
    del made.spec.template.spec.tolerations[:]
    return made


def test_a_taint_that_the_cni_does_not_tolerate_is_named_where_other_pods_run() -> None:
    flannel = intolerant("kube-flannel")
    cluster = cluster_of(
        nodes=[NODES[0], tainted()], daemon_sets=[flannel], pods=[daemon(flannel, "one"), pod("app", "two")]
    )
    (finding,) = not_running(cluster)
    assert finding.says.startswith(
        "has no CNI pod although other pods run there: DaemonSet kube-flannel excludes it: it does not tolerate the "
        "taint dedicated=gpu:NoExecute"
    )
    assert "add the toleration" in finding.remedy


def finished(made: pb.Pod) -> pb.Pod:
    made.status.phase = "Succeeded"
    return made


@pytest.mark.parametrize(
    ("on", "second"),
    [
        (tainted(), []),
        (tainted(), [finished(pod("done", "two"))]),
        (tainted(), [daemon(daemon_set("agent"), "two")]),
        (tainted(type="virtual-kubelet"), [pod("app", "two")]),
        (tainted(**{"eks.amazonaws.com/compute-type": "auto"}), [pod("app", "two")]),
        (tainted(**{"kubernetes.io/os": "windows"}), [pod("app", "two")]),
    ],
    ids=["no pods", "finished ones", "daemons only", "virtual", "network built in", "Windows"],
)
def test_a_node_may_be_excluded_on_purpose(on: pb.Node, second: list[pb.Pod]) -> None:
    flannel = intolerant("kube-flannel")
    assert found(not_running, cluster_of(nodes=[on], daemon_sets=[flannel], pods=second)) == []


@pytest.mark.parametrize(
    ("version", "labels", "expected"),
    [
        ("v1.34.1+k3s1", {}, "flannel is built into k3s"),
        ("v1.34.1-gke.100", {}, "the CNI is built into GKE's nodes"),
        ("v1.34.1", {"eks.amazonaws.com/compute-type": "auto"}, "built into EKS Auto Mode's nodes"),
        ("v1.34.1", {"kubernetes.azure.com/cluster": "x"}, "the CNI is built into AKS"),
    ],
)
def test_a_cni_that_is_built_in_is_named(version: str, labels: dict[str, str], expected: str) -> None:
    one = node("one", labels=labels)
    one.status.nodeInfo.kubeletVersion = version
    cluster = cluster_of(nodes=[one])
    with pytest.raises(NotApplicable, match=expected):
        list(not_running(cluster))
    assert found(network_unavailable, cluster) == []


def test_a_node_whose_cni_crashes_is_the_root_and_says_why() -> None:
    crashing = daemon(KINDNET, "six", "False", 30, "CrashLoopBackOff")
    log = {
        f"/api/v1/namespaces/kube-system/pods/{crashing.metadata.name}/log": Answer(
            200, b"I1128 starting\nF1128 12:00:01.123456       1 main.go:202] no such device\nstopped\n"
        )
    }
    cluster = cluster_of(log, nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS[:5], crashing])
    (finding,) = not_running(cluster)
    assert finding.says == "has a CNI pod that is not ready: CrashLoopBackOff: no such device"
    pod_finding = Finding(ref(crashing), "keeps crashing", "", node="six")
    cases = [Case("startup-error", "app-exit", pod_finding), Case("cni-daemonset", "not-running", finding)]
    assert {str(root.finding.obj) for root in roots_of(cases, EXPLAINS).values()} == {"Node/six"}


NO_NETWORK = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady"


@pytest.mark.parametrize(
    ("last", "pods", "without_cni", "unavailable"),
    [
        (node("six"), PODS[:5], True, False),
        (node("six"), [*PODS[:5], daemon(KINDNET, "six", "False", 30, "CrashLoopBackOff")], True, False),
        (node("six", "False", NO_NETWORK), PODS[:5], True, False),
        (node("six", "False", NO_NETWORK), PODS, False, True),
        (node("six", "False", "PLEG is not healthy"), PODS[:5], False, False),
        (node("six", "Unknown"), PODS[:5], False, False),
        (node("six", created=ago(60)), PODS[:5], False, False),
        (node("six"), PODS, False, False),
    ],
    ids=["missing", "crashing", "no config either", "config gone", "not ready", "unknown", "just joined", "healthy"],
)
def test_a_node_without_a_network_is_reported_by_one_variant(
    last: pb.Node, pods: list[pb.Pod], without_cni: bool, unavailable: bool
) -> None:
    cluster = cluster_of(nodes=[*NODES[:5], last], daemon_sets=[KINDNET], pods=pods)
    assert found(not_running, cluster) == ["Node/six"] * without_cni
    assert found(network_unavailable, cluster) == ["Node/six"] * unavailable


@pytest.mark.parametrize(
    ("status", "since", "expected"),
    [("True", 300, ["Node/one"]), ("True", 20, []), ("False", 300, []), ("Unknown", 300, [])],
)
def test_the_condition_counts_when_it_lasts(status: str, since: int, expected: list[str]) -> None:
    state = pb.NodeCondition(
        type="NetworkUnavailable", status=status, reason="NoRouteCreated", lastTransitionTime=ago(since)
    )
    assert found(network_unavailable, cluster_of(nodes=[node("one", conditions=[state])])) == expected


# --- no-route ---


def said(cluster: Cluster = CLUSTER) -> list[tuple[str, str]]:
    findings, unseen = judged(no_route, cluster)
    assert unseen is None, unseen
    return [(str(finding.obj), finding.says) for finding in findings]


def test_a_network_that_carries_everything_is_healthy(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES, lambda source, target: False, (Target.PEER, Target.LARGE)))
    assert said() == []


@pytest.mark.parametrize("count", [3, 4, 6])
def test_a_dead_node_is_blamed_and_its_peers_are_not(use_probe: UseProbe, count: int) -> None:
    use_probe(mesh(NAMES[:count], lambda *ends: "two" in ends))
    assert said() == [("Node/two", "pods on this node and pods on other nodes cannot reach each other")]


def test_two_dead_nodes_are_both_blamed(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES, lambda *ends: bool({"two", "three"} & set(ends))))
    assert {obj for obj, _ in said()} == {"Node/two", "Node/three"}


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        (lambda source, target: source == "two", "which can reach them"),
        (lambda source, target: target == "two", "on other nodes cannot reach pods on this node"),
    ],
    ids=["out", "in"],
)
def test_one_direction_of_a_node(use_probe: UseProbe, lost: Lost, words: str) -> None:
    use_probe(mesh(NAMES[:4], lost))
    ((obj, says),) = said()
    assert obj == "Node/two"
    assert words in says


def test_a_single_pair_is_reported_with_its_direction(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES[:3], lambda *ends: ends == ("two", "three")))
    assert said() == [("Node/two", "pods on this node cannot reach pods on three; the other direction works")]
    use_probe(mesh(NAMES[:3], lambda *ends: set(ends) == {"two", "three"}))
    assert said() == [("Node/three", "pods on this node and pods on two cannot reach each other")]


def with_routes(*reports: ProbeReport, **routes: list[str]) -> list[ProbeReport]:
    hosts = [
        ProbeReport(n, "host", whole=True, routes=tuple(Route(r, "", "eth0") for r in own)) for n, own in routes.items()
    ]
    return [*reports, *hosts]


def test_a_missing_route_is_named_and_blamed_on_the_node_without_it(use_probe: UseProbe) -> None:
    lost = mesh(NAMES[:3], lambda *ends: set(ends) == {"two", "three"})
    use_probe(
        with_routes(
            *lost,
            two=["0.0.0.0/0", "10.244.0.0/24"],
            three=["0.0.0.0/0", "10.244.0.0/24", "10.244.1.0/24", "not a route"],
        )
    )
    (finding,), _ = judged(no_route, CLUSTER)
    assert str(finding.obj) == "Node/two"
    assert next(iter(finding.evidence)) == "two has no route to 10.244.2.0/24, the pods on three"
    assert [str(ref) for ref in finding.concerns] == ["Node/three"]


@pytest.mark.parametrize("routes", [["0.0.0.0/0"], ["10.244.0.0/16"], ["10.244.0.0/24", "10.244.2.0/24"]])
def test_no_route_is_missing_if_the_cni_writes_no_route_for_each_node(use_probe: UseProbe, routes: list[str]) -> None:
    use_probe(
        with_routes(*mesh(NAMES[:3], lambda *ends: set(ends) == {"two", "three"}), two=routes, three=["0.0.0.0/0"])
    )
    (finding,), _ = judged(no_route, CLUSTER)
    assert not any("no route to 10.244.2.0" in line for line in finding.evidence)


def test_nodes_that_another_finding_explains_are_skipped(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES[:3], lambda *ends: "two" in ends), [MissingReport("two", "pod", "probe-x", "no sandbox")])
    assert said(cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=[PODS[0], *PODS[2:]])) == []


def test_a_node_without_a_result_of_the_probe_is_not_observed(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES[:3], lambda *ends: "two" in ends), [MissingReport("four", "pod", "probe-x", "no sandbox")])
    findings, unseen = judged(no_route, CLUSTER)
    assert [str(finding.obj) for finding in findings] == ["Node/two"]
    assert "the probe has no result from four: no sandbox" in str(unseen)


DNS_POD = pod("dns", "one")


def nothing_passes(*, dns_answers: bool = False, count: int = 2) -> list[ProbeReport]:
    """Return the reports of nodes whose probe pods do not reach each other; each queries a DNS pod on node one."""
    by_pod = lookup(Through.POD, 2 * dns_answers, pod="dns")
    return [replace(report, lookups=(by_pod,)) for report in mesh(NAMES[:count], lambda *ends: True)]


def test_if_nothing_passes_between_nodes_the_network_is_at_fault_and_no_node(use_probe: UseProbe) -> None:
    use_probe(nothing_passes())
    cluster = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS, DNS_POD])
    assert said(cluster)[0][0] == "PodNetwork/pods"


POLICIES = {
    "/apis/networking.k8s.io/v1/networkpolicies": ("kubevitals-probe/deny-all", "shop/other"),
    "/apis/crd.projectcalico.org/v1/globalnetworkpolicies": ("/default-deny",),
}


def policy_lists() -> dict[str, Answer]:
    return {
        path: Answer(200, json.dumps({"items": [{"metadata": _metadata(name)} for name in names]}).encode())
        for path, names in POLICIES.items()
    }


def _metadata(name: str) -> dict[str, str]:
    namespace, _, name = name.rpartition("/")
    return {"name": name, "namespace": namespace}


@pytest.mark.parametrize(
    ("lists", "named"),
    [
        (policy_lists(), "NetworkPolicy kubevitals-probe/deny-all, GlobalNetworkPolicy default-deny"),
        ({}, "kubectl get networkpolicies -A"),
    ],
    ids=["readable", "not readable"],
)
def test_a_network_where_other_pods_answer_is_not_broken(
    use_probe: UseProbe, lists: dict[str, Answer], named: str
) -> None:
    use_probe(nothing_passes(dns_answers=True))
    cluster = cluster_of(lists, nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS, DNS_POD])
    findings, unseen = judged(no_route, cluster)
    assert findings == []
    assert str(unseen).endswith(f"a network policy blocks the probe: {named}") or named in str(unseen)


def test_a_dns_pod_on_the_own_node_proves_nothing(use_probe: UseProbe) -> None:
    reports = nothing_passes(dns_answers=True)
    use_probe([reports[0], replace(reports[1], lookups=(lookup(Through.POD, 0, pod="dns"),))])
    cluster = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS, DNS_POD])
    assert said(cluster)[0][0] == "PodNetwork/pods"


def test_of_two_nodes_the_one_that_reaches_nothing_is_blamed(use_probe: UseProbe) -> None:
    one, two = nothing_passes()
    api = reach(Target.API_ENDPOINT, address="192.0.2.1:6443")
    use_probe(
        [
            replace(one, reached=(*one.reached, api)),
            replace(two, reached=(*two.reached, replace(api, answered=0))),
            ProbeReport("two", "host", whole=True, reached=(reach(Target.PEER, "one"),)),
        ]
    )
    cluster = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS, DNS_POD])
    assert said(cluster) == [("Node/two", "pods on this node reach neither other nodes' pods nor the API server")]


def test_a_tunnel_is_named_by_its_device(use_probe: UseProbe) -> None:
    host = ProbeReport("one", "host", whole=True, routes=(Route("10.244.1.0/24", "10.244.1.0", "flannel.1"),))
    use_probe([*nothing_passes(), host])
    cluster = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS, DNS_POD])
    (finding,), _ = judged(no_route, cluster)
    assert "(VXLAN 8472/UDP)" in finding.remedy


def test_a_range_outside_of_the_pod_cidrs_is_named_too(use_probe: UseProbe) -> None:
    """Calico gives out blocks of its pools, whatever the nodes' podCIDRs are."""
    nodes = [node(name, cidr=f"10.9.{number}.0/24") for number, name in enumerate(NAMES)]
    others = (Route("10.244.0.0/26", "192.0.2.2", "eth0"), Route("10.244.2.0/26", "192.0.2.3", "eth0"))
    own = (*others, Route("10.244.1.0/30", "", "*"), Route("10.244.1.1/32", "", "cali1"))
    hosts = [
        ProbeReport(name, "host", whole=True, routes=own if name == "two" else others)
        for name in ("one", "two", "three")
    ]
    use_probe([*mesh(NAMES[:3], lambda *ends: "two" in ends), *hosts])
    ((obj, says),) = said(cluster_of(nodes=nodes, daemon_sets=[KINDNET], pods=PODS))
    assert obj == "Node/two"
    assert says.endswith(": other nodes have no route to 10.244.1.0/30")


def test_a_policy_may_forbid_all_traffic_of_the_probe(use_probe: UseProbe) -> None:
    none = [
        ProbeReport(n, "pod", whole=True, reached=tuple(reach(Target.PEER, other, 0) for other in NAMES[:3]))
        for n in NAMES[:3]
    ]
    use_probe(none)
    findings, unseen = judged(no_route, CLUSTER)
    assert findings == []
    assert "NetworkPolicy" in str(unseen)


def test_a_single_node_has_no_pairs(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES[:1], lambda *ends: False))
    with pytest.raises(NotApplicable):
        list(no_route(CLUSTER))


def large(lost: Lost) -> list[ProbeReport]:
    plain = {report.node: report for report in mesh(NAMES[:3], lambda *ends: False)}
    big = mesh(NAMES[:3], lost, (Target.LARGE,))
    return [ProbeReport(r.node, "pod", whole=True, reached=plain[r.node].reached + r.reached) for r in big]


def test_if_only_large_packets_are_lost_the_mtu_is_wrong(use_probe: UseProbe) -> None:
    use_probe(large(lambda *ends: "two" in ends))
    ((obj, says),) = said()
    assert obj == "Node/two"
    assert "with large packets, small ones pass" in says
    use_probe(large(lambda *ends: True))
    ((obj, says),) = said()
    assert obj == "PodNetwork/pods"
    assert "MTU" in says


def test_large_packets_count_only_if_small_ones_pass(use_probe: UseProbe) -> None:
    use_probe(mesh(NAMES[:4], lambda *ends: "two" in ends, (Target.PEER, Target.LARGE)))
    assert len(said()) == 1


def test_a_thousand_nodes_take_no_time(use_probe: UseProbe) -> None:
    names = [f"n{number}" for number in range(1000)]
    use_probe(mesh(names, lambda *ends: bool({"n7", "n400"} & set(ends))))
    began = time.monotonic()
    assert {
        obj
        for obj, _ in said(
            cluster_of(
                nodes=[node(name) for name in names], daemon_sets=[KINDNET], pods=[daemon(KINDNET, n) for n in names]
            )
        )
    } == {"Node/n7", "Node/n400"}
    assert time.monotonic() - began < 5
