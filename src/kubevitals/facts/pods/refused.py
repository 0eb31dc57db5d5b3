"""Controllers that are refused their pods by the API server."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.admission import Refusal, RefusedBy, refusal
from kubevitals.facts.pods.states import STUCK
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import first_seen, last_seen
from kubevitals.objects import Ref, controller, ref
from kubevitals.threshold import Threshold

RETRY = Threshold(
    "pod-creation.retry",
    1200,
    "seconds until a controller tries again to create a pod: 1,000 (client-go's default rate limiter), and some more "
    "since events are sent late",
)

FAILED_CREATE = "FailedCreate"
"""The reason of conditions and events of a controller that could not create a pod (kubernetes pkg/controller)."""

_TOP = {"ReplicaSet": "Deployment", "Job": "CronJob"}
"""The kinds that make controllers of pods, where Kubernetes itself has them."""

Controller = pb.ReplicaSet | pb.StatefulSet | pb.DaemonSet | pb.Job


class Counts(NamedTuple):
    """How many pods a controller has, and how many it wants."""

    has: int
    wants: int


class Refused(NamedTuple):
    """A controller that has fewer pods than it wants, since the API server refuses them.

    Attributes:
        controller: what creates the pods.
        top: the Deployment or CronJob that it belongs to, or itself.
        counts: its pods.
        refusal: what the API server says.
        since: when it began, in seconds since 1970.
    """

    controller: Controller
    top: Ref
    counts: Counts
    refusal: Refusal
    since: int


class AllRefused(NamedTuple):
    """The controllers that are refused pods, the newest one of each owner, and why not all could be judged."""

    found: Mapping[Ref, Refused]
    unseen: NotObserved | None


def all_refused(cluster: Cluster) -> AllRefused:
    """Judge all controllers.

    The condition of a ReplicaSet decides. Other controllers have events only: the latest attempt must be younger than
    `pod-creation.retry`, and newer than the newest pod.
    """
    found: dict[Ref, Refused] = {}
    unseen = None
    for kind in _KINDS:
        try:
            for one in filter(None, (_refused(controller, cluster) for controller in kind(cluster))):
                if _is_newer(one, found.get(one.top)):
                    found[one.top] = one
        except NotObserved as error:
            unseen = error
    return AllRefused(found, unseen)


_KINDS: tuple[Callable[[Cluster], Sequence[Controller]], ...] = (
    lambda cluster: cluster.replica_sets,
    lambda cluster: cluster.stateful_sets,
    lambda cluster: cluster.daemon_sets,
    lambda cluster: cluster.jobs,
)


def _is_newer(one: Refused, other: Refused | None) -> bool:
    created = one.controller.metadata.creationTimestamp.seconds
    return other is None or created > other.controller.metadata.creationTimestamp.seconds


def _refused(controller: Controller, cluster: Cluster) -> Refused | None:
    counts = counts_of(controller)
    if counts.has >= counts.wants or controller.metadata.deletionTimestamp.seconds:
        return None
    said = (
        _by_condition(controller, cluster) if isinstance(controller, pb.ReplicaSet) else _by_event(controller, cluster)
    )
    if said is None or cluster.now.timestamp() - said.since < cluster.limit(STUCK):
        return None
    why = refusal(said.message)
    return Refused(controller, _top(controller), counts, why, said.since) if why else None


def counts_of(controller: Controller) -> Counts:
    """Return how many pods a controller has, and how many it wants; none if it is a Job that is over or suspended."""
    match controller:
        case pb.DaemonSet():
            return Counts(controller.status.currentNumberScheduled, controller.status.desiredNumberScheduled)
        case pb.Job():
            return Counts(controller.status.active, _wanted_by(controller))
    return Counts(controller.status.replicas, controller.spec.replicas)


def _wanted_by(job: pb.Job) -> int:
    if job.spec.suspend or any(c.type in ("Complete", "Failed") and c.status == "True" for c in job.status.conditions):
        return 0
    left = job.spec.completions - job.status.succeeded if job.spec.HasField("completions") else job.spec.parallelism
    return min(job.spec.parallelism, left)


class _Said(NamedTuple):
    """What a controller says of its last attempt, and since when it has failed, in seconds since 1970."""

    message: str
    since: int


def _by_condition(replica_set: pb.ReplicaSet, cluster: Cluster) -> _Said | None:
    """Return the present failure of a ReplicaSet: its condition keeps the message of the first one."""
    for condition in replica_set.status.conditions:
        if condition.type == "ReplicaFailure" and condition.status == "True" and condition.reason == FAILED_CREATE:
            began, event = condition.lastTransitionTime.seconds, _last_attempt(replica_set, cluster)
            return _Said(event.message if event and last_seen(event) >= began else condition.message, began)
    return None


def _last_attempt(replica_set: pb.ReplicaSet, cluster: Cluster) -> pb.Event | None:
    try:
        return _latest(replica_set, cluster)
    except NotObserved:
        return None  # the condition has a message as well


def _latest(controller: Controller, cluster: Cluster) -> pb.Event | None:
    """Return the latest event of a failed attempt."""
    failed = [event for event in cluster.events(controller) if event.reason == FAILED_CREATE]
    return failed[-1] if failed else None


def _by_event(controller: Controller, cluster: Cluster) -> _Said | None:
    event = _latest(controller, cluster)
    if event is None or seen_ago(event, cluster) > cluster.limit(RETRY):
        return None
    created = cluster.derive(_newest_pods)[ref(controller)]
    return _Said(event.message, max(first_seen(event), created)) if last_seen(event) > created else None


def _newest_pods(cluster: Cluster) -> Mapping[Ref, int]:
    """Return when each controller last created a pod, in seconds since 1970; 0 if it has none."""
    newest: dict[Ref, int] = defaultdict(int)
    for pod in cluster.pods:
        if of := controller(pod):
            newest[of] = max(newest[of], pod.metadata.creationTimestamp.seconds)
    return newest


def _top(controller: Controller) -> Ref:
    this = ref(controller)
    for reference in controller.metadata.ownerReferences:
        if reference.controller and reference.kind == _TOP.get(this.kind):
            return Ref(reference.kind, this.namespace, reference.name)
    return this


def refused_by(cluster: Cluster, by: RefusedBy) -> Iterator[Refused]:
    """Yield the controllers that are refused pods by this for longer than `pod.stuck`, one of each owner.

    Raises:
        NotObserved: a list is missing; what the others show is yielded before.
    """
    found, unseen = cluster.derive(all_refused)
    yield from (one for one in found.values() if one.refusal.by is by)
    if unseen:
        raise unseen
