"""Which node's kube-proxy is at fault, and when no node's is."""

import re

import pytest

from checks.test_kube_proxy import EXPLAINS, not_running, unhealthy
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotApplicable
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.fakes import Said, ago, cluster_of
from tests.kube_proxies import NODES, PODS, PROXY
from tests.networks import (
    daemon,
    daemon_set,
    found,
    judged,
    node,
    pod,
    refused_by_rbac,
    unreachable_port,
)

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
    assert (unseen.right, "nodes/proxy is refused: --kubelet=direct" in str(unseen)) == ("", True)


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


def test_what_does_not_reach_the_api_server_on_a_node_without_kube_proxy_is_its_symptom() -> None:
    node_ref, dns = Ref("Node", "", "one"), Ref("Deployment", "kube-system", "coredns")
    root = Case("kube-proxy", "not-running", Finding(node_ref, "has no kube-proxy pod", "x", node="one"))
    says = "keeps crashing: it does not reach the API server at 10.96.0.1:443"
    app = Case("startup-error", "app-exit", Finding(Ref("Pod", "shop", "app"), says, "x", node="one"))
    waits = Finding(dns, "does not serve DNS: it waits for the API server", "x", concerns=(node_ref,))
    coredns = Case("cluster-dns", "failing", waits)
    other = Case("startup-error", "app-exit", Finding(Ref("Pod", "shop", "b"), "exits", "x", node="one"))
    roots = roots_of([root, app, coredns, other], EXPLAINS)
    assert [roots[case] for case in (app, coredns, other)] == [root, root, other]
