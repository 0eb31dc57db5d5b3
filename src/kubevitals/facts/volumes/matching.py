"""Whether a PersistentVolume can be bound to a PersistentVolumeClaim, and which nodes can use it."""

import re
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.placement import HOSTNAME, matches, satisfies
from kubevitals.facts.volumes.claims import class_name, users
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import condition
from kubevitals.quantity import amount
from kubevitals.text import binary

_GONE = (
    "bring the node back; if it is gone for good, the data is, too: delete the PVC and the pod, so that both are "
    "created again, and restore a backup"
)
_REACH = (
    "let the pod run on those nodes: check its node selector, affinity and tolerations, and the nodes' free capacity"
)
_SCHEDULER_ON_VOLUMES = re.compile(r"persistent volumes? to bind|enough free storage")
"""What the scheduler reports if no node suits a claim that waits for a pod (volumebinding/binder.go)."""


def mismatch(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume, cluster: Cluster) -> str:
    """Return why this volume cannot be bound to this claim, or nothing."""
    return next((f"{volume.metadata.name} {reason}" for reason in _mismatches(claim, volume, cluster)), "")


def _mismatches(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume, cluster: Cluster) -> Iterator[str]:
    wanted, offered = claim.spec, volume.spec
    yield from _taken(claim, volume)
    if (class_name(claim) or "") != offered.storageClassName:
        yield f'has StorageClass "{offered.storageClassName}"'
    if missing := sorted(set(wanted.accessModes) - set(offered.accessModes)):
        yield f"is {', '.join(offered.accessModes)}, the PVC asks for {', '.join(missing)}"
    modes = [spec.volumeMode or "Filesystem" for spec in (wanted, offered)]
    if modes[0] != modes[1]:
        yield f"has volumeMode {modes[1]}, the PVC asks for {modes[0]}"
    size, capacity = amount(wanted.resources.requests, "storage"), amount(offered.capacity, "storage")
    if capacity < size:
        yield f"has {binary(capacity)}, the PVC asks for {binary(size)}"
    if not _selected(wanted.selector, volume):
        yield "does not have the labels that the PVC selects by"
    if offered.HasField("nodeAffinity") and scheduler_reports_volumes(claim, cluster):
        yield f"can only be used on nodes with {where(volume, cluster)}"


def _taken(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume) -> Iterator[str]:
    phase, reserved = volume.status.phase, (volume.spec.claimRef.namespace, volume.spec.claimRef.name)
    if any(reserved) and reserved != (claim.metadata.namespace, claim.metadata.name):
        yield f"is {phase}, reserved for {'/'.join(reserved)}"
    if phase in ("Released", "Failed"):
        again = ": it was bound to an earlier PVC of this name" if _is_of_earlier(claim, volume) else ""
        yield f"is {phase}{again} {volume.status.message}".strip()


def _is_of_earlier(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume) -> bool:
    """Return whether a volume is kept for a PVC that had the same name and was deleted."""
    of = volume.spec.claimRef
    named = (of.namespace, of.name) == (claim.metadata.namespace, claim.metadata.name)
    return named and volume.status.phase == "Released" and of.uid != claim.metadata.uid


def is_kept_for_earlier(claim: pb.PersistentVolumeClaim, volume: pb.PersistentVolume, cluster: Cluster) -> bool:
    """Return whether nothing but the reference to an earlier PVC of the same name keeps a volume from being bound."""
    return _is_of_earlier(claim, volume) and len(list(_mismatches(claim, volume, cluster))) == 1


def _is_for_nodes_that_are_gone(volume: pb.PersistentVolume, cluster: Cluster) -> bool:
    """Return whether a volume can only be used on nodes that do not exist; not if the nodes are not observed."""
    required = volume.spec.nodeAffinity.required
    try:
        return not any(matches(required, node) for node in cluster.nodes)
    except NotObserved:
        return False


def affinity_words(volume: pb.PersistentVolume) -> str:
    """Return the node labels that a volume's node affinity requires: ``kubernetes.io/hostname in worker-1``."""
    return " or ".join(
        " and ".join(f"{e.key} {e.operator.lower()} {', '.join(e.values)}".strip() for e in term.matchExpressions)
        for term in volume.spec.nodeAffinity.required.nodeSelectorTerms
    )


def _is_of_one_node(volume: pb.PersistentVolume) -> bool:
    """Return whether a volume is on the disk of a node: local volumes are."""
    terms = volume.spec.nodeAffinity.required.nodeSelectorTerms
    return any(requirement.key == HOSTNAME for term in terms for requirement in term.matchExpressions)


def how_to_reach(volume: pb.PersistentVolume, cluster: Cluster) -> str:
    """Return what to do about a volume that no node can use where the pod could run."""
    if not _is_for_nodes_that_are_gone(volume, cluster):
        return _REACH
    return _GONE if _is_of_one_node(volume) else "add a node with these labels: the volume can be used there"


def where(volume: pb.PersistentVolume, cluster: Cluster) -> str:
    """Return which node labels a volume requires, and why the pod that needs it does not run there."""
    why = "which do not exist" if _is_for_nodes_that_are_gone(volume, cluster) else "where the pod cannot run"
    return f"{affinity_words(volume)}, {why}"


def _selected(selector: pb.LabelSelector, volume: pb.PersistentVolume) -> bool:
    labels = dict(volume.metadata.labels)
    return all(labels.get(key) == value for key, value in selector.matchLabels.items()) and all(
        satisfies(labels, requirement) for requirement in selector.matchExpressions
    )


def scheduler_reports_volumes(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether a pod that waits for the claim cannot be scheduled because of its volumes."""
    return any(
        (scheduled := condition(pod, "PodScheduled"))
        and scheduled.status == "False"
        and _SCHEDULER_ON_VOLUMES.search(scheduled.message)
        for pod in users(claim, cluster)
    )
