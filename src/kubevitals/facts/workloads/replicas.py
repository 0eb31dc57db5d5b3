"""How many replicas a workload asks for and how many are available, by its status."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, TypeVar

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_finished, owner

Workload = pb.Deployment | pb.StatefulSet | pb.DaemonSet | pb.ReplicaSet

W = TypeVar("W", pb.Deployment, pb.StatefulSet, pb.DaemonSet, pb.ReplicaSet)

UNLIMITED = 2**31 - 1
"""The progressDeadlineSeconds of a Deployment whose rollouts have no deadline (pkg/controller/deployment/util)."""

EXCEEDED = "ProgressDeadlineExceeded"
"""The reason of Progressing=False of a rollout that makes no progress (pkg/controller/deployment/util)."""


class Counts(NamedTuple):
    """How many replicas a workload asks for, and how many of these are available."""

    desired: int
    available: int


def counts(workload: Workload) -> Counts:
    """Return the counts of a workload; for a DaemonSet, of the nodes on which it wants a pod."""
    if isinstance(workload, pb.DaemonSet):
        return Counts(workload.status.desiredNumberScheduled, workload.status.numberAvailable)
    return Counts(workload.spec.replicas, workload.status.availableReplicas)


def deployments(cluster: Cluster) -> Sequence[pb.Deployment]:
    """Return all Deployments that stay: neither they nor their namespaces are being deleted.

    Raises:
        NotObserved: they could not be listed, or have no status.
    """
    return _staying(cluster.deployments, cluster)


def workloads(cluster: Cluster) -> Iterator[Workload]:
    """Yield all Deployments, StatefulSets, DaemonSets, and ReplicaSets without Deployment, that stay.

    Raises:
        NotObserved: after the last one, if a kind could not be listed, or has no status.
    """
    unseen: NotObserved | None = None
    for kind in (deployments, _stateful_sets, _daemon_sets, _replica_sets):
        try:
            yield from kind(cluster)
        except NotObserved as error:
            unseen = error
    if unseen:
        raise unseen


def _stateful_sets(cluster: Cluster) -> Sequence[Workload]:
    return _staying(cluster.stateful_sets, cluster)


def _daemon_sets(cluster: Cluster) -> Sequence[Workload]:
    return _staying(cluster.daemon_sets, cluster)


def _replica_sets(cluster: Cluster) -> Sequence[Workload]:
    """Return the ReplicaSets of no Deployment: of another controller, such as Argo's Rollout, or of none."""
    return [
        replica_set
        for replica_set in _staying(cluster.replica_sets, cluster)
        if not any(of.controller and of.kind == "Deployment" for of in replica_set.metadata.ownerReferences)
    ]


def _staying(listed: Sequence[W], cluster: Cluster) -> Sequence[W]:
    """Return the workloads that are not being deleted. In a namespace that is, the API server accepts no new pods.

    Raises:
        NotObserved: no controller has written a status into any of them, as in a recording without this field.
    """
    if listed and not any(workload.status.observedGeneration for workload in listed):
        raise NotObserved(f"no {type(listed[0]).__name__} has a status")
    leaving = cluster.derive(_leaving_namespaces)
    metas = ((workload, workload.metadata) for workload in listed)
    return [each for each, meta in metas if not meta.HasField("deletionTimestamp") and meta.namespace not in leaving]


def _leaving_namespaces(cluster: Cluster) -> frozenset[str]:
    """Return the namespaces that are being deleted; none if they are not observed."""
    try:
        return frozenset(each.metadata.name for each in cluster.namespaces if each.status.phase == "Terminating")
    except NotObserved:
        return frozenset()


def condition(
    workload: pb.Deployment | pb.ReplicaSet, kind: str
) -> pb.DeploymentCondition | pb.ReplicaSetCondition | None:
    """Return the condition of this type, if there is one."""
    return next((c for c in workload.status.conditions if c.type == kind), None)


def is_stalled(workload: Workload) -> bool:
    """Return whether the rollout of a Deployment has exceeded its deadline, and is neither paused nor complete."""
    if not isinstance(workload, pb.Deployment) or workload.spec.paused or not workload.spec.replicas:
        return False
    progressing = condition(workload, "Progressing")
    status, desired = workload.status, workload.spec.replicas
    complete = status.updatedReplicas == status.replicas == status.availableReplicas == desired
    return progressing is not None and progressing.reason == EXCEEDED and not complete


def pods_by_owner(cluster: Cluster) -> Mapping[Ref, Sequence[pb.Pod]]:
    """Return the unfinished pods of each owner, those that are being deleted included."""
    index: dict[Ref, list[pb.Pod]] = defaultdict(list)
    for pod in cluster.pods:
        if (name := owner(pod)) and not is_finished(pod):
            index[name].append(pod)
    return index
