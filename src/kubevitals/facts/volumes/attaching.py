"""Which volumes are not attached, where they are attached instead, and which no node of their pod can use."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.objects import Ref, condition, ref
from kubevitals.text import duration
from kubevitals.threshold import Threshold

ATTACH = Threshold(
    "volume-claim.attach",
    120,
    "seconds for which a volume may be unattached: the attach/detach controller gives a CSI attacher two minutes",
)
DETACH = Threshold(
    "volume-claim.detach",
    360,
    "seconds that a detachment may take: after six minutes the attach/detach controller detaches by force",
)


def attached_elsewhere(volume: str, waiting: Iterable[pb.Pod], cluster: Cluster) -> str:
    """Return the node to which the volume is attached while pods on other nodes wait for it; it may be down."""
    others = cluster.derive(_attached).get(volume, set()) - {pod.spec.nodeName for pod in waiting}
    return min(others, default="")


def _attached(cluster: Cluster) -> Mapping[str, set[str]]:
    nodes: dict[str, set[str]] = defaultdict(set)
    for attachment in cluster.attachments:
        if attachment.status.attached:
            nodes[attachment.spec.source.persistentVolumeName].add(attachment.spec.nodeName)
    return nodes


class AttachmentFault(NamedTuple):
    """A volume that is not attached or detached in time: its VolumeAttachment, why, and whether the driver says so."""

    attachment: pb.VolumeAttachment
    why: str
    is_answered: bool


def attachment_faults(cluster: Cluster) -> Iterator[AttachmentFault]:
    """Yield the faults of volumes' attachments. A failed detachment is why a volume is not attached elsewhere."""
    by_volume: dict[str, list[pb.VolumeAttachment]] = defaultdict(list)
    for attachment in cluster.attachments:
        by_volume[attachment.spec.source.persistentVolumeName].append(attachment)
    for attachments in by_volume.values():
        waiting = [attachment for attachment in attachments if _waits(attachment, cluster)]
        errors = [(attachment, _detach_error(attachment, waiting, cluster)) for attachment in attachments]
        faults = [pair for pair in errors if pair[1]] or [
            (attachment, _attach_error(attachment)) for attachment in waiting
        ]
        for attachment, why in faults:
            status = attachment.status
            yield AttachmentFault(attachment, why, bool(status.attachError.message or status.detachError.message))


def _waits(attachment: pb.VolumeAttachment, cluster: Cluster) -> bool:
    leaves = attachment.metadata.HasField("deletionTimestamp")
    return not leaves and not attachment.status.attached and cluster.over(attachment.metadata.creationTimestamp, ATTACH)


def _attach_error(attachment: pb.VolumeAttachment) -> str:
    error = attachment.status.attachError.message or f"{attachment.spec.attacher} does not respond"
    return f"its volume cannot be attached to node {attachment.spec.nodeName}: {error}"


def _detach_error(attachment: pb.VolumeAttachment, waiting: Sequence[pb.VolumeAttachment], cluster: Cluster) -> str:
    """Return why a volume is not detached, past `volume-claim.detach` or as soon as another node waits for it."""
    if not attachment.metadata.HasField("deletionTimestamp"):
        return ""
    node, error = attachment.spec.nodeName, attachment.status.detachError.message
    if error and waiting:
        others = ", ".join(sorted(other.spec.nodeName for other in waiting)[:3])
        return f"its volume cannot be detached from node {node}, and node {others} waits for it: {error}"
    if not cluster.over(attachment.metadata.deletionTimestamp, DETACH):
        return ""
    limit, reason = duration(cluster.limit(DETACH)), error or f"{attachment.spec.attacher} does not respond"
    return f"its volume is still not detached from node {node} after {limit}: {reason}"


_REASON = re.compile(r"\b\d{1,9} (node\(s\) [^,.]+|[A-Z][^,.]+)")
_VOLUME_AFFINITY = re.compile(r"PersistentVolume's node affinity|volume node affinity")
_ONLY_THE_VOLUME = re.compile(
    r"didn't match PersistentVolume's node affinity|volume node affinity conflict|untolerated taint|unschedulable"
    r"|didn't match Pod's node affinity/selector"
)
"""What the scheduler reports of nodes: kubernetes/kubernetes pkg/scheduler/framework/plugins (volumebinding,
volumezone, tainttoleration, nodeunschedulable, nodeaffinity)."""


def out_of_reach(cluster: Cluster) -> Iterator[tuple[pb.Pod, Ref, pb.PersistentVolume]]:
    """Yield the pods that cannot be scheduled only because a bound volume can be used on other nodes alone."""
    for pod in cluster.pods:
        if pod.spec.nodeName or not scheduled_over(pod, ATTACH, cluster):
            continue
        reasons = _REASON.findall(scheduler_words(pod).partition("preemption:")[0])
        if not any(map(_VOLUME_AFFINITY.search, reasons)):
            continue
        if all(_ONLY_THE_VOLUME.search(reason) for reason in reasons):
            for name in claim_names(pod):
                claim = cluster.claims_by_name.get((pod.metadata.namespace, name))
                volume = cluster.volumes_by_name.get(claim.spec.volumeName) if claim else None
                if claim and volume and volume.spec.HasField("nodeAffinity"):
                    yield pod, ref(claim), volume


def scheduler_words(pod: pb.Pod) -> str:
    """Return why the scheduler found no node for a pending pod, or nothing."""
    scheduled = condition(pod, "PodScheduled")
    return scheduled.message if scheduled and scheduled.status == "False" and pod.status.phase == "Pending" else ""


def scheduled_over(pod: pb.Pod, threshold: Threshold, cluster: Cluster) -> bool:
    """Return whether the pod has been scheduled, or could not be, for at least this long."""
    scheduled = condition(pod, "PodScheduled")
    return scheduled is not None and cluster.over(scheduled.lastTransitionTime, threshold)
