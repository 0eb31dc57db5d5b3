"""What a probe sees of the pod network: which node loses traffic, and why."""

import json
import time

import pytest
from msgspec.structs import replace

from checks.test_cni_daemonset import no_route
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import MissingReport
from kubevitals.probe.report import ProbeReport, Route, Target, Through
from kubevitals.source.request import Answer
from tests.cni_nodes import KINDNET, NAMES, NODES, PODS
from tests.fakes import cluster_of, list_bytes
from tests.networks import Lost, UseProbe, daemon, judged, lookup, mesh, node, pod, reach

CLUSTER = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=PODS)


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


def policy_lists() -> dict[str, Answer]:
    """Return policies of two namespaces, and one of Calico for all namespaces."""
    policies = [
        pb.NetworkPolicy(metadata=pb.ObjectMeta(name=name, namespace=namespace))
        for namespace, name in (("kubevitals-probe", "deny-all"), ("shop", "other"))
    ]
    for_all = json.dumps({"items": [{"metadata": {"name": "default-deny"}}]}).encode()
    return {
        "/apis/networking.k8s.io/v1/networkpolicies": Answer(200, list_bytes(policies)),
        "/apis/crd.projectcalico.org/v1/globalnetworkpolicies": Answer(200, for_all),
    }


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
