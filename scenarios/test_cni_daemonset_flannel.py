"""The pod network of flannel: its daemon, its configuration, lost traffic; and look-alikes."""

from kubevitals.inventory.probed import probed
from scenarios.faults_flannel import net_conf, vxlan_dropped
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
