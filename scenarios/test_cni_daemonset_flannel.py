"""The pod network of flannel: its daemon, its configuration, lost traffic; and look-alikes."""

from kubevitals.inventory.probed import probed
from scenarios.faults_flannel import net_conf, tainted, vxlan_dropped
from scenarios.harness import Seen, scenario
from scenarios.objects import deployment


@scenario(deployment("web", 2), addon="flannel")
def test_flannel_healthy(seen: Seen) -> None:
    """flannel is the network of the cluster."""
    assert [ds.metadata.name for ds in seen.cluster.daemon_sets] == ["kube-flannel-ds", "kube-proxy"]


@scenario(deployment("web", 2), addon="flannel", probe=True)
def test_flannel_healthy_seen_from_inside(seen: Seen) -> None:
    """The probe runs as well, and nothing is left unseen."""
    assert not seen.unseen


@scenario(deployment("web", 2), addon="flannel", probe=True, fault=net_conf(backend="host-gw"))
def test_flannel_host_gw(seen: Seen) -> None:
    """Nodes route to each other's pods without a tunnel."""
    routes = [route for report in probed(seen.cluster).of("host") for route in report.routes]
    assert {route.device for route in routes if route.via and route.network.startswith("10.244.")} == {"eth0"}


@scenario(addon="flannel", probe=True, fault=vxlan_dropped("worker"), finds=["cni-daemonset[no-route] PodNetwork/pods"])
def test_flannel_vxlan_dropped(seen: Seen) -> None:
    """A firewall drops the port of the tunnel on one of two nodes."""
    assert seen.says("VXLAN 8472/UDP")


@scenario(
    addon="flannel",
    fault=net_conf(network="10.99.0.0/16"),
    finds=[
        "cni-daemonset[not-running] Node/worker",
        "cni-daemonset[not-running] Node/control-plane",
        "startup-error[app-exit] Pod/kube-flannel-ds-*",
    ],
)
def test_flannel_of_another_network(seen: Seen) -> None:
    """net-conf.json has a network that does not contain the podCIDRs of the nodes: flannel exits on all nodes."""
    assert seen.says("let Network in net-conf.json (ConfigMap kube-flannel-cfg) contain the podCIDRs of all nodes")
    assert seen.says('subnet "10.99.0.0/16" specified in the flannel net config doesn\'t contain')


@scenario(
    deployment("web", room="a", tolerations=[{"operator": "Exists"}]),
    addon="flannel",
    fault=tainted("worker", "rack=maintenance:NoExecute"),
    finds=["cni-daemonset[not-running] Node/worker"],
)
def test_flannel_evicted(seen: Seen) -> None:
    """Its DaemonSet tolerates only taints with the effect NoSchedule; another pod tolerates all."""
    assert seen.says("DaemonSet kube-flannel-ds excludes it")
