"""Why a PersistentVolumeClaim is not bound: what it asks for, compared with the cluster's PersistentVolumes."""

import re
from contextlib import suppress
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.volumes.claims import BINDING, class_name, classes_by_name, is_due, users
from kubevitals.facts.volumes.matching import is_kept_for_earlier, mismatch, scheduler_reports_volumes
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.inventory.near_names import near_names
from kubevitals.objects import Ref, ref

COMPARED = 100
"""Available volumes that are compared with a claim; in one namespace tens of thousands of claims may wait."""

NO_PROVISIONER = "kubernetes.io/no-provisioner"
_DEFAULT = "storageclass.kubernetes.io/is-default-class"
_LET_IT_CHOOSE = (
    "replace nodeName in the workload's template by a nodeSelector for kubernetes.io/hostname; or use a StorageClass "
    "with volumeBindingMode Immediate"
)

_PROVISIONING_ERRORS = (
    (
        r"no available topology found",
        "check that the driver's node plugin runs and has registered its topologyKeys: kubectl get csinodes -o yaml",
    ),
    (
        r"failed to get target node: .{0,200}not found",
        "remove the annotation volume.kubernetes.io/selected-node of the PVC: the node is gone, and the scheduler "
        "chooses another one",
    ),
    (
        r"is forbidden: User|UnauthorizedOperation|not authorized to perform|AuthorizationFailed|PERMISSION_DENIED",
        "give the provisioner the right that is missing, of its ServiceAccount in the cluster or of its identity in "
        "the cloud",
    ),
    (
        r"failed to refresh cached credentials|NoCredentialProviders|failed to get credentials",
        "give the driver's controller an identity in the cloud: its ServiceAccount's role, or the metadata service of "
        "its node",
    ),
    (
        r"DataSource Type \S{1,100} by Name \S{1,253}: .{0,500}not found",
        "create the object that dataSource of the PVC references, or delete the PVC and create it again without it",
    ),
    (
        r"DataSource Type \S{1,100} by Name \S{1,253}: ",
        "see what the object that dataSource of the PVC references waits for: kubectl describe it",
    ),
    (
        r"driver does not support (?:snapshot restore|clone operations)",
        "delete the PVC and create it again without dataSource, or with a StorageClass whose driver can copy volumes",
    ),
    (
        r"Only AccessModes\[|Only support ReadWriteOnce access mode",
        "ask for ReadWriteOnce, or for a StorageClass whose volumes many nodes can mount (NFS, CephFS, EFS, Azure "
        "Files): accessModes of a PVC cannot be changed, so delete it and create it again",
    ),
    (
        r"code = ResourceExhausted\b",
        "free or add space in the storage, raise its quota, or delete the PVC and create it again with a smaller size",
    ),
)
"""Texts of external-provisioner (pkg/controller/controller.go, topology.go), sig-storage-lib-external-provisioner
(controller/controller.go), of AWS, Azure and Google Cloud about missing rights, of kubernetes-sigs/aws-ebs-csi-driver
(pkg/driver/controller.go) and rancher/local-path-provisioner (provisioner.go) about access modes, and the gRPC code for
a full storage or a quota that is reached (spec.md of the CSI specification, CreateVolume), with what helps."""

_CREATE_AGAIN = "the class of a PVC cannot be changed, so delete the PVC and create it again"
_ANOTHER_CLASS = f"use a StorageClass that exists (kubectl get storageclass): {_CREATE_AGAIN}"


class WhyUnbound(NamedTuple):
    """Why a claim is not bound, what to do about it, and which object does not exist."""

    why: str
    remedy: str
    missing: tuple[Ref, ...] = ()


