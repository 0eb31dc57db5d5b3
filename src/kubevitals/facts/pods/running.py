"""Pods whose containers cannot be created or do not keep running: the table's lines about containers."""

import re
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.attempts import failed_for_good
from kubevitals.facts.pods.container_probe_events import (
    container_events,
    killed_by,
    probe_kills,
    start_has_event,
)
from kubevitals.facts.pods.container_probes import KILLERS, container_of
from kubevitals.facts.pods.memory_limits import is_too_small
from kubevitals.facts.pods.references import created_since, reported_missing
from kubevitals.facts.pods.restarts import has_recovered, recent_restarts
from kubevitals.facts.pods.states import (
    SANDBOX_FAILURE,
    STUCK,
    Symptom,
    crash,
    is_sidecar,
    stuck_events,
)
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import last_seen
from kubevitals.objects import Ref, is_finished, statuses
from kubevitals.threshold import Threshold

OOM_PAST = Threshold("memory-limit.past", 86400, "seconds without another OOM kill after which the last one is over")

OOM_RECENT = Threshold(
    "memory-limit.recent", 3600, "seconds without another OOM kill after which the last one is only a risk"
)

NODE_KILLS = frozenset({"SystemOOM", "OOMKilling"})
"""Events of a node on which the kernel killed a process for memory: the kubelet's, and node-problem-detector's."""

_OF_A_LIMIT = "Memory cgroup out of memory"
"""How the kernel begins when a container exceeded its limit, and not the node (mm/memcontrol.c)."""

SIGKILLED = 137

OOM_NEAR = 60
"""The maximum number of seconds between such an event and the end of a container that it may have killed."""

KILLS = Threshold(
    "pod.kills",
    2,
    "kills by a probe, the last within `pod.recent`, from which on a pod that runs again still counts as failing: "
    "one kill that helped is what the probe is for",
)

_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)

_NOT_CREATED = frozenset(
    {
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreCreateHookError",
        "PreStartHookError",
    }
)

_NOT_STARTED = frozenset({"StartError", "ContainerCannotRun"})

_REFERENCE = re.compile(
    r'(?:configmap|secret)s? "[^"]{1,253}" not found|couldn\'t find key|fieldPath|field path|resourceFieldRef',
    re.IGNORECASE,
)


def _is_past_start(pod: pb.Pod, cluster: Cluster) -> bool:
    return cluster.over(pod.status.startTime, STUCK)


def _waiting(pod: pb.Pod, reasons: frozenset[str]) -> Iterator[pb.ContainerStatus]:
    return (status for status in statuses(pod) if status.state.waiting.reason in reasons)


