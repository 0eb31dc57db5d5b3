"""Nodes that no rule judges: virtual ones, and those that are just being added or removed."""

import pytest

from checks.test_cni_daemonset import network_unavailable
from checks.test_kube_proxy import not_running
from checks.test_memory_limit import node_oom
from checks.test_node_ready import not_ready, pressure, silent
from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import is_leaving, settled_nodes
from kubevitals.facts.pods.faults import pod_faults
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_virtual
from kubevitals.probe.plan import is_probed
from tests import networks
from tests.fakes import CREATED, NOW, ago, cluster_of
from tests.networks import daemon, daemon_set, judged

PROXY = daemon_set("kube-proxy")
SCALED_DOWN = "ToBeDeletedByClusterAutoscaler"


def now(seconds: int = 0) -> str:
    """Return the time so many seconds ago, as the cluster autoscaler writes it."""
    return str(int(NOW.timestamp()) - seconds)


def taint(key: str, value: str = "", effect: str = "NoSchedule", added: pb.Time | None = None) -> pb.Taint:
    return pb.Taint(key=key, value=value, effect=effect, timeAdded=added)


def node(ready: str = "Unknown", *taints: pb.Taint, created: pb.Time = CREATED, since: int = 300) -> pb.Node:
    """Return a node that has been in this state for some time."""
    made = networks.node("two", ready, created=created)
    made.status.conditions[0].lastTransitionTime.CopyFrom(ago(since))
    made.spec.taints.extend(taints)
    return made


def cluster(*nodes: pb.Node) -> Cluster:
    """Return a cluster whose kube-proxy runs on node one alone."""
    one = networks.node("one")
    return cluster_of(nodes=[one, *nodes], daemon_sets=[PROXY], pods=[daemon(PROXY, "one")])


def found(cluster: Cluster) -> set[str]:
    """Return the rules that find something."""
    rules = (not_ready, silent, pressure, not_running, network_unavailable, node_oom)
    return {rule.__name__ for rule in rules if judged(rule, cluster)[0]}


VIRTUAL = {
    "virtual-kubelet": pb.Node(metadata=pb.ObjectMeta(labels={"type": "virtual-kubelet"})),
    "Fargate": pb.Node(metadata=pb.ObjectMeta(labels={"eks.amazonaws.com/compute-type": "fargate"})),
    "tainted": pb.Node(spec=pb.NodeSpec(taints=[taint("virtual-kubelet.io/provider", "azure")])),
    "provider": pb.Node(spec=pb.NodeSpec(providerID="aws:///eu-west-1a/0a1b/fargate-ip-10-0-0-1.ec2.internal")),
}


@pytest.mark.parametrize("virtual", VIRTUAL.values(), ids=VIRTUAL)
@pytest.mark.parametrize("ready", ["True", "False", "Unknown"])
def test_a_virtual_node_is_not_judged(virtual: pb.Node, ready: str) -> None:
    made = networks.node("two", ready)
    made.MergeFrom(virtual)
    made.metadata.labels["kubernetes.io/os"] = "linux"
    assert is_virtual(made)
    assert not is_probed(made)
    seen = cluster(made)
    assert found(seen) == set()
    assert seen.remarks == ["virtual nodes are not judged: two"]


def test_a_machine_is_not_virtual() -> None:
    machine = networks.node("two", cidr="10.244.1.0/24")
    machine.spec.providerID = "aws:///eu-west-1a/fargate-like"
    assert not is_virtual(machine)
    machine = networks.node("two")
    machine.spec.providerID = "aws:///eu-west-1a/i-0123"
    assert not is_virtual(machine)
    assert found(cluster(machine)) == {"not_running"}
    assert found(cluster(node())) == {"silent"}


LEAVING = {
    "autoscaler": [taint(SCALED_DOWN, now(600))],
    "Karpenter": [taint("karpenter.sh/disrupted")],
    "shut down": [taint("node.cloudprovider.kubernetes.io/shutdown")],
    "Cluster API": [taint("node.cluster.x-k8s.io/outdated-revision", effect="PreferNoSchedule")],
    "NoExecute": [taint("karpenter.sh/disruption", "disrupting", "NoExecute", ago(600))],
}


