"""Pods of a StatefulSet that are of an older template, and that it does not replace because they are not ready."""

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import REVISION, Ref, is_ready, owner, ref


def remedy_for(pod: pb.Pod, remedy: str, cluster: Cluster) -> str:
    """Return what helps a pod that is not ready: its StatefulSet may have a newer template, and wait for this pod.

    Kubernetes calls it a forced rollback (issue 67250): the corrected template reaches the pod only once it is deleted.
    """
    if not _is_outdated(pod, cluster):
        return remedy
    return (
        "delete the pod: its StatefulSet has a newer template, and waits until this pod is ready (OrderedReady): "
        f"{ref(pod).kubectl('delete')}; if the new pod fails alike, {remedy}"
    )


def _is_outdated(pod: pb.Pod, cluster: Cluster) -> bool:
    name, revision = owner(pod), pod.metadata.labels.get(REVISION, "")
    if not name or name.kind != "StatefulSet" or not revision or is_ready(pod):
        return False
    try:
        stateful_set = cluster.derive(_stateful_sets).get(name)
    except NotObserved:
        return False  # what is wrong with the pod is said all the same
    return stateful_set is not None and _waits_for(pod, revision, stateful_set)


def _waits_for(pod: pb.Pod, revision: str, stateful_set: pb.StatefulSet) -> bool:
    spec, latest = stateful_set.spec, stateful_set.status.updateRevision
    ordinal = pod.metadata.name.rpartition("-")[2]
    return (
        spec.podManagementPolicy == "OrderedReady"
        and spec.updateStrategy.type == "RollingUpdate"
        and ordinal.isdecimal()
        and int(ordinal) >= spec.updateStrategy.rollingUpdate.partition
        and latest not in ("", revision)
    )


def _stateful_sets(cluster: Cluster) -> dict[Ref, pb.StatefulSet]:
    return {ref(stateful_set): stateful_set for stateful_set in cluster.stateful_sets}
