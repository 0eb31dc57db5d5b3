"""Faults that break a node or the control plane of the scenarios' own cluster, each undone when it is left."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from scenarios.objects import Object, mounting, pod

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

MANIFESTS = "/etc/kubernetes/manifests"
RIGHTS = Path(__file__).parent.parent / "deploy/rbac.yaml"


@contextmanager
def untouched(cluster: "LiveCluster") -> Iterator[None]:
    """No fault at all."""
    yield


def service_stopped(node: str, service: str) -> "Fault":
    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, f"systemctl stop {service}")
        try:
            yield
        finally:
            cluster.on_node(node, f"systemctl start {service}")

    return fault


def process_frozen(node: str, name: str) -> "Fault":
    """Freeze a program: it is there, and does not answer."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, f"pkill -STOP -x {name}")
        try:
            yield
        finally:
            cluster.on_node(node, f"pkill -CONT -x {name}")

    return fault


def manifest_removed(component: str) -> "Fault":
    """Take a static pod of the control plane away."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node("control-plane", f"mv {MANIFESTS}/{component}.yaml /root/")
        try:
            yield
        finally:
            cluster.on_node("control-plane", f"mv /root/{component}.yaml {MANIFESTS}/")

    return fault


@contextmanager
def rights_removed(cluster: "LiveCluster") -> Iterator[None]:
    """The reader may ask for nothing any more."""
    cluster.kubectl("delete clusterrolebinding kubevitals")
    try:
        yield
    finally:
        cluster.kubectl(["apply", "-f", str(RIGHTS)])


def cordoned(node: str) -> "Fault":
    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.kubectl(f"cordon {cluster.name}-{node}")
        try:
            yield
        finally:
            cluster.kubectl(f"uncordon {cluster.name}-{node}")

    return fault


@contextmanager
def joining(cluster: "LiveCluster") -> Iterator[None]:
    """A Node that its kubelet has not reported for yet."""
    cluster.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "joining"}}])
    try:
        yield
    finally:
        cluster.kubectl("delete node joining")


def disk_full(node: str) -> "Fault":
    """Put the kubelet's folder onto a small file system, and let a critical pod find it full."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, _SMALL_DISK)
        try:
            cluster.kubectl(f"wait --for=condition=Ready node/{cluster.name}-{node} --timeout=60s")
            cluster.on_node(
                node, "fallocate -l $(($(stat -f -c '%a * %S' /var/lib/kubelet))) /var/lib/kubelet/fill || true"
            )
            cluster.apply([_mounting_pod()], "node-disk-full")
            yield
        finally:
            cluster.kubectl("delete namespace node-disk-full --ignore-not-found --wait=false")
            cluster.on_node(node, _OWN_DISK)

    return fault


def _mounting_pod() -> Object:
    volumes = mounting(configMap={"name": "kube-root-ca.crt"})
    made = pod("mounting", volumes=volumes, room="a", priorityClassName="system-node-critical")
    made["spec"]["tolerations"] = [{"operator": "Exists"}]
    return made


_SMALL_DISK = """
systemctl stop kubelet
mkdir -p /var/small && mount -t tmpfs -o size=40m tmpfs /var/small
cp -a /var/lib/kubelet/. /var/small/ 2>/dev/null || true
sed -i 's/nodefs.available: .*/nodefs.available: 10%/' /var/small/config.yaml
mount --bind /var/small /var/lib/kubelet
systemctl start kubelet
"""
_OWN_DISK = "systemctl stop kubelet; umount -l /var/lib/kubelet /var/small; systemctl start kubelet"
