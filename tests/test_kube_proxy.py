"""Which node's kube-proxy is at fault, and when no node's is."""

import re
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from checks.test_kube_proxy import node_port, not_running, rules_wrong, unhealthy
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import MissingReport
from kubevitals.probe.report import ProbeReport, Reach, Target
from kubevitals.source.request import Answer
from tests.fakes import Said, ago, cluster_of
from tests.networks import (
    UseProbe,
    daemon,
    daemon_set,
    found,
    judged,
    mesh,
    node,
    pod,
    reach,
    refused_by_rbac,
    unreachable_port,
)

PROXY = daemon_set("kube-proxy")
NODES = [node("one"), node("two"), node("three")]
PODS = [daemon(PROXY, n.metadata.name) for n in NODES]
LIVEZ = "/api/v1/nodes/{}:10256/proxy/livez"
WELL = Answer(200, b'{"lastUpdated": "2026-03-01T12:00:00Z", "currentTime": "2026-03-01T12:00:00Z"}')
ALL_WELL = {LIVEZ.format(n.metadata.name): WELL for n in NODES}


# --- not-running ---


@pytest.mark.parametrize(
    ("third", "expected"),
    [
        ([], "although its DaemonSet should run one there"),
        ([daemon(PROXY, "three", "False", 20, "CrashLoopBackOff")], "not ready: CrashLoopBackOff"),
        ([daemon(PROXY, "three", "False", 300)], "not ready"),
        ([daemon(PROXY, "three", "False", 20)], ""),
        ([daemon(PROXY, "three")], ""),
    ],
    ids=["missing", "crashing", "not ready", "just started", "running"],
)
def test_a_node_without_its_pod_is_named_whatever_the_daemon_set_counts(third: list[pb.Pod], expected: str) -> None:
    findings, _ = judged(not_running, cluster_of(nodes=NODES, daemon_sets=[PROXY], pods=[*PODS[:2], *third]))
    assert [expected in finding.says for finding in findings] == ([True] if expected else [])
    assert all(str(finding.obj) == "Node/three" for finding in findings)


def test_a_pod_that_is_not_scheduled_counts_for_the_node_that_it_is_meant_for() -> None:
    waiting = daemon(PROXY, "", "False", 300)
    field = pb.NodeSelectorRequirement(key="metadata.name", operator="In", values=["three"])
    required = waiting.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    required.nodeSelectorTerms.append(pb.NodeSelectorTerm(matchFields=[field]))
    findings, _ = judged(not_running, cluster_of(nodes=NODES, daemon_sets=[PROXY], pods=[*PODS[:2], waiting]))
    assert [("is not scheduled" in f.says, str(f.concerns[0])) for f in findings] == [
        (True, "Pod/kube-system/kube-proxy-")
    ]


@pytest.mark.parametrize(
    "third",
    [node("three", "Unknown"), node("three", "False"), node("three", created=ago(60))],
    ids=["silent", "not ready", "just joined"],
)
def test_a_node_that_is_down_or_young_is_not_blamed(third: pb.Node) -> None:
    assert found(not_running, cluster_of(nodes=[*NODES[:2], third], daemon_sets=[PROXY], pods=PODS[:2])) == []


def test_nodes_without_pods_that_the_daemon_set_excludes_are_healthy() -> None:
    chosen = daemon_set("kube-proxy", selector={"kubernetes.io/os": "linux"})
    nodes = [node(name, labels={"kubernetes.io/os": os}) for name, os in (("one", "linux"), ("windows", "windows"))]
    assert found(not_running, cluster_of(nodes=nodes, daemon_sets=[chosen], pods=[daemon(chosen, "one")])) == []


def test_a_cluster_without_kube_proxy_is_not_judged() -> None:
    cilium = daemon_set("cilium")
    for rule in (not_running, unhealthy):
        with pytest.raises(NotApplicable, match="another component forwards Service traffic"):
            list(rule(cluster_of(nodes=NODES, daemon_sets=[cilium], pods=[daemon(cilium, "one")])))


