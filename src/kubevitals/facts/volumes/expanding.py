"""Why a PersistentVolumeClaim is not expanded to the size that it asks for."""

import re
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.volumes.claims import VolumeFault, users
from kubevitals.findings.evidence import event_lines
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import last_seen, occurrences
from kubevitals.objects import ref
from kubevitals.quantity import amount
from kubevitals.text import binary
from kubevitals.threshold import Threshold

RETRIED = Threshold(
    "volume-claim.expansion-failing",
    60,
    "seconds for which an expansion may fail: the first attempts meet a volume that is just being attached",
)
EXPANSION = Threshold(
    "volume-claim.expansion",
    900,
    "seconds that an expansion may take: cloud disks take some minutes, and the file system grows while it is mounted",
)

ERRORS = ("ControllerResizeError", "NodeResizeError")
"""Conditions of a claim whose expansion fails (k8s.io/api core/v1, since Kubernetes 1.31)."""

_BEGUN = frozenset({"Resizing", "FileSystemResizePending", *ERRORS})

_FAILED = frozenset({"VolumeResizeFailed", "FileSystemResizeFailed"})
_SUCCEEDED = frozenset({"VolumeResizeSuccessful", "FileSystemResizeSuccessful"})
"""Reasons of events: external-resizer pkg/util, kubernetes/kubernetes pkg/kubelet/events/event.go."""

_UNSTARTED = "ExternalExpanding"
"""The reason of the event by which kube-controller-manager leaves an expansion to the driver
(kubernetes/kubernetes pkg/controller/volume/expand/expand_controller.go)."""

_PREFIX = re.compile(r'^(?:resize volume "?\S{1,300}"? by resizer "?\S{1,300}"? failed: |NodeExpandVolume\S{0,80} )')
_FIX = "fix what the driver reports, or set the storage request of the PVC back to a size that the driver accepts"


def unexpanded(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the claims whose expansion fails, is not possible, or does not finish.

    Raises:
        NotObserved: after what claims report by themselves, if events could not be listed.
    """
    growing = []
    for claim in cluster.claims:
        if claim.status.phase != "Bound" or claim.metadata.HasField("deletionTimestamp"):
            continue
        if fault := _by_state(claim, cluster):
            yield fault
        elif _grows(claim, cluster):
            growing.append(claim)
    for claim in growing:
        if error := _repeated_failure(claim, cluster):
            yield _fault(claim, f"{_expansion(claim, cluster)}: {error}", _FIX, cluster)
        elif _never_started(claim, cluster):
            remedy = "check that the driver's controller runs with a csi-resizer, and read the log of that container"
            yield _fault(claim, f"{_expansion(claim, cluster)}: no driver has started the expansion", remedy, cluster)


def _by_state(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> VolumeFault | None:
    """Return what is wrong with an expansion according to the claim's status, or nothing."""
    conditions = {c.type: c for c in claim.status.conditions if c.status == "True"}
    for kind in ERRORS:
        if kind in conditions and cluster.over(conditions[kind].lastTransitionTime, RETRIED):
            error = _PREFIX.sub("", conditions[kind].message) or kind
            return _fault(claim, f"{_expansion(claim, cluster)}: {error}", _FIX, cluster)
    if infeasible := [s for s in claim.status.allocatedResourceStatuses.values() if s.endswith("Infeasible")]:
        return _fault(claim, f"{_expansion(claim, cluster)}: the driver reports {infeasible[0]}", _FIX, cluster)
    late = {kind for kind, c in conditions.items() if cluster.over(c.lastTransitionTime, EXPANSION)}
    if "FileSystemResizePending" in late and users(claim, cluster):
        why = "its volume has been expanded, but its file system is not while the pod runs"
        return _fault(claim, why, "restart the pod that uses the PVC", cluster, is_urgent=False)
    if "Resizing" in late and "FileSystemResizePending" not in conditions:
        remedy = "read the log of the driver's csi-resizer, and of its pod on the node"
        return _fault(claim, f"{_expansion(claim, cluster)}: it has started, and has not finished", remedy, cluster)
    return None


def _grows(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    return 0 < _capacity(claim, cluster) < amount(claim.spec.resources.requests, "storage")


def _expansion(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    if not _grows(claim, cluster):
        return "its expansion fails"
    size, wanted = _capacity(claim, cluster), amount(claim.spec.resources.requests, "storage")
    return f"it cannot be expanded from {binary(size)} to {binary(wanted)}"


def _capacity(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> float:
    """Return the claim's size, or its volume's where the source does not have it."""
    if size := amount(claim.status.capacity, "storage"):
        return size
    volume = cluster.volumes_by_name.get(claim.spec.volumeName)
    return amount(volume.spec.capacity, "storage") if volume else 0


def _repeated_failure(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    """Return what events report about an expansion that keeps failing; nothing if there are no such events."""
    events = cluster.events(claim)
    done = max((last_seen(event) for event in events if event.reason in _SUCCEEDED), default=0)
    failures = [event for event in events if event.reason in _FAILED and last_seen(event) > done]
    if not failures:
        return ""
    seen = occurrences(failures)
    lasts = cluster.now.timestamp() - seen.first >= cluster.limit(RETRIED)
    return _PREFIX.sub("", failures[-1].message) if lasts and seen.count > 1 and seen.is_current(cluster.now) else ""


def _never_started(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether an expansion was left to the driver `volume-claim.expansion` ago, which has not begun."""
    left = [event for event in cluster.events(claim) if event.reason == _UNSTARTED]
    answered = any(event.reason in _FAILED | _SUCCEEDED for event in cluster.events(claim))
    begun = answered or any(condition.type in _BEGUN for condition in claim.status.conditions)
    since = max((last_seen(event) for event in left), default=0)
    return bool(since) and not begun and cluster.over(pb.Time(seconds=since), EXPANSION)


def _fault(
    claim: pb.PersistentVolumeClaim, why: str, remedy: str, cluster: Cluster, *, is_urgent: bool = True
) -> VolumeFault:
    states = [f"condition {c.type}={c.status}: {c.message}" for c in claim.status.conditions]
    statuses = [f"{name}: {status}" for name, status in sorted(claim.status.allocatedResourceStatuses.items())]
    lines = (*states, *statuses, *event_lines(claim, cluster))
    return VolumeFault(ref(claim), why, remedy, lines, users(claim, cluster), is_urgent=is_urgent)
