"""Faults that break a node or the control plane; each fault is undone when its context manager is left."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from scenarios.objects import Object, claim, claiming, mounting, pod, volume
from scenarios.undoing import doing, on_node, together

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

MANIFESTS = "/etc/kubernetes/manifests"
CONFIG = "/var/lib/kubelet/config.yaml"
_RESTART = "systemctl restart kubelet"


@contextmanager
def untouched(cluster: "LiveCluster") -> Iterator[None]:
    """No fault at all."""
    yield


def service_stopped(node: str, service: str) -> "Fault":
    return on_node(node, f"systemctl stop {service}", f"systemctl start {service}")


def process_frozen(node: str, name: str) -> "Fault":
    """Stop a process with SIGSTOP: it exists, but does not answer."""
    return on_node(node, f"pkill -STOP -x {name}", f"pkill -CONT -x {name}")


def etcd_frozen() -> "Fault":
    """Stop etcd with SIGSTOP, and the kubelet beside it, which would restart the API server after 80 seconds."""
    return together(process_frozen("control-plane", "kubelet"), process_frozen("control-plane", "etcd"))


def manifest_removed(component: str) -> "Fault":
    """Remove a static pod of the control plane."""
    here, away = f"{MANIFESTS}/{component}.yaml", f"/root/{component}.yaml"
    return on_node("control-plane", f"mv {here} {away}", f"mv {away} {here}")


def etcd_alarm(alarm: str) -> "Fault":
    """Raise an alarm of etcd, as etcd itself does when its database is full."""

    def send(action: str) -> str:
        body = json.dumps({"action": action, "memberID": "1", "alarm": alarm})
        return f"{_ETCD} https://127.0.0.1:2379/v3/maintenance/alarm -d '{body}'"

    return on_node("control-plane", send("ACTIVATE"), send("DEACTIVATE"))


_PKI = "/etc/kubernetes/pki/etcd"
_ETCD = (
    f"curl -sS --fail --cacert {_PKI}/ca.crt --cert {_PKI}/healthcheck-client.crt --key {_PKI}/healthcheck-client.key"
)


@contextmanager
def rights_removed(cluster: "LiveCluster") -> Iterator[None]:
    """Take all rights from the account that runs the checks."""
    cluster.kubectl("delete clusterrolebinding kubevitals secret-names kubelets probe")
    try:
        yield
    finally:
        cluster.grant()


def cordoned(node: str) -> "Fault":
    return doing(
        lambda cluster: cluster.kubectl(f"cordon {cluster.name}-{node}"),
        lambda cluster: cluster.kubectl(f"uncordon {cluster.name}-{node}"),
    )


def uncordoned_afterwards(node: str) -> "Fault":
    """Let the scenario cordon a node itself, once its pods run there."""
    return doing(lambda cluster: None, lambda cluster: cluster.kubectl(f"uncordon {cluster.name}-{node}"))


def scaled_down(node: str) -> "Fault":
    """Taint a node as the cluster autoscaler does before it stops the machine."""
    taint = "ToBeDeletedByClusterAutoscaler"
    return doing(
        lambda cluster: cluster.kubectl(f"taint node {cluster.name}-{node} {taint}={int(time.time())}:NoSchedule"),
        lambda cluster: cluster.kubectl(f"taint node {cluster.name}-{node} {taint}-"),
    )


def unreported(name: str, **labels: str) -> "Fault":
    """Create a Node that no kubelet reports for."""
    metadata = {"name": name, "labels": labels}
    return doing(
        lambda cluster: cluster.apply([{"apiVersion": "v1", "kind": "Node", "metadata": metadata}]),
        lambda cluster: cluster.kubectl(f"delete node {name}"),
    )


def from_another_time(name: str) -> "Fault":
    """Create a Node whose kubelet reports an old version, and has renewed its Lease an hour in the future."""
    lease = {"metadata": {"name": name, "namespace": "kube-node-lease"}, "apiVersion": "coordination.k8s.io/v1"}
    status = json.dumps({"status": {"nodeInfo": {"kubeletVersion": "v1.25.0"}}})
    patch = ["patch", "node", name, "--subresource=status", "-p", status]

    def create(cluster: "LiveCluster") -> None:
        renewed = datetime.now(UTC) + timedelta(hours=1)
        spec = {"holderIdentity": name, "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        cluster.apply([{"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}}])
        cluster.kubectl(patch)
        cluster.apply([lease | {"kind": "Lease", "spec": spec}])

    return doing(create, lambda cluster: cluster.kubectl(f"delete node/{name} -n kube-node-lease lease/{name}"))


def disk_full(node: str) -> "Fault":
    """Move the kubelet's folder to a small file system, fill it, and start a critical pod there."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, _SMALL_DISK)
        try:
            cluster.kubectl(f"wait --for=condition=Ready node/{cluster.name}-{node} --timeout=600s")
            cluster.on_node(
                node, "fallocate -l $(($(stat -f -c '%a * %S' /var/lib/kubelet))) /var/lib/kubelet/fill || true"
            )
            cluster.apply([_mounting_pod()], "node-disk-full")
            yield
        finally:
            cluster.kubectl("delete namespace node-disk-full --ignore-not-found --wait=false")
            cluster.on_node(node, _OWN_DISK)

    return fault


