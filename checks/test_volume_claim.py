"""A PersistentVolumeClaim (PVC) cannot be bound, attached or mounted.

Meaning:
    A pod's PVC is not bound to a PersistentVolume (its StorageClass or volume is missing, the provisioner fails or
    does not respond), or the volume cannot be attached to the pod's node (still attached to another node, the CSI
    attacher does not respond) or mounted there (driver missing, wrong file system, server unreachable). Or a CSI
    driver is down, so that the next volume cannot be used.

Impact:
    Pods that need the volume stay in Pending or ContainerCreating; these are mostly databases and message brokers.
    Pods that have the volume mounted keep running.

Diagnosis:
    `kubectl describe pvc` and `kubectl describe pod` show the events; `kubectl get storageclass,pv,volumeattachments`
    shows what exists. The CSI driver's controller and its pod on the node have logs.

Mitigation:
    Fix what the finding names. To free a volume that a dead node holds, delete the Node, or give it the taint
    node.kubernetes.io/out-of-service; never delete a VolumeAttachment while the node may still write to the volume.
"""

import re
from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.volumes.attaching import (
    ATTACH,
    attached_elsewhere,
    attachment_fault,
    out_of_reach,
    scheduled_over,
    scheduler_words,
)
from kubevitals.facts.volumes.binding import (
    BINDING,
    WhyUnbound,
    affinity_words,
    users,
    waiting_line,
    why_lost,
    why_unbound,
)
from kubevitals.facts.volumes.csi import missing_on_nodes, unready_pods
from kubevitals.facts.volumes.mounting import by_claim, claim_of, mount_remedy, only_node, volume_words, waiting_lines
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, CONCERNS, SAME_MISSING, SAME_OBJECT, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.near_names import near_names
from kubevitals.objects import Ref, owner, ref
from kubevitals.text import plural

HELD = (
    "stop the pod that uses the volume; if its node is dead, delete the Node, or give it the taint "
    "node.kubernetes.io/out-of-service"
)
CONTROLLER = "check that the driver's controller pods (csi-attacher) run, and what their log says about this volume"
REACH = (
    "let the pod run on those nodes: check its node selector, affinity and tolerations, and the nodes' free capacity"
)
"""What helps if a volume is attached to another node, if it is not attached or detached, and if it is elsewhere."""

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
    """Find PVCs that are missing, Lost, or Pending for longer than `volume-claim.binding` although a pod needs them.

    A PVC whose StorageClass has WaitForFirstConsumer waits for its first pod, which is not a fault.
    """
    for claim in cluster.claims:
        if claim.metadata.HasField("deletionTimestamp") or claim.status.phase == "Bound":
            continue
        if claim.status.phase == "Lost":
            yield _unbound(claim, why_lost(claim), cluster)
        elif cluster.over(claim.metadata.creationTimestamp, BINDING) and (reason := why_unbound(claim, cluster)):
            yield _unbound(claim, reason, cluster)
    yield from _absent_claims(cluster)


def _unbound(claim: pb.PersistentVolumeClaim, reason: WhyUnbound, cluster: Cluster) -> Finding:
    waiting = users(claim, cluster)
    lines = [
        waiting_line(claim, cluster),
        *event_lines(claim, cluster),
        *(f"waiting: {ref(pod)}" for pod in waiting[:5]),
    ]
    return Finding(
        ref(claim),
        says=f"is not bound to a PersistentVolume: {reason.why}",
        remedy=reason.remedy,
        evidence=lines,
        owner=owner(waiting[0]) if waiting else None,
        concerns=tuple(map(ref, waiting)),
        since=claim.metadata.creationTimestamp.seconds if claim.status.phase == "Pending" else 0,
    )


def _absent_claims(cluster: Cluster) -> Iterator[Finding]:
    names = cluster.derive(_claim_names)
    absent = {
        Ref("PersistentVolumeClaim", namespace, name): pods
        for (namespace, name), pods in cluster.pods_by_claim.items()
        if name not in names.get(namespace, ()) and cluster.over(pods[0].metadata.creationTimestamp, BINDING)
    }
    hints = near_names(absent, lambda _, namespace: names.get(namespace))
    complete = {claim: pods for claim, pods in absent.items() if cluster.is_complete(claim.namespace)}
    for claim, pods in complete.items():
        yield Finding(
            claim,
            says=f"does not exist{hints.get(claim, '')}, and {plural(len(pods), 'pod')} cannot start without it",
            remedy="create the PVC, or correct claimName in the workload's template",
            evidence=[f"referenced by: {ref(pods[0])}", *pod_lines(pods[0], cluster)],
            owner=owner(pods[0]),
            concerns=tuple(map(ref, pods)),
            look=ref(pods[0]).kubectl("describe"),
        )
    cluster.need_complete(*{claim.namespace for claim in absent} - {claim.namespace for claim in complete})


