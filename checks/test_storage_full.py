"""A volume or a node's disk is full, or a pod used more of its node's disk than it may.

Meaning:
    A claim's volume has no space or no inodes left, or nearly; so has a node's disk; a pod was evicted for the disk
    it used (an emptyDir over its size, containers over their ephemeral-storage limit); or a crashing container says
    itself that it finds no space.

Impact:
    Databases stop or refuse writes, and may not start again. A node evicts pods and takes no new ones, and evicted
    pods lose what they wrote.

Diagnosis:
    `kubectl exec POD -- df -h` and `df -i` for the volume, `df` on the node; `kubectl describe pod` of the evicted
    pod for what it used; `kubectl logs --previous` of the one that crashes.

Mitigation:
    Expand the claim where its StorageClass allows that, or remove what is not needed. Raise sizeLimit or the
    ephemeral-storage limit, or write to a volume instead of the container's own file system. A volume that is full by
    design is left out when its claim has the label `kubevitals.io/full-by-design: "true"`.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.disks import node_disks, tight, under_pressure
from kubevitals.facts.pods.creating import NO_SPACE
from kubevitals.facts.pods.evictions import DISK, evicted_at, evicted_for
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, event_lines, pod_lines
from kubevitals.findings.explains import CONCERNS, SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, node_condition, owner, ref
from kubevitals.text import binary
from kubevitals.threshold import Threshold

WARN = Threshold("storage-full.warn", 85, "percent used; kubernetes-mixin warns below 15 % free")
FULL = Threshold("storage-full.full", 97, "percent used; kubernetes-mixin is critical below 3 % free")

EVICTED = Threshold(
    "storage-full.evicted", 3600, "a pod evicted longer ago than this, which its owner has replaced, is of the past"
)

BY_DESIGN = "kubevitals.io/full-by-design"

IN_LOGS = ("storage-full[no-space-in-log]", "startup-error")
UNDER_PRESSURE = ("node-ready", "storage-full[evicted]")

EXPLAINS = (
    Explains(("storage-full[volume]",), CONCERNS, IN_LOGS, NO_SPACE),
    Explains(("storage-full[node-disk]",), SAME_NODE, ("config-mount[node-disk-full]",)),
    Explains(("storage-full[node-disk]",), SAME_NODE, UNDER_PRESSURE, "diskpressure|low on resource"),
    Explains(("storage-full[node-disk]",), SAME_NODE, (*IN_LOGS, "ip-allocation", "volume-claim"), NO_SPACE),
)


def volume(cluster: Cluster) -> Iterator[Finding]:
    """Find claims whose volume is full in space or inodes, by kubelets' figures; hostPath volumes have none.

    Left out are volumes that are only read, block devices, of which no kubelet knows what is used, and `local` volumes
    on a plain folder: their figures are the node's.
    """
    told: set[Ref] = set()
    for _, summary in kubelet.summaries(cluster):
        whole = summary.node.fs.capacityBytes if summary.node.fs else None
        for figures in (v for pod in summary.pods or () for v in pod.volume or () if v.pvcRef):
            claim = figures.pvcRef and cluster.claims_by_name.get((figures.pvcRef.namespace, figures.pvcRef.name))
            if claim and ref(claim) not in told and figures.capacityBytes != whole and not _is_excepted(claim):
                told.add(ref(claim))
                yield from _volume(claim, figures, cluster)


def _volume(claim: pb.PersistentVolumeClaim, figures: kubelet.Volume, cluster: Cluster) -> Iterator[Finding]:
    space = _percent(figures.capacityBytes, figures.availableBytes)
    inodes = _percent(figures.inodes, figures.inodesFree)
    used, what = max((space, "space"), (inodes, "inodes"))
    if used >= cluster.limit(WARN):
        full = used >= cluster.limit(FULL)
        yield Finding(
            ref(claim),
            says=f"its volume {'is full' if full else 'fills up'}: {used:.0f} % of its {what} used",
            remedy="remove what is not needed, or expand the claim where its StorageClass allows it",
            evidence=[
                f"space: {space:.0f} % of {binary(figures.capacityBytes or 0)} used",
                f"inodes: {inodes:.0f} % of {figures.inodes or 0:,} used",
                *event_lines(claim, cluster),
            ],
            severity=Severity.ERROR if full else Severity.WARNING,
            concerns=tuple(map(ref, cluster.pods_by_claim.get((claim.metadata.namespace, claim.metadata.name), ()))),
        )


def _percent(whole: int | None, left: int | None) -> float:
    return 100 * (whole - left) / whole if whole and left is not None else 0.0


def _is_excepted(claim: pb.PersistentVolumeClaim) -> bool:
    is_only_read = list(claim.spec.accessModes) == ["ReadOnlyMany"]
    return is_only_read or claim.spec.volumeMode == "Block" or claim.metadata.labels.get(BY_DESIGN) == "true"


def node_disk(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose disk has no space or inodes left, nearly, or soon in the eyes of their kubelet: DiskPressure."""
    for node in cluster.nodes:
        fillings = tight(node, cluster)
        pressure = node_condition(node, "DiskPressure") if under_pressure(node) else None
        if fillings or pressure:
            yield Finding(
                ref(node),
                says=" and ".join(f"{f.used:.0f} % of its {f.what} is used" for f in fillings) or "its disk is full",
                remedy="remove what is not needed (images, logs, emptyDirs of pods that write much), or give it more",
                evidence=[*map(str, fillings), *_pressure_lines(node), *event_lines(node, cluster)],
                since=pressure.lastTransitionTime.seconds if pressure else 0,
            )
    if unseen := cluster.derive(node_disks).unseen:
        raise unseen


def _pressure_lines(node: pb.Node) -> Iterator[str]:
    if under_pressure(node):
        yield "the kubelet reports DiskPressure"


def evicted(cluster: Cluster) -> Iterator[Finding]:
    """Find pods evicted for the disk they used, or for their node's being full."""
    for pod in cluster.pods:
        if evicted_for(pod, DISK):
            past = owner(pod) and cluster.over(evicted_at(pod), EVICTED)
            yield pod_finding(
                pod,
                says=f"was evicted: {pod.status.message}",
                remedy="raise sizeLimit or the ephemeral-storage limit, or write less; then delete the pod",
                evidence=pod_lines(pod, cluster),
                severity=Severity.WARNING if past else Severity.ERROR,
            )


def no_space_in_log(cluster: Cluster) -> Iterator[Finding]:
    """Find crashing containers whose last words are that no space is left."""
    for symptom in broken_pods(cluster, PodFault.NO_SPACE_IN_LOG):
        pod, status = symptom.pod, symptom.status
        yield pod_finding(
            pod,
            says=f"container {status.name} ends again and again because it finds no space: {symptom.words}",
            remedy="free space on the volume that the message names, or enlarge it",
            evidence=[*container_lines(pod, status, cluster), *pod_lines(pod, cluster)],
            part=status.name,
        )


@check(volume, node_disk, evicted, no_space_in_log, chapter="2.3")
def test_storage_has_room() -> None:
    """Every volume and every node has room, and no pod was evicted for its disk."""