@pytest.mark.parametrize("taints", LEAVING.values(), ids=LEAVING)
def test_a_node_that_is_being_removed_is_a_remark(taints: list[pb.Taint]) -> None:
    seen = cluster(node("Unknown", *taints))
    assert found(seen) == set()
    assert seen.remarks == [f"nodes that are being removed are not judged: two ({taints[0].key})"]


STUCK = {
    "autoscaler": [taint(SCALED_DOWN, now(1000))],
    "Karpenter": [taint("karpenter.sh/disrupted")],
    "NoExecute": [taint("karpenter.sh/disruption", "disrupting", "NoExecute", ago(1000))],
}


@pytest.mark.parametrize("taints", STUCK.values(), ids=STUCK)
def test_a_node_that_is_being_removed_for_long_is_judged(taints: list[pb.Taint]) -> None:
    seen = cluster(node("Unknown", *taints, since=1000))
    assert found(seen) == {"silent"}
    assert seen.remarks == []


SHUT_DOWN = taint("node.cloudprovider.kubernetes.io/shutdown")
CORDON = taint("node.kubernetes.io/unschedulable")
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def idle(*taints: pb.Taint, since: int = 300, **labels: str) -> pb.Node:
    """Return a node that is down and cordoned if its taint says so."""
    made = node("Unknown", *taints, since=since)
    made.spec.unschedulable = CORDON in taints
    made.metadata.labels.update(labels)
    return made


@pytest.mark.parametrize(
    ("down", "why"),
    [(idle(CORDON), "cordoned and drained"), (idle(SHUT_DOWN, since=172800), SHUT_DOWN.key)],
    ids=["before a reboot", "stopped for later"],
)
@pytest.mark.parametrize("left", ["", "DaemonSet", "Node", "StatefulSet"])
def test_a_drained_node_is_down_on_purpose(down: pb.Node, why: str, left: str) -> None:
    """Azure/AKS issue 4313: with scale-down mode Deallocate, nodes stay, and their machines are stopped."""
    pod = networks.pod("left", "two")
    pod.metadata.ownerReferences.append(pb.OwnerReference(kind=left, name="left", controller=True))
    lists = {"pods": [daemon(PROXY, "one"), *([pod] if left else [])]}
    seen = cluster_of(nodes=[networks.node("one"), down], daemon_sets=[PROXY], **lists)
    if left == "StatefulSet":
        assert found(seen) == {"silent"}
    else:
        assert found(seen) == set()
        assert seen.remarks == [f"nodes that are out of service are not judged: two ({why})"]


@pytest.mark.parametrize(
    "down",
    [idle(CORDON, since=1000), idle(SHUT_DOWN, since=1000, **{CONTROL_PLANE: ""})],
    ids=["for long", "control plane"],
)
def test_a_drained_node_that_does_not_come_back_is_judged(down: pb.Node) -> None:
    assert found(cluster(down)) == {"silent"}


def test_what_is_left_on_a_cordoned_node_is_not_known_without_pods() -> None:
    seen = cluster_of({"/api/v1/pods": "timed out"}, nodes=[networks.node("one"), idle(CORDON)])
    assert judged(silent, seen)[0]


def test_a_node_that_its_kubelet_shuts_down_is_judged_when_that_takes_long() -> None:
    for since, rules in ((300, set()), (1000, {"not_ready"})):
        ending = node("False", since=since)
        ending.status.conditions[0].message = "node is shutting down"
        seen = cluster(ending)
        assert found(seen) == rules
        assert any("two (node is shutting down)" in remark for remark in seen.remarks) is not bool(rules)


def test_a_node_that_is_deleted_is_judged_when_that_takes_long() -> None:
    deleted = node("False")
    deleted.metadata.deletionTimestamp.CopyFrom(ago(100))
    assert found(cluster(deleted)) == set()
    deleted.metadata.deletionTimestamp.CopyFrom(ago(1000))
    assert found(cluster(deleted)) == {"not_ready"}


