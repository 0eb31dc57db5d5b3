"""Faults of the CSI driver of the add-on csi-hostpath; each is undone when its context manager is left.

The add-on is a driver with the Deployment csi-hostpath-controller (csi-provisioner, csi-attacher, csi-resizer) and the
DaemonSet csi-hostpath-node in kube-system, two StorageClasses, and a pool of 1 GiB for all volumes. It can neither
clone nor restore. Before each call it reads on its node whether the call is to fail.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from scenarios.undoing import doing, nothing, on_node

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

DRIVER = "hostpath.csi.offline"
CLASS = "csi-hostpath"
"""A StorageClass with WaitForFirstConsumer."""

IMMEDIATE = "csi-hostpath-immediate"

_CONTROLLER = "-n kube-system deployment/csi-hostpath-controller"
_PLUGIN = "-n kube-system daemonset/csi-hostpath-node"
_CALLS = "/var/lib/csi-hostpath/faults"


def failing(node: str, call: str, result: str) -> "Fault":
    """Let a call of the driver on a node fail, with a gRPC code and a text, or ``hang``.

    The controller runs on the control plane.
    """
    return on_node(node, f"echo '{call} {result}' > {_CALLS}", f"rm {_CALLS}")


def _scale(cluster: "LiveCluster", replicas: int) -> None:
    cluster.kubectl(f"scale {_CONTROLLER} --replicas={replicas}")
    cluster.kubectl(f"rollout status {_CONTROLLER} --timeout=600s")


def controller_gone() -> "Fault":
    return doing(lambda cluster: _scale(cluster, 0), lambda cluster: _scale(cluster, 1))


CONTROLLER_LEAVES = (
    f"scale {_CONTROLLER} --replicas=0",
    "wait -n kube-system --for=delete pod -l app=csi-hostpath-controller --timeout=120s",
)
"""Commands of a scenario that needs the controller at first; `controller_back_afterwards` undoes them."""


def controller_back_afterwards() -> "Fault":
    return doing(nothing, lambda cluster: _scale(cluster, 1))


def _change(cluster: "LiveCluster", *changes: object) -> None:
    """Patch the DaemonSet of the node plugin, and wait until its pods are replaced."""
    cluster.kubectl(["patch", *_PLUGIN.split(), "--type=json", "-p", json.dumps(changes)])
    cluster.kubectl(f"rollout status {_PLUGIN} --timeout=600s")


def plugin_selects(**labels: str) -> "Fault":
    """Let the node plugin run on some nodes only; ``_`` in the name of a label stands for ``/``."""
    selector = {"path": "/spec/template/spec/nodeSelector"}
    wanted = {name.replace("_", "/"): value for name, value in labels.items()}
    return doing(
        lambda cluster: _change(cluster, selector | {"op": "add", "value": wanted}),
        lambda cluster: _change(cluster, selector | {"op": "remove"}),
    )


def attach_limit(volumes: int) -> "Fault":
    """Let nodes attach so many volumes, as their CSINodes tell the scheduler."""
    option = {"op": "replace", "path": "/spec/template/spec/containers/0/command/2"}

    def limit(cluster: "LiveCluster", volumes: int) -> None:
        _change(cluster, option | {"value": f"--attach-limit={volumes}"})
        cluster.retry(lambda: _registered(cluster, volumes))

    return doing(lambda cluster: limit(cluster, volumes), lambda cluster: limit(cluster, 0))


def _registered(cluster: "LiveCluster", volumes: int) -> None:
    """Raise LookupError while some CSINode still has another limit; 0 is none."""
    nodes = json.loads(cluster.kubectl("get csinodes -o json"))["items"]
    drivers = [driver for node in nodes for driver in node["spec"]["drivers"] or [{}]]
    if any(
        driver.get("name") != DRIVER or driver.get("allocatable", {}).get("count", 0) != volumes for driver in drivers
    ):
        raise LookupError(f"not all nodes can attach {volumes} volumes yet: {drivers}")


@contextmanager
def driver_object_gone(cluster: "LiveCluster") -> Iterator[None]:
    """Delete the CSIDriver; the driver itself runs."""
    manifest = cluster.kubectl(f"get csidriver {DRIVER} -o json")
    cluster.kubectl(f"delete csidriver {DRIVER}")
    try:
        yield
    finally:
        cluster.kubectl(["create", "-f", "-"], input=manifest)


def released_afterwards(namespace: str, claim: str) -> "Fault":
    """Let the scenario keep a claim with a finalizer until then: the namespace could not be deleted."""
    patch = ["patch", "pvc", claim, "-p", '{"metadata":{"finalizers":null}}']
    return doing(nothing, lambda cluster: cluster.kubectl(["-n", namespace, *patch]))
