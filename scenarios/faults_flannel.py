"""Faults of flannel; each is undone when its context manager is left."""

import json
from typing import TYPE_CHECKING

from scenarios.undoing import doing, on_node

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

NETWORK = "10.244.0.0/16"
"""The pod network of the scenarios' cluster: kind-flannel.yaml."""


def _restart(cluster: "LiveCluster", node: str = "") -> None:
    """Replace flannel's pods, of one node or of all."""
    on = [f"--field-selector=spec.nodeName={cluster.name}-{node}"] if node else []
    cluster.kubectl(["-n", "kube-flannel", "delete", "pod", "-l", "app=flannel", *on])


def net_conf(network: str = NETWORK, backend: str = "vxlan") -> "Fault":
    """Change net-conf.json and replace all pods of flannel, which read it when they start."""

    def change(cluster: "LiveCluster", network: str, backend: str) -> None:
        conf = json.dumps({"Network": network, "Backend": {"Type": backend}})
        patch = ["patch", "configmap", "kube-flannel-cfg", "-p", json.dumps({"data": {"net-conf.json": conf}})]
        cluster.kubectl(["-n", "kube-flannel", *patch])
        _restart(cluster)

    return doing(lambda cluster: change(cluster, network, backend), lambda cluster: change(cluster, NETWORK, "vxlan"))


def vxlan_dropped(node: str) -> "Fault":
    rule = "INPUT -p udp --dport 8472 -j DROP"
    return on_node(node, f"iptables -I {rule}", f"iptables -D {rule}")


def lease_gone(node: str) -> "Fault":
    """Remove the file in which flannel tells its CNI plugin the addresses of the node."""
    return doing(
        lambda cluster: cluster.on_node(node, "rm /run/flannel/subnet.env"), lambda cluster: _restart(cluster, node)
    )


def tainted(node: str, taint: str) -> "Fault":
    return doing(
        lambda cluster: cluster.kubectl(f"taint node {cluster.name}-{node} {taint}"),
        lambda cluster: cluster.kubectl(f"taint node {cluster.name}-{node} {taint}-"),
    )
