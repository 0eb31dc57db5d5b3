"""A claim cannot be bound, attached or mounted.

Meaning:
    A pod's PersistentVolumeClaim has no volume (class or volume missing, provisioner failing or not answering), or
    the volume cannot be attached to the pod's node (still attached elsewhere, CSI attacher not answering) or
    mounted there (driver missing, wrong file system, server not reachable). Or a CSI driver is down, which is what
    the next claim will meet.

Impact:
    Pods that need the volume stay Pending or in ContainerCreating: databases and message brokers, mostly.
    What runs with the volume mounted goes on.

Diagnosis:
    `kubectl describe pvc` and `kubectl describe pod` for events; `kubectl get storageclass,pv,volumeattachments`;
    the log of the CSI driver's controller and of its pod on the node.

Mitigation:
    Mend what the finding names. A volume held by a dead node is freed by deleting the Node or by the taint
    node.kubernetes.io/out-of-service; never delete a VolumeAttachment while the node may still write.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.volumes.binding import BINDING, Lack, affinity_words, lack, loss, users, waiting_line
from kubevitals.facts.volumes.csi import missing_on_nodes, unready_pods
from kubevitals.facts.volumes.mounting import by_claim, claim_of, mount_remedy, only_node, volume_words, waiting_lines
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, CONCERNS, SAME_MISSING, SAME_OBJECT, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.inventory.near_names import did_you_mean
from kubevitals.objects import Ref, condition, owner, ref
from kubevitals.text import duration, plural
from kubevitals.threshold import Threshold

ATTACH = Threshold("volume-claim.attach", 120, "the attach/detach controller itself gives a CSI attacher two minutes")
DETACH = Threshold("volume-claim.detach", 360, "after six minutes the attach/detach controller detaches by force")

HELD = (
    "let the pod that holds the volume end; where its node is dead, delete the Node, or give it the taint "
    "node.kubernetes.io/out-of-service"
)
CONTROLLER = "see whether the driver's controller pods (csi-attacher) run, and what their log says of this volume"
REACH = "let the pod run on those nodes: its node selector, affinity and tolerations decide, and the nodes' room"
"""What helps against a volume that is held elsewhere, that is not attached or detached, and that is elsewhere."""

UNREGISTERED = r"driver name (\S+) not found in the list of registered CSI drivers"

BOUND_TO_WAIT = tuple(f"volume-claim[{variant}]" for variant in ("unbound", "attach-failed", "mount-failed"))

EXPLAINS = (
    Explains(BROKEN_PODS, CONCERNED, ("volume-claim[driver-down]",)),
    Explains(
        ("volume-claim[unbound]",),
        SAME_OBJECT,
        ("volume-claim[attach-failed]", "volume-claim[mount-failed]"),
    ),
    Explains(BOUND_TO_WAIT, CONCERNS, ("startup-error", "liveness-probe[killed-by-probe]")),
    Explains(("volume-claim[driver-down]",), SAME_MISSING, ("volume-claim[mount-failed]",)),
)


def unbound(cluster: Cluster) -> Iterator[Finding]:
    """Find claims that are Lost, absent, or Pending for longer than `volume-claim.binding` though a volume is due.

    A claim of a WaitForFirstConsumer class waits for a pod: that is no fault.
    """
    for claim in cluster.claims:
        if claim.metadata.HasField("deletionTimestamp") or claim.status.phase == "Bound":
            continue
        if claim.status.phase == "Lost":
            yield _unbound(claim, loss(claim), cluster)
        elif cluster.over(claim.metadata.creationTimestamp, BINDING) and (lacks := lack(claim, cluster)):
            yield _unbound(claim, lacks, cluster)
    yield from _absent_claims(cluster)


def _unbound(claim: pb.PersistentVolumeClaim, lacks: Lack, cluster: Cluster) -> Finding:
    waiting = users(claim, cluster)
    lines = [
        waiting_line(claim, cluster),
        *event_lines(claim, cluster),
        *(f"waits for it: {ref(pod)}" for pod in waiting[:5]),
    ]
    return Finding(
        ref(claim),
        says=f"has no volume: {lacks.why}",
        remedy=lacks.remedy,
        evidence=lines,
        owner=owner(waiting[0]) if waiting else None,
        concerns=tuple(map(ref, waiting)),
        since=claim.metadata.creationTimestamp.seconds if claim.status.phase == "Pending" else 0,
    )


def _absent_claims(cluster: Cluster) -> Iterator[Finding]:
    for (namespace, name), pods in cluster.pods_by_claim.items():
        pod = pods[0]
        if (namespace, name) in cluster.claims_by_name or not cluster.over(pod.metadata.creationTimestamp, BINDING):
            continue
        existing = cluster.derive(_claim_names).get(namespace)
        near = did_you_mean(name, existing, "PersistentVolumeClaim", namespace, cluster)
        yield Finding(
            Ref("PersistentVolumeClaim", namespace, name),
            says=f"does not exist{near}, and {plural(len(pods), 'pod')} cannot start without it",
            remedy="create the claim, or correct claimName in the workload's template",
            evidence=[f"named by: {ref(pod)}", *pod_lines(pod, cluster)],
            owner=owner(pod),
            concerns=tuple(map(ref, pods)),
            look=ref(pod).kubectl("describe"),
        )


def _claim_names(cluster: Cluster) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for namespace, name in cluster.claims_by_name:
        found.setdefault(namespace, []).append(name)
    return found


def attach_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find volumes that are not attached or detached in time, or that are tied to nodes where their pod cannot run."""
    told: set[Ref] = set()
    for attachment in cluster.attachments:
        if why := _attachment_fault(attachment, cluster):
            obj = claim_of(attachment.spec.source.persistentVolumeName, cluster) or ref(attachment)
            if not cluster.scope.covers(obj.namespace):
                continue
            told.add(obj)
            waiting = cluster.pods_by_claim.get((obj.namespace, obj.name), [])
            lines = [f"VolumeAttachment/{attachment.metadata.name}"]
            yield _attach_finding(obj, why, CONTROLLER, lines, waiting, attachment.spec.nodeName)
    for pod, claim, volume in _out_of_reach(cluster):
        if claim not in told:
            told.add(claim)
            why = f"is tied to nodes with {affinity_words(volume)}, where its pod cannot run"
            yield _attach_finding(claim, why, REACH, [f"waits for it: {ref(pod)}", _scheduler_words(pod)], [pod])
    for obj, symptoms in by_claim(broken_pods(cluster, PodFault.ATTACH_FAILED), cluster).items():
        if obj not in told and (late := [s for s in symptoms if _scheduled_over(s.pod, ATTACH, cluster)]):
            pods = [symptom.pod for symptom in late]
            holder = _holder(late[0].volume, pods, cluster)
            held = [f"attached to node {holder}"] if holder else []
            why = f"cannot be attached: {volume_words(late[0].words)}"
            remedy = HELD if holder or re.search(r"multi-attach|already", late[0].words, re.IGNORECASE) else CONTROLLER
            lines = [*held, *waiting_lines(late, cluster)]
            yield _attach_finding(obj, why, remedy, lines, pods, holder or only_node(late))