def test_a_ready_node_without_a_time_is_leaving_if_it_takes_no_pods() -> None:
    for effect, leaving in (("NoSchedule", True), ("PreferNoSchedule", False)):
        ready = node("True", taint("node.cluster.x-k8s.io/outdated-revision", effect=effect))
        assert is_leaving(ready, cluster(ready)) is leaving
        assert found(cluster(ready)) == (set() if leaving else {"not_running"})


@pytest.mark.parametrize(
    ("taints", "age", "settled"),
    [
        ([], 100, False),
        ([], 200, True),
        ([taint("node.cloudprovider.kubernetes.io/uninitialized")], 200, False),
        ([taint("node.cluster.x-k8s.io/uninitialized")], 200, False),
        ([taint("cni.istio.io/not-ready")], 200, False),
        ([taint("startup-taint.cluster-autoscaler.kubernetes.io/gpu")], 200, False),
        ([taint("node.gardener.cloud/critical-components-not-ready")], 1000, True),
        ([taint("node.cluster.x-k8s.io/uninitialized")], 1000, True),
    ],
)
def test_a_node_that_has_just_joined_is_not_judged(taints: list[pb.Taint], age: int, settled: bool) -> None:
    seen = cluster(node("False", *taints, created=ago(age), since=60))
    assert (len(seen.derive(settled_nodes)) == 2) is settled
    assert found(seen) == ({"not_ready"} if settled else set())


def test_a_node_with_a_taint_of_its_owner_is_judged() -> None:
    assert found(cluster(node("Unknown", taint("dedicated", "gpu"), taint("example.com/ToBeDeleted")))) == {"silent"}


def stuck_daemon(*, scheduled: bool) -> pb.Pod:
    """Return a kube-proxy pod for node two that has waited for half an hour, for its node or for its kubelet."""
    pod = daemon(PROXY, "two" if scheduled else "", "False", 1800)
    del pod.status.containerStatuses[:]
    pod.status.phase = "Pending"
    pod.status.conditions.append(
        pb.PodCondition(
            type="PodScheduled",
            status=str(scheduled),
            reason="" if scheduled else "Unschedulable",
            lastTransitionTime=ago(1800),
        )
    )
    field = pb.NodeSelectorRequirement(key="metadata.name", operator="In", values=["two"])
    required = pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution
    required.nodeSelectorTerms.append(pb.NodeSelectorTerm(matchFields=[field]))
    return pod


@pytest.mark.parametrize("scheduled", [True, False])
@pytest.mark.parametrize(
    ("on", "is_fault"),
    [
        (node("True"), True),
        (networks.node("two", "Unknown", labels={"type": "virtual-kubelet"}), False),
        (node("True", taint(SCALED_DOWN, now(60))), False),
    ],
    ids=["ordinary", "virtual", "leaving"],
)
def test_a_daemon_that_waits_on_a_node_that_is_not_judged_is_no_fault(
    scheduled: bool, on: pb.Node, is_fault: bool
) -> None:
    seen = cluster_of(nodes=[networks.node("one"), on], daemon_sets=[PROXY], pods=[stuck_daemon(scheduled=scheduled)])
    found = [fault for fault, symptoms in pod_faults(seen).symptoms.items() if symptoms]
    assert bool(found) is is_fault


def test_pressure_counts_on_a_node_that_has_just_joined() -> None:
    young = node("True", created=ago(60))
    young.status.conditions.append(pb.NodeCondition(type="MemoryPressure", status="True"))
    assert found(cluster(young)) == {"pressure", "node_oom"}


def test_of_many_nodes_a_remark_names_three() -> None:
    many = [networks.node(f"fargate-{n}", labels={"type": "virtual-kubelet"}) for n in range(5)]
    seen = cluster(*many)
    assert found(seen) == set()
    assert seen.remarks == ["virtual nodes are not judged: fargate-0, fargate-1, fargate-2 and 2 more"]
