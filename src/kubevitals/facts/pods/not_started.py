"""Pods that are not running and should be, whatever events say.

A state decides that a pod is stuck. Events only name the cause, and they may have expired or never been sent.
"""

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.lifecycle import is_arriving, is_daemon_elsewhere
from kubevitals.facts.pods.absent_nodes import is_made_for_absent_node
from kubevitals.facts.pods.attempts import failed_for_good
from kubevitals.facts.pods.evictions import DISK, MEMORY, evicted_for
from kubevitals.facts.pods.references import created_since, is_missing, reported_missing
from kubevitals.facts.pods.rejections import rejected_like_others
from kubevitals.facts.pods.states import (
    CONTAINER_EVENTS,
    CREATING,
    STUCK,
    Symptom,
    is_sidecar,
    unstarted_sidecar,
)
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.objects import condition, is_finished, is_ready, is_virtual, is_waiting, statuses
from kubevitals.threshold import Threshold

PULLING = Threshold(
    "pod.pulling",
    900,
    "seconds for which a pod with a sandbox may create a container: pulls of large images take minutes, and a "
    "container counts as created only after its postStart hook",
)


def not_started(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod on a node that waits for a container to start for too long, or that its kubelet did not let run.

    Raises:
        NotObserved: its events, which may give it to another cause, are not observed.
    """
    if was_refused(pod):
        lasts = failed_for_good(pod, cluster) or rejected_like_others(pod, cluster)
        return Symptom(pod, pod.status.message) if lasts else None
    waiting = waiting_container(pod)
    if waiting is None:
        return None
    if is_made_for_absent_node(pod, cluster):
        return Symptom(pod, "", waiting)
    if waiting_for(pod, waiting, cluster) < cluster.limit(limit_of(pod, waiting, cluster)):
        return None
    is_excused = _is_about_to_start(pod, waiting, cluster) or is_daemon_elsewhere(pod, cluster)
    return None if is_excused else Symptom(pod, waiting.state.waiting.message, waiting)


def was_refused(pod: pb.Pod) -> bool:
    """Return whether the kubelet rejected the pod, or ended it: too little CPU, a forbidden sysctl, a node's shutdown.

    Evictions for memory and disk space belong to memory-limit and storage-full.
    """
    has_reason = pod.status.phase == "Failed" and bool(pod.status.reason)
    return has_reason and not evicted_for(pod, MEMORY) and not evicted_for(pod, DISK)


def has_run(pod: pb.Pod) -> bool:
    """Return whether a container of the pod has started."""
    return any(status.state.HasField(state) for status in statuses(pod) for state in ("running", "terminated"))


def waiting_container(pod: pb.Pod) -> pb.ContainerStatus | None:
    """Return the container whose start the pod waits for, with no name if the kubelet has not reported any yet.

    What waits for a sidecar's startup probe is a matter of that probe.
    """
    if not pod.spec.nodeName or is_finished(pod) or unstarted_sidecar(pod):
        return None
    if not statuses(pod):
        return pb.ContainerStatus()
    for status in pod.status.initContainerStatuses:
        if not (status.state.HasField("terminated") or is_sidecar(pod, status)) or is_waiting(status):
            return status if is_waiting(status) else None
    return next(filter(is_waiting, pod.status.containerStatuses), None)


def waiting_for(pod: pb.Pod, waiting: pb.ContainerStatus, cluster: Cluster) -> float:
    """Return the seconds for which the pod has waited for this container: since its node, or what came before it."""
    began = [
        *(c.lastTransitionTime for c in pod.status.conditions if c.type in _BEFORE and c.status == "True"),
        *(status.state.terminated.finishedAt for status in pod.status.initContainerStatuses),
        waiting.lastState.terminated.finishedAt,
    ]
    latest = max(began, key=lambda time: time.seconds)
    return cluster.age(latest if latest.seconds else pod.metadata.creationTimestamp)


_BEFORE = ("PodScheduled", "PodReadyToStartContainers")
"""Conditions that turn true before a pod's containers are created."""


def _is_about_to_start(pod: pb.Pod, waiting: pb.ContainerStatus, cluster: Cluster) -> bool:
    """Return whether all that was missing for the pod exists by now, so that the kubelet's next attempt succeeds."""
    if created_since(pod, waiting, cluster):
        return True
    recent = [event for event in cluster.events(pod) if event.type == "Warning" and seen_ago(event, cluster) <= RETRY]
    missing = [obj for event in recent for obj in reported_missing(event.message, pod.metadata.namespace)]
    return bool(missing) and not any(is_missing(obj, cluster) for obj in missing)


RETRY = 150
"""Seconds between two attempts of the kubelet to mount a volume, at most (pkg/util/goroutinemap/exponentialbackoff)."""


def latest_warning(pod: pb.Pod, waiting: pb.ContainerStatus, cluster: Cluster) -> pb.Event | None:
    """Return the latest Warning event since the pod waits for this container, whatever its reason."""
    waits = waiting_for(pod, waiting, cluster)
    events = (event for event in reversed(cluster.events(pod)) if seen_ago(event, cluster) <= waits)
    return next((event for event in events if event.type == "Warning"), None)


def is_pulling(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the latest event about the pod is the start of an image pull."""
    events = [event for event in cluster.events(pod) if event.type != "Warning"]
    return bool(events) and events[-1].reason == "Pulling"


def limit_of(pod: pb.Pod, waiting: pb.ContainerStatus, cluster: Cluster) -> Threshold:
    """Return for how long the pod may wait for this container."""
    node = _node(pod, cluster)
    is_slow = node is not None and (is_virtual(node) or (not is_ready(node) and is_arriving(node, cluster)))
    return (
        PULLING
        if is_slow or (waiting.state.waiting.reason in CREATING and _has_sandbox(pod, waiting, cluster))
        else STUCK
    )


def _has_sandbox(pod: pb.Pod, waiting: pb.ContainerStatus, cluster: Cluster) -> bool:
    """Return whether the pod has its sandbox, by its condition or by events about its containers.

    The kubelet reports no new conditions while it pulls an image or runs a postStart hook (kubernetes/kubernetes
    pkg/kubelet/kubelet.go, SyncPod).
    """
    sandbox = condition(pod, "PodReadyToStartContainers")
    if sandbox and sandbox.status == "True":
        return True
    waits = waiting_for(pod, waiting, cluster)
    return any(e.reason in CONTAINER_EVENTS and seen_ago(e, cluster) <= waits for e in cluster.events(pod))


def _node(pod: pb.Pod, cluster: Cluster) -> pb.Node | None:
    try:
        return cluster.nodes_by_name.get(pod.spec.nodeName)
    except NotObserved:
        return None  # it counts as a node that does not delay its pods
