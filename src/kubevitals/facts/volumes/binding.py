"""Why a claim has no volume: what binding it would take, compared with what there is."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import STORAGE_CLASS
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.placement import satisfies
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.inventory.near_names import did_you_mean
from kubevitals.objects import condition
from kubevitals.quantity import amount
from kubevitals.text import binary, duration
from kubevitals.threshold import Threshold

LOOKED_AT = 100
"""Free volumes that are compared with a claim; in one namespace tens of thousands of claims may wait."""

NO_PROVISIONER = "kubernetes.io/no-provisioner"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"
_SCHEDULER_ON_VOLUMES = re.compile(r"persistent volumes? to bind|enough free storage")
"""What the scheduler says where claims that wait for a pod keep it from every node (volumebinding/binder.go)."""

BINDING = Threshold(
    "volume-claim.binding",
    60,
    "provisioners answer within seconds; the control plane repeats its events every 15 s",
)


_ANEW = "a claim's class cannot be changed, so delete the claim and create it anew"
_ANOTHER_CLASS = f"name a StorageClass that exists (kubectl get storageclass): {_ANEW}"


class Lack(NamedTuple):
    """Why a claim has no volume, and what to do about it."""

    why: str
    remedy: str


def lack(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> Lack | None:
    """Return why a pending claim has no volume, or nothing where it is no fault: nobody has asked for it yet.

    Raises:
        NotObserved: StorageClasses or volumes could not be listed.
    """
    if claim.spec.volumeName:
        return _lack_of_that_volume(claim, cluster)
    if (name := class_name(claim)) is None:
        has = f"the cluster has {_default_classes(cluster)}"
        return Lack(f"it names no StorageClass; {has}{_no_match(claim, cluster, '; ')}", _ANOTHER_CLASS)
    if not name:
        why = 'it asks for a volume without StorageClass ("")' + _no_match(claim, cluster, ", and ")
        return Lack(why, f"create a volume without class that fits, or {_ANOTHER_CLASS}")
    classes = {found.metadata.name: found for found in cluster.storage_classes}
    if not (storage_class := classes.get(name)):
        near = did_you_mean(name, classes, "StorageClass", claim.metadata.namespace, cluster)
        fits = _no_match(claim, cluster, "; ", silent=True)
        why = f'StorageClass "{name}" does not exist{near}{fits}'
        return Lack(why, f"create that StorageClass{' or a volume that fits' if fits else ''}, or {_ANOTHER_CLASS}")
    return _lack_by_class(claim, storage_class, cluster)


def class_name(claim: pb.PersistentVolumeClaim) -> str | None:
    """Return the StorageClass that the claim names, by the annotation of old or by its field, or nothing."""
    field = claim.spec.storageClassName if claim.spec.HasField("storageClassName") else None
    return claim.metadata.annotations.get(STORAGE_CLASS, field)


def _lack_by_class(claim: pb.PersistentVolumeClaim, storage_class: pb.StorageClass, cluster: Cluster) -> Lack | None:
    name, provisioner = storage_class.metadata.name, storage_class.provisioner
    waits = storage_class.volumeBindingMode == "WaitForFirstConsumer"
    asked = not waits or bool(claim.metadata.annotations.get(_SELECTED_NODE))
    if waits and not (_lasts(claim, cluster) and (asked or _scheduler_says(claim, cluster))):
        return None
    if provisioner == NO_PROVISIONER:
        why = f'StorageClass "{name}" makes no volumes' + _no_match(claim, cluster, ", and ")
        return Lack(why, "create a volume of this class that fits the claim and the nodes where its pod can run")
    if not asked:
        why = f'no node suits both its pod and StorageClass "{name}" (allowedTopologies, capacity)'
        remedy = "let the pod run where the class makes volumes, or let the class make them where the pod can run"
        return None if _shares_a_pod_with_a_static_one(claim, cluster) else Lack(why, remedy)
    return _lack_by_provisioner(claim, provisioner, cluster)


def _lack_by_provisioner(claim: pb.PersistentVolumeClaim, provisioner: str, cluster: Cluster) -> Lack:
    if failed := _last_event(claim, "ProvisioningFailed", cluster):
        return Lack(
            f"provisioner {provisioner} fails: {failed}",
            "mend what it complains about in the claim, its StorageClass or the storage; its log says more",
        )
    if _last_event(claim, "Provisioning", cluster):
        why = f"provisioner {provisioner} has begun and not come to an end"
        return Lack(why, f"see what the log of provisioner {provisioner} says of this claim")
    why = f"provisioner {provisioner} does not answer"
    return Lack(why, f"see whether the pods of provisioner {provisioner} run: their log")


def _lasts(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether a pod has waited for the claim for long: it may have been made long before the first one."""
    pods = users(claim, cluster)
    return not pods or any(cluster.over(pod.metadata.creationTimestamp, BINDING) for pod in pods)


