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
    write to a volume instead of the container's own file system. A volume that is full by design, or that has no
    figures, is skipped if its PVC has the label `kubevitals.io/full-by-design: "true"`.
"""

from collections.abc import Iterator, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.disks import Filling, collection_failures, node_disks, tight, under_pressure
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.facts.pods.attempts import is_superseded
from kubevitals.facts.pods.evictions import DISK, evicted_at, evicted_for
from kubevitals.facts.pods.faults import PodFault, broken_pods, is_broken
from kubevitals.facts.pods.no_space import NO_SPACE, NoSpace, explain_no_space
from kubevitals.facts.pods.states import Symptom, crash
from kubevitals.facts.volumes.usage import (
    SpaceReport,
    claims_without_figures,
    has_host_path,
    is_skipped,
    space_reports,
    volume_figures,
)
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

NAMED = 3
"""Claims without figures that are named."""

EVICTED = Threshold(
    "storage-full.evicted",
    3600,
    "seconds after which an eviction is only a warning",
)

IN_LOGS = ("storage-full[no-space-in-log]", "startup-error")
UNDER_PRESSURE = ("node-ready", "storage-full[evicted]")

EXPLAINS = (
    Explains(("storage-full[volume]",), CONCERNS, IN_LOGS, NO_SPACE),
    Explains(("storage-full[node-disk]",), SAME_NODE, ("config-mount[node-disk-full]",)),
    Explains(("storage-full[node-disk]",), SAME_NODE, UNDER_PRESSURE, "diskpressure|low on resource"),
    Explains(("storage-full[node-disk]",), SAME_NODE, (*IN_LOGS, "ip-allocation", "volume-claim"), NO_SPACE),
)


def volume(cluster: Cluster) -> Iterator[Finding]:
    """Find PVCs whose volume has no space or inodes left, by kubelets' figures, or by what their pods report.

    hostPath volumes and those of many CSI drivers have no figures: they are not observed, unless a pod's probe or log
    reports "no space left on device". `--require-observed` does not demand figures of hostPath volumes, which are a
    part of the node's disk. Read-only volumes are left out, and block devices, whose use no kubelet knows, and volumes
    on a plain directory, whose figures are the node's.
    """
    figures = cluster.derive(volume_figures)
    reported: set[Ref] = set()
    for name, of_volume in figures.by_claim.items():
        claim = cluster.claims_by_name.get(name)
        if claim and not is_skipped(claim):
            yield from _volume(claim, of_volume, cluster)
    for report in cluster.derive(space_reports):
        place = ref(report.claim or report.pod)
        if place not in reported and (report.claim or not is_broken(report.pod, cluster)):
            reported.add(place)
            yield _reported_full(report, cluster)
    if figures.unseen:
        raise figures.unseen
    unknown = [c for c in cluster.derive(claims_without_figures).values() if ref(c) not in reported]
    required = [claim for claim in unknown if not has_host_path(claim, cluster)]
    if required:
        raise NotObserved(f"kubelets have no figures of {_some(required)}")
    if unknown:
        raise NotObserved(f"kubelets never have figures of hostPath volumes, such as {_some(unknown)}", unasked=True)


def _some(claims: Sequence[pb.PersistentVolumeClaim]) -> str:
    more = f" and {len(claims) - NAMED:,} more" if len(claims) > NAMED else ""
    return ", ".join(str(ref(claim)) for claim in claims[:NAMED]) + more


def _reported_full(report: SpaceReport, cluster: Cluster) -> Finding:
    claim, pod = report.claim, report.pod
    full = f'{"is" if report.is_certain else "is probably"} full: container "{report.container}" reports "{NO_SPACE}"'
    remedy, evidence = "delete data on the volume, or enlarge it", [f"{ref(pod)}: {report.text}"]
    if claim is None:
        says = f'volume "{report.volume}" {full}'
        evidence += pod_lines(pod, cluster)
        return pod_finding(pod, says=says, remedy=remedy, evidence=evidence, part=report.volume)
    return Finding(
        ref(claim),
        says=f"its volume {full}",
        remedy=remedy,
        evidence=[*evidence, *event_lines(claim, cluster)],
        concerns=_users(claim, cluster),
    )


def _users(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> tuple[Ref, ...]:
    return tuple(map(ref, cluster.pods_by_claim.get((claim.metadata.namespace, claim.metadata.name), ())))


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
            concerns=_users(claim, cluster),
        )


def _percent(whole: int | None, left: int | None) -> float:
    return 100 * (whole - left) / whole if whole and left is not None else 0.0


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
                remedy=_NODE_WAS_FULL if pod.status.message.startswith("The node ") else _WROTE_TOO_MUCH,
                evidence=pod_lines(pod, cluster),
                severity=Severity.WARNING if past else Severity.ERROR,
            )


_WROTE_TOO_MUCH = "raise sizeLimit or the ephemeral-storage limit, or write less; then delete the evicted pod"
_NODE_WAS_FULL = (
    "enlarge the node's disk or delete what is not needed there, and set ephemeral-storage requests and limits; then "
    "delete the evicted pod"
)


def no_space_in_log(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that crash or are not ready, and whose log or probe reports "no space left on device"."""
    for symptom in broken_pods(cluster, PodFault.NO_SPACE_IN_LOG):
        pod, status = symptom.pod, symptom.status
        cause = explain_no_space(symptom.words, pod, cluster, status.name)
        state = "is crash-looping" if crash(pod, status, cluster) else "is not ready"
        yield pod_finding(
            pod,
            says=f'container "{status.name}" {state} because {_what(cause, symptom, cluster)}: {symptom.words}',
            remedy=cause.remedy,
            evidence=[*container_lines(pod, status, cluster), *pod_lines(pod, cluster)],
            severity=symptom.severity,
            part=status.name,
        )


def _what(cause: NoSpace, symptom: Symptom, cluster: Cluster) -> str:
    reports = (r for r in cluster.derive(space_reports) if ref(r.pod) == ref(symptom.pod) and not r.is_certain)
    return next((f'volume "{report.volume}" is probably full' for report in reports), cause.what)


@check(volume, node_disk, evicted, no_space_in_log, chapter="2.3")
def test_storage_has_room() -> None:
    """Every volume and every node has room, and no pod was evicted for its disk."""