def _should_be_created(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> bool:
    """Return whether the pod is past its start, and the kubelet's next attempt will not succeed."""
    return _is_past_start(pod, cluster) and not created_since(pod, status, cluster)


def image(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container whose image cannot be pulled."""
    for status in _waiting(pod, _IMAGE):
        if _is_past_start(pod, cluster):
            words = f"{status.state.waiting.reason}: {status.state.waiting.message}"
            return Symptom(pod, words, status, missing=tuple(_unread_pull_secrets(pod, cluster)))
    return None


_PULL_SECRETS = re.compile(r"image pull secrets \(([^()]{1,2000})\)")
"""What the kubelet says about Secrets that it cannot read (pkg/kubelet/kubelet_pods.go)."""


def _unread_pull_secrets(pod: pb.Pod, cluster: Cluster) -> Iterator[Ref]:
    for event in cluster.events(pod):
        if event.reason == "FailedToRetrieveImagePullSecret" and (match := _PULL_SECRETS.search(event.message)):
            yield from (Ref("Secret", pod.metadata.namespace, name.strip()) for name in match[1].split(","))


def bad_reference(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container whose environment references a missing ConfigMap, Secret, key or field."""
    for status in _waiting(pod, frozenset({"CreateContainerConfigError"})):
        message = status.state.waiting.message
        if _REFERENCE.search(message) and _should_be_created(pod, status, cluster):
            missing = reported_missing(message, pod.metadata.namespace)[:1]
            return Symptom(pod, message, status, missing=tuple(missing))
    return None


def bad_command(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that cannot be created or started."""
    for status in statuses(pod):
        ended = crash(pod, status, cluster)
        if ended and ended.reason in _NOT_STARTED and not is_too_small(ended.message, pod, status.name):
            return Symptom(pod, ended.message, status)
    for status in _waiting(pod, _NOT_CREATED):
        waiting = status.state.waiting
        if not is_too_small(waiting.message, pod, status.name) and _should_be_created(pod, status, cluster):
            return Symptom(pod, f"{waiting.reason}: {waiting.message}", status)
    return None


def oom_killed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that was OOM-killed recently, or one whose memory limit is too low to start it or its sandbox.

    An OOM kill of the past, which is only a risk, does not hide a container that crashes now.
    """
    if too_small := _too_small_to_start(pod, cluster):
        return too_small
    if pod.status.phase == "Failed" and (pod.status.reason or not failed_for_good(pod, cluster)):
        return None
    over = OOM_RECENT if _is_crashing(pod, cluster) else OOM_PAST
    for status in statuses(pod):
        for ended in (status.state.terminated, status.lastState.terminated):
            if _out_of_memory(pod, status, ended, cluster) and not cluster.over(ended.finishedAt, over):
                return Symptom(pod, ended.message, status)
    return None


def _too_small_to_start(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    for event in reversed(stuck_events(pod, cluster, SANDBOX_FAILURE)):
        if is_too_small(event.message, pod):
            return Symptom(pod, event.message)
    for status in _waiting(pod, _NOT_CREATED):
        if is_too_small(status.state.waiting.message, pod, status.name):
            return Symptom(pod, status.state.waiting.message, status)
    return None


def _is_crashing(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a container crash-loops now, in a pod that has not failed as a whole."""
    return pod.status.phase != "Failed" and any(
        crash(pod, status, cluster) or _ended_lately(pod, status, cluster) for status in statuses(pod)
    )


def _out_of_memory(
    pod: pb.Pod, status: pb.ContainerStatus, ended: pb.ContainerStateTerminated, cluster: Cluster
) -> bool:
    """Return whether a container was OOM-killed: its status says so, or it was killed while its node was out of memory.

    That another container of the node exceeded its limit at the time says nothing about one that its probe killed.
    """
    if ended.reason == "OOMKilled" or is_too_small(ended.message, pod, status.name):
        return True
    node = cluster.nodes_by_name.get(pod.spec.nodeName) if ended.exitCode == SIGKILLED else None
    kills = [
        event
        for event in (cluster.events(node) if node else ())
        if event.reason in NODE_KILLS and abs(last_seen(event) - ended.finishedAt.seconds) < OOM_NEAR
    ]
    node_is_out = any(_OF_A_LIMIT not in event.message for event in kills)
    return node_is_out or (bool(kills) and not killed_by(pod, status, ended, cluster))


def killed_by_probe(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that its liveness or startup probe had killed."""
    for status in statuses(pod):
        container = container_of(pod, status)
        if container.HasField("livenessProbe") or container.HasField("startupProbe"):
            ended = crash(pod, status, cluster) or _ended_lately(pod, status, cluster)
            if ended and (kind := killed_by(pod, status, ended, cluster)):
                return Symptom(pod, f"failed {kind} probe", status, probe=kind)
    return None


def _ended_lately(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> pb.ContainerStateTerminated | None:
    """Return how the container ended that runs again, if it is likely to be killed again."""
    last = status.lastState.terminated
    if (
        is_finished(pod)
        or recent_restarts(pod, status, cluster) < cluster.limit(KILLS)
        or has_recovered(status, cluster)
    ):
        return None
    kills = [probe_kills(pod, status.name, kind, cluster) for kind in KILLERS]
    return last if sum(events.seen.count for events in kills if events) >= cluster.limit(KILLS) else None


def post_start(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that was killed because its postStart hook failed; a sidecar may have one, too."""
    for status in statuses(pod):
        if status.state.waiting.reason == "PostStartHookError":
            return Symptom(pod, status.state.waiting.message, status)
        if container_of(pod, status).lifecycle.HasField("postStart") and (ended := crash(pod, status, cluster)):
            failed = list(container_events(pod, status.name, "FailedPostStartHook", cluster))
            if failed and (
                last_seen(failed[-1]) >= ended.startedAt.seconds
                or not start_has_event(pod, status.name, ended, cluster)
            ):
                return Symptom(pod, failed[-1].message, status)
    return None


def init_container(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match an init container that keeps failing; a sidecar belongs to app-exit."""
    return _crashing(pod, [s for s in pod.status.initContainerStatuses if not is_sidecar(pod, s)], cluster)


def app_exit(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match any container that crash-loops or has failed, for any other reason."""
    return _crashing(pod, statuses(pod), cluster)


def _crashing(pod: pb.Pod, candidates: list[pb.ContainerStatus], cluster: Cluster) -> Symptom | None:
    for status in candidates:
        if ended := crash(pod, status, cluster):
            return Symptom(pod, ended.message, status)
    return None
