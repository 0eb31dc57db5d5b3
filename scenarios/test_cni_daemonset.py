"""The pod network: the CNI's pod or configuration is missing, or traffic between nodes is lost; and look-alikes."""

from scenarios.faults import service_stopped
from scenarios.faults_network import (
    cni_config_gone,
    daemon_crashing,
    daemon_excluded,
    daemon_missing,
    default_route_removed,
    kindnet_frozen,
    large_packets_lost,
    one_way,
    pods_cut_off,
    route_removed,
)
from scenarios.harness import Seen, scenario
from scenarios.objects import deployment

NOT_RUNNING = "cni-daemonset[not-running] Node/worker2"
NO_ROUTE = "cni-daemonset[no-route] Node/"


@scenario(on_demand=True, fault=daemon_missing("kindnet", "worker2"), finds=[NOT_RUNNING])
def test_cni_missing(seen: Seen) -> None:
    """Routes and configuration stay in place: the node is ready, and the DaemonSet counts three of three."""
    assert seen.says("has no CNI pod although its DaemonSet should run one there")


@scenario(
    on_demand=True,
    fault=daemon_crashing("kindnet", "kindnet-cni", "worker2"),
    finds=[NOT_RUNNING, "startup-error[app-exit] Pod/kindnet-*"],
)
def test_cni_crashing(seen: Seen) -> None:
    """The pod is one finding; the node without a working CNI is another."""
    assert seen.says("has a CNI pod that is not ready")
    assert seen.says(" -c kindnet-cni --tail=50 --previous")


@scenario(deployment("web", room="b"), on_demand=True, fault=daemon_excluded("kindnet", "worker2"), finds=[NOT_RUNNING])
def test_cni_excluded_by_affinity(seen: Seen) -> None:
    """Pods run on a node that the DaemonSet excludes: nobody writes its routes any more."""
    assert seen.says("although other pods run there: DaemonSet kindnet excludes it")


@scenario(
    on_demand=True,
    fault=cni_config_gone("worker2"),
    finds=["cni-daemonset[network-unavailable] Node/worker2", "node-ready[not-ready] Node/worker2"],
)
def test_cni_config_gone(seen: Seen) -> None:
    """The CNI's pod runs; the node has no network and is not ready for that reason."""
    assert seen.says("cni plugin not initialized")
    assert seen.says("kubectl -n kube-system logs pod/kindnet-")


@scenario(on_demand=True, fault=route_removed("worker", "worker2"), probe=True, finds=[f"{NO_ROUTE}worker"])
def test_route_to_a_node_removed(seen: Seen) -> None:
    """No traffic passes in either direction; the node without the route is at fault, and the route is named."""
    assert seen.says("-worker has no route to 10.244.")


@scenario(
    on_demand=True,
    fault=default_route_removed("worker2"),
    probe=True,
    finds=[f"{NO_ROUTE}worker2", "kube-proxy[rules-wrong] Node/worker2"],
)
def test_default_route_removed(seen: Seen) -> None:
    """The node's host network reaches no Service: the kernel finds no route before iptables changes the address."""
    assert seen.says("has no IPv4 default route, which other nodes have")


@scenario(fault=pods_cut_off("worker2"), probe=True, finds=[f"{NO_ROUTE}worker2"])
def test_pods_of_a_node_cut_off(seen: Seen) -> None:
    """Both ends lose traffic, but one node is at fault, whether or not DNS pods run there."""
    assert seen.says("pods on this node and pods on other nodes cannot reach each other")


@scenario(on_demand=True, fault=one_way("worker", "worker2"), probe=True, finds=[f"{NO_ROUTE}worker"])
def test_traffic_dropped_one_way(seen: Seen) -> None:
    """Requests from pods on the other node are answered."""
    assert seen.says("; the other direction works")


@scenario(on_demand=True, fault=large_packets_lost("worker2"), probe=True, finds=[f"{NO_ROUTE}worker2"])
def test_large_packets_lost(seen: Seen) -> None:
    """Connections open and short answers arrive, but long ones never do."""
    assert seen.says("with large packets, small ones pass")


@scenario(on_demand=True, fault=kindnet_frozen("worker2"), probe=True)
def test_cni_frozen(seen: Seen) -> None:
    """Nothing is broken yet: no pod has moved, and no node has joined."""
    assert len(seen.cluster.nodes) == 3


@scenario(
    fault=service_stopped("worker2", "kubelet"), probe=True, on_demand=True, finds=["node-ready[silent] Node/worker2"]
)
def test_node_down_seen_from_inside(seen: Seen) -> None:
    """A node that is down is one finding: its peers are not blamed, and no daemon is reported missing there."""
    assert {c.status for c in seen.node("worker2").status.conditions} == {"Unknown"}
