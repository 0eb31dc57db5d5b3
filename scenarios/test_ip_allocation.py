"""Pods that get no address, nodes that run out of them, and what only looks like it."""

from kubevitals import schema_pb2 as pb
from kubevitals.facts.network.addresses import used_addresses
from kubevitals.objects import condition
from scenarios.faults import cordoned
from scenarios.faults_cni import (
    addresses_leaked,
    cni_config,
    cni_daemon_gone,
    cni_plugin_removed,
    overlapping,
    pod_cidr,
    sandbox_image_wrong,
)
from scenarios.faults_network import corefile
from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import deployment, pod
from scenarios.undoing import together

ALL_TAINTS = [{"operator": "Exists"}]
MISCONFIGURED = "ip-allocation[cni-misconfigured] Pod/app"


@scenario(
    pod("app", room="a"),
    pod("in-host-network", room="a", hostNetwork=True),
    on_demand=True,
    fault=addresses_leaked("worker"),
    finds=["ip-allocation[pool-exhausted] Pod/app"],
)
def test_addresses_leaked(seen: Seen) -> None:
    """Addresses are reserved for pods that are gone; a pod in the host network needs no address."""
    assert seen.says("all addresses of the node's range are in use (host-local)")
    assert seen.says("node: " + seen.node("worker").metadata.name)
    assert seen.says(" of 253 addresses")
    assert seen.get("Pod/in-host-network").status.containerStatuses[0].ready


@scenario(on=test_addresses_leaked, later=within(30, lambda seen: _waiting(seen).lastTransitionTime))
def test_addresses_missing_for_a_moment(seen: Seen) -> None:
    """The same pod a while before: some CNIs fetch more addresses only when a pod needs one."""
    assert _waiting(seen).status == "False"


def _waiting(seen: Seen) -> pb.PodCondition:
    waiting = condition(seen.get("Pod/app"), "PodReadyToStartContainers")
    assert waiting is not None
    return waiting


@scenario(
    pod("done", "true", room="b", restartPolicy="Never"),
    deployment("web", 5, room="b"),
    pod("in-host-network", room="b", hostNetwork=True),
    fault=pod_cidr("worker2", "10.244.200.0/29"),
    then=["wait --for=jsonpath={.status.phase}=Succeeded pod/done", "wait --for=condition=Available deployment/web"],
    finds=["ip-allocation[headroom] Node/worker2 (warning)"],
)
def test_node_with_few_addresses(seen: Seen) -> None:
    """All pods run, but the next one would get no address; a finished pod keeps its address only in its status."""
    assert seen.says("5 of 5 addresses of 10.244.200.0/29")
    assert seen.get("Pod/done").status.podIP
    assert not used_addresses(seen.get("Pod/done"))
    assert seen.get("Pod/in-host-network").status.podIP


@scenario(
    pod("app", room="b"),
    on_demand=True,
    fault=cni_daemon_gone("worker2"),
    finds=["ip-allocation[cni-unreachable] Pod/app"],
)
def test_cni_daemon_gone(seen: Seen) -> None:
    """The plugin connects to a daemon that refuses the connection."""
    assert seen.says("connect: connection refused")


@scenario(on=test_cni_daemon_gone, later=within(30, created("Pod/app")))
def test_cni_daemon_still_starting(seen: Seen) -> None:
    """The same pod a while before: on a node that has just joined, pods start before the CNI's daemon."""
    assert seen.get("Pod/app").status.phase == "Pending"


@scenario(pod("app", room="b"), on_demand=True, fault=cni_plugin_removed("worker2", "ptp"), finds=[MISCONFIGURED])
def test_cni_plugin_gone(seen: Seen) -> None:
    """The configuration uses a plugin that is no longer installed."""
    assert seen.says('failed to find plugin "ptp" in path')


@scenario(
    pod("app", room="b", tolerations=ALL_TAINTS),
    pod("in-host-network", room="b", hostNetwork=True, tolerations=ALL_TAINTS),
    on_demand=True,
    fault=cni_config("worker2", '{"cniVersion": '),
    finds=[
        MISCONFIGURED,
        "node-ready[not-ready] Node/worker2",
        "cni-daemonset[network-unavailable] Node/worker2",
    ],
)
def test_cni_config_cut_off(seen: Seen) -> None:
    """The node is not ready, and a pod that tolerates that waits there for its network."""
    assert seen.says("cni plugin not initialized")
    assert seen.get("Pod/in-host-network").status.containerStatuses[0].ready


@scenario(
    pod("app", room="b", tolerations=ALL_TAINTS),
    on_demand=True,
    fault=together(cordoned("worker2"), cni_config("worker2", '{"cniVersion": '), corefile("forward .", "forwrd .")),
    finds=[
        MISCONFIGURED,
        "node-ready[not-ready] Node/worker2",
        "cni-daemonset[network-unavailable] Node/worker2",
        "cluster-dns[failing] Deployment/coredns",
        "cluster-dns[no-endpoints] Service/kube-dns",
        "startup-error[app-exit] Pod/coredns-*",
    ],
)
def test_two_faults_at_once(seen: Seen) -> None:
    """A node has no network and the Corefile is broken, each with its symptoms; the DNS pods are on other nodes."""
    worker2 = seen.node("worker2").metadata.name
    dns = [p for p in seen.cluster.pods if p.metadata.labels.get("k8s-app") == "kube-dns"]
    assert worker2 not in {p.spec.nodeName for p in dns}


@scenario(
    fault=overlapping,
    later=within(60, created("Node/older")),
    finds=["ip-allocation[cni-misconfigured] Node/younger", "ip-allocation[cni-misconfigured] Node/stray"],
)
def test_nodes_share_addresses(seen: Seen) -> None:
    """The podCIDR of one node overlaps an older node's, and that of a third one is outside the cluster's network."""
    assert seen.says("podCIDR 10.99.0.0/24 is outside the cluster's 10.244.0.0/16")
    assert seen.says("podCIDR 10.244.220.128/25 overlaps 10.244.220.0/24 of node older")


@scenario(
    pod("app", room="b"),
    on_demand=True,
    fault=sandbox_image_wrong("worker2"),
    finds=["ip-allocation[sandbox-failed] Pod/app"],
)
def test_sandbox_image_missing(seen: Seen) -> None:
    """The pause image is not on the node and cannot be pulled."""
    assert seen.says("the sandbox image registry.invalid/pause:")
    assert seen.says("preload the image on the node")


@scenario(
    {
        "apiVersion": "node.k8s.io/v1",
        "kind": "RuntimeClass",
        "metadata": {"name": "not-installed"},
        "handler": "not-installed",
    },
    deployment("web", 2, runtimeClassName="not-installed"),
    finds=["ip-allocation[sandbox-failed] Pod/web-*"],
)
def test_runtime_not_installed(seen: Seen) -> None:
    """The RuntimeClass asks for a handler that no node has; it is the same for all pods of one owner."""
    findings = [finding for verdict in seen.verdicts for finding in verdict.findings if finding.obj.kind == "Pod"]
    says = {finding.says for finding in findings if finding.obj.namespace == seen.scenario.name}
    assert says == {
        'pod sandbox cannot be created: the container runtime on the node has no handler "not-installed", which the '
        "pod's RuntimeClass asks for"
    }
