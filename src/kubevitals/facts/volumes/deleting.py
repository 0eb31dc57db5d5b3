"""Which PersistentVolumes and PersistentVolumeClaims are being deleted, and do not go."""

from collections.abc import Iterator, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.volumes.claims import BINDING, VolumeFault, users
from kubevitals.findings.evidence import event_lines
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import occurrences
from kubevitals.objects import Ref, ref
from kubevitals.text import duration, plural
from kubevitals.threshold import Threshold

DELETION = Threshold(
    "volume-claim.deletion",
    1800,
    "seconds that the deletion of a volume or a claim may take: drivers retry every five minutes at the latest",
)

ATTEMPTS = 5
"""From so many failures on that a driver reports by itself, a deletion has failed whatever its time."""

STILL_ATTACHED = "is still attached to node"
"""What external-provisioner reports a few times in ordinary deletions (sig-storage-lib-external-provisioner)."""

WAITS = {
    "snapshot.storage.kubernetes.io/pvc-as-source-protection": (
        "a VolumeSnapshot of it is not ready yet",
        "see what the snapshot waits for: kubectl -n {namespace} describe volumesnapshots; check that "
        "snapshot-controller and the driver's csi-snapshotter run, or delete the VolumeSnapshot",
    ),
    "provisioner.storage.kubernetes.io/cloning-protection": (
        "a PVC that is cloned from it is not bound yet",
        "see why that PVC is pending: kubectl -n {namespace} get pvc; or delete it",
    ),
}
"""Finalizers of claims, and what they wait for (kubernetes-csi/external-snapshotter pkg/utils/util.go,
kubernetes-csi/external-provisioner pkg/controller/controller.go)."""

PROTECTION = "kubernetes.io/pvc-protection"
"""The finalizer that keeps a claim while pods use it (kubernetes/kubernetes pkg/volume/util/finalizer.go)."""


