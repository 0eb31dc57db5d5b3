"""Which is at fault if lookups fail: a node, a DNS pod, or the name servers outside."""

import pytest
from msgspec.structs import replace

from checks.test_cluster_dns import failing, pod_unreachable, service_unreachable, upstream
from kubevitals.inventory.probed import MissingReport
from kubevitals.probe.report import ABSENT, Lookup, ProbeReport, Target, Through
from tests.dns import CLUSTER, DOWN, SERVED, UNSERVED, B, dns_cluster
from tests.networks import FINE, UseProbe, found, judged, lookup, mesh, reach

BY_A, BY_B = lookup(Through.POD, pod="dns-a"), lookup(Through.POD, pod="dns-b")
NOT_A, NOT_B = lookup(Through.POD, 0, pod="dns-a"), lookup(Through.POD, 0, pod="dns-b")
PEER = reach(Target.PEER, "three")


def from_node(name: str, *lookups: Lookup, peer: bool = True) -> ProbeReport:
    reached = (PEER if name != "three" else reach(Target.PEER, "one"),) if peer else (reach(Target.PEER, "x", 0),)
    return ProbeReport(name, "pod", whole=True, resolver=FINE, lookups=lookups, reached=reached)


WELL = from_node("two", SERVED, BY_A, BY_B)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (from_node("one", UNSERVED, BY_A, BY_B), ["Node/one"]),
        (from_node("one", UNSERVED, NOT_A, NOT_B), ["Node/one"]),
        (from_node("one", UNSERVED, NOT_A, NOT_B, peer=False), []),
        (from_node("one", UNSERVED, BY_A, NOT_B), []),
        (from_node("one", lookup(Through.SERVICE, 1), BY_A, BY_B), []),
        (from_node("one", lookup(Through.SERVICE, 0, said="SERVFAIL"), BY_A, BY_B), []),
        (from_node("one", SERVED, BY_A, BY_B), []),
    ],
    ids=["by its address", "names only", "no network", "may be a pod", "now and then", "answered", "well"],
)
def test_the_services_address_is_blamed_where_its_pods_answer(
    use_probe: UseProbe, report: ProbeReport, expected: list[str]
) -> None:
    use_probe([report, WELL])
    assert found(service_unreachable, CLUSTER) == expected


def test_a_service_without_endpoints_has_its_own_finding(use_probe: UseProbe) -> None:
    use_probe([from_node("one", UNSERVED, BY_A, BY_B)])
    assert found(service_unreachable, dns_cluster(endpoint_slices=[])) == []


def test_a_dns_pod_that_answers_no_node_is_at_fault(use_probe: UseProbe) -> None:
    use_probe([from_node(name, SERVED, NOT_A, BY_B) for name in ("one", "two", "three")])
    (finding,), _ = judged(pod_unreachable, CLUSTER)
    assert (str(finding.obj), finding.says) == ("Pod/kube-system/dns-a", "is ready, but answers no queries")


def test_a_dns_pod_that_answers_some_nodes_lists_the_others(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVED, NOT_A, BY_B), WELL, from_node("three", SERVED, BY_A, BY_B)])
    (finding,), _ = judged(pod_unreachable, CLUSTER)
    assert "queries from one" in finding.says
    assert [str(ref) for ref in finding.concerns] == ["Node/one"]


def test_a_node_that_no_dns_pod_answers_is_at_fault_itself(use_probe: UseProbe) -> None:
    use_probe([from_node("one", UNSERVED, NOT_A, NOT_B, peer=False), WELL])
    assert found(pod_unreachable, CLUSTER) == []
    use_probe([from_node("one", UNSERVED, NOT_A, peer=False), from_node("two", SERVED, BY_A)])
    assert found(pod_unreachable, CLUSTER) == []


def test_a_dns_pod_on_a_node_without_network_is_not_blamed(use_probe: UseProbe) -> None:
    """Not even for what its own node's pods ask: the node is, and has a finding for it."""
    tried = (SERVED, NOT_A, BY_B)
    use_probe(replace(report, lookups=tried) for report in mesh(("one", "two", "three"), lambda *ends: "one" in ends))
    assert found(pod_unreachable, CLUSTER) == []
    whole = mesh(("one", "two", "three"), lambda *ends: False)
    use_probe(replace(report, lookups=tried) for report in whole)
    assert found(pod_unreachable, CLUSTER) == ["Pod/dns-a"]


@pytest.mark.parametrize("said", ["SERVFAIL", "NXDOMAIN", "REFUSED"])
def test_a_pod_that_answers_badly_is_failing_and_not_unreachable(use_probe: UseProbe, said: str) -> None:
    bad = lookup(Through.POD, 0, pod="dns-a", said=f"server can't find kubernetes: {said}")
    use_probe([from_node(name, SERVED, bad, BY_B) for name in ("one", "two")])
    assert found(pod_unreachable, CLUSTER) == []
    assert found(failing, CLUSTER) == ["Pod/dns-a"]


def test_a_pod_that_is_not_ready_is_broken_in_its_own_way(use_probe: UseProbe) -> None:
    use_probe([from_node(name, SERVED, NOT_A, BY_B) for name in ("one", "two")])
    assert found(pod_unreachable, dns_cluster(pods=[DOWN[0], B])) == []


# --- upstream ---

OUTSIDE, NOT_OUTSIDE = lookup(Through.SERVICE, outside=True), lookup(Through.SERVICE, 0, outside=True)


@pytest.mark.parametrize(
    ("reports", "expected", "words"),
    [
        (
            [from_node("one", SERVED, NOT_OUTSIDE), from_node("two", SERVED, NOT_OUTSIDE)],
            ["Service/kube-dns"],
            "but no outside names",
        ),
        (
            [from_node("one", SERVED, NOT_OUTSIDE), from_node("two", SERVED, OUTSIDE)],
            ["Service/kube-dns"],
            "for pods on one",
        ),
        ([from_node("one", UNSERVED, NOT_OUTSIDE), from_node("two", SERVED, OUTSIDE)], [], ""),
        ([from_node("one", SERVED, OUTSIDE)], [], ""),
    ],
    ids=["from nowhere", "from some", "no names at all", "well"],
)
def test_names_from_outside(use_probe: UseProbe, reports: list[ProbeReport], expected: list[str], words: str) -> None:
    use_probe(reports)
    findings, unseen = judged(upstream, CLUSTER)
    assert unseen is None
    assert [f"{f.obj.kind}/{f.obj.name}" for f in findings] == expected
    assert all(words in finding.says for finding in findings)


NOWHERE = lookup(Through.SERVICE, 0, outside=True, name=ABSENT)


def from_host(answered: int) -> ProbeReport:
    tried = lookup(Through.RESOLVER, answered, outside=True, name=ABSENT, server="192.0.2.53")
    return ProbeReport("one", "host", whole=True, lookups=(tried,))


def test_dns_should_say_what_the_nodes_own_name_servers_say(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVED, NOWHERE), from_host(2)])
    assert found(upstream, CLUSTER) == ["Service/kube-dns"]


def test_a_cluster_that_is_cut_off_may_be_so_on_purpose(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVED, NOWHERE), from_host(0)])
    findings, unseen = judged(upstream, CLUSTER)
    assert findings == []
    assert "cut off on purpose" in str(unseen)


def test_no_name_from_outside_is_not_observed(use_probe: UseProbe) -> None:
    use_probe([WELL])
    assert "no outside name was looked up" in str(judged(upstream, CLUSTER)[1])
    use_probe([WELL], [MissingReport("one", "pod", "probe-x", "no image")])
    assert "no result from one: no image" in str(judged(upstream, CLUSTER)[1])
