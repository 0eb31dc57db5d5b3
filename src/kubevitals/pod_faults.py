"""One ordered table that gives every broken pod to one fault: the first, most specific line that matches owns it.

A check asks for the pods of its faults and says what they mean; whatever comes first here is never reported
a second time by a check further down. A line decides by status; events only explain, since they expire.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory import Cluster
from kubevitals.objects import condition, node_condition, statuses
from kubevitals.references import names, volume_references
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


class PodFault(StrEnum):
    """What can be wrong with a pod, in the order in which it is looked for; the values are variants of causes."""

    MISSING_OBJECT = "missing-object"
    MISSING_KEY = "missing-key"
    NODE_DISK_FULL = "node-disk-full"
    ATTACH_FAILED = "attach-failed"
    MOUNT_FAILED = "mount-failed"
    IMAGE = "image"
    BAD_REFERENCE = "bad-reference"
    BAD_COMMAND = "bad-command"
    POST_START = "post-start"
    INIT_CONTAINER = "init-container"
    APP_EXIT = "app-exit"


@dataclass(frozen=True, slots=True)
class Symptom:
    """A pod's fault: what Kubernetes says of it, and the container or the volume concerned."""

    pod: pb.Pod
    words: str
    status: pb.ContainerStatus = field(default_factory=pb.ContainerStatus)
    volume: str = ""


@dataclass(frozen=True, slots=True)
class PodFaults:
    """All broken pods by their fault, and the faults that could not be told apart for want of data."""

    found: dict[PodFault, list[Symptom]]
    unseen: dict[PodFault, NotObserved]


def broken_pods(cluster: Cluster, fault: PodFault) -> Iterator[Symptom]:
    """Yield the pods that have this fault and none above it.

    Raises:
        NotObserved: after the last one, if for some pod it could not be told.
    """
    faults = cluster.derive(pod_faults)
    yield from faults.found[fault]
    if fault in faults.unseen:
        raise faults.unseen[fault]


def pod_faults(cluster: Cluster) -> PodFaults:
    """Put every broken pod under its fault."""
    faults = PodFaults(defaultdict(list), {})
    for pod in cluster.pods:
        if not _is_fine(pod):
            _classify(pod, cluster, faults)
    return faults


def _classify(pod: pb.Pod, cluster: Cluster, faults: PodFaults) -> None:
    for fault, line in TABLE.items():
        try:
            symptom = line(pod, cluster)
        except NotObserved as error:
            faults.unseen.setdefault(fault, error)
        else:
            if symptom:
                faults.found[fault].append(symptom)
                return


def _is_fine(pod: pb.Pod) -> bool:
    """Return whether no line need look: most pods of most clusters, and those on their way out."""
    if pod.metadata.HasField("deletionTimestamp") or pod.status.phase == "Succeeded":
        return True
    return pod.status.phase == "Running" and all(
        (status.ready or status.state.terminated.reason == "Completed") and not status.restartCount
        for status in statuses(pod)
    )


# --- creating: nothing of the pod has run yet ---

_CREATING = frozenset({"ContainerCreating", "PodInitializing"})


