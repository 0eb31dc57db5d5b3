"""Which volumes are not attached or detached in time, are held elsewhere, or are of use to no node of their pod."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.volumes.attach_errors import ERROR, NO_ANSWER, NOT_ON_THE_NODE, attach_remedy
from kubevitals.facts.volumes.claims import VolumeFault
from kubevitals.facts.volumes.csi import driver_names
from kubevitals.facts.volumes.matching import how_to_reach, where
from kubevitals.facts.volumes.mounting import HELD, by_claim, claim_of, only_node, volume_words, waiting_lines
from kubevitals.findings.evidence import pod_lines
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.objects import Ref, condition, is_ready, owner, ref
from kubevitals.text import duration, plural
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

_NO_CSI_DRIVER = (
    "create the CSIDriver as the driver's manifest has it (attachRequired: false, if it attaches nothing), or check "
    "that the driver's controller pods (csi-attacher) run"
)


def unattached(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the volumes that are not attached, or not detached, in time: by their state, then by what pods report.

    Raises:
        NotObserved: after the last one, if some pod could not be judged.
    """
    yield from _attachments(cluster)
    yield from _exclusive(cluster)
    yield from _out_of_reach(cluster)
    yield from _reported(cluster)


def _attachments(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the faults of VolumeAttachments. A failed detachment is why a volume is not attached elsewhere."""
    by_volume: dict[str, list[pb.VolumeAttachment]] = defaultdict(list)
    for attachment in cluster.attachments:
        by_volume[attachment.spec.source.persistentVolumeName].append(attachment)
    for attachments in by_volume.values():
        waiting = [attachment for attachment in attachments if _waits(attachment, cluster)]
        errors = [(attachment, _detach_error(attachment, waiting, cluster)) for attachment in attachments]
        leaving = [(attachment, error) for attachment, error in errors if error]
        for attachment, why in leaving or [(attachment, _attach_error(attachment, cluster)) for attachment in waiting]:
            yield _attachment_fault(attachment, why, attachments, cluster)


def _attachment_fault(
    attachment: pb.VolumeAttachment, why: str, attachments: Sequence[pb.VolumeAttachment], cluster: Cluster
) -> VolumeFault:
    obj = claim_of(attachment.spec.source.persistentVolumeName, cluster) or ref(attachment)
    error = attachment.status.attachError.message or attachment.status.detachError.message
    unanswered = _NO_CSI_DRIVER if _has_no_csi_driver(attachment, cluster) else NO_ANSWER
    return VolumeFault(
        obj,
        why,
        attach_remedy(error, ERROR) if error else unanswered,
        (f"VolumeAttachment/{attachment.metadata.name}", *_others(attachment, attachments)),
        cluster.pods_by_claim.get((obj.namespace, obj.name), []),
        attachment.spec.nodeName,
    )


def _others(attachment: pb.VolumeAttachment, attachments: Sequence[pb.VolumeAttachment]) -> Iterator[str]:
    """Yield as evidence what the attacher reports about the volume on other nodes."""
    for other in attachments:
        if other.spec.nodeName != attachment.spec.nodeName:
            state = "attached" if other.status.attached else other.status.attachError.message or "not attached"
            yield f"node {other.spec.nodeName}: {state}"


def _waits(attachment: pb.VolumeAttachment, cluster: Cluster) -> bool:
    leaves = attachment.metadata.HasField("deletionTimestamp")
    return not leaves and not attachment.status.attached and cluster.over(attachment.metadata.creationTimestamp, ATTACH)


def _has_no_csi_driver(attachment: pb.VolumeAttachment, cluster: Cluster) -> bool:
    """Return whether the attacher's CSIDriver is known not to exist: its volumes are attached all the same.

    Without it the default holds, attachRequired (kubernetes/kubernetes pkg/volume/csi/csi_plugin.go skipAttach).
    """
    if attachment.metadata.HasField("deletionTimestamp"):
        return False
    try:
        return attachment.spec.attacher not in cluster.derive(driver_names)
    except NotObserved:
        return False


def _attach_error(attachment: pb.VolumeAttachment, cluster: Cluster) -> str:
    attacher = attachment.spec.attacher
    missing = f", and its CSIDriver {attacher} does not exist" if _has_no_csi_driver(attachment, cluster) else ""
    error = attachment.status.attachError.message or f"{attacher} does not respond{missing}"
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


def _exclusive(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the claims for one node, or one pod, that another pod uses while some wait for them."""
    for (namespace, name), pods in cluster.pods_by_claim.items():
        claim = cluster.claims_by_name.get((namespace, name))
        waiting = [pod for pod in pods if pod.status.phase == "Pending" and scheduled_over(pod, ATTACH, cluster)]
        if not claim or not waiting:
            continue
        users = [pod for pod in pods if pod.status.phase == "Running"]
        if "ReadWriteOncePod" in claim.spec.accessModes:
            unscheduled = [pod for pod in waiting if not pod.spec.nodeName]
            if users and unscheduled:
                why = f"it is ReadWriteOncePod and {ref(users[0])} uses it: {_cannot(unscheduled, 'be scheduled')}"
                yield _held(claim, why, users, unscheduled, users[0].spec.nodeName, cluster)
        elif set(claim.spec.accessModes) == {"ReadWriteOnce"}:
            yield from _held_on_a_node(claim, users, waiting, cluster)


def _held_on_a_node(
    claim: pb.PersistentVolumeClaim, users: list[pb.Pod], waiting: list[pb.Pod], cluster: Cluster
) -> Iterator[VolumeFault]:
    attached = cluster.derive(_attached).get(claim.spec.volumeName, set())
    elsewhere = [pod for pod in waiting if pod.spec.nodeName and pod.spec.nodeName not in attached]
    if not attached or not elsewhere:
        return
    node = min(attached)
    there = [pod for pod in users if pod.spec.nodeName == node]
    used = f", where {ref(there[0])} uses it" if there else ""
    why = f"it is ReadWriteOnce and its volume is attached to node {node}{used}: {_cannot(elsewhere, 'start')}"
    yield _held(claim, why, there, elsewhere, node, cluster)


def _cannot(waiting: list[pb.Pod], verb: str) -> str:
    nodes = sorted({pod.spec.nodeName for pod in waiting} - {""})
    return f"{plural(len(waiting), 'pod')} cannot {verb}" + (f" on node {', '.join(nodes[:3])}" if nodes else "")


def _held(
    claim: pb.PersistentVolumeClaim,
    why: str,
    users: list[pb.Pod],
    waiting: list[pb.Pod],
    node: str,
    cluster: Cluster,
) -> VolumeFault:
    workload = owner(waiting[0])
    rolls_out = workload and workload.kind == "Deployment" and any(owner(pod) == workload for pod in users)
    remedy = f"the rollout waits for its own old pod: set strategy.type of {workload} to Recreate, or delete that pod"
    lines = [line for pod in waiting[:3] for line in (f"waiting: {ref(pod)}", *pod_lines(pod, cluster))]
    return VolumeFault(ref(claim), why, remedy if rolls_out else HELD, tuple(lines), waiting, node)


def _attached(cluster: Cluster) -> Mapping[str, set[str]]:
    nodes: dict[str, set[str]] = defaultdict(set)
    for attachment in cluster.attachments:
        if attachment.status.attached:
            nodes[attachment.spec.source.persistentVolumeName].add(attachment.spec.nodeName)
    return nodes


_REASON = re.compile(r"\b\d{1,9} (node\(s\) [^,.]+|[A-Z][^,.]+)")
_VOLUME_AFFINITY = re.compile(r"PersistentVolume's node affinity|volume node affinity|no available volume zone")
_VOLUME_COUNT = re.compile(r"exceed max volume count")
_NOT_INSTALLED = re.compile(r"\b\d{1,9} ([\w.-]{1,253}) CSI driver is not installed on the node")
"""Since Kubernetes 1.37, of drivers whose CSIDriver has preventPodSchedulingIfMissing (nodevolumelimits/csi.go)."""
_ONLY_THE_VOLUME = re.compile(
    r"didn't match PersistentVolume's node affinity|volume node affinity conflict|no available volume zone"
    r"|exceed max volume count|untolerated taint|unschedulable|didn't match Pod's node affinity/selector"
)
"""What the scheduler reports of nodes: kubernetes/kubernetes pkg/scheduler/framework/plugins (volumebinding,
volumezone, nodevolumelimits, tainttoleration, nodeunschedulable, nodeaffinity)."""


def _out_of_reach(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the volumes for which alone a pod cannot be scheduled: they are elsewhere, or nodes have too many."""
    for pod in cluster.pods:
        if pod.spec.nodeName or not scheduled_over(pod, ATTACH, cluster):
            continue
        words = _scheduler_words(pod)
        nodes = words.partition("preemption:")[0]
        reasons, absent = _REASON.findall(nodes), _NOT_INSTALLED.findall(nodes)
        if not (reasons or absent) or not all(_ONLY_THE_VOLUME.search(reason) for reason in reasons):
            continue
        lines = (f"waiting: {ref(pod)}", words)
        if absent:
            yield from _without_driver(pod, absent[0], lines)
        elif any(map(_VOLUME_COUNT.search, reasons)):
            yield from _over_the_limit(pod, lines)
        elif any(map(_VOLUME_AFFINITY.search, reasons)):
            yield from _on_other_nodes(pod, lines, cluster)


def _over_the_limit(pod: pb.Pod, lines: tuple[str, ...]) -> Iterator[VolumeFault]:
    for name in claim_names(pod)[:1]:
        yield VolumeFault(
            Ref("PersistentVolumeClaim", pod.metadata.namespace, name),
            "its volume cannot be attached: the nodes where the pod can run have as many volumes as they can attach",
            "add nodes, move other pods with volumes away, or use nodes that can attach more volumes",
            lines,
            [pod],
        )


def _without_driver(pod: pb.Pod, driver: str, lines: tuple[str, ...]) -> Iterator[VolumeFault]:
    for name in claim_names(pod)[:1]:
        why = f"its volume cannot be attached: CSI driver {driver} is not installed on the nodes where the pod can run"
        yield VolumeFault(
            Ref("PersistentVolumeClaim", pod.metadata.namespace, name), why, NOT_ON_THE_NODE, lines, [pod]
        )


def _on_other_nodes(pod: pb.Pod, lines: tuple[str, ...], cluster: Cluster) -> Iterator[VolumeFault]:
    for name in claim_names(pod):
        claim = cluster.claims_by_name.get((pod.metadata.namespace, name))
        volume = cluster.volumes_by_name.get(claim.spec.volumeName) if claim else None
        if claim and volume and volume.spec.HasField("nodeAffinity"):
            why = f"its volume can only be used on nodes with {where(volume, cluster)}"
            yield VolumeFault(ref(claim), why, how_to_reach(volume, cluster), lines, [pod])


def _scheduler_words(pod: pb.Pod) -> str:
    """Return why the scheduler found no node for a pending pod, or nothing."""
    scheduled = condition(pod, "PodScheduled")
    return scheduled.message if scheduled and scheduled.status == "False" and pod.status.phase == "Pending" else ""


def scheduled_over(pod: pb.Pod, threshold: Threshold, cluster: Cluster) -> bool:
    """Return whether the pod has been scheduled, or could not be, for at least this long."""
    scheduled = condition(pod, "PodScheduled")
    return scheduled is not None and cluster.over(scheduled.lastTransitionTime, threshold)


def _reported(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the volumes that cannot be attached according to the events of their pods."""
    for obj, symptoms in by_claim(broken_pods(cluster, PodFault.ATTACH_FAILED), cluster).items():
        if late := [symptom for symptom in symptoms if scheduled_over(symptom.pod, ATTACH, cluster)]:
            pods, words = [symptom.pod for symptom in late], late[0].words
            holder = _attached_elsewhere(late[0].volume, pods, cluster)
            held = (f"attached to node {holder}",) if holder else ()
            remedy = _shared(obj, pods, cluster) or (HELD if holder else attach_remedy(words, NO_ANSWER))
            why = f"its volume cannot be attached: {volume_words(words)}"
            yield VolumeFault(obj, why, remedy, (*held, *waiting_lines(late, cluster)), pods, holder or only_node(late))


def _shared(claim: Ref, waiting: list[pb.Pod], cluster: Cluster) -> str:
    """Return what helps if a ready pod of the same Deployment has the volume on another node; else nothing."""
    of, nodes = owner(waiting[0]), {pod.spec.nodeName for pod in waiting}
    for other in cluster.pods_by_claim.get((claim.namespace, claim.name), ()) if of and of.kind == "Deployment" else ():
        if owner(other) == of and is_ready(other) and other.spec.nodeName not in nodes:
            return (
                f"{ref(other)} of the same Deployment has the volume: set strategy.type to Recreate and replicas to 1, "
                "give each pod a volume of its own (a StatefulSet), or use one for many nodes (ReadWriteMany)"
            )
    return ""


def _attached_elsewhere(volume: str, waiting: Iterable[pb.Pod], cluster: Cluster) -> str:
    """Return the node to which the volume is attached while pods on other nodes wait for it; it may be down."""
    others = cluster.derive(_attached).get(volume, set()) - {pod.spec.nodeName for pod in waiting}
    return min(others, default="")
