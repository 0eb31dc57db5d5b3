"""Remedies that depend on more than the constraint: who sets a label, whose pods hold the nodes, where a volume is."""

from collections.abc import Callable

import pytest
from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from tests.test_scheduling import found, nodes, on_disk, pending, running

ROLLOUT = "let the rollout remove a pod before it adds one (maxSurge 0, maxUnavailable 1), or "


def one(pod: pb.Pod, made: list[pb.Node], *others: pb.Pod, **lists: list[Message]) -> Finding:
    (finding,) = found(pod, made, *others, **lists)
    return finding


def of_revision(pod: pb.Pod, revision: str) -> pb.Pod:
    pod.metadata.labels["app"], pod.metadata.labels["pod-template-hash"] = "web", revision
    pod.metadata.ownerReferences.add(kind="ReplicaSet", name=f"web-{revision}", controller=True)
    return pod


def apart(pod: pb.Pod) -> None:
    terms = pod.spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution
    terms.add(topologyKey="kubernetes.io/hostname").labelSelector.matchLabels["app"] = "web"


def on_a_port(pod: pb.Pod) -> None:
    pod.spec.containers[0].ports.add(containerPort=80, hostPort=80)


@pytest.mark.parametrize("change", [apart, on_a_port])
@pytest.mark.parametrize(("revision", "starts"), [("5d", True), ("6e", False)], ids=["a rollout", "a scale-up"])
def test_the_old_pods_of_a_rollout_hold_the_nodes(
    change: Callable[[pb.Pod], None], revision: str, *, starts: bool
) -> None:
    """kubernetes/kubernetes issues 56539 and 116891."""
    new, old = pending("web-new"), [running(f"web-{number}", f"worker-{number}") for number in range(3)]
    for pod in (of_revision(new, "6e"), *(of_revision(pod, revision) for pod in old)):
        change(pod)
    assert one(new, nodes(), *old).remedy.startswith(ROLLOUT) is starts


@pytest.mark.parametrize(
    ("label", "remedy"),
    [("kubernetes.io/arch", "their kubelet or cloud sets this label"), ("disk", "kubectl label node worker-0 disk=x")],
)
def test_labels_of_a_machine_are_not_set_by_hand(label: str, remedy: str) -> None:
    pod = pending()
    pod.spec.nodeSelector[label] = "x"
    assert remedy in one(pod, nodes(1)).remedy


@pytest.mark.parametrize(
    ("has", "says"),
    [
        ("0", "no node offers nvidia.com/gpu, which it requests"),
        ("1", "it requests 2 nvidia.com/gpu, and the node with most has 1 nvidia.com/gpu free"),
    ],
)
def test_a_device_that_no_plugin_offers(has: str, says: str) -> None:
    pod, made = pending(), nodes()
    pod.spec.containers[0].resources.requests["nvidia.com/gpu"].string = "2"
    made[0].status.allocatable["nvidia.com/gpu"].string = has
    assert one(pod, made).says == f"cannot be scheduled: {says}"


def test_a_node_that_nothing_sets_up() -> None:
    made = nodes(1)
    made[0].spec.taints.add(key="node.cloudprovider.kubernetes.io/uninitialized", value="true", effect="NoSchedule")
    finding = one(pending(), made)
    assert "node worker-0 is not set up yet: the taint node.cloudprovider.kubernetes.io/uninitialized" in finding.says
    assert "toleration" not in finding.remedy


def test_room_elsewhere_is_none_for_a_volume() -> None:
    """helm/charts issue 16701: the nodes of the volume's zone are full, and another zone has a new node."""
    pod, made = pending(cpu="2"), nodes(2)
    finding = one(pod, made, running("db", "worker-0", cpu="3"), **on_disk(pod, "worker-0"))
    assert finding.says.endswith('has 1 CPU free, of those that can use PersistentVolume "disk"')
    assert finding.remedy.endswith("large enough there")


def test_a_node_more_does_not_help_replicas_that_share_a_volume_of_one_node() -> None:
    pod, made = pending(labels={"app": "web"}), nodes(2)
    apart(pod)
    finding = one(pod, made, running("web-0", "worker-0", {"app": "web"}), **on_disk(pod, "worker-0"))
    assert finding.says.endswith('rules out 1 of 2 nodes, among them all that can use PersistentVolume "disk"')
    assert finding.remedy.startswith("give each pod a volume of its own")


def spread(pod: pb.Pod) -> None:
    wanted = pod.spec.topologySpreadConstraints.add(topologyKey="zone", maxSkew=1, whenUnsatisfiable="DoNotSchedule")
    wanted.labelSelector.matchLabels["app"] = "web"


def near(pod: pb.Pod) -> None:
    terms = pod.spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution
    terms.add(topologyKey="zone").labelSelector.matchLabels["app"] = "db"


@pytest.mark.parametrize("change", [spread, near])
@pytest.mark.parametrize("is_labelled", [False, True])
def test_a_topology_that_no_node_is_part_of(change: Callable[[pb.Pod], None], *, is_labelled: bool) -> None:
    """Machines outside of clouds have no zones, and the scheduler says "missing required label"."""
    pod, made = pending(), nodes(1)
    change(pod)
    if is_labelled:
        made[0].metadata.labels["zone"] = "a"
    assert ("goes by the label zone, which no node has" in one(pod, made).says) is not is_labelled


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("0/3 nodes are available: 3 cannot allocate all claims.", "resourceslices"),
        ('running PreFilter plugin "DynamicResources": resourceclaim "gpu" not found', "resourceslices"),
        ("0/3 nodes are available: 3 node(s) did not like it.", "scheduler's message"),
    ],
)
def test_devices_that_are_claimed(message: str, remedy: str) -> None:
    pod = pending()
    pod.status.conditions[0].message = message
    assert remedy in one(pod, nodes()).remedy
