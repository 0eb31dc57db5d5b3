"""Pods that cannot start because a volume is not attached or mounted: grouped by claim, with what helps."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

from kubevitals.facts.pods.start_errors import STALE
from kubevitals.facts.pods.states import ALL_VOLUMES, BUSY, Symptom
from kubevitals.facts.volumes.secrets_store import SECRETS_STORE_ERRORS, store_words
from kubevitals.findings.evidence import pod_lines
from kubevitals.inventory.cluster import Cluster, claim_name
from kubevitals.objects import Ref, ref

NO_PLUGIN = re.compile(
    r"driver name (?P<driver>[\w.-]{1,253}) not found in the list of registered CSI drivers"
    r"|dial unix /\S{0,300}?/plugins/(?P<folder>[\w.-]{1,253})/"
    r"|CSINode [\w.-]{1,253} does not contain driver (?P<absent>[\w.-]{1,253})"
)
"""What kubelet and attacher report about a CSI driver without a running, registered node plugin: kubernetes/kubernetes
pkg/volume/csi/csi_client.go, gRPC's dialer, kubernetes-csi/external-attacher pkg/controller/util.go."""

_REMOTE = r"nfs4?|cifs|smb3"

REPLICAS = (
    "see what the volume's storage system says of it (Longhorn, cStor): it has no replica that works, or its engine "
    "does not run"
)

HELD = (
    "stop the pod that uses the volume; if its node is dead, delete the Node, or give it the taint "
    "node.kubernetes.io/out-of-service"
)

MOUNT_ERRORS = (
    (
        rf"^{ALL_VOLUMES}.{{0,2000}}(?:timed out waiting for the condition|context deadline exceeded)$",
        "no event says what it waits for: read the logs of the kubelet and of the volume's driver on the node",
    ),
    (
        BUSY,
        "an earlier attempt has not ended: check that the node can reach the storage (Ceph's monitors), and read the "
        "log of the driver's pod on the node; the attempt ends with that pod",
    ),
    (r"[Rr]eplicas yet to connect|not ready for workloads|no block device frontend", REPLICAS),
    (
        r"already mounted or mount point busy|device or resource busy|apparently in use by the system",
        "find what holds the device on the node (lsblk, multipath -ll): multipathd must leave the driver's devices",
    ),
    (r"rbd image \S{1,300} is still being used", HELD),
    (r"stale (?:NFS )?file handle", STALE),
    (
        r"input/output error",
        "the device on the node does not work: see the node's kernel log (dmesg), and the volume in its storage system",
    ),
    (
        r"failed to resolve|name or service not known|could not resolve",
        "give the storage server a name that nodes know: they do not ask the cluster's DNS; EFS needs a mount target "
        "in the node's zone",
    ),
    *SECRETS_STORE_ERRORS,
    (
        rf"-t (?:{_REMOTE})\b[\s\S]{{0,2000}}(?:helper program|bad option)|unknown filesystem type .(?:{_REMOTE})",
        "install the file system's mount helper on the node (nfs-common, cifs-utils)",
    ),
    (
        r"executable file not found|mount helper|mkfs\.\w+: not found",
        "install the program that the message names on the node",
    ),
    (
        r"registered CSI drivers|dial unix",
        "start the driver's pod on the node, or keep the pod off nodes without the driver",
    ),
    (
        r"already contains|unknown filesystem",
        "set fsType of the volume or its StorageClass to the file system that the volume has and the node supports",
    ),
    (
        r"wrong fs type|bad superblock|fsck.{0,3} found errors|structure needs cleaning|can't read superblock",
        "the volume has a damaged file system, or another one than fsType: correct fsType, or repair the file system "
        "(fsck, xfs_repair) while no pod uses the volume",
    ),
    (r"helper program", "install the file system's mount helper on the node (nfs-common, cifs-utils)"),
    (
        r"timed out|deadline exceeded|no route to host|connection refused|host is down",
        "check that the node can reach the storage server",
    ),
    (
        r"special device \S+ does not exist|failed to find and re-link disk|no device path for device"
        r"|device attach timeout",
        "check that the volume is attached to the node: its device is missing there; restart the node if it is",
    ),
    (r"reason given by server: no such file", "export the path on the storage server, or correct it in the volume"),
    (r"access denied|permission denied", "allow the node in the storage server's export, or correct the credentials"),
    (
        r"hostPath type check failed: \S{1,4096} is not a [\w ]{1,40}, it's a ",
        "correct hostPath.type of the volume, or put what the pod expects at the path on the node",
    ),
    (
        r"does not exist|no such file|hostPath type check failed",
        "create the path on the node, or correct it in the volume",
    ),
)
"""Texts of the kubelet (k8s.io/mount-utils mount_linux.go; `it's a` is from kubernetes/kubernetes
pkg/volume/hostpath/host_path.go since 1.37), mount(8) of util-linux and nfs-utils, and drivers, with what helps:
ceph/ceph-csi internal/util/idlocker.go and internal/rbd/nodeserver.go, kubernetes-sigs/aws-ebs-csi-driver issue 2808,
kubernetes-sigs/gcp-compute-persistent-disk-csi-driver issue 1123, longhorn/longhorn issues 1465 and 6776,
longhorn.io/kb/troubleshooting-volume-with-multipath, openebs/openebs issue 3447, openebs/mayastor issue 1850,
aws/efs-utils src/mount_efs.

The helper that mount(8) names for every wrong option is for remote file systems; `-t` says which one it is."""


