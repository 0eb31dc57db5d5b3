"""Whoever owns one namespace can call things there as they like: it must hide no fault elsewhere, and blame nobody."""

import pytest

from checks import test_cni_daemonset as cni
from checks import test_conntrack as conntrack
from checks import test_kube_proxy as kube_proxy
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from kubevitals.probe.plan import Options, plan
from kubevitals.source.request import Answer
from tests.fakes import cluster_of
from tests.networks import daemon, daemon_set, exporter, found, judged, node, pod

NODES = [node("one"), node("two")]
PROXY, KINDNET = daemon_set("kube-proxy"), daemon_set("kindnet")


def labelled(name: str, **labels: str) -> pb.DaemonSet:
    made = daemon_set(name, "attacker")
    made.metadata.labels.update(labels)
    return made


@pytest.mark.parametrize(
    ("rule", "own", "fake"),
    [
        (kube_proxy.not_running, PROXY, labelled("proxy", **{"k8s-app": "kube-proxy"})),
        (kube_proxy.not_running, PROXY, labelled("kube-proxy-2", component="kube-proxy")),
        (cni.not_running, KINDNET, labelled("cilium")),
        (cni.not_running, KINDNET, labelled("ovnkube-node")),
    ],
    ids=["kube-proxy's label", "its component", "Cilium's name", "OVN-Kubernetes' name"],
)
def test_a_daemon_set_of_any_namespace_does_not_stand_in_for_the_clusters_own(
    rule: object, own: pb.DaemonSet, fake: pb.DaemonSet
) -> None:
    pods = [
        daemon(own, "one"),
        daemon(own, "two", "False", 300),
        daemon(fake, "one", "False", 300),
        daemon(fake, "two"),
    ]
    assert found(rule, cluster_of(nodes=NODES, daemon_sets=[own, fake], pods=pods)) == ["Node/two"]  # type: ignore[arg-type]


def test_a_daemon_set_of_any_namespace_is_not_the_clusters_cni() -> None:
    fake = labelled("cilium")
    findings, unseen = judged(cni.not_running, cluster_of(nodes=NODES, daemon_sets=[fake], pods=[daemon(fake, "one")]))
    assert findings == []
    assert "--cni-daemonset" in str(unseen)


def test_a_pod_that_names_another_namespaces_daemon_set_as_its_owner_is_none_of_its_pods() -> None:
    fake = daemon(PROXY, "two")
    fake.metadata.namespace = "attacker"
    pods = [daemon(PROXY, "one"), daemon(PROXY, "two", "False", 300), fake]
    assert found(kube_proxy.not_running, cluster_of(nodes=NODES, daemon_sets=[PROXY], pods=pods)) == ["Node/two"]


def test_a_pod_that_names_a_node_as_its_owner_is_no_static_kube_proxy_elsewhere() -> None:
    fake = pod("kube-proxy", "two", "False", labels={"component": "kube-proxy"})
    fake.metadata.namespace = "attacker"
    fake.metadata.ownerReferences.append(pb.OwnerReference(kind="Node", name="two", controller=True))
    with pytest.raises(NotApplicable):
        list(kube_proxy.not_running(cluster_of(nodes=NODES, pods=[fake])))


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize("said", ["1", "1000"], ids=["all is well", "the table is full"])
def test_a_node_exporter_in_the_pod_network_does_not_speak_for_its_node(said: str) -> None:
    fake = pod("fake", "two", labels={"app": "node-exporter"})
    path = "/api/v1/namespaces/kube-system/pods/{}:9100/proxy/metrics"
    metrics = "node_nf_conntrack_entries {}\nnode_nf_conntrack_entries_limit 1000\n"
    answers = {
        path.format("real"): Answer(200, metrics.format(1000).encode()),
        path.format("fake"): Answer(200, metrics.format(said).encode()),
    }
    cluster = cluster_of(answers, nodes=NODES, pods=[exporter("real", "one"), fake])
    findings, unseen = judged(conntrack.table_full, cluster)
    assert [str(finding.obj) for finding in findings] == ["Node/one"]
    assert "no node exporter runs on two" in str(unseen)


def test_the_probe_asks_no_pod_for_names_that_is_only_labelled_so() -> None:
    metadata = pb.ObjectMeta(name="dns", namespace="attacker", labels={"k8s-app": "kube-dns"})
    fake = pb.Pod(metadata=metadata, status=pb.PodStatus(phase="Running", podIPs=[pb.PodIP(ip="10.3.0.1")]))
    assert plan(Options(), [], [], [], [fake]).dns_pods == ()
