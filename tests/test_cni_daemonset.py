"""Which node's network is at fault, and when no node's is."""

import pytest

from checks.test_cni_daemonset import EXPLAINS, network_unavailable, not_running
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.cni import RECOGNISED, Cni, daemon_sets
from kubevitals.findings.finding import Finding
from kubevitals.objects import ref
from kubevitals.source.request import Answer
from tests.cni_nodes import KINDNET, NODES, PODS
from tests.fakes import ago, cluster_of
from tests.networks import daemon, daemon_set, found, judged, node, pod

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
    with pytest.raises(NotObserved, match=r'there is no DaemonSet net/my-cnii \(did you mean "net/my-cni"\?\)'):
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


def test_calico_that_only_enforces_policies_in_gke_is_not_missed_elsewhere() -> None:
    calico = daemon_set("calico-node", selector={"projectcalico.org/ds-ready": "true"})
    assert found(not_running, cluster_of(nodes=[NODES[0]], daemon_sets=[calico], pods=[pod("app", "one")])) == []
    other = daemon_set("calico-node", selector={"calico": "yes"})
    assert found(not_running, cluster_of(nodes=[NODES[0]], daemon_sets=[other], pods=[pod("app", "one")])) == [
        "Node/one"
    ]


@pytest.mark.parametrize(
    ("version", "labels", "expected"),
    [
        ("v1.34.1+k3s1", {}, "flannel is built into k3s"),
        ("v1.34.1-gke.100", {}, "the CNI is built into GKE's nodes"),
        ("v1.34.1", {"eks.amazonaws.com/compute-type": "auto"}, "built into EKS Auto Mode's nodes"),
        ("v1.34.1", {"kubernetes.azure.com/cluster": "x"}, "the CNI is built into AKS"),
        ("v1.34.1", {"minikube.k8s.io/name": "minikube"}, "minikube configures a bridge"),
        ("v1.34.1", {"kubernetes.io/hostname": "docker-desktop"}, "Docker Desktop's only node"),
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


def test_a_cause_that_is_known_has_its_remedy() -> None:
    crashing = daemon(KINDNET, "six", "False", 30, "CrashLoopBackOff")
    said = b"stat /proc/sys/net/bridge/bridge-nf-call-iptables: no such file or directory\n"
    log = {f"/api/v1/namespaces/kube-system/pods/{crashing.metadata.name}/log": Answer(200, said)}
    (finding,) = not_running(cluster_of(log, nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS[:5], crashing]))
    assert finding.says.endswith("CrashLoopBackOff: the node has not loaded the kernel module br_netfilter")
    assert finding.remedy.startswith("load it on the nodes")


def test_a_cni_that_runs_and_is_not_ready_says_what_its_readiness_probe_does() -> None:
    unready = daemon(KINDNET, "six", "False", 300)
    unready.status.containerStatuses[0].state.running.startedAt.CopyFrom(ago(3600))
    about = pb.ObjectReference(
        kind="Pod", namespace="kube-system", name=unready.metadata.name, uid=unready.metadata.uid
    )
    about.fieldPath = f"spec.containers{{{unready.status.containerStatuses[0].name}}}"
    words = "Readiness probe failed: calico/node is not ready: BIRD is not ready: BGP not established with 10.0.0.7"
    event = pb.Event(involvedObject=about, type="Warning", reason="Unhealthy", message=words, lastTimestamp=ago(5))
    (finding,) = not_running(
        cluster_of(nodes=NODES, daemon_sets=[KINDNET], pods=[*PODS[:5], unready], all_events=[event])
    )
    assert finding.says.endswith("calico/node is not ready: BIRD is not ready: BGP not established with 10.0.0.7")
    assert "179/TCP" in finding.remedy


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