def _holder(volume: str, waiting: Iterable[pb.Pod], cluster: Cluster) -> str:
    """Return the node that has the volume attached while pods on other nodes wait for it; it may be down."""
    others = cluster.derive(_attached).get(volume, set()) - {pod.spec.nodeName for pod in waiting}
    return min(others, default="")


def _attached(cluster: Cluster) -> Mapping[str, set[str]]:
    nodes: dict[str, set[str]] = defaultdict(set)
    for attachment in cluster.attachments:
        if attachment.status.attached:
            nodes[attachment.spec.source.persistentVolumeName].add(attachment.spec.nodeName)
    return nodes


def _attach_finding(
    obj: Ref, why: str, remedy: str, evidence: Iterable[str], waiting: list[pb.Pod], node: str = ""
) -> Finding:
    return Finding(
        obj,
        says=why,
        remedy=remedy,
        evidence=evidence,
        owner=owner(waiting[0]) if waiting else None,
        concerns=tuple(map(ref, waiting)),
        node=node,
    )


def _attachment_fault(attachment: pb.VolumeAttachment, cluster: Cluster) -> str:
    node, status = attachment.spec.nodeName, attachment.status
    silence = f"no answer from {attachment.spec.attacher}"
    if attachment.metadata.HasField("deletionTimestamp"):
        if not cluster.over(attachment.metadata.deletionTimestamp, DETACH):
            return ""
        since = duration(cluster.limit(DETACH))
        return f"is still being detached from node {node} after {since}: {status.detachError.message or silence}"
    if status.attached or not cluster.over(attachment.metadata.creationTimestamp, ATTACH):
        return ""
    return f"cannot be attached to node {node}: {status.attachError.message or silence}"


