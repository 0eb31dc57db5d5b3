"""Pods that get no address from Calico's IPAM, pools that are full, and what only looks like it."""

from scenarios.faults_calico import (
    default_pool,
    existing,
    ip_pool,
    namespace_with,
    strict_affinity,
)
from scenarios.harness import Seen, scenario
from scenarios.objects import deployment, pod
from scenarios.undoing import doing, together

EVERYWHERE = [{"operator": "Exists"}]
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}
MISCONFIGURED = "ip-allocation[cni-misconfigured] Pod/app"


def on_the_control_plane(name: str) -> dict[str, object]:
    return pod(name, nodeSelector=CONTROL_PLANE, tolerations=EVERYWHERE)


@scenario(
    deployment("web", 5, room="a"),
    addon="calico",
    fault=together(
        default_pool(disabled=True),
        existing(ip_pool("four", "192.168.250.0/30", block_size=30)),
        namespace_with("calico-pool-full"),
    ),
    finds=["ip-allocation[headroom] IPPool/four (warning)", "ip-allocation[pool-exhausted] Pod/web-*"],
)
def test_calico_pool_full(seen: Seen) -> None:
    """The only enabled pool has 4 addresses, and the fifth pod gets none; the disabled pool does not count."""
    assert seen.says("4 of 4 addresses of 192.168.250.0/30")
    assert seen.says("Calico's IP pool 192.168.250.0/30 has no free address")


@scenario(pod("app", room="a"), addon="calico", fault=default_pool(disabled=True), finds=[MISCONFIGURED])
def test_calico_without_an_enabled_pool(seen: Seen) -> None:
    """The only pool is disabled: pods that run keep their addresses."""
    assert seen.says("no Calico IPPool can be used for this node")
    assert seen.says("IPPool default-ipv4-ippool: 192.168.0.0/16, disabled")


@scenario(pod("app", room="a"), addon="calico", fault=default_pool(nodeSelector='rack == "a"'), finds=[MISCONFIGURED])
def test_calico_pool_selects_other_nodes(seen: Seen) -> None:
    """No node has the label that the only pool asks for."""
    assert seen.says("no Calico IPPool selects this node")
    assert seen.says('nodeSelector rack == "a"')


@scenario(
    deployment("web", 5, room="a"),
    addon="calico",
    fault=together(
        default_pool(disabled=True),
        doing(
            lambda cluster: strict_affinity(cluster, strict=True),
            lambda cluster: strict_affinity(cluster, strict=False),
        ),
        existing(ip_pool("two-blocks", "192.168.248.0/29", block_size=30)),
        namespace_with("calico-strict-affinity", on_the_control_plane("first")),
    ),
    finds=["ip-allocation[headroom] Node/worker (warning)", "ip-allocation[pool-exhausted] Pod/web-*"],
)
def test_calico_strict_affinity(seen: Seen) -> None:
    """The block of the other node has three free addresses, which this node may not use."""
    assert seen.says("strict affinity forbids it the blocks of other nodes")
    assert seen.says("4 of 4 addresses of the blocks of IPPool two-blocks")