def _shares_a_pod_with_a_static_one(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether the claim's pod has another one that waits, and for which nothing makes volumes."""
    static = {c.metadata.name for c in cluster.storage_classes if c.provisioner == NO_PROVISIONER}
    names = {name for pod in users(claim, cluster) for name in claim_names(pod)} - {claim.metadata.name}
    others = [cluster.claims_by_name.get((claim.metadata.namespace, name)) for name in names]
    return any(c and c.status.phase == "Pending" and class_name(c) in static for c in others)


def _default_classes(cluster: Cluster) -> str:
    defaults = [c.metadata.name for c in cluster.storage_classes if c.metadata.annotations.get(_DEFAULT) == "true"]
    return f"the default {', '.join(defaults)}, which was not applied" if defaults else "no default one"


def _scheduler_says(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether volumes keep a pod that waits for the claim from being scheduled."""
    return any(
        (scheduled := condition(pod, "PodScheduled"))
        and scheduled.status == "False"
        and _SCHEDULER_ON_VOLUMES.search(scheduled.message)
        for pod in users(claim, cluster)
    )


def users(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> list[pb.Pod]:
    """Return the unfinished pods that use the claim."""
    return cluster.pods_by_claim.get((claim.metadata.namespace, claim.metadata.name), [])


def _last_event(claim: pb.PersistentVolumeClaim, reason: str, cluster: Cluster) -> str:
    try:
        return next((e.message for e in reversed(cluster.events(claim)) if e.reason == reason), "")
    except NotObserved as error:
        return f"(its events are not observed: {error})"


def _lack_of_that_volume(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> Lack:
    name = claim.spec.volumeName
    volume = cluster.volumes_by_name.get(name)
    if volume is None:
        near = did_you_mean(name, cluster.volumes_by_name, "PersistentVolume", claim.metadata.namespace, cluster)
        return Lack(
            f'the volume "{name}" that it names does not exist{near}',
            "create that volume, or correct volumeName: delete the claim and create it anew",
        )
    return Lack(
        f"the volume that it names does not fit: {mismatch(claim, volume, cluster) or 'it is not bound to it'}",
        "correct the volume, or delete the claim and create it anew so that it fits",
    )


def _no_match(claim: pb.PersistentVolumeClaim, cluster: Cluster, joint: str, *, silent: bool = False) -> str:
    """Return why each free volume of the claim's class does not fit, three at the most; of very many some are left."""
    candidates = cluster.derive(_free_volumes).get(class_name(claim) or "", [])
    reasons = [reason for volume in candidates[:LOOKED_AT] if (reason := mismatch(claim, volume, cluster))]
    if not reasons:
        return "" if silent else f"{joint}there is no free volume of that class"
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    left = f"; {len(candidates) - LOOKED_AT:,} others were not compared" if len(candidates) > LOOKED_AT else ""
    return f"{joint}no volume fits: {'; '.join(reasons[:3])}{more}{left}"


def _free_volumes(cluster: Cluster) -> dict[str, list[pb.PersistentVolume]]:
    index: dict[str, list[pb.PersistentVolume]] = {}
    for volume in cluster.volumes:
        if volume.status.phase != "Bound":
            index.setdefault(volume.spec.storageClassName, []).append(volume)
    return index


def mismatch(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume, cluster: Cluster) -> str:
    """Return what keeps this volume from this claim, or nothing."""
    return next((f"{volume.metadata.name} {reason}" for reason in _mismatches(claim, volume, cluster)), "")


def _mismatches(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume, cluster: Cluster) -> Iterator[str]:
    wanted, offered = claim.spec, volume.spec
    yield from _taken(claim, volume)
    if (class_name(claim) or "") != offered.storageClassName:
        yield f'is of StorageClass "{offered.storageClassName}"'
    if missing := sorted(set(wanted.accessModes) - set(offered.accessModes)):
        yield f"is {', '.join(offered.accessModes)}, not {', '.join(missing)}"
    modes = [spec.volumeMode or "Filesystem" for spec in (wanted, offered)]
    if modes[0] != modes[1]:
        yield f"is a {modes[1]} volume, not {modes[0]}"
    size, capacity = amount(wanted.resources.requests, "storage"), amount(offered.capacity, "storage")
    if capacity < size:
        yield f"has {binary(capacity)} of the {binary(size)} asked for"
    if not _selected(wanted.selector, volume):
        yield "lacks the labels that the claim selects by"
    if offered.HasField("nodeAffinity") and _scheduler_says(claim, cluster):
        yield f"can only be used on nodes with {affinity_words(volume)}, where the pod cannot run"


def _taken(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume) -> Iterator[str]:
    phase, reserved = volume.status.phase, (volume.spec.claimRef.namespace, volume.spec.claimRef.name)
    if any(reserved) and reserved != (claim.metadata.namespace, claim.metadata.name):
        yield f"is {phase}, reserved for {'/'.join(reserved)}"
    if phase in ("Released", "Failed"):
        yield f"is {phase} {volume.status.message}".strip()


def affinity_words(volume: pb.PersistentVolume) -> str:
    """Return the node labels that a volume is tied to: ``kubernetes.io/hostname in worker-1``."""
    return " or ".join(
        " and ".join(f"{e.key} {e.operator.lower()} {', '.join(e.values)}".strip() for e in term.matchExpressions)
        for term in volume.spec.nodeAffinity.required.nodeSelectorTerms
    )


def _selected(selector: pb.LabelSelector, volume: pb.PersistentVolume) -> bool:
    labels = dict(volume.metadata.labels)
    return all(labels.get(key) == value for key, value in selector.matchLabels.items()) and all(
        satisfies(labels, requirement) for requirement in selector.matchExpressions
    )


def loss(claim: pb.PersistentVolumeClaim) -> Lack:
    """Return what a lost claim has lost."""
    return Lack(
        f'its volume "{claim.spec.volumeName}" is gone, and the data with it unless the volume can be restored',
        "look for what the volume stood for in the storage itself, or create the claim anew from a backup",
    )


def waiting_line(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    """Return for how long the claim has waited."""
    return f"{claim.status.phase} for {duration(cluster.age(claim.metadata.creationTimestamp))}"