_ONLY_THE_VOLUME = re.compile(
    r"didn't match PersistentVolume's node affinity|volume node affinity conflict|untolerated taint|unschedulable"
    r"|didn't match Pod's node affinity/selector"
)


def _out_of_reach(cluster: Cluster) -> Iterator[tuple[pb.Pod, Ref, pb.PersistentVolume]]:
    """Yield the pods that could be scheduled but for a bound volume that is tied to other nodes."""
    for pod in cluster.pods:
        if pod.spec.nodeName or not _scheduled_over(pod, ATTACH, cluster):
            continue
        reasons = re.findall(
            r"\b\d{1,9} (node\(s\) [^,.]+|[A-Z][^,.]+)", _scheduler_words(pod).partition("preemption:")[0]
        )
        if not any(
            "PersistentVolume's node affinity" in reason or "volume node affinity" in reason for reason in reasons
        ):
            continue
        if all(_ONLY_THE_VOLUME.search(reason) for reason in reasons):
            for name in claim_names(pod):
                claim = cluster.claims_by_name.get((pod.metadata.namespace, name))
                volume = cluster.volumes_by_name.get(claim.spec.volumeName) if claim else None
                if claim and volume and volume.spec.HasField("nodeAffinity"):
                    yield pod, ref(claim), volume


def _scheduler_words(pod: pb.Pod) -> str:
    scheduled = condition(pod, "PodScheduled")
    return scheduled.message if scheduled and scheduled.status == "False" and pod.status.phase == "Pending" else ""


def mount_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find volumes that cannot be mounted on their pod's node; ConfigMaps and Secrets belong to config-mount."""
    for obj, symptoms in by_claim(broken_pods(cluster, PodFault.MOUNT_FAILED), cluster).items():
        words = volume_words(symptoms[0].words)
        yield Finding(
            obj,
            says=f"cannot be mounted: {words}"
            if obj.kind != "Pod"
            else f"cannot mount volume {symptoms[0].volume}: {words}",
            remedy=mount_remedy(words),
            evidence=waiting_lines(symptoms, cluster),
            owner=owner(symptoms[0].pod),
            concerns=tuple(ref(symptom.pod) for symptom in symptoms),
            node=(node := only_node(symptoms)),
            missing=_registrations(node, re.findall(UNREGISTERED, words)),
        )


def driver_down(cluster: Cluster) -> Iterator[Finding]:
    """Find CSI drivers with pods that are not ready, and nodes on which a driver should be registered and is not."""
    for driver in cluster.csi_drivers:
        name = driver.metadata.name
        if unready := unready_pods(name, cluster):
            yield Finding(
                ref(driver),
                says=f"is not ready: {plural(len(unready), 'pod')} of it {'is' if len(unready) == 1 else 'are'} down",
                remedy="bring the driver's pods back; until then volumes on their nodes cannot be attached or mounted",
                evidence=[line for pod in unready[:3] for line in (f"down: {ref(pod)}", *pod_lines(pod, cluster))],
                concerns=tuple(map(ref, unready)),
                look=ref(unready[0]).kubectl("describe"),
            )
        for node in missing_on_nodes(name, cluster):
            yield Finding(
                ref(node),
                says=f"lacks the CSI driver {name}, which its DaemonSet is meant to register there",
                remedy="restart the driver's pod on the node and read the log of its node-driver-registrar",
                evidence=[f"CSINode/{node.metadata.name} does not list {name}"],
                part=name,
                missing=_registrations(node.metadata.name, [name]),
                look=Ref("CSINode", "", node.metadata.name).kubectl("describe"),
            )
    if cluster.csi_drivers:
        cluster.scope.need_all("a CSI driver's pods may be in any namespace")


def _registrations(node: str, drivers: Iterable[str]) -> tuple[Ref, ...]:
    """Return what a CSINode does not list."""
    return tuple(Ref("CSINode", node, driver) for driver in drivers)


def _scheduled_over(pod: pb.Pod, threshold: Threshold, cluster: Cluster) -> bool:
    scheduled = condition(pod, "PodScheduled")
    return scheduled is not None and cluster.over(scheduled.lastTransitionTime, threshold)


@check(unbound, attach_failed, mount_failed, driver_down, chapter="1.3")
def test_claims_are_usable() -> None:
    """Every claim that is due has a volume, attached and mounted where its pods are."""
