"""What "no space left on device" means: a volume, a node's disk, or a limit of the kernel that is about no disk."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.disks import node_disks, tight, under_pressure
from kubevitals.facts.pods.named_containers import container_named
from kubevitals.inventory.cluster import Cluster, claim_name

NO_SPACE = "no space left on device"
"""How the C library words ENOSPC, and thus most programs."""

READ = 2000
"""Characters of a message that are read."""


class NoSpace(NamedTuple):
    """What has no space left.

    Attributes:
        what: a clause: ``volume "data" at /data is full``.
        volume: the pod's volume that is full, by its name, or nothing.
        is_unknown: whether the message names neither a path nor a limit, and the node's disk is not full.
    """

    what: str
    remedy: str
    volume: str = ""
    is_unknown: bool = False


_SHARED_MEMORY = NoSpace(
    "its shared memory (/dev/shm) is full", "mount an emptyDir with medium Memory at /dev/shm: the default has 64 MiB"
)

LIMITS = (
    (
        r"inotify|fsnotify|file ?watch",
        NoSpace(
            "the inotify watches of the node are used up, which is not about its disk",
            "raise fs.inotify.max_user_watches on the node, or stop what watches so many files",
        ),
    ),
    (
        r"cpuset",
        NoSpace(
            "its cpuset has no CPUs or no memory nodes, which is not about a disk",
            "check cpuset.cpus and cpuset.mems of the parent cgroups on the node, and restart the kubelet",
        ),
    ),
    (
        r"/sys/fs/cgroup|\bcgroup",
        NoSpace(
            "the node can create no more cgroups, which is not about its disk",
            "reboot the node, which frees deleted cgroups (num_cgroups in /proc/cgroups), and update its kernel",
        ),
    ),
    (
        r"\bunshare\b|CLONE_NEW|new namespace",
        NoSpace(
            "the node can create no more namespaces, which is not about its disk",
            "raise user.max_user_namespaces on the node, which is 0 on Talos and hardened systems, or leave "
            "hostUsers: false out",
        ),
    ),
    (
        r"semget|semaphore|shmget",
        NoSpace(
            "the limit for System V semaphores or shared memory is reached, which is not about a disk",
            "raise kernel.sem or kernel.shmmni on the node",
        ),
    ),
    (r"resize shared memory|shared memory segment \"/|/dev/shm/", _SHARED_MEMORY),
)
"""What else ENOSPC means, by words of the message.

Sources: inotify_add_watch(2), namespaces(7), containerd/containerd pkg/sys/unshare_linux.go, semget(2), shmget(2),
cpuset_can_attach in kernel/cgroup/cpuset.c, mem_cgroup_alloc in mm/memcontrol.c (at most 65,535 memory cgroups),
PostgreSQL src/backend/storage/ipc/dsm_impl.c.
"""

_PATH = re.compile(r"(?<![\w./-])/[\w./@+-]{1,250}")

_RUN = re.compile(r"/(?:var/)?run/(?!\S{0,200}/rootfs)")
"""A path in the node's /run, but not in the root file system of a container that is mounted there."""


def explain_no_space(text: str, pod: pb.Pod, cluster: Cluster, container: str = "") -> NoSpace:
    """Return what has no space left according to a message.

    Args:
        text: a message with `NO_SPACE` in it.
        pod: the pod that it is about.
        cluster: where its node's disk is looked up: the disk is only called full if its figures say so.
        container: the container that says so; empty if the kubelet or the container runtime does.
    """
    text = text[:READ]
    for pattern, meaning in LIMITS:
        if re.search(pattern, text, re.IGNORECASE):
            return meaning
    paths = _PATH.findall(text)
    for mount in _mounts(pod, container):
        if any(f"{path}/".startswith(f"{mount.mountPath.rstrip('/')}/") for path in paths):
            return _full_volume(pod, mount)
    if not container and paths and _RUN.match(paths[-1]):
        return NoSpace(
            f"/run of node {pod.spec.nodeName} is full, a file system in its memory",
            "free space in /run on the node (df -h /run)",
        )
    return _disk(pod, cluster, is_unknown=not paths)


_WRITABLE = ("hostPath", "persistentVolumeClaim", "csi", "ephemeral")


def writable_mounts(pod: pb.Pod, container: str) -> list[pb.Volume]:
    """Return the volumes with storage of their own that the container mounts: claims, hostPath and CSI volumes."""
    names = {mount.name for mount in _mounts(pod, container)}
    return [v for v in pod.spec.volumes if v.name in names and any(map(v.volumeSource.HasField, _WRITABLE))]


def _mounts(pod: pb.Pod, container: str) -> list[pb.VolumeMount]:
    """Return a container's volume mounts, the longest path first."""
    mounts = [mount for mount in container_named(pod, container).volumeMounts if mount.mountPath]
    return sorted(mounts, key=lambda mount: -len(mount.mountPath))


def _full_volume(pod: pb.Pod, mount: pb.VolumeMount) -> NoSpace:
    volume = next((v for v in pod.spec.volumes if v.name == mount.name), pb.Volume())
    claim, remedy = claim_name(pod, volume), "free space on the volume, or enlarge it"
    kind = f' (PersistentVolumeClaim "{claim}")' if claim else ""
    if volume.volumeSource.emptyDir.medium == "Memory":
        kind, remedy = " (in memory)", "raise the volume's sizeLimit and the container's memory limit, or write less"
    return NoSpace(f'volume "{mount.name}"{kind} at {mount.mountPath} is full', remedy, mount.name)


def _disk(pod: pb.Pod, cluster: Cluster, *, is_unknown: bool) -> NoSpace:
    name, is_full = pod.spec.nodeName, cluster.derive(full_disks).get(pod.spec.nodeName)
    if is_full:
        return NoSpace(
            f"the disk of node {name} is full",
            "free disk space on the node (images, logs, emptyDirs of busy pods), or enlarge the disk",
        )
    what = f"no space is left on node {name}"
    if is_full is False:
        what = f"no space is left, although the disk of node {name} is not full"
    remedy = "find the file system with `df -h` and `df -i`, and free space there; check quotas as well"
    return NoSpace(what, remedy, is_unknown=is_unknown)


def full_disks(cluster: Cluster) -> Mapping[str, bool]:
    """Return whether each node's disk is full, by its name, as far as nodes and their kubelets are observed."""
    try:
        nodes = cluster.nodes
    except NotObserved:
        return {}
    known = cluster.derive(node_disks).by_node
    return {
        node.metadata.name: under_pressure(node) or bool(tight(node, cluster))
        for node in nodes
        if under_pressure(node) or known.get(node.metadata.name)
    }
