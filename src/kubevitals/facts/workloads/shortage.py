"""Which workloads have been short of replicas for too long, and the pods that they are short of.

A pod that is new has time to become ready: rollouts, scale-ups and evictions pass through this state. What is wrong
with a pod already, or was ready before, needs no such time.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.lifecycle import settled_nodes
from kubevitals.facts.nodes.placement import meant_for
from kubevitals.facts.pods.faults import PodFault, is_broken, pod_faults, undecided
from kubevitals.facts.pods.not_started import PULLING
from kubevitals.facts.pods.recreations import recreations
from kubevitals.facts.pods.refused import RETRY
from kubevitals.facts.pods.standby import is_standby
from kubevitals.facts.pods.states import STUCK
from kubevitals.facts.pods.unscheduled import SCALE_UP, awaits_node
from kubevitals.facts.workloads.replicas import (
    UNLIMITED,
    Workload,
    condition,
    counts,
    is_stalled,
    pods_by_owner,
    workloads,
)
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import first_seen
from kubevitals.objects import Ref, is_finished, is_ready, owner, ref, turned_at
from kubevitals.text import listed, plural
from kubevitals.threshold import Threshold

START = Threshold(
    "workload.start",
    600,
    "seconds that a new pod of a workload may take to become ready; Deployments have as long for each step of a "
    "rollout by default, and longer with a longer progressDeadlineSeconds (kubernetes/api apps/v1/types.go)",
)

NAMED = 3
"""Workloads that a remark names."""


@dataclass(frozen=True, slots=True)
class Shortage:
    """A workload with fewer available replicas than it asks for.

    Attributes:
        missing: how many of the desired replicas are not available.
        pods: the pods that are not ready, those first for which it has lasted too long.
        absent: how many pods do not exist.
        lasts: whether it has lasted too long.
        recreated: how often its controller has recreated a failed pod lately, if it keeps doing so.
    """

    workload: Workload
    desired: int
    missing: int
    pods: Sequence[pb.Pod]
    absent: int
    lasts: bool
    recreated: int = 0


@dataclass(slots=True)
class Shortages:
    """All workloads that are short of replicas, and why one of the others could not be judged."""

    found: list[Shortage] = field(default_factory=list)
    not_observed: NotObserved | None = None


def lasting_shortages(cluster: Cluster) -> Iterator[Shortage]:
    """Yield the workloads that have been short of replicas for too long; a remark names those that still have time.

    Raises:
        NotObserved: workloads, their status or pods could not be observed; after the last one, if what decides on
            another workload could not: nodes, events, or logs that may say what is wrong with a new pod.
    """
    shortages = cluster.derive(_shortages)
    yield from (shortage for shortage in shortages.found if shortage.lasts)
    if shortages.not_observed:
        raise shortages.not_observed


def _shortages(cluster: Cluster) -> Shortages:
    result = Shortages()
    try:
        for workload in workloads(cluster):
            _add(workload, result, cluster)
    except NotObserved as error:
        result.not_observed = error
    cluster.remarks += _remarks([s for s in result.found if not s.lasts and not is_stalled(s.workload)])
    return result


def _add(workload: Workload, result: Shortages, cluster: Cluster) -> None:
    try:
        shortage = shortage_of(workload, cluster)
    except NotObserved as error:
        result.not_observed = error
        return
    if shortage:
        result.found.append(shortage)
        if not shortage.lasts:
            result.not_observed = _undecided(shortage, cluster) or result.not_observed


def _undecided(shortage: Shortage, cluster: Cluster) -> NotObserved | None:
    """Return why it could not be seen whether a pod, which still has time, is broken."""
    return next(filter(None, (undecided(pod, cluster) for pod in shortage.pods)), None)


def _remarks(starting: Sequence[Shortage]) -> Iterator[str]:
    if starting:
        names = [f"{ref(s.workload)}: {s.missing} of {s.desired}" for s in starting]
        told = listed(names, NAMED)
        yield f"not judged yet: {plural(len(names), 'workload')} with replicas that are starting ({told})"


def shortage_of(workload: Workload, cluster: Cluster) -> Shortage | None:
    """Return what a workload is short of, or nothing if it is not, or only because of nodes that are not judged."""
    desired, available = counts(workload)
    if available >= desired:
        return None
    pods = cluster.derive(pods_by_owner).get(ref(workload), ())
    waiting = [pod for pod in pods if not is_ready(pod) and _is_judged(pod, workload, cluster)]
    late = [pod for pod in waiting if _is_late(pod, workload, cluster)]
    absent = _absent(workload, pods)
    recreated = cluster.derive(recreations).get(ref(workload), 0)
    rejected = cluster.derive(_rejected).get(ref(workload), []) if absent or recreated else []
    refused = absent > 0 and any(fails(workload, cluster) for fails in (_is_refused, _is_unavailable, _is_left_alone))
    if not waiting and not rejected and not refused and not recreated:
        return None
    late, absent = late + rejected, max(0, absent - len(rejected))
    others = [pod for pod in waiting if pod not in late]
    shown = [*late, *others]
    missing = len(shown) + absent if isinstance(workload, pb.DaemonSet) else desired - available
    lasts = bool(late or refused or recreated)
    return Shortage(workload, desired, min(missing, desired), shown, absent, lasts, recreated)


def _rejected(cluster: Cluster) -> Mapping[Ref, list[pb.Pod]]:
    """Return the pods that kubelets keep rejecting, by owner: they are finished, and nothing else is of their owner."""
    by_owner: dict[Ref, list[pb.Pod]] = defaultdict(list)
    for symptom in cluster.derive(pod_faults).symptoms[PodFault.NOT_STARTED]:
        if is_finished(symptom.pod) and (name := owner(symptom.pod)):
            by_owner[name].append(symptom.pod)
    return by_owner


def _is_judged(pod: pb.Pod, workload: Workload, cluster: Cluster) -> bool:
    """Return whether the pod is expected to be ready: a daemon only on nodes that are, and are no virtual ones.

    A standby is not.
    """
    if not isinstance(workload, pb.DaemonSet):
        is_leaving = isinstance(workload, pb.Deployment | pb.ReplicaSet) and pod.metadata.HasField("deletionTimestamp")
        return not is_leaving and not is_standby(pod, cluster)
    return (pod.spec.nodeName or min(meant_for(pod.spec), default="")) in cluster.derive(_ready_nodes)


def _ready_nodes(cluster: Cluster) -> frozenset[str]:
    return frozenset(node.metadata.name for node in cluster.derive(settled_nodes) if is_ready(node))


def _is_late(pod: pb.Pod, workload: Workload, cluster: Cluster) -> bool:
    """Return whether the pod should be ready by now."""
    if pod.metadata.HasField("deletionTimestamp"):
        return cluster.over(pod.metadata.deletionTimestamp, START)
    if is_broken(pod, cluster):
        return True
    return cluster.age(pod.metadata.creationTimestamp) >= _patience(pod, workload, cluster) and cluster.over(
        turned_at(pod), STUCK
    )


def _patience(pod: pb.Pod, workload: Workload, cluster: Cluster) -> float:
    """Return how many seconds a pod may take to become ready: a node that is on its way and a large image take more."""
    if not pod.spec.nodeName and (pod.status.nominatedNodeName or awaits_node(pod, cluster)):
        return cluster.limit(SCALE_UP)
    deadline = workload.spec.progressDeadlineSeconds if isinstance(workload, pb.Deployment) else 0
    limits = [cluster.limit(START), deadline if deadline < UNLIMITED else 0]
    return max([*limits, cluster.limit(PULLING)] if pod.status.phase == "Pending" and pod.spec.nodeName else limits)


def _absent(workload: Workload, pods: Sequence[pb.Pod]) -> int:
    """Return how many pods do not exist. A StatefulSet's pod that is being deleted keeps its place."""
    if isinstance(workload, pb.DaemonSet):
        return max(0, workload.status.desiredNumberScheduled - workload.status.currentNumberScheduled)
    keeps = isinstance(workload, pb.StatefulSet)
    alive = [pod for pod in pods if keeps or not pod.metadata.HasField("deletionTimestamp")]
    return max(0, workload.spec.replicas - len(alive))


