"""Nodes without a default route: found if their host network is cut off, and not where no node has one or needs one."""

import pytest
from msgspec.structs import replace

from checks.test_cni_daemonset import EXPLAINS, no_route
from kubevitals.diagnosis.roots import roots_of
from kubevitals.probe.report import ProbeReport, Target
from tests.cni_nodes import KINDNET, NAMES, NODES, PODS
from tests.fakes import cluster_of
from tests.findings import case
from tests.networks import UseProbe, judged, mesh, reach

CLUSTER = cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=PODS)


def host(node: str, families: tuple[str, ...] | None, service: int = 2, peer: int = 2) -> ProbeReport:
    """Return a report of a node's host network with these default routes, and how often a Service and a pod answer."""
    reached = (
        reach(Target.API_SERVICE, "", service, address="10.96.0.1:443"),
        reach(Target.PEER, "four", peer, address="10.244.3.3:80"),
    )
    return ProbeReport(node, "host", whole=True, default_routes=families, reached=reached)


def found() -> list[str]:
    findings, _ = judged(no_route, CLUSTER)
    return [f"{finding.obj} {finding.part}" for finding in findings]


def test_a_node_without_default_route_that_reaches_no_service_is_found(use_probe: UseProbe) -> None:
    hosts = [host("one", ("IPv4",)), host("two", (), service=0), host("three", ("IPv4",))]
    use_probe([*mesh(NAMES[:3], lambda *ends: False), *hosts])
    assert found() == ["Node/two default route"]
    (finding,), _ = judged(no_route, CLUSTER)
    assert finding.says.startswith("has no IPv4 default route, which other nodes have")
    assert finding.evidence == ("api-service 10.96.0.1:443: timed out (2 tries)",)


def test_its_log_need_not_be_readable(use_probe: UseProbe) -> None:
    silent = replace(host("two", (), service=0), whole=False, unread="no answer")
    use_probe([*mesh(NAMES[:3], lambda *ends: False), host("one", ("IPv4",)), silent, host("three", ("IPv4",))])
    assert found() == ["Node/two default route"]


def test_what_its_pods_cannot_reach_is_not_told_twice(use_probe: UseProbe) -> None:
    hosts = [host("one", ("IPv4",)), host("two", (), service=0), host("three", ("IPv4",))]
    use_probe([*mesh(NAMES[:3], lambda *ends: "two" in ends), *hosts])
    assert found() == ["Node/two default route"]


@pytest.mark.parametrize(
    "hosts",
    [
        [host("one", ("IPv4",)), host("two", ()), host("three", ("IPv4",))],
        [host("one", ()), host("two", (), service=0), host("three", ())],
        [host("one", ("IPv4",), service=0), host("two", (), service=0), host("three", ("IPv4",), service=0)],
        [host("one", ("IPv4",)), host("two", None, service=0), host("three", ("IPv4",))],
        [host("one", ("IPv4",)), host("two", ("IPv4",), service=0), host("three", ("IPv4",))],
        [host("one", ("IPv4", "IPv6")), host("two", ("IPv4",), service=0), host("three", ("IPv4", "IPv6"))],
        [host("one", ("IPv4",)), host("two", (), service=0)],
    ],
    ids=[
        "it has routes of its own",
        "no node has one",
        "no node reaches the Service",
        "not read",
        "it has one",
        "of the other address family",
        "one peer",
    ],
)
def test_a_node_that_needs_none_or_is_like_its_peers_is_not_found(
    use_probe: UseProbe, hosts: list[ProbeReport]
) -> None:
    use_probe([*mesh(NAMES[:3], lambda *ends: False), *hosts])
    assert found() == []


def test_services_that_the_node_does_not_forward_are_a_symptom() -> None:
    cases = [
        case("kube-proxy[rules-wrong]", "Node/two"),
        case("cni-daemonset[no-route]", "Node/two", part="default route"),
    ]
    assert {root.check for root in roots_of(cases, EXPLAINS).values()} == {"cni-daemonset[no-route]"}