def test_a_kube_proxy_that_its_node_selector_keeps_off_all_nodes_does_not_count() -> None:
    kept_off = daemon_set("kube-proxy", selector={"non-calico": "true"})
    for rule in (not_running, unhealthy):
        with pytest.raises(NotApplicable):
            list(rule(cluster_of(nodes=NODES, daemon_sets=[kept_off])))


def test_static_pods_count() -> None:
    static = [
        pod("kube-proxy-one", "one", labels={"component": "kube-proxy"}),
        pod("kube-proxy-two", "two", "False", labels={"component": "kube-proxy"}),
    ]
    for made in static:
        made.metadata.ownerReferences.append(pb.OwnerReference(kind="Node", controller=True))
    assert sorted(found(not_running, cluster_of(nodes=NODES, pods=static))) == ["Node/three", "Node/two"]
    findings = {str(finding.obj): finding for finding in not_running(cluster_of(nodes=NODES, pods=static))}
    assert findings["Node/three"].says.startswith("has no kube-proxy pod although other nodes run it as a static pod")
    assert "staticPodPath" in findings["Node/three"].remedy


WINDOWS = node("three", labels={"kubernetes.io/os": "windows"})


@pytest.mark.parametrize("third", [WINDOWS, node("three", created=ago(60)), node("three", "Unknown")])
def test_a_node_that_needs_no_static_pod_yet(third: pb.Node) -> None:
    static = pod("kube-proxy-one", "one", labels={"component": "kube-proxy"})
    static.metadata.ownerReferences.append(pb.OwnerReference(kind="Node", controller=True))
    assert found(not_running, cluster_of(nodes=[NODES[0], third], pods=[static])) == []


@pytest.mark.parametrize(
    ("version", "labels", "expected"),
    [
        ("v1.34.1+k3s1", {}, "kube-proxy is built into k3s"),
        ("v1.34.1", {"microk8s.io/cluster": "true"}, "kube-proxy is built into MicroK8s (kubelite)"),
        ("v1.34.1", {"node.openshift.io/os_id": "rhel"}, "OpenShift's network forwards Service traffic"),
        ("v1.34.1", {}, "there is no kube-proxy pod: another component"),
    ],
)
def test_a_kube_proxy_that_is_built_in_is_named(version: str, labels: dict[str, str], expected: str) -> None:
    one = node("one", labels=labels)
    one.status.nodeInfo.kubeletVersion = version
    with pytest.raises(NotApplicable, match=re.escape(expected)):
        list(not_running(cluster_of(nodes=[one])))


def test_a_node_with_pods_that_the_daemon_set_excludes_is_named() -> None:
    chosen = daemon_set("kube-proxy", selector={"pool": "a"})
    nodes = [node("one", labels={"pool": "a"}), node("two"), node("three")]
    app, in_host = pod("app", "two"), pod("exporter", "three")
    in_host.spec.hostNetwork = True
    cluster = cluster_of(nodes=nodes, daemon_sets=[chosen], pods=[daemon(chosen, "one"), app, in_host])
    (finding,) = not_running(cluster)
    assert str(finding.obj) == "Node/two"
    assert "DaemonSet kube-proxy excludes it: its nodeSelector requires pool=a" in finding.says


# --- unhealthy, without a probe ---


STALE = Answer(503, b'{"lastUpdated": "2026-03-01T11:50:00Z", "currentTime": "2026-03-01T12:00:00Z"}')


def ask(**answers: Said) -> Cluster:
    paths = ALL_WELL | {LIVEZ.format(name): answer for name, answer in answers.items()}
    return cluster_of(paths, nodes=NODES, daemon_sets=[PROXY], pods=PODS)


@pytest.mark.usefixtures("no_probe")
def test_without_a_probe_the_api_server_is_asked_to_query_the_port() -> None:
    assert found(unhealthy, ask()) == []
    assert found(unhealthy, ask(two=unreachable_port)) == ["Node/two"]
    assert found(unhealthy, ask(two=STALE)) == ["Node/two"]


@pytest.mark.usefixtures("no_probe")
def test_all_kube_proxies_may_be_stale_at_once() -> None:
    assert found(unhealthy, ask(one=STALE, two=unreachable_port, three=STALE)) == ["Node/one", "Node/two", "Node/three"]