def _claim_names(cluster: Cluster) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for namespace, name in cluster.claims_by_name:
        names.setdefault(namespace, set()).add(name)
    return names


def attach_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find volumes that are not attached or detached in time, or that exist only where their pod cannot run."""
    reported: set[Ref] = set()
    for attachment in cluster.attachments:
        if why := attachment_fault(attachment, cluster):
            obj = claim_of(attachment.spec.source.persistentVolumeName, cluster) or ref(attachment)
            if not cluster.scope.covers(obj.namespace):
                continue
            reported.add(obj)
            waiting = cluster.pods_by_claim.get((obj.namespace, obj.name), [])
            lines = [f"VolumeAttachment/{attachment.metadata.name}"]
            yield _attach_finding(obj, why, CONTROLLER, lines, waiting, attachment.spec.nodeName)
    for pod, claim, volume in out_of_reach(cluster):
        if claim not in reported:
            reported.add(claim)
            why = f"its volume can only be used on nodes with {affinity_words(volume)}, where the pod cannot run"
            yield _attach_finding(claim, why, REACH, [f"waiting: {ref(pod)}", scheduler_words(pod)], [pod])
    for obj, symptoms in by_claim(broken_pods(cluster, PodFault.ATTACH_FAILED), cluster).items():
        if obj not in reported and (late := [s for s in symptoms if scheduled_over(s.pod, ATTACH, cluster)]):
            pods = [symptom.pod for symptom in late]
            holder = attached_elsewhere(late[0].volume, pods, cluster)
            held = [f"attached to node {holder}"] if holder else []
            why = f"its volume cannot be attached: {volume_words(late[0].words)}"
            remedy = HELD if holder or re.search(r"multi-attach|already", late[0].words, re.IGNORECASE) else CONTROLLER
            lines = [*held, *waiting_lines(late, cluster)]
            yield _attach_finding(obj, why, remedy, lines, pods, holder or only_node(late))


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


def mount_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find volumes that cannot be mounted on their pod's node; ConfigMaps and Secrets are config-mount's."""
    for obj, symptoms in by_claim(broken_pods(cluster, PodFault.MOUNT_FAILED), cluster).items():
        words = volume_words(symptoms[0].words)
        yield Finding(
            obj,
            says=f"{_volume_of(obj, symptoms[0].volume)} cannot be mounted: {words}",
            remedy=mount_remedy(words),
            evidence=waiting_lines(symptoms, cluster),
            owner=owner(symptoms[0].pod),
            concerns=tuple(ref(symptom.pod) for symptom in symptoms),
            node=(node := only_node(symptoms)),
            missing=_registrations(node, re.findall(UNREGISTERED, words)),
        )


def _volume_of(obj: Ref, volume: str) -> str:
    return f'volume "{volume}"' if obj.kind == "Pod" else "its volume"


def driver_down(cluster: Cluster) -> Iterator[Finding]:
    """Find CSI drivers with pods that are not ready, and nodes where a driver should be registered but is not."""
    for driver in cluster.csi_drivers:
        name = driver.metadata.name
        if unready := unready_pods(name, cluster):
            yield Finding(
                ref(driver),
                says=f"is not ready: {plural(len(unready), 'pod')} of it {'is' if len(unready) == 1 else 'are'} down",
                remedy="fix the driver's pods; until then volumes on their nodes cannot be attached or mounted",
                evidence=[line for pod in unready[:3] for line in (f"down: {ref(pod)}", *pod_lines(pod, cluster))],
                concerns=tuple(map(ref, unready)),
                look=ref(unready[0]).kubectl("describe"),
            )
        for node in missing_on_nodes(name, cluster):
            yield Finding(
                ref(node),
                says=f"CSI driver {name} is not registered, although its DaemonSet should run here",
                remedy="restart the driver's pod on the node, and read the log of its node-driver-registrar",
                evidence=[f"CSINode/{node.metadata.name} does not list {name}"],
                part=name,
                missing=_registrations(node.metadata.name, [name]),
                look=Ref("CSINode", "", node.metadata.name).kubectl("describe"),
            )
    if cluster.csi_drivers:
        cluster.scope.need_all("a CSI driver's pods may be in any namespace")


def _registrations(node: str, drivers: Iterable[str]) -> tuple[Ref, ...]:
    """Return drivers that a CSINode does not list."""
    return tuple(Ref("CSINode", node, driver) for driver in drivers)


@check(unbound, attach_failed, mount_failed, driver_down, chapter="1.3")
def test_claims_are_usable() -> None:
    """Every PVC that a pod needs has a volume, attached and mounted on the pod's node."""
