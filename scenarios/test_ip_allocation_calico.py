"""Pods that get no address from Calico's IPAM, pools that are full, and what only looks like it."""

from scenarios.faults_calico import (
    NO_NODE,
    addresses_not_released,
    default_pool,
    existing,
    ip_pool,
    kube_controllers_stopped,
    namespace_with,
    node_deleted,
    strict_affinity,
    token_refused,
)
from scenarios.harness import Seen, scenario
from scenarios.objects import deployment, pod
from scenarios.undoing import doing, together

EVERYWHERE = [{"operator": "Exists"}]
CONTROL_PLANE = {"node-role.kubernetes.io/control-plane": ""}
OLD = 180
"""Seconds after which addresses that no pod has are counted as leaked, and more."""
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


@scenario(
    deployment("web", 4, room="a"),
    addon="calico",
    fault=together(
        existing(ip_pool("dmz", "10.240.0.0/30", block_size=30, nodes=NO_NODE)),
        namespace_with("calico-pool-of-a-namespace-full", pools="dmz"),
    ),
    then=["wait --for=condition=Available deployment/web"],
    finds=["ip-allocation[headroom] IPPool/dmz (warning)"],
)
def test_calico_pool_of_a_namespace_full(seen: Seen) -> None:
    """All pods run, and the next one of this namespace would get no address; the default pool has many."""
    assert seen.says("4 of 4 addresses of 10.240.0.0/30")
    assert seen.says("pods of namespace calico-pool-of-a-namespace-full")


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


@scenario(
    deployment("web", 6, room="a"),
    addon="calico",
    probe=True,
    fault=together(
        existing(ip_pool("two-blocks", "10.240.8.0/29", block_size=30, nodes=NO_NODE)),
        namespace_with("calico-node-borrows", on_the_control_plane("first"), pools="two-blocks"),
    ),
    then=["wait --for=condition=Available deployment/web"],
)
def test_calico_node_borrows(seen: Seen) -> None:
    """A node uses two addresses of another node's block: 7 of 8 addresses of the pool are in use."""
    assert len([p for p in seen.cluster.pods if p.status.podIP.startswith("10.240.8.")]) == 7


GONE = [pod(f"gone-{number}", room="a") for number in range(5)]
"""Pods that take both blocks of a pool of 8 addresses for one node."""


@scenario(
    deployment("web", 5, room="a"),
    addon="calico",
    fault=together(
        existing(ip_pool("leaking", "10.240.16.0/29", block_size=30, nodes=NO_NODE)),
        namespace_with("calico-addresses-leaked", *GONE, pools="leaking"),
        addresses_not_released("worker", "calico-addresses-leaked"),
    ),
    later=OLD,
    finds=["ip-allocation[headroom] IPPool/leaking (warning)", "ip-allocation[pool-exhausted] Pod/web-*"],
)
def test_calico_addresses_leaked(seen: Seen) -> None:
    """The addresses of five pods were not released when these were deleted."""
    assert seen.says("leaked addresses: 5, assigned to pods that are gone: calico-addresses-leaked/gone-0, ")
    assert seen.says("calico-kube-controllers releases them after 15 minutes")


@scenario(
    deployment("web", 4, nodeSelector=CONTROL_PLANE, tolerations=EVERYWHERE),
    addon="calico",
    fault=together(
        existing(ip_pool("lost", "10.240.24.0/29", block_size=30, nodes=NO_NODE)),
        namespace_with("calico-addresses-of-a-deleted-node", *GONE, pools="lost"),
        kube_controllers_stopped(),
        node_deleted("worker"),
    ),
    later=OLD,
    finds=["ip-allocation[headroom] IPPool/lost (warning)", "ip-allocation[pool-exhausted] Pod/web-*"],
)
def test_calico_addresses_of_a_deleted_node(seen: Seen) -> None:
    """Nothing has released the addresses of its five pods: what releases them does not run."""
    assert seen.says("leaked addresses: 5, assigned to pods that are gone: ")
    assert seen.says("-worker, no longer in the cluster")
    assert seen.says("calico-kube-controllers, which releases them, has no ready pod")


@scenario(
    deployment("web", 7, nodeSelector=CONTROL_PLANE, tolerations=EVERYWHERE),
    addon="calico",
    fault=together(
        existing(ip_pool("released", "10.240.32.0/29", block_size=30, nodes=NO_NODE)),
        namespace_with("calico-addresses-of-a-deleted-node-released", *GONE, pools="released"),
        node_deleted("worker"),
    ),
    then=["wait --for=condition=Available deployment/web --timeout=600s"],
)
def test_calico_addresses_of_a_deleted_node_released(seen: Seen) -> None:
    """calico-kube-controllers has released the addresses of its pods: seven new pods use them."""
    assert len(seen.cluster.nodes) == 1
    assert len([p for p in seen.cluster.pods if p.status.podIP.startswith("10.240.32.")]) == 7


@scenario(
    deployment("web", room="a"),
    pod("other", room="a"),
    addon="calico",
    fault=token_refused("worker"),
    finds=[
        "ip-allocation[cni-misconfigured] Node/worker",
        "ip-allocation[cni-misconfigured] Pod/web-*",
        "ip-allocation[cni-misconfigured] Pod/other",
    ],
)
def test_calico_token_refused(seen: Seen) -> None:
    """The API server does not know the token of the CNI plugin on one node."""
    assert seen.says("the API server refuses the CNI's credentials")
