"""Faults of addresses and of the CNI on a node; each is undone when its context manager is left."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_network
from typing import TYPE_CHECKING

from scenarios.objects import Object
from scenarios.undoing import on_node

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

RESERVATIONS = "/run/cni-ipam-state/kindnet"


def addresses_leaked(node: str) -> "Fault":
    """Reserve all free addresses of a node in the way of host-local, although no pod uses them."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        addresses = " ".join(map(str, ip_network(node_object(cluster, node)["spec"]["podCIDR"]).hosts()))
        reserve = f"for ip in {addresses}; do [ -e $ip ] || printf 'leaked\\r\\neth0' > $ip; done"
        cluster.on_node(node, f"mkdir -p {RESERVATIONS} && cd {RESERVATIONS} && {reserve}")
        try:
            yield
        finally:
            cluster.on_node(node, f"cd {RESERVATIONS} && grep -l ^leaked 10.* | xargs rm")

    return fault


def sandbox_image_wrong(node: str) -> "Fault":
    """Configure a sandbox image that does not exist; the containers that run are not affected."""
    change, back = "s#registry.k8s.io/pause#registry.invalid/pause#", "s#registry.invalid/pause#registry.k8s.io/pause#"
    config = "/etc/containerd/config.toml"
    return on_node(
        node,
        f"grep -q registry.k8s.io/pause {config} && sed -i {change} {config} && systemctl restart containerd",
        f"sed -i {back} {config} && systemctl restart containerd",
    )


def cni_plugin_removed(node: str, plugin: str) -> "Fault":
    return on_node(node, f"mv /opt/cni/bin/{plugin} /opt/cni/", f"mv /opt/cni/{plugin} /opt/cni/bin/")


def cni_config(node: str, config: str) -> "Fault":
    """Add a CNI configuration that sorts before kindnet's: the runtime uses the first one, and kindnet keeps others."""
    path = "/etc/cni/net.d/00-broken.conflist"
    return on_node(node, f"echo '{config}' > {path} && sleep 2", f"rm {path}")


def cni_daemon_gone(node: str) -> "Fault":
    """Configure a CNI plugin that connects to a daemon which does not run."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, f"echo '{_ASKING_PLUGIN}' > {path} && chmod +x {path}")
        try:
            with cni_config(node, json.dumps(_network(type="asking")))(cluster):
                yield
        finally:
            cluster.on_node(node, f"rm {path}")

    path = "/opt/cni/bin/asking"
    return fault


def _network(**plugin: object) -> Object:
    return {"cniVersion": "0.3.1", "name": "broken", "plugins": [plugin]}


_ASKING_PLUGIN = """#!/bin/bash
[ "$CNI_COMMAND" = ADD ] || exit 0
error=$( { exec 3<>/dev/tcp/127.0.0.1/50051; } 2>&1 ) && exit 0
error=${error##*: }
echo "{\\"cniVersion\\": \\"0.3.1\\", \\"code\\": 100, \\"msg\\": \\"dial tcp 127.0.0.1:50051: connect: ${error,,}\\"}"
exit 1
"""


def pod_cidr(node: str, cidr: str) -> "Fault":
    """Let a node rejoin with another podCIDR, since the podCIDR of a Node cannot be changed."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        before = node_object(cluster, node)
        rejoin(cluster, before, cidr)
        try:
            yield
        finally:
            rejoin(cluster, before, before["spec"]["podCIDR"])

    return fault


def rejoin(cluster: "LiveCluster", before: Object, cidr: str) -> None:
    """Let a node rejoin the cluster as it was before, but with this podCIDR."""
    metadata = {key: before["metadata"][key] for key in ("name", "labels", "annotations")}
    spec = {"podCIDR": cidr, "podCIDRs": [cidr], "providerID": before["spec"]["providerID"]}
    node = metadata["name"].removeprefix(f"{cluster.name}-")
    manifest = {"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": spec}
    cluster.on_node(node, "systemctl stop kubelet")
    try:
        cluster.kubectl(["replace", "--force", "-f", "-"], input=json.dumps(manifest))
    finally:
        cluster.on_node(node, "systemctl start kubelet")
    cluster.kubectl(f"wait --for=condition=Ready node/{metadata['name']} --timeout=600s")
    cluster.on_node(node, f"timeout 300 sh -c 'until grep -q {cidr} /etc/cni/net.d/*; do sleep 1; done' && sleep 2")


def node_object(cluster: "LiveCluster", node: str) -> Object:
    """Return the Node object of a node."""
    result: Object = json.loads(cluster.kubectl(f"get node {cluster.name}-{node} -o json"))
    return result


@contextmanager
def overlapping(cluster: "LiveCluster") -> Iterator[None]:
    """Create two Nodes with overlapping podCIDRs and one with a podCIDR outside the cluster's, as if set by hand."""
    cidrs = {"older": "10.244.220.0/24", "younger": "10.244.220.128/25", "stray": "10.99.0.0/24"}
    try:
        for name, cidr in cidrs.items():
            cluster.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": cidr}}])
            time.sleep(1)
        yield
    finally:
        cluster.kubectl(f"delete node {' '.join(cidrs)} --ignore-not-found")
