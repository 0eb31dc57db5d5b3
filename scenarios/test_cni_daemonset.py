"""The pod network: its daemon gone, its configuration gone, traffic between nodes lost; and what only looks like it."""

from scenarios.faults import service_stopped
from scenarios.faults_network import (
    cni_config_gone,
    daemon_crashing,
    daemon_missing,
    kindnet_frozen,
    large_packets_lost,
    one_way,
    pods_cut_off,
    route_removed,
)
from scenarios.harness import Seen, scenario

NOT_RUNNING = "cni-daemonset[not-running] Node/worker2"
NO_ROUTE = "cni-daemonset[no-route] Node/"


@scenario(on_demand=True, fault=daemon_missing("kindnet", "worker2"), finds=[NOT_RUNNING])
def test_cni_missing(seen: Seen) -> None:
    """What it has set up stays: the node is ready, and its DaemonSet counts three of three."""
    assert seen.says("has no CNI pod, though one belongs there")


@scenario(
    on_demand=True,
    fault=daemon_crashing("kindnet", "kindnet-cni", "worker2"),
    finds=[NOT_RUNNING, "startup-error[app-exit] Pod/kindnet-*"],
)
def test_cni_crashing(seen: Seen) -> None:
    """The pod is a finding of its own, and the node for what it lacks."""
    assert seen.says("has a CNI pod that is not ready")
    assert seen.says(" -c kindnet-cni --tail=50 --previous")


@scenario(
    on_demand=True,
    fault=cni_config_gone("worker2"),
    finds=["cni-daemonset[network-unavailable] Node/worker2", "node-ready[not-ready] Node/worker2"],
)
def test_cni_config_gone(seen: Seen) -> None:
    """The daemon's pod runs; the node has no network, and is not ready for that reason."""
    assert seen.says("cni plugin not initialized")
    assert seen.says("kubectl -n kube-system logs pod/kindnet-")


@scenario(on_demand=True, fault=route_removed("worker", "worker2"), probe=True, finds=[f"{NO_ROUTE}worker"])
def test_route_to_a_node_removed(seen: Seen) -> None:
    """Nothing goes either way between the two; who lacks the route is to blame, and it is named."""
    assert seen.says("-worker has no route to 10.244.")


@scenario(fault=pods_cut_off("worker2"), probe=True, finds=[f"{NO_ROUTE}worker2"])
def test_pods_of_a_node_cut_off(seen: Seen) -> None:
    """Both ends suffer, one is to blame; that DNS pods may be there or not changes nothing."""
    assert seen.says("has pods that reach no pod on other nodes, and that none of these reaches")


@scenario(on_demand=True, fault=one_way("worker", "worker2"), probe=True, finds=[f"{NO_ROUTE}worker"])
def test_traffic_dropped_one_way(seen: Seen) -> None:
    """What the other node's pods ask is answered."""
    assert seen.says("; the other way works")


@scenario(on_demand=True, fault=large_packets_lost("worker2"), probe=True, finds=[f"{NO_ROUTE}worker2"])
def test_large_packets_lost(seen: Seen) -> None:
    """Connections open, short answers come, long ones never."""
    assert seen.says("only large packets are lost")


@scenario(on_demand=True, fault=kindnet_frozen("worker2"), probe=True)
def test_cni_frozen(seen: Seen) -> None:
    """Nobody suffers yet: no pod has changed its node, no node has joined."""
    assert len(seen.cluster.nodes) == 3


@scenario(
    fault=service_stopped("worker2", "kubelet"), probe=True, on_demand=True, finds=["node-ready[silent] Node/worker2"]
)
def test_node_down_seen_from_inside(seen: Seen) -> None:
    """A node that is down is one finding; no peer misses it, and no daemon is missed there."""
    assert {c.status for c in seen.node("worker2").status.conditions} == {"Unknown"}
