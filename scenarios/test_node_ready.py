"""Nodes that are not ready, unreachable or under pressure, and nodes that only look so."""

from kubevitals.objects import node_condition
from scenarios.faults import cordoned, process_frozen, scaled_down, service_stopped, unreported
from scenarios.harness import Seen, scenario
from scenarios.maintenance import SERVICES, SHOP, maintained
from scenarios.moments import created, within
from scenarios.undoing import together


@scenario(fault=service_stopped("worker2", "kubelet"), finds=["node-ready[silent] Node/worker2"])
def test_kubelet_stopped(seen: Seen) -> None:
    """An unreachable node's other conditions are Unknown, which is no pressure."""
    node = seen.node("worker2")
    assert {c.status for c in node.status.conditions} == {"Unknown"}


@scenario(on_demand=True, fault=process_frozen("worker2", "containerd"), finds=["node-ready[not-ready] Node/worker2"])
def test_container_runtime_frozen(seen: Seen) -> None:
    """The kubelet reports why the node is not ready."""
    ready = node_condition(seen.node("worker2"), "Ready")
    assert ready is not None
    assert ready.status == "False"
    assert seen.says("container runtime")


@scenario(fault=cordoned("worker2"), probe=True)
def test_cordoned_node(seen: Seen) -> None:
    """A cordoned node accepts no new pods, on purpose."""
    assert seen.node("worker2").spec.unschedulable


@scenario(fault=unreported("joining"), later=within(60, created("Node/joining")))
def test_node_just_joined(seen: Seen) -> None:
    """A node that joined a minute ago and has not reported yet is still starting."""
    node = next(node for node in seen.cluster.nodes if node.metadata.name == "joining")
    assert node_condition(node, "Ready") is None or node_condition(node, "Ready").status != "True"  # type: ignore[union-attr]


@scenario(on=test_node_just_joined, later=600, finds=["node-ready[silent] Node/joining"])
def test_node_never_reported(seen: Seen) -> None:
    """Ten minutes later the same node still has not reported."""


@scenario(fault=unreported("virtual", **{"type": "virtual-kubelet", "kubernetes.io/os": "linux"}), later=7200)
def test_virtual_node(seen: Seen) -> None:
    """A virtual node runs no kubelet, no kube-proxy and no CNI: DaemonSets' pods stay pending there."""
    node = next(node for node in seen.cluster.nodes if node.metadata.name == "virtual")
    assert node_condition(node, "Ready") is None or node_condition(node, "Ready").status != "True"  # type: ignore[union-attr]
    assert "virtual nodes are not judged: virtual" in seen.cluster.remarks


@scenario(on_demand=True, fault=together(scaled_down("worker2"), service_stopped("worker2", "kubelet")))
def test_node_scaled_down(seen: Seen) -> None:
    """The cluster autoscaler stops the machine before it deletes the Node."""
    ready = node_condition(seen.node("worker2"), "Ready")
    assert ready is not None
    assert ready.status == "Unknown"
    assert any("(ToBeDeletedByClusterAutoscaler)" in remark for remark in seen.cluster.remarks)


@scenario(on=test_node_scaled_down, later=1200, finds=["node-ready[silent] Node/worker2"])
def test_node_scaled_down_and_not_deleted(seen: Seen) -> None:
    """Twenty minutes later nothing has deleted it."""


@scenario(fault=maintained, probe=True)
def test_shop_after_maintenance(seen: Seen) -> None:
    """Every node was rebooted, a service was rolled out, and the autoscaler removed a node: all of it was planned."""
    assert [node.metadata.name.endswith("-worker2") for node in seen.cluster.nodes] == [False, False]
    pods = [pod for pod in seen.cluster.pods if pod.metadata.namespace == SHOP]
    assert len(pods) == 2 * len(SERVICES)
    assert all(status.ready for pod in pods for status in pod.status.containerStatuses)
    restarted = {pod.metadata.namespace for pod in seen.cluster.pods if pod.status.containerStatuses[0].restartCount}
    assert "kube-system" in restarted


@scenario(on=test_shop_after_maintenance, later=300)
def test_shop_five_minutes_after_maintenance(seen: Seen) -> None:
    """States that were too young to be judged have not become faults."""
    assert len(seen.cluster.nodes) == 2