@pytest.mark.usefixtures("no_probe")
def test_a_port_that_cannot_be_queried_is_not_observed() -> None:
    findings, unseen = judged(unhealthy, ask(two=unreachable_port, three="no answer"))
    assert [str(finding.obj) for finding in findings] == ["Node/two"]
    assert unseen
    assert "no answer" in str(unseen)
    _, unseen = judged(unhealthy, ask(one=refused_by_rbac, two=refused_by_rbac, three=refused_by_rbac))
    assert unseen
    assert unseen.right == "get nodes/proxy"


@pytest.mark.usefixtures("failed_probe")
def test_a_failed_probe_is_not_excused_by_an_option_that_forbids_queries() -> None:
    assert found(unhealthy, ask()) == []
    cluster = ask()
    cluster.ask_kubelets = False
    _, unseen = judged(unhealthy, cluster)
    assert unseen
    assert (unseen.right, unseen.unasked) == ("create services", False)


@pytest.mark.usefixtures("no_probe")
def test_a_port_that_is_closed_everywhere_may_be_another_port() -> None:
    findings, unseen = judged(unhealthy, ask(one=unreachable_port, two=unreachable_port, three=unreachable_port))
    assert findings == []
    assert "healthzBindAddress" in str(unseen)


@pytest.mark.usefixtures("no_probe")
def test_a_node_without_its_pod_is_not_queried() -> None:
    paths = ALL_WELL | {LIVEZ.format("three"): unreachable_port}
    assert found(unhealthy, cluster_of(paths, nodes=NODES, daemon_sets=[PROXY], pods=PODS[:2])) == []


@pytest.mark.usefixtures("no_probe")
def test_a_kube_proxy_that_has_just_started_is_not_queried() -> None:
    paths = ALL_WELL | {LIVEZ.format("three"): unreachable_port}
    pods = [*PODS[:2], daemon(PROXY, "three", since=20)]
    assert found(unhealthy, cluster_of(paths, nodes=NODES, daemon_sets=[PROXY], pods=pods)) == []


FAILURE = (
    'E0301 {} 1 reflector.go:205] "Failed to watch" err="failed to list *v1.Service: Get '
    '\\"https://192.0.2.1:1/api/v1/services\\": dial tcp 192.0.2.1:1: connect: connection refused" type="*v1.Service"'
)


def with_logs(**logs: str) -> Cluster:
    """Return a cluster whose kube-proxies have these logs, and whose health ports are all closed."""
    closed: dict[str, Said] = {LIVEZ.format(n.metadata.name): unreachable_port for n in NODES}
    paths = {f"/api/v1/namespaces/kube-system/pods/kube-proxy-{name}/log": log for name, log in logs.items()}
    answers: dict[str, Said] = {path: Answer(200, log.encode()) for path, log in paths.items()}
    return cluster_of(closed | answers, nodes=NODES, daemon_sets=[PROXY], pods=PODS)


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (FAILURE.format("11:59:40.123456"), ["Node/two"]),
        (f"{FAILURE.format('11:59:40.123456')}\nI0301 11:59:41.0 1 server.go:1] waiting", ["Node/two"]),
        (FAILURE.format("11:30:00.123456"), []),
        (FAILURE.format("99:99:99.123456"), []),
        ("I0301 11:59:40.123456 1 config.go:317] starting service config controller", []),
        ("", []),
    ],
    ids=["now", "and a line after it", "over for half an hour", "no time", "fine", "empty"],
)
def test_a_kube_proxy_that_never_heard_from_the_api_server_says_so_in_its_log(log: str, expected: list[str]) -> None:
    findings, unseen = judged(unhealthy, with_logs(one="", two=log, three=""))
    assert [str(finding.obj) for finding in findings] == expected
    assert "healthzBindAddress" in str(unseen)
    assert all("cannot list and watch Services" in finding.says for finding in findings)


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


PEER = reach(Target.PEER, "three")


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
    use_probe([from_node(name, PEER, *attempts) for name in ("one", "two")])
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
