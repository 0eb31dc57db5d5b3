"""What a probe sees of Services and node ports: whose rules are wrong, and what is luck."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from checks.test_kube_proxy import node_port, rules_wrong, unhealthy
from kubevitals import schema_pb2 as pb
from kubevitals.inventory.probed import MissingReport
from kubevitals.probe.report import ProbeReport, Reach, Target
from tests.fakes import cluster_of
from tests.kube_proxies import NODES, PODS, PROXY
from tests.networks import (
    UseProbe,
    found,
    judged,
    mesh,
    node,
    reach,
)

# --- with a probe ---


def host(name: str, answered: int) -> ProbeReport:
    return ProbeReport(name, "host", whole=True, reached=(reach(Target.KUBE_PROXY, name, answered),))


def test_the_probe_queries_the_port_on_the_node(use_probe: UseProbe) -> None:
    cluster = cluster_of(nodes=NODES, daemon_sets=[PROXY], pods=PODS)
    use_probe([host("one", 2), host("two", 0), host("three", 2)])
    assert found(unhealthy, cluster) == ["Node/two"]
    use_probe([host("one", 2)], [MissingReport("two", "host", "probe-x", "ErrImagePull")])
    assert "ErrImagePull" in str(judged(unhealthy, cluster)[1])


def from_node(name: str, *reached: Reach) -> ProbeReport:
    return ProbeReport(name, "pod", whole=True, reached=reached)


PEER, LOST_PEER = reach(Target.PEER, "two"), reach(Target.PEER, "two", 0)


SERVICE, LOST_SERVICE = reach(Target.SERVICE), reach(Target.SERVICE, answered=0)


API, LOST_API = reach(Target.API_ENDPOINT), reach(Target.API_SERVICE, answered=0)


GOOD = from_node("two", reach(Target.PEER, "three"), SERVICE)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (from_node("one", PEER, LOST_SERVICE), ["Node/one"]),
        (from_node("one", PEER, SERVICE, LOST_API, API), ["Node/one"]),
        (from_node("one", PEER, reach(Target.SERVICE, answered=1)), []),
        (from_node("one", LOST_PEER, LOST_SERVICE), []),
        (from_node("one", PEER, reach(Target.PEER, "three", 0), LOST_SERVICE), []),
        (from_node("one", reach(Target.PEER, "one"), LOST_PEER, LOST_SERVICE), []),
        (from_node("one", LOST_API, reach(Target.API_ENDPOINT, answered=0)), []),
        (from_node("one", PEER, reach(Target.SERVICE, answered=0, address="[fd00::1]:80")), []),
        (from_node("one", PEER, SERVICE), []),
    ],
    ids=[
        "own Service",
        "the API's",
        "now and then",
        "no network",
        "part of it",
        "own pod only",
        "API down",
        "IPv6",
        "all",
    ],
)
def test_a_service_is_wrong_only_if_its_endpoints_answer(
    use_probe: UseProbe, report: ProbeReport, expected: list[str]
) -> None:
    use_probe([report, GOOD])
    assert found(rules_wrong, cluster_of(nodes=NODES)) == expected


def test_on_a_single_node_its_own_pod_is_tried(use_probe: UseProbe) -> None:
    use_probe([from_node("one", reach(Target.PEER, "one"), LOST_SERVICE)])
    assert found(rules_wrong, cluster_of(nodes=NODES)) == ["Node/one"]


YOUNG = pb.Service(
    metadata=pb.ObjectMeta(name="payments", namespace="shop"),
    spec=pb.ServiceSpec(clusterIP="10.96.5.5", ports=[pb.ServicePort(port=80)]),
)


def behind_young(*nodes: str) -> pb.EndpointSlice:
    made = [pb.Endpoint(addresses=[f"10.244.9.{n}"], nodeName=name) for n, name in enumerate(nodes, 1)]
    labels = {"kubernetes.io/service-name": "payments"}
    metadata = pb.ObjectMeta(namespace="shop", labels=labels)
    return pb.EndpointSlice(metadata=metadata, endpoints=made, ports=[pb.EndpointPort(port=8080)])


def opened(service: int, endpoint: int, address: str = "10.244.9.1:8080") -> list[Reach]:
    return [
        reach(Target.OPEN_SERVICE, "", service, address="10.96.5.5:80"),
        reach(Target.OPEN_ENDPOINT, "", endpoint, address=address),
    ]


THIRD_PEER = reach(Target.PEER, "three")


@pytest.mark.parametrize(
    ("attempts", "expected"),
    [
        (opened(0, 2), ["Node/one", "Node/two"]),
        (opened(1, 2), []),
        (opened(0, 0), []),
        (opened(0, 2, "10.244.9.9:8080"), []),
        ([LOST_SERVICE, *opened(0, 2)], ["Node/one", "Node/two"]),
    ],
    ids=["stale", "answers once", "endpoint is silent", "not its endpoint", "and its own"],
)
def test_a_young_service_that_does_not_answer_although_its_endpoint_does(
    use_probe: UseProbe, attempts: list[Reach], expected: list[str]
) -> None:
    use_probe([from_node(name, THIRD_PEER, *attempts) for name in ("one", "two")])
    cluster = cluster_of(nodes=NODES, services=[YOUNG], endpoint_slices=[behind_young("one")])
    findings, _ = judged(rules_wrong, cluster)
    assert [f"Node/{finding.obj.name}" for finding in findings] == expected
    assert all("Service/shop/payments at 10.96.5.5:80" in "".join(f.evidence) for f in findings)


def test_a_service_that_answers_nowhere_is_not_blamed_on_every_node(use_probe: UseProbe) -> None:
    use_probe([from_node(name, reach(Target.PEER, "three"), LOST_SERVICE) for name in ("one", "two")])
    findings, unseen = judged(rules_wrong, cluster_of(nodes=NODES))
    assert findings == []
    assert "endpoints" in str(unseen)
    use_probe([from_node(name, reach(Target.PEER, "three"), LOST_SERVICE, LOST_API, API) for name in ("one", "two")])
    assert found(rules_wrong, cluster_of(nodes=NODES)) == ["Node/one", "Node/two"]


def port(target: str, answered: int = 2) -> Reach:
    return reach(Target.NODE_PORT, target, answered)


@pytest.mark.parametrize(
    ("reports", "expected"),
    [
        (
            [from_node("one", SERVICE, port("one", 0)), from_node("two", SERVICE, port("one", 0), port("two"))],
            ["Node/one"],
        ),
        ([from_node("one", SERVICE, port("one")), from_node("two", SERVICE, port("two"))], []),
        ([from_node("one", LOST_SERVICE, port("one", 0)), from_node("two", SERVICE, port("one", 0), port("two"))], []),
        (
            [from_node("one", SERVICE, port("one", 0), port("two", 0)), from_node("two", SERVICE, port("two"))],
            ["Node/one"],
        ),
    ],
    ids=["shut", "open", "Service down", "who reaches none"],
)
def test_a_node_port_is_judged_if_services_answer(
    use_probe: UseProbe, reports: list[ProbeReport], expected: list[str]
) -> None:
    use_probe(reports)
    assert found(node_port, cluster_of(nodes=NODES)) == expected


def test_a_node_port_that_answers_only_some_nodes_names_the_others(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVICE, port("one")), from_node("two", SERVICE, port("one", 0))])
    (finding,), _ = judged(node_port, cluster_of(nodes=NODES))
    assert (str(finding.obj), [str(ref) for ref in finding.concerns]) == ("Node/one", ["Node/two"])


def test_node_ports_that_answer_nowhere_may_be_closed_on_purpose(use_probe: UseProbe) -> None:
    use_probe([from_node(name, SERVICE, port(name, 0)) for name in ("one", "two")])
    findings, unseen = judged(node_port, cluster_of(nodes=NODES))
    assert findings == []
    assert "nodePortAddresses" in str(unseen)


def spread(names: Sequence[str], lost: str, failing: Sequence[Reach], tries: int = 3) -> list[ProbeReport]:
    """Return the reports of nodes of which one is cut off; the first one has failing attempts as well."""
    reports = list(mesh(names, lambda *ends: lost in ends))
    attempts = [replace(reach, tries=tries) for reach in failing]
    services = [(*attempts,) if report.node == names[0] else (SERVICE, port(report.node)) for report in reports]
    return [replace(r, reached=r.reached + more) for r, more in zip(reports, services, strict=True)]


NINE = [f"n{number}" for number in range(9)]


@pytest.mark.parametrize(
    ("names", "failing", "expected"),
    [
        (NINE[:3], [SERVICE, port("n0", 0)], []),
        (NINE, [SERVICE, port("n0", 0)], []),
        ([f"n{number}" for number in range(60)], [SERVICE, port("n0", 0)], ["Node/n0"]),
    ],
    ids=["one endpoint of three", "one of nine", "one of sixty"],
)
def test_a_node_port_is_not_blamed_for_endpoints_on_a_node_that_is_cut_off(
    use_probe: UseProbe, names: Sequence[str], failing: Sequence[Reach], expected: list[str]
) -> None:
    use_probe(spread(names, names[-1], failing))
    assert found(node_port, cluster_of(nodes=[node(name) for name in names])) == expected


def test_a_service_is_blamed_where_chance_explains_nothing(use_probe: UseProbe) -> None:
    """One of nine nodes is cut off; it is not a peer of the node that reaches no Service."""
    use_probe(spread(NINE, "n6", [LOST_SERVICE]))
    assert found(rules_wrong, cluster_of(nodes=[node(name) for name in NINE])) == []
    use_probe(spread(NINE, "n6", [replace(LOST_SERVICE, kind=Target.API_SERVICE), API]))
    assert found(rules_wrong, cluster_of(nodes=[node(name) for name in NINE])) == ["Node/n0"]
