"""Planned maintenance of a cluster that runs a shop: every step is ordinary, so nothing may be reported afterwards."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from scenarios.faults_cni import node_object, rejoin
from scenarios.objects import Object, deployment, service

if TYPE_CHECKING:
    from scenarios.live import LiveCluster

SHOP = "shop-after-maintenance"
"""The namespace of the shop: the name of the scenario."""

SERVICES = (
    "ads",
    "cart",
    "catalog",
    "checkout",
    "currency",
    "email",
    "frontend",
    "payment",
    "recommendation",
    "search",
    "shipping",
    "stock",
)
PORT = 8080
_SERVE = f"mkdir /www; echo ok > /www/index.html; exec httpd -f -p {PORT} -h /www"
_STRICT = {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3}
"""Used as readiness probe and as liveness probe, as many demo applications do it."""


def _shop() -> Iterator[Object]:
    for name in SERVICES:
        yield deployment(name, 2, sh=_SERVE, readinessProbe=_STRICT, livenessProbe=_STRICT)
        yield service(name, PORT)


@contextmanager
def maintained(cluster: "LiveCluster") -> Iterator[None]:
    """Run a shop, reboot each node, roll out one of its services, and remove worker2 as the autoscaler does."""
    removed = node_object(cluster, "worker2")
    try:
        cluster.apply(_shop(), SHOP)
        _wait_for_shop(cluster)
        _reboot(cluster, "control-plane")
        _reboot(cluster, "worker2")
        _drain(cluster, "worker")
        _reboot(cluster, "worker")
        cluster.kubectl(f"uncordon {cluster.name}-worker")
        cluster.kubectl(f"-n {SHOP} rollout restart deployment/frontend")
        _wait_for_shop(cluster)
        _scale_down(cluster, "worker2")
        _wait_for_shop(cluster)
        yield
    finally:
        cluster.kubectl(f"delete namespace {SHOP} --ignore-not-found --wait=false")
        cluster.kubectl(f"uncordon {cluster.name}-worker")
        rejoin(cluster, removed, removed["spec"]["podCIDR"])


def _wait_for_shop(cluster: "LiveCluster") -> None:
    cluster.kubectl(f"-n {SHOP} rollout status deployment --timeout=600s")


def _reboot(cluster: "LiveCluster", node: str) -> None:
    """Restart a node, and wait until all its containers have started again and are ready."""
    since = datetime.now(UTC).isoformat(timespec="seconds")
    cluster.reboot(node)
    cluster.retry(lambda: _require_started(cluster, node, since))


def _require_started(cluster: "LiveCluster", node: str, since: str) -> None:
    pods = json.loads(cluster.kubectl(f"get pods -A --field-selector=spec.nodeName={cluster.name}-{node} -o json"))
    containers = [status for pod in pods["items"] for status in pod["status"]["containerStatuses"]]
    waiting = [
        c["name"] for c in containers if not c["ready"] or c["state"].get("running", {}).get("startedAt", "") < since
    ]
    if waiting:
        raise LookupError(f"containers on {node} have not started again: {', '.join(waiting)}")


def _drain(cluster: "LiveCluster", node: str) -> None:
    cluster.kubectl(f"drain {cluster.name}-{node} --ignore-daemonsets --delete-emptydir-data --force --timeout=600s")


def _scale_down(cluster: "LiveCluster", node: str) -> None:
    """Remove a node in the order in which the cluster autoscaler does it: taint, drain, machine, Node."""
    name = f"{cluster.name}-{node}"
    cluster.kubectl(f"taint node {name} ToBeDeletedByClusterAutoscaler={time.time():.0f}:NoSchedule")
    _drain(cluster, node)
    cluster.on_node(node, "systemctl stop kubelet")
    cluster.kubectl(f"delete node {name}")
