"""PersistentVolumeClaims: who uses them, which do not exist, and for which a driver should do something at present."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import STORAGE_CLASS
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.near_names import near_names
from kubevitals.objects import Ref, ref
from kubevitals.text import duration
from kubevitals.threshold import Threshold


class VolumeFault(NamedTuple):
    """What is wrong with a claim or its volume.

    Attributes:
        obj: the claim, or what stands for a volume without one.
        why: what is wrong, in a sentence that does not name the object.
        remedy: what to do about it.
        lines: evidence.
        pods: the pods that wait for it, or use it.
        node: the node that is concerned, or nothing.
        is_urgent: whether something does not work because of it now.
    """

    obj: Ref
    why: str
    remedy: str
    lines: tuple[str, ...] = ()
    pods: Sequence[pb.Pod] = ()
    node: str = ""
    is_urgent: bool = True


BINDING = Threshold(
    "volume-claim.binding",
    60,
    "seconds for which a claim may be unbound: provisioners answer within seconds, and the control plane repeats its "
    "events every 15 seconds",
)

_SELECTED_NODE = "volume.kubernetes.io/selected-node"


def class_name(claim: pb.PersistentVolumeClaim) -> str | None:
    """Return the StorageClass that the claim asks for, by its former annotation or by its field, or nothing."""
    field = claim.spec.storageClassName if claim.spec.HasField("storageClassName") else None
    return claim.metadata.annotations.get(STORAGE_CLASS, field)


def classes_by_name(cluster: Cluster) -> dict[str, pb.StorageClass]:
    """Return all StorageClasses, by name."""
    return {storage_class.metadata.name: storage_class for storage_class in cluster.storage_classes}


def users(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> list[pb.Pod]:
    """Return the unfinished pods that use the claim."""
    return cluster.pods_by_claim.get((claim.metadata.namespace, claim.metadata.name), [])


def claims_waiting_for(driver: str, cluster: Cluster) -> tuple[Ref, ...]:
    """Return the claims and volumes that the driver's controller should provision, attach, detach or delete now."""
    return tuple(cluster.derive(_claims_by_driver).get(driver, ()))


def _claims_by_driver(cluster: Cluster) -> dict[str, dict[Ref, None]]:
    classes, waiting = cluster.derive(classes_by_name), defaultdict[str, dict[Ref, None]](dict)
    for claim in cluster.claims:
        storage_class = classes.get(class_name(claim) or "")
        if storage_class and claim.status.phase == "Pending" and is_due(claim, storage_class):
            waiting[storage_class.provisioner][ref(claim)] = None
    for attachment in cluster.attachments:
        volume = cluster.volumes_by_name.get(attachment.spec.source.persistentVolumeName)
        if volume and attachment.status.attached == attachment.metadata.HasField("deletionTimestamp"):
            claim_ref = volume.spec.claimRef
            waiting[attachment.spec.attacher][Ref("PersistentVolumeClaim", claim_ref.namespace, claim_ref.name)] = None
    for volume in cluster.volumes:
        if volume.status.phase == "Released" and volume.spec.persistentVolumeReclaimPolicy == "Delete":
            waiting[volume.spec.persistentVolumeSource.csi.driver][ref(volume)] = None
    return waiting


def is_due(claim: pb.PersistentVolumeClaim, storage_class: pb.StorageClass) -> bool:
    """Return whether a volume should be provisioned: the class does not wait for a pod, or the pod has a node."""
    waits_for_pod = storage_class.volumeBindingMode == "WaitForFirstConsumer"
    return not waits_for_pod or bool(claim.metadata.annotations.get(_SELECTED_NODE))


def absent_claims(cluster: Cluster) -> Iterator[tuple[Ref, list[pb.Pod], str]]:
    """Yield the claims that do not exist, the pods that have needed them for long enough, and a hint at the name."""
    names = cluster.derive(_claim_names)
    absent = {
        Ref("PersistentVolumeClaim", namespace, name): pods
        for (namespace, name), pods in cluster.pods_by_claim.items()
        if name not in names.get(namespace, ()) and cluster.over(pods[0].metadata.creationTimestamp, BINDING)
    }
    hints = near_names(absent, lambda _, namespace: names.get(namespace))
    return ((claim, pods, hints.get(claim, "")) for claim, pods in absent.items())


def _claim_names(cluster: Cluster) -> dict[str, set[str]]:
    names: dict[str, set[str]] = {}
    for namespace, name in cluster.claims_by_name:
        names.setdefault(namespace, set()).add(name)
    return names


def waiting_line(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    """Return for how long the claim has been in its phase at most: since it was created."""
    return f"{claim.status.phase} for {duration(cluster.age(claim.metadata.creationTimestamp))}"