def memory_low(node: str) -> "Fault":
    """Configure the kubelet to keep nearly all memory free, with a pod on the node that it can evict."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.apply([pod("app", room="a")], "node-out-of-memory")
        cluster.kubectl("-n node-out-of-memory wait --for=condition=Ready pod/app --timeout=600s")
        low = (
            "s/^evictionHard:/evictionSoft: {memory.available: 99.99%}\\n"
            "evictionSoftGracePeriod: {memory.available: 1s}\\n&/"
        )
        cluster.on_node(node, f"cp {CONFIG} /root/; sed -i '{low}' {CONFIG}; {_RESTART}")
        try:
            yield
        finally:
            cluster.on_node(node, f"cp /root/config.yaml {CONFIG}; {_RESTART}")
            cluster.kubectl("delete namespace node-out-of-memory --wait=false")

    return fault


def volumes_full(node: str) -> "Fault":
    """Create `local` volumes on small file systems, and fill them in several ways."""
    kinds = {"nearly": "dd if=/dev/zero of=x bs=1M count=18", "wholly": "dd if=/dev/zero of=x bs=1M count=20 || true"}
    kinds |= {
        "with-files": "touch $(seq 1 197)",
        "by-design": kinds["wholly"],
        "read-only": kinds["wholly"],
        "plain": "true",
    }

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        for kind, fill in kinds.items():
            mount = "true" if kind == "plain" else f"mount -t tmpfs -o size=20m,nr_inodes=200 tmpfs /mnt/{kind}"
            cluster.on_node(node, f"mkdir -p /mnt/{kind} && {mount} && cd /mnt/{kind} && {fill}")
        cluster.apply([obj for kind in kinds for obj in _on_local_volume(kind)], "volumes-full")
        try:
            yield
        finally:
            cluster.kubectl("delete namespace volumes-full")
            cluster.kubectl("delete pv " + " ".join(kinds))
            cluster.on_node(node, "cd /; umount /mnt/*; true")

    return fault


def host_path_full(node: str) -> "Fault":
    """Let a pod fill a hostPath volume, of which no kubelet has figures."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.on_node(node, "mkdir -p /srv/small && mount -t tmpfs -o size=20m tmpfs /srv/small")
        pv = volume("host-path-full", "host-path", room="a", hostPath={"path": "/srv/small"})
        writer = pod("app", "dd if=/dev/zero of=/data/x bs=1M count=30", volumes=claiming(), room="a")
        cluster.apply([pv, claim("data", "host-path"), writer], "host-path-full")
        try:
            yield
        finally:
            cluster.kubectl("delete namespace host-path-full")
            cluster.kubectl("delete pv host-path-full")
            cluster.on_node(node, "umount /srv/small")

    return fault


def _on_local_volume(kind: str) -> list[Object]:
    mode = "ReadOnlyMany" if kind == "read-only" else "ReadWriteOnce"
    pvc = claim(kind, kind, mode=mode)
    pvc["metadata"]["labels"] = {"kubevitals.io/full-by-design": str(kind == "by-design").lower()}
    pv = volume(kind, kind, room="a", local={"path": f"/mnt/{kind}"}, accessModes=[mode])
    return [pv, pvc, pod(kind, volumes=claiming(kind))]


def _mounting_pod() -> Object:
    volumes = mounting(configMap={"name": "kube-root-ca.crt"})
    mounting_pod = pod("mounting", volumes=volumes, room="a", priorityClassName="system-node-critical")
    mounting_pod["spec"]["tolerations"] = [{"operator": "Exists"}]
    return mounting_pod


_SMALL_DISK = """
systemctl stop kubelet
mkdir -p /var/small && mount -t tmpfs -o size=40m tmpfs /var/small
cp -a /var/lib/kubelet/. /var/small/ 2>/dev/null || true
sed -i 's/nodefs.available: .*/nodefs.available: 10%/' /var/small/config.yaml
mount --bind /var/small /var/lib/kubelet
systemctl start kubelet
"""
_OWN_DISK = "systemctl stop kubelet; umount -l /var/lib/kubelet /var/small; systemctl start kubelet"