def _is_unavailable(workload: Workload, cluster: Cluster) -> bool:
    """Return whether a Deployment has been unavailable for longer than new pods take, whatever becomes of its pods.

    One that was created paused has none on purpose.
    """
    if not isinstance(workload, pb.Deployment) or workload.spec.paused:
        return False
    available = condition(workload, "Available")
    return available is not None and available.status == "False" and cluster.over(available.lastTransitionTime, START)


def _is_refused(workload: Workload, cluster: Cluster) -> bool:
    """Return whether the controller has failed to create pods for some time; pods that are just being created pass."""
    if isinstance(workload, pb.Deployment | pb.ReplicaSet):
        refused = condition(workload, "ReplicaFailure")
        return refused is not None and refused.status == "True" and cluster.over(refused.lastTransitionTime, STUCK)
    failures = [event for event in cluster.events(workload) if event.reason == "FailedCreate"]
    return any(
        seen_ago(event, cluster) < cluster.limit(RETRY) and cluster.over(pb.Time(seconds=first_seen(event)), STUCK)
        for event in failures
    )


def _is_left_alone(workload: Workload, cluster: Cluster) -> bool:
    """Return whether nothing has been reported of an older StatefulSet, nor of its pods, for `workload.start`.

    A pod that is being replaced is gone for a moment only: its kubelet has reported its end, or the controller has.
    """
    metadata = workload.metadata
    if not isinstance(workload, pb.StatefulSet) or not cluster.over(metadata.creationTimestamp, START):
        return False
    of_this = {(kind, metadata.namespace, metadata.name) for kind in ("StatefulSet", "Pod")}
    return of_this.isdisjoint(cluster.derive(_lately_reported))


def _lately_reported(cluster: Cluster) -> frozenset[tuple[str, str, str]]:
    """Return the kinds, namespaces and names of objects with new events; of pods the names without their ordinals."""
    limit = cluster.limit(START)
    objects = (event.involvedObject for event in cluster.all_events if seen_ago(event, cluster) < limit)
    return frozenset(
        (about.kind, about.namespace, about.name.rpartition("-")[0] if about.kind == "Pod" else about.name)
        for about in objects
    )