def why_unbound(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> WhyUnbound | None:
    """Return why a pending claim is not bound, or nothing if that is no fault: no pod needs it yet.

    Raises:
        NotObserved: StorageClasses or PersistentVolumes could not be listed.
    """
    if claim.spec.volumeName:
        return _about_named_volume(claim, cluster)
    if (name := class_name(claim)) is None:
        why = f"it has no storageClassName, and {_default_classes(cluster)}; {_no_match(claim, cluster)}"
        return WhyUnbound(why, _ANOTHER_CLASS)
    if not name:
        why = f'it asks for a volume without StorageClass (storageClassName: ""), and {_no_match(claim, cluster)}'
        create = f"create a PersistentVolume without a class that matches the PVC, or {_ANOTHER_CLASS}"
        return WhyUnbound(why, _use_again(claim, cluster) + create)
    if storage_class := cluster.derive(classes_by_name).get(name):
        return _by_class(claim, storage_class, cluster)
    near = cluster.derive(_near_classes).get(Ref("StorageClass", claim.metadata.namespace, name), "")
    mismatches = _mismatches_of_free_volumes(claim, cluster)
    why = f'StorageClass "{name}" does not exist{near}' + (f"; {mismatches}" if mismatches else "")
    create = "create that StorageClass" + (" or a PersistentVolume that matches the PVC" if mismatches else "")
    return WhyUnbound(why, f"{create}, or {_ANOTHER_CLASS}", (Ref("StorageClass", "", name),))


def _near_classes(cluster: Cluster) -> dict[Ref, str]:
    classes = cluster.derive(classes_by_name)
    pending = [claim for claim in cluster.claims if claim.status.phase == "Pending"]
    wanted = [(claim.metadata.namespace, class_name(claim)) for claim in pending]
    missing = [Ref("StorageClass", namespace, name) for namespace, name in wanted if name and name not in classes]
    return near_names(missing, lambda *_: classes)


def _by_class(claim: pb.PersistentVolumeClaim, storage_class: pb.StorageClass, cluster: Cluster) -> WhyUnbound | None:
    name, provisioner = storage_class.metadata.name, storage_class.provisioner
    waits_for_pod, due = storage_class.volumeBindingMode == "WaitForFirstConsumer", is_due(claim, storage_class)
    if not due and (placed := _placed(claim, cluster)):
        node = placed.spec.nodeName
        why = f"kube-scheduler is to choose its node, and {ref(placed)} has been put on node {node} past the scheduler"
        return WhyUnbound(why, _LET_IT_CHOOSE)
    if waits_for_pod and not (_has_waited(claim, cluster) and (due or scheduler_reports_volumes(claim, cluster))):
        return None
    if provisioner == NO_PROVISIONER:
        why = f'StorageClass "{name}" does not provision volumes (no-provisioner), and {_no_match(claim, cluster)}'
        remedy = "create a PersistentVolume of this class that matches the PVC and the nodes where its pod can run"
        return WhyUnbound(why, _use_again(claim, cluster) + remedy)
    if due:
        return _by_provisioner(claim, provisioner, cluster)
    why = f'no node fits both its pod and StorageClass "{name}" (allowedTopologies, storage capacity)'
    remedy = "let the pod run where the class can provision volumes, or let the class provision where the pod can run"
    return None if _shares_a_pod_with_a_static_one(claim, cluster) else WhyUnbound(why, remedy)


def _placed(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> pb.Pod | None:
    """Return a pod that has a node although the claim has none: the scheduler binds claims before it places a pod.

    Its nodeName was set by hand, or by a scheduler that does not know volumes (kubernetes/kubernetes issue 86262).
    """
    pods = (pod for pod in users(claim, cluster) if pod.spec.nodeName)
    return next((pod for pod in pods if cluster.over(pod.metadata.creationTimestamp, BINDING)), None)


def _by_provisioner(claim: pb.PersistentVolumeClaim, provisioner: str, cluster: Cluster) -> WhyUnbound:
    if failure := _last_event(claim, "ProvisioningFailed", cluster):
        return WhyUnbound(f"provisioner {provisioner} fails: {failure}", _provisioning_remedy(failure))
    if _last_event(claim, "Provisioning", cluster):
        why = f"provisioner {provisioner} has started to create the volume, and has not finished"
        return WhyUnbound(why, f"see what the log of provisioner {provisioner} says about this PVC")
    why = f"provisioner {provisioner} does not respond"
    if stopped := _scaled_to_zero(provisioner, cluster):
        remedy = f"scale it up: {stopped.kubectl('scale')} --replicas=1"
        return WhyUnbound(f"{why}: {stopped} has 0 replicas", remedy)
    return WhyUnbound(why, f"check that the pods of provisioner {provisioner} run, and read their log")


def _provisioning_remedy(failure: str) -> str:
    remedies = (remedy for pattern, remedy in _PROVISIONING_ERRORS if re.search(pattern, failure))
    fix = "fix what the provisioner reports (PVC, StorageClass or storage backend); see the provisioner's log"
    return next(remedies, fix)


def _scaled_to_zero(provisioner: str, cluster: Cluster) -> Ref | None:
    """Return the Deployment or StatefulSet that is named like a provisioner and has no replicas; CSI's are drivers.

    ``rancher.io/local-path`` is the provisioner of ``local-path-provisioner``.
    """
    name = provisioner.rpartition("/")[2].removesuffix("-provisioner")
    with suppress(NotObserved):  # this is a hint
        workloads: tuple[pb.Deployment | pb.StatefulSet, ...] = (*cluster.deployments, *cluster.stateful_sets)
        for workload in workloads:
            own = workload.metadata.name
            if len(name) > 3 and name in own and "provisioner" in own and not workload.spec.replicas:
                return ref(workload)
    return None


def _has_waited(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether a pod has waited for the claim long enough: the claim may be much older than its first pod."""
    pods = users(claim, cluster)
    return not pods or any(cluster.over(pod.metadata.creationTimestamp, BINDING) for pod in pods)


def _shares_a_pod_with_a_static_one(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether the claim's pod has another pending claim, of a class that does not provision volumes."""
    static = {c.metadata.name for c in cluster.storage_classes if c.provisioner == NO_PROVISIONER}
    names = {name for pod in users(claim, cluster) for name in claim_names(pod)} - {claim.metadata.name}
    others = [cluster.claims_by_name.get((claim.metadata.namespace, name)) for name in names]
    return any(c and c.status.phase == "Pending" and class_name(c) in static for c in others)


def _default_classes(cluster: Cluster) -> str:
    defaults = [c.metadata.name for c in cluster.storage_classes if c.metadata.annotations.get(_DEFAULT) == "true"]
    if defaults:
        return f"the default StorageClass {', '.join(defaults)} was not applied"
    return "the cluster has no default StorageClass"


def _last_event(claim: pb.PersistentVolumeClaim, reason: str, cluster: Cluster) -> str:
    try:
        return next((e.message for e in reversed(cluster.events(claim)) if e.reason == reason), "")
    except NotObserved as error:
        return f"(its events are not observed: {error})"


def _about_named_volume(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> WhyUnbound:
    name = claim.spec.volumeName
    if volume := cluster.volumes_by_name.get(name):
        return WhyUnbound(
            f"its volumeName references a PersistentVolume that does not match: "
            f"{mismatch(claim, volume, cluster) or f'{name} is not bound to the PVC'}",
            (_release(volume) if is_kept_for_earlier(claim, volume, cluster) else "")
            + "correct the PersistentVolume, or delete the PVC and create it again so that it matches",
        )
    near = cluster.derive(_near_volumes).get(Ref("PersistentVolume", claim.metadata.namespace, name), "")
    return WhyUnbound(
        f'its volumeName references PersistentVolume "{name}", which does not exist{near}',
        "create that PersistentVolume, or delete the PVC and create it again with the right volumeName",
    )


def _near_volumes(cluster: Cluster) -> dict[Ref, str]:
    existing = cluster.volumes_by_name
    wanted = [(claim.metadata.namespace, claim.spec.volumeName) for claim in cluster.claims]
    missing = [Ref("PersistentVolume", namespace, name) for namespace, name in wanted if name and name not in existing]
    return near_names(missing, lambda *_: existing)


def _no_match(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    return _mismatches_of_free_volumes(claim, cluster) or "no PersistentVolume of that class is available"


def _mismatches_of_free_volumes(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    """Return why no available volume of the claim's class matches it, three at the most; nothing if there is none."""
    candidates = cluster.derive(_free_volumes).get(class_name(claim) or "", [])
    reasons = [reason for volume in candidates[:COMPARED] if (reason := mismatch(claim, volume, cluster))]
    if not reasons:
        return ""
    more = f" and {len(reasons) - 3} more" if len(reasons) > 3 else ""
    left = f"; {len(candidates) - COMPARED:,} others were not compared" if len(candidates) > COMPARED else ""
    return f"no existing PersistentVolume matches: {'; '.join(reasons[:3])}{more}{left}"


def _use_again(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> str:
    """Say how a volume can be bound that is kept for an earlier PVC of the same name; nothing if there is none."""
    candidates = cluster.derive(_free_volumes).get(class_name(claim) or "", [])
    kept = (volume for volume in candidates[:COMPARED] if is_kept_for_earlier(claim, volume, cluster))
    return next(map(_release, kept), "")


def _release(volume: pb.PersistentVolume) -> str:
    patch = """--type=json -p '[{"op": "remove", "path": "/spec/claimRef"}]'"""
    return f"to use the data of the earlier PVC again: {ref(volume).kubectl('patch')} {patch}; else "


def _free_volumes(cluster: Cluster) -> dict[str, list[pb.PersistentVolume]]:
    index: dict[str, list[pb.PersistentVolume]] = {}
    for volume in cluster.volumes:
        if volume.status.phase != "Bound":
            index.setdefault(volume.spec.storageClassName, []).append(volume)
    return index


def why_lost(claim: pb.PersistentVolumeClaim) -> WhyUnbound:
    """Return what happened to the volume of a claim in phase Lost."""
    return WhyUnbound(
        f'PersistentVolume "{claim.spec.volumeName}" was deleted; its data is lost unless the volume can be restored',
        "look for the volume in the storage backend, or create the PVC again from a backup",
    )