def is_stuck(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has been on a node for longer than `pod.stuck` and none of its containers exists yet."""
    scheduled = condition(pod, "PodScheduled")
    return (
        pod.status.phase == "Pending"
        and scheduled is not None
        and scheduled.status == "True"
        and cluster.over(scheduled.lastTransitionTime, STUCK)
        and all(status.state.waiting.reason in _CREATING for status in statuses(pod))
    )


def _events(pod: pb.Pod, cluster: Cluster, reason: str) -> list[pb.Event]:
    """Return the stuck pod's events of a reason, the most telling last: summaries of all its volumes come first."""
    if not is_stuck(pod, cluster):
        return []
    events = [event for event in cluster.events(pod) if event.reason == reason]
    return sorted(events, key=lambda event: not event.message.startswith("Unable to attach or mount volumes"))


_ABSENT = re.compile(r'(configmap|secret) "([^"]{1,253})" not found')
_KINDS = {"configmap": "ConfigMap", "secret": "Secret"}


def _missing_object(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    if not is_stuck(pod, cluster):
        return None
    mounted = list(volume_references(pod.spec))
    absent = [r for r in mounted if (found := names(cluster, r.kind, _ns(pod))) is not None and r.name not in found]
    words = [f'{reference.kind.lower()} "{reference.name}" not found' for reference in absent]
    if not words and any(names(cluster, reference.kind, _ns(pod)) is None for reference in mounted):
        words = _said_absent(pod, cluster)
    return Symptom(pod, ", ".join(dict.fromkeys(words))) if words else None


def _said_absent(pod: pb.Pod, cluster: Cluster) -> list[str]:
    """Return what events say is absent, without what is there by now."""
    return [
        match[0]
        for event in _events(pod, cluster, "FailedMount")
        for match in _ABSENT.finditer(event.message)
        if match[2] not in (names(cluster, _KINDS[match[1]], _ns(pod)) or ())
    ]


def _ns(pod: pb.Pod) -> str:
    return pod.metadata.namespace


_NO_KEY = re.compile(r"references non-existent (?:config|secret) key: (\S{1,253})")


def _missing_key(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    return _by_event(pod, cluster, "FailedMount", _NO_KEY)


def _by_event(pod: pb.Pod, cluster: Cluster, reason: str, text: re.Pattern[str]) -> Symptom | None:
    for event in reversed(_events(pod, cluster, reason)):
        if match := text.search(event.message):
            return Symptom(pod, event.message, volume=match.groupdict().get("volume") or "")
    return None


_CONFIG_VOLUMES = ("configMap", "secret", "projected")


def _node_disk_full(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match ConfigMaps and Secrets that the kubelet cannot write to the node's disk."""
    config = {v.name for v in pod.spec.volumes if any(v.volumeSource.HasField(kind) for kind in _CONFIG_VOLUMES)}
    for event in reversed(_events(pod, cluster, "FailedMount")):
        volume = _VOLUME.search(event.message)
        if volume and volume["volume"] in config and (_NO_SPACE in event.message or _disk_pressure(pod, cluster)):
            return Symptom(pod, event.message)
    return None


_NO_SPACE = "no space left on device"


def _disk_pressure(pod: pb.Pod, cluster: Cluster) -> bool:
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    pressure = node and node_condition(node, "DiskPressure")
    return bool(pressure and pressure.status == "True")


_VOLUME = re.compile(r'(?:failed|error) for volume "(?P<volume>[^"]{1,253})"')
_ANY_VOLUME = re.compile(r'(?:volume |volumes=\[)"?(?P<volume>[^"\s\],]{1,253})')


def _attach_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    symptom = _by_event(pod, cluster, "FailedAttachVolume", _ANY_VOLUME)
    attached = _events(pod, cluster, "SuccessfulAttachVolume") if symptom else []
    return symptom if symptom and not any(f'"{symptom.volume}"' in event.message for event in attached) else None


def _mount_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    return _by_event(pod, cluster, "FailedMount", _ANY_VOLUME)


# --- containers that cannot be made, or do not stay ---

_IMAGE = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
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
    r'(?:configmap|secret) "[^"]{1,253}" not found|couldn\'t find key|fieldPath|field path|resourceFieldRef',
    re.IGNORECASE,
)


def _settled(pod: pb.Pod, cluster: Cluster) -> bool:
    return cluster.over(pod.status.startTime, STUCK)


def _waiting(pod: pb.Pod, reasons: frozenset[str]) -> Iterator[pb.ContainerStatus]:
    return (status for status in statuses(pod) if status.state.waiting.reason in reasons)


def _image(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    for status in _waiting(pod, _IMAGE):
        if _settled(pod, cluster):
            return Symptom(pod, f"{status.state.waiting.reason}: {status.state.waiting.message}", status)
    return None


def _bad_reference(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    for status in _waiting(pod, frozenset({"CreateContainerConfigError"})):
        if _REFERENCE.search(status.state.waiting.message) and _settled(pod, cluster):
            return Symptom(pod, status.state.waiting.message, status)
    return None


def _bad_command(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    for status in statuses(pod):
        ended = _crash(pod, status, cluster)
        if ended and ended.reason in _NOT_STARTED:
            return Symptom(pod, ended.message, status)
        if status.state.waiting.reason in _NOT_CREATED and _settled(pod, cluster):
            return Symptom(pod, f"{status.state.waiting.reason}: {status.state.waiting.message}", status)
    return None


def _post_start(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    hooked = {container.name for container in pod.spec.containers if container.lifecycle.HasField("postStart")}
    for status in pod.status.containerStatuses:
        if status.state.waiting.reason == "PostStartHookError":
            return Symptom(pod, status.state.waiting.message, status)
        if status.name in hooked and _crash(pod, status, cluster):
            for event in reversed(cluster.events(pod)):
                if (
                    event.reason == "FailedPostStartHook"
                    and event.involvedObject.fieldPath == f"spec.containers{{{status.name}}}"
                ):
                    return Symptom(pod, event.message, status)
    return None


def _init_container(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    sidecars = {container.name for container in pod.spec.initContainers if container.restartPolicy == "Always"}
    return _crashing(pod, [s for s in pod.status.initContainerStatuses if s.name not in sidecars], cluster)


def _app_exit(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    return _crashing(pod, statuses(pod), cluster)


def _crashing(pod: pb.Pod, candidates: list[pb.ContainerStatus], cluster: Cluster) -> Symptom | None:
    for status in candidates:
        if ended := _crash(pod, status, cluster):
            return Symptom(pod, ended.message, status)
    return None


def _crash(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> pb.ContainerStateTerminated | None:
    """Return how the container ended if it does so again and again, or has ended the pod; one restart is no fault."""
    state, last = status.state, status.lastState.terminated
    if state.waiting.reason == "CrashLoopBackOff":
        return last
    if state.HasField("terminated"):
        if pod.status.phase == "Failed":
            return state.terminated if state.terminated.exitCode and _failed_for_good(pod, cluster) else None
        bad = state.terminated.exitCode or not _may_end(pod, status)
        return state.terminated if bad and status.restartCount else None
    if status.restartCount >= cluster.limit(RESTARTS) and not cluster.over(last.finishedAt, RECENT):
        return last
    return None


def _may_end(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the container is to end at some time: init containers but sidecars are, and those of a Job."""
    restart = next((c.restartPolicy for c in pod.spec.initContainers if c.name == status.name), None)
    return pod.spec.restartPolicy != "Always" if restart is None else restart != "Always"


def _failed_for_good(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether nothing will replace the failed pod, and nothing has succeeded in its stead.

    Evictions and node shutdowns give the pod itself a reason: they are not the container's doing.
    """
    if pod.status.reason:
        return False
    controllers = [reference for reference in pod.metadata.ownerReferences if reference.controller]
    if not controllers:
        return True
    job = cluster.derive(_jobs_by_uid).get(controllers[0].uid)
    failed = job and next((c for c in job.status.conditions if c.type == "Failed" and c.status == "True"), None)
    return bool(job and failed and not _succeeded_since(job, failed.lastTransitionTime, cluster))


def _jobs_by_uid(cluster: Cluster) -> dict[str, pb.Job]:
    return {job.metadata.uid: job for job in cluster.jobs}


def _succeeded_since(job: pb.Job, time: pb.Time, cluster: Cluster) -> bool:
    makers = {reference.uid for reference in job.metadata.ownerReferences}
    return bool(makers) and any(
        cron_job.metadata.uid in makers and cron_job.status.lastSuccessfulTime.seconds >= time.seconds
        for cron_job in cluster.cron_jobs
    )


TABLE: dict[PodFault, Callable[[pb.Pod, Cluster], Symptom | None]] = {
    PodFault.MISSING_OBJECT: _missing_object,
    PodFault.MISSING_KEY: _missing_key,
    PodFault.NODE_DISK_FULL: _node_disk_full,
    PodFault.ATTACH_FAILED: _attach_failed,
    PodFault.MOUNT_FAILED: _mount_failed,
    PodFault.IMAGE: _image,
    PodFault.BAD_REFERENCE: _bad_reference,
    PodFault.BAD_COMMAND: _bad_command,
    PodFault.POST_START: _post_start,
    PodFault.INIT_CONTAINER: _init_container,
    PodFault.APP_EXIT: _app_exit,
}
"""From specific to general: what keeps a pod from being created stands before what ends it."""