def mount_remedy(words: str) -> str:
    """Return what helps against a mount error that the kubelet reports."""
    remedies = (remedy for pattern, remedy in MOUNT_ERRORS if re.search(pattern, words, re.IGNORECASE))
    return next(remedies, "fix what the message reports; the log of the volume's driver on the node has more")


def without_plugin(words: str) -> str:
    """Return the CSI driver whose node plugin does not answer according to a message, or the folder of its socket."""
    match = NO_PLUGIN.search(words)
    return next(filter(None, match.groups("")), "") if match else ""


_MOUNT = re.compile(r"Mounting arguments: [^\n]{0,300}?-t (?P<type>\S{1,40}) (?:-o \S{1,500} )?(?P<source>\S{1,500})")
"""How the kubelet reports a mount command (k8s.io/mount-utils mount_linux.go)."""

_OUTPUT = re.compile(r"\sOutput: ")
"""What comes before the answer of that command. Some drivers put all of it in one line."""


_OPERATION = r"(?:\S+(?: \w+)* (?:failed|error)|Waiting for detach)"
"""What the kubelet and the attach/detach controller put before a volume's name. `Waiting for detach` is what Kubernetes
1.37 says instead of `Multi-Attach error` (kubernetes/kubernetes pull 138837)."""


def volume_words(words: str) -> str:
    """Return the error without the kubelet's prefix and the mount command, which differ from pod to pod.

    What names the cause is kept: the path of a driver's socket, the file system, and what is mounted.
    """
    mount = _MOUNT.search(words)
    what = f"{mount['type']} {mount['source']}: " if mount and _OUTPUT.search(words) else ""
    words = what + _OUTPUT.split(words)[-1]
    words = re.sub(r"/var/lib/kubelet/\S{1,500}?: ", lambda path: path[0] if ".sock" in path[0] else "", words)
    return store_words(re.sub(rf'^{_OPERATION} for volume "[^"]*"\s*:?\s*', "", words) or words)


def by_claim(symptoms: Iterable[Symptom], cluster: Cluster) -> dict[Ref, list[Symptom]]:
    """Return the pods by the claim they wait for, or by themselves if their volume has no claim."""
    groups: dict[Ref, list[Symptom]] = defaultdict(list)
    for symptom in symptoms:
        groups[_claim_in(symptom, cluster) or ref(symptom.pod)].append(symptom)
    return groups


def by_driver(symptoms: Iterable[Symptom]) -> dict[tuple[str, str], list[Symptom]]:
    """Return the pods by the CSI driver, or its socket's folder, whose node plugin does not answer, and by node."""
    groups: dict[tuple[str, str], list[Symptom]] = defaultdict(list)
    for symptom in symptoms:
        if driver := without_plugin(symptom.words):
            groups[driver, symptom.pod.spec.nodeName].append(symptom)
    return groups


def _claim_in(symptom: Symptom, cluster: Cluster) -> Ref | None:
    """Return the claim of a volume, whose name is that of a PersistentVolume or of a volume in the pod."""
    if claim := claim_of(symptom.volume, cluster):
        return claim
    pod = symptom.pod
    name = next((claim_name(pod, volume) for volume in pod.spec.volumes if volume.name == symptom.volume), "")
    return Ref("PersistentVolumeClaim", pod.metadata.namespace, name) if name else None


def claim_of(volume: str, cluster: Cluster) -> Ref | None:
    """Return the claim that a PersistentVolume is bound to, or nothing."""
    bound = cluster.volumes_by_name.get(volume)
    if bound and bound.spec.claimRef.name:
        return Ref("PersistentVolumeClaim", bound.spec.claimRef.namespace, bound.spec.claimRef.name)
    return None


def only_node(symptoms: list[Symptom]) -> str:
    """Return the node of all these pods, or nothing if there are several."""
    nodes = {symptom.pod.spec.nodeName for symptom in symptoms}
    return nodes.pop() if len(nodes) == 1 else ""


def waiting_lines(symptoms: list[Symptom], cluster: Cluster) -> Iterator[str]:
    """Yield as evidence which pods wait, and what they report."""
    for symptom in symptoms[:3]:
        yield f"waiting: {ref(symptom.pod)}"
        yield from pod_lines(symptom.pod, cluster)
