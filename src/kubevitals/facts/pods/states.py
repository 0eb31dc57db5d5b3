"""What state a broken pod is in: stuck while it is created, or with a container that ends again and again."""

import re
from dataclasses import dataclass, field

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probes import ProbeKind, container_of
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import last_seen
from kubevitals.objects import condition, is_ready, statuses, turned_at
from kubevitals.threshold import Threshold

STUCK = Threshold(
    "pod.stuck",
    60,
    "a pod must have been creating its containers for so long: mounts, pulls and rollouts take seconds",
)

RESTARTS = Threshold("pod.restarts", 3, "restarts after which a pod that runs again still counts as failing")

RECENT = Threshold(
    "pod.recent",
    900,
    "a restart within this time counts as going on: the crash back-off is at most 5 minutes",
)


@dataclass(frozen=True, slots=True)
class Symptom:
    """A pod's fault: what Kubernetes says about it, and the container, the volume or the container probe concerned."""

    pod: pb.Pod
    words: str
    status: pb.ContainerStatus = field(default_factory=pb.ContainerStatus)
    volume: str = ""
    probe: ProbeKind | None = None


SANDBOX_FAILURE = "FailedCreatePodSandBox"
"""The reason of the event of a sandbox that could not be made."""

ALL_VOLUMES = "Unable to attach or mount volumes"
"""How the kubelet begins when it sums up which of a pod's volumes it waits for."""

_CREATING = frozenset({"ContainerCreating", "PodInitializing"})


def is_stuck(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has been on a node for longer than `pod.stuck` and has not even a sandbox yet.

    Where it has one its volumes are mounted, and an image is being pulled.
    """
    scheduled, sandbox = condition(pod, "PodScheduled"), condition(pod, "PodReadyToStartContainers")
    return (
        pod.status.phase == "Pending"
        and scheduled is not None
        and scheduled.status == "True"
        and cluster.over(scheduled.lastTransitionTime, STUCK)
        and not (sandbox and sandbox.status == "True")
        and all(status.state.waiting.reason in _CREATING for status in statuses(pod))
    )


def stuck_events(pod: pb.Pod, cluster: Cluster, reason: str) -> list[pb.Event]:
    """Return the stuck pod's events of a reason, the most telling last: summaries of all its volumes come first.

    A sandbox is tried when all volumes are mounted: what was said of them before its latest failure is over.
    """
    if not is_stuck(pod, cluster):
        return []
    every = cluster.events(pod)
    tried = max((last_seen(event) for event in every if event.reason == SANDBOX_FAILURE != reason), default=0)
    events = [event for event in every if event.reason == reason and last_seen(event) >= tried]
    return sorted(events, key=lambda event: not event.message.startswith(ALL_VOLUMES))


def by_event(pod: pb.Pod, cluster: Cluster, reason: str, text: re.Pattern[str]) -> Symptom | None:
    """Return what the stuck pod's latest event of a reason says, if it has this text."""
    for event in reversed(stuck_events(pod, cluster, reason)):
        if match := text.search(event.message):
            return Symptom(pod, event.message, volume=match.groupdict().get("volume") or "")
    return None


def crash(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> pb.ContainerStateTerminated | None:
    """Return how the container ended if it does so again and again, or has ended the pod; one restart is no fault."""
    state, last = status.state, status.lastState.terminated
    if state.waiting.reason == "CrashLoopBackOff":
        return last
    if state.HasField("terminated"):
        if pod.status.phase == "Failed":
            failed = state.terminated.exitCode and not is_sidecar(pod, status)
            return state.terminated if failed and failed_for_good(pod, cluster) else None
        bad = state.terminated.exitCode or not _may_end(pod, status)
        return state.terminated if bad and status.restartCount else None
    if status.restartCount >= cluster.limit(RESTARTS) and not cluster.over(last.finishedAt, RECENT):
        return last
    return None


def is_down(pod: pb.Pod, cluster: Cluster, after: Threshold) -> bool:
    """Return whether the pod crashes, or has not been ready for so long."""
    if any(crash(pod, status, cluster) for status in statuses(pod)):
        return True
    return not is_ready(pod) and cluster.over(turned_at(pod), after)


def is_sidecar(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the container is an init container that runs on; its pod ends it, never the other way."""
    return any(c.name == status.name and c.restartPolicy == "Always" for c in pod.spec.initContainers)


def _may_end(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the container is to end at some time: init containers but sidecars are, and those of a Job.

    A container's own restartPolicy counts before its pod's.
    """
    if any(container.name == status.name for container in pod.spec.initContainers):
        return not is_sidecar(pod, status)
    return (container_of(pod, status).restartPolicy or pod.spec.restartPolicy) != "Always"


def failed_for_good(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether nothing will replace the failed pod, and nothing has succeeded in its stead."""
    controllers = [reference for reference in pod.metadata.ownerReferences if reference.controller]
    if not controllers:
        return True
    job = cluster.derive(_jobs_by_uid).get(controllers[0].uid)
    failed = job and next((c for c in job.status.conditions if c.type == "Failed" and c.status == "True"), None)
    return bool(job and failed and not _succeeded_since(job, failed.lastTransitionTime, cluster))


def _jobs_by_uid(cluster: Cluster) -> dict[str, pb.Job]:
    return {job.metadata.uid: job for job in cluster.jobs}


def _succeeded_since(job: pb.Job, time: pb.Time, cluster: Cluster) -> bool:
    makers = (cluster.derive(_cron_jobs_by_uid).get(reference.uid) for reference in job.metadata.ownerReferences)
    return any(maker and maker.status.lastSuccessfulTime.seconds >= time.seconds for maker in makers)


def _cron_jobs_by_uid(cluster: Cluster) -> dict[str, pb.CronJob]:
    return {cron_job.metadata.uid: cron_job for cron_job in cluster.cron_jobs}
