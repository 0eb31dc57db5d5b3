"""A volume or a node's disk is full or nearly full, or a pod exceeded its limit on the node's disk.

Meaning:
    The volume of a PersistentVolumeClaim (PVC) or a node's disk has no or almost no space or inodes left; or a pod was
    evicted for the disk space it used (an emptyDir above its sizeLimit, containers above their ephemeral-storage
    limit); or a crashing container reports "No space left on device".

Impact:
    Databases stop or refuse writes, and may not start again. A node with a full disk evicts pods and accepts no new
    ones; evicted pods lose what they wrote.

Diagnosis:
    `kubectl exec POD -- df -h` and `df -i` for the volume, `df` on the node. `kubectl describe pod` shows how much an
    evicted pod used, `kubectl logs --previous` why a container crashed.

Mitigation:
    Expand the PVC if its StorageClass allows it, or delete data. Raise sizeLimit or the ephemeral-storage limit, or
    write to a volume instead of the container's own file system. A volume that is full by design is skipped if its PVC
    has the label `kubevitals.io/full-by-design: "true"`.
"""

from collections.abc import Iterator, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.disks import Filling, collection_failures, node_disks, tight, under_pressure
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.facts.pods.attempts import is_superseded
from kubevitals.facts.pods.evictions import DISK, evicted_at, evicted_for
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.no_space import NO_SPACE, explain_no_space
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, event_lines, pod_lines
from kubevitals.findings.explains import CONCERNS, SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, node_condition, ref
from kubevitals.text import binary
from kubevitals.threshold import Threshold

WARN = Threshold(
    "storage-full.warn",
    85,
    "percent of a volume in use from which it is a warning; kubernetes-mixin warns below 15 % free",
)
FULL = Threshold(
    "storage-full.full",
    97,
    "percent of a volume in use from which it is an error; kubernetes-mixin is critical below 3 % free",
)

EVICTED = Threshold(
    "storage-full.evicted",
    3600,
    "seconds after which an eviction is only a warning",
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
    """Find PVCs whose volume has no space or inodes left, by kubelets' figures; hostPath volumes have none.

    Read-only volumes are left out, and block devices, whose use no kubelet knows, and `local` volumes on a plain
    directory, whose figures are the node's.
    """
    reported: set[Ref] = set()
    for _, summary in kubelet.summaries(cluster):
        whole = summary.node.fs.capacityBytes if summary.node.fs else None
        for figures in (v for pod in summary.pods or () for v in pod.volume or () if v.pvcRef):
            claim = figures.pvcRef and cluster.claims_by_name.get((figures.pvcRef.namespace, figures.pvcRef.name))
            if claim and ref(claim) not in reported and figures.capacityBytes != whole and not _is_skipped(claim):
                reported.add(ref(claim))
                yield from _volume(claim, figures, cluster)


def _volume(claim: pb.PersistentVolumeClaim, figures: kubelet.Volume, cluster: Cluster) -> Iterator[Finding]:
    space = _percent(figures.capacityBytes, figures.availableBytes)
    inodes = _percent(figures.inodes, figures.inodesFree)
    used, what = max((space, "space"), (inodes, "inodes"))
    if used >= cluster.limit(WARN):
        full = used >= cluster.limit(FULL)
        yield Finding(
            ref(claim),
            says=f"its volume is {'full' if full else 'almost full'}: {used:.0f} % of its {what} used",
            remedy="delete data, or expand the PVC if its StorageClass allows it",
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


def _is_skipped(claim: pb.PersistentVolumeClaim) -> bool:
    is_only_read = list(claim.spec.accessModes) == ["ReadOnlyMany"]
    return is_only_read or claim.spec.volumeMode == "Block" or claim.metadata.labels.get(BY_DESIGN) == "true"


def node_disk(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose disk has (almost) no space or inodes left, or whose kubelet reports DiskPressure.

    A disk with images may fill up until the kubelet evicts pods: before, it deletes unused images, if it can.
    """
    failures = cluster.derive(collection_failures)
    for node in cluster.derive(our_nodes):
        fillings = tight(node, cluster)
        pressure = node_condition(node, "DiskPressure") if under_pressure(node) else None
        failure = failures.by_node.get(node.metadata.name, "")
        if fillings or pressure or failure:
            yield Finding(
                ref(node),
                says=_disk_words(fillings, failure),
                remedy="delete what is not needed (images, logs, emptyDirs of busy pods), or enlarge the disk",
                evidence=[*map(str, fillings), *_pressure_lines(node), *event_lines(node, cluster)],
                since=pressure.lastTransitionTime.seconds if pressure else 0,
            )
    if unseen := cluster.derive(node_disks).unseen or failures.unseen:
        raise unseen


def _disk_words(fillings: Sequence[Filling], failure: str) -> str:
    words = " and ".join(filling.says for filling in fillings)
    if failure:
        return f"{words or 'its image disk fills up'}, and the kubelet cannot delete enough images: {failure}"
    return words or "its disk is full"


def _pressure_lines(node: pb.Node) -> Iterator[str]:
    if under_pressure(node):
        yield "the kubelet reports DiskPressure"


def evicted(cluster: Cluster) -> Iterator[Finding]:
    """Find pods evicted because they used too much disk space, or because their node's disk was full."""
    for pod in cluster.pods:
        if evicted_for(pod, DISK) and not is_superseded(pod, cluster):
            past = cluster.over(evicted_at(pod), EVICTED)
            yield pod_finding(
                pod,
                says=f"was evicted: {pod.status.message}",
                remedy="raise sizeLimit or the ephemeral-storage limit, or write less; then delete the evicted pod",
                evidence=pod_lines(pod, cluster),
                severity=Severity.WARNING if past else Severity.ERROR,
            )


def no_space_in_log(cluster: Cluster) -> Iterator[Finding]:
    """Find crashing containers whose log ends with "no space left on device"."""
    for symptom in broken_pods(cluster, PodFault.NO_SPACE_IN_LOG):
        pod, status = symptom.pod, symptom.status
        cause = explain_no_space(symptom.words, pod, cluster, status.name)
        yield pod_finding(
            pod,
            says=f'container "{status.name}" is crash-looping because {cause.what}: {symptom.words}',
            remedy=cause.remedy,
            evidence=[*container_lines(pod, status, cluster), *pod_lines(pod, cluster)],
            severity=symptom.severity,
            part=status.name,
        )


@check(volume, node_disk, evicted, no_space_in_log, chapter="2.3")
def test_storage_has_room() -> None:
    """Every volume and every node has room, and no pod was evicted for its disk."""