def undeleted(cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield the claims and the volumes whose deletion does not finish.

    Raises:
        NotObserved: after those of which the state tells, if events could not be listed.
    """
    for claim in cluster.claims:
        if claim.metadata.HasField("deletionTimestamp"):
            yield from _claim_faults(claim, cluster)
    unseen = None
    for volume in cluster.volumes:
        yield from _held(volume, cluster)
        if volume.status.phase in ("Released", "Failed") and _is_to_be_deleted(volume):
            try:
                failures = [event for event in cluster.events(volume) if event.reason == "VolumeFailedDelete"]
            except NotObserved as error:
                unseen, failures = error, []
            yield from _volume_faults(volume, failures, cluster)
    if unseen:
        raise unseen


def _is_to_be_deleted(volume: pb.PersistentVolume) -> bool:
    """Return whether its policy is Delete; recordings of earlier versions do not have it."""
    return volume.spec.persistentVolumeReclaimPolicy in ("", "Delete")


def _claim_faults(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> Iterator[VolumeFault]:
    pods, since = users(claim, cluster), claim.metadata.deletionTimestamp
    waiting = [p for p in pods if not p.spec.nodeName and cluster.over(p.metadata.creationTimestamp, BINDING)]
    holders = [pod for pod in pods if pod.spec.nodeName]
    lines = (f"being deleted for {duration(cluster.age(since))}", *event_lines(claim, cluster))
    why, remedy = _holder(claim, holders)
    if waiting and cluster.over(since, BINDING):
        cannot = f"is being deleted, so that {plural(len(waiting), 'pod')} cannot be scheduled with it: {why}"
        yield VolumeFault(ref(claim), cannot, f"{remedy}; then create the PVC again", lines, waiting)
    elif cluster.over(since, DELETION):
        yield VolumeFault(ref(claim), f"is being deleted, but {why}", remedy, lines, holders, is_urgent=False)


def _held(volume: pb.PersistentVolume, cluster: Cluster) -> Iterator[VolumeFault]:
    """Yield a volume that is to be deleted, and stays while its claim is bound to it (kubernetes.io/pv-protection)."""
    since = volume.metadata.deletionTimestamp
    if volume.status.phase != "Bound" or not since.seconds or not cluster.over(since, DELETION):
        return
    claim = cluster.claims_by_name.get((volume.spec.claimRef.namespace, volume.spec.claimRef.name))
    if claim is None or claim.metadata.HasField("deletionTimestamp"):
        return
    pods = users(claim, cluster)
    used = f", which {ref(pods[0])} uses" if pods else ""
    lines = (f"being deleted for {duration(cluster.age(since))}", *event_lines(volume, cluster))
    remedy = "copy its data if they are needed, and delete the PVC: a deletion cannot be undone"
    yield VolumeFault(
        ref(volume), f"is being deleted, but {ref(claim)} is bound to it{used}", remedy, lines, pods, is_urgent=False
    )


def _holder(claim: pb.PersistentVolumeClaim, holders: Sequence[pb.Pod]) -> tuple[str, str]:
    """Return what keeps a claim that is being deleted, and what to do about it."""
    finalizers = sorted(set(claim.metadata.finalizers) - {PROTECTION})
    if holders:
        used = f"{ref(holders[0])} still uses it"
        return used, "copy its data if they are needed, and stop the pod: a deletion cannot be undone"
    for finalizer in finalizers:
        if finalizer in WAITS:
            why, remedy = WAITS[finalizer]
            return f"{why} (finalizer {finalizer})", remedy.format(namespace=claim.metadata.namespace)
    if finalizers:
        named = ", ".join(finalizers[:3])
        return f"its finalizer {named} is not removed", "find out why the controller of that finalizer does not finish"
    return "its deletion does not finish", "check that kube-controller-manager runs"


def _volume_faults(
    volume: pb.PersistentVolume, failures: Sequence[pb.Event], cluster: Cluster
) -> Iterator[VolumeFault]:
    errors = [event for event in failures if STILL_ATTACHED not in event.message]
    driver, since = volume.spec.persistentVolumeSource.csi.driver, volume.status.lastPhaseTransitionTime
    if volume.status.phase == "Failed" and volume.status.message and cluster.over(since, BINDING):
        why = f"cannot be deleted: {volume.status.message}"
        yield _undeleted(volume, why, "fix what the message reports, or delete the volume by hand", cluster)
    elif _fails(failures, errors, cluster):
        why = f"cannot be deleted: {(errors or failures)[-1].message}"
        yield _undeleted(volume, why, "fix what the driver reports; it deletes the volume by itself then", cluster)
    elif since.seconds and volume.spec.persistentVolumeReclaimPolicy and cluster.over(since, DELETION):
        why = f"is not deleted, although its PVC is gone: {driver or 'the provisioner'} does not respond"
        yield _undeleted(volume, why, "check that the driver's controller pods (csi-provisioner) run", cluster)


def _fails(failures: Sequence[pb.Event], errors: Sequence[pb.Event], cluster: Cluster) -> bool:
    """Return whether a deletion fails at present, for long, or `ATTEMPTS` times with an error of the driver's own."""
    if not failures or not occurrences(failures).is_current(cluster.now):
        return False
    seen = occurrences(failures)
    is_long = cluster.now.timestamp() - seen.first >= cluster.limit(DELETION)
    return is_long or (bool(errors) and occurrences(errors).count >= ATTEMPTS)


def _undeleted(volume: pb.PersistentVolume, why: str, remedy: str, cluster: Cluster) -> VolumeFault:
    claim = Ref("PersistentVolumeClaim", volume.spec.claimRef.namespace, volume.spec.claimRef.name)
    lines = (f"{volume.status.phase}: it was bound to {claim}", *event_lines(volume, cluster))
    return VolumeFault(ref(volume), why, remedy, lines, is_urgent=False)
