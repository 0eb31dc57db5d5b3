"""Which state a broken pod is in: stuck in creation, or with a container that crash-loops or has failed."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.attempts import failed_for_good
from kubevitals.facts.pods.container_probes import ProbeKind, container_of
from kubevitals.facts.pods.named_containers import init_container_named
from kubevitals.facts.pods.restarts import RESTARTS, has_recovered, recent_restarts
from kubevitals.findings.severity import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import last_seen
from kubevitals.objects import Ref, condition, is_ready, statuses, turned_at
from kubevitals.threshold import Threshold

STUCK = Threshold(
    "pod.stuck",
    60,
    "seconds for which a pod may create its containers: mounts, pulls and rollouts take less",
)


@dataclass(frozen=True, slots=True)
class Symptom:
    """A pod's fault: what Kubernetes says about it, and the part of the pod that is concerned.

    Attributes:
        pod: the broken pod.
        words: what the kubelet or the container runtime says, or nothing where the state says it all.
        status: the container concerned.
        volume: the name of the volume concerned, as the kubelet writes it: of the pod, or of the PersistentVolume.
        probe: the kind of the probe that kills the container.
        missing: the ConfigMaps and Secrets that the pod references and that do not exist.
        key: the key that a ConfigMap or Secret does not have.
        severity: a warning if the pod failed long ago and nothing waits for it.
    """

    pod: pb.Pod
    words: str = ""
    status: pb.ContainerStatus = field(default_factory=pb.ContainerStatus)
    volume: str = ""
    probe: ProbeKind | None = None
    missing: tuple[Ref, ...] = ()
    key: str = ""
    severity: Severity = Severity.ERROR


MOUNT_FAILURES = ("FailedMount", "FailedMapVolume")
"""Reasons of events of a volume that could not be mounted, as files or as a block device (pkg/kubelet/events/event.go).
"""

SANDBOX_FAILURE = "FailedCreatePodSandBox"
"""The reason of the event of a pod sandbox that could not be created (pkg/kubelet/events/event.go)."""

ALL_VOLUMES = "Unable to attach or mount volumes"
"""How the kubelet begins when it sums up the volumes that a pod waits for (pkg/kubelet/volumemanager)."""

BUSY = r"[Aa]n operation with the given Volume ID \S{1,300} already exists"
"""What a CSI driver says while an earlier attempt has not ended, which says why (ceph/ceph-csi
internal/util/idlocker.go)."""

CONTAINER_EVENTS = frozenset({"Pulling", "Pulled", "Created", "Started"})
"""Reasons of events about containers, which the kubelet sends only once a pod has its volumes and its sandbox."""

CREATING = frozenset({"ContainerCreating", "PodInitializing"})
"""Reasons of a container that waits for its sandbox, its volumes, its image, its postStart hook, or init containers."""


def is_stuck(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has been on a node for longer than `pod.stuck` and has no sandbox yet.

    A pod with a sandbox has mounted its volumes, and pulls an image.
    """
    if pod.status.phase != "Pending" or any(s.state.waiting.reason not in CREATING for s in statuses(pod)):
        return False
    scheduled, sandbox = condition(pod, "PodScheduled"), condition(pod, "PodReadyToStartContainers")
    return (
        scheduled is not None
        and scheduled.status == "True"
        and cluster.over(scheduled.lastTransitionTime, STUCK)
        and not (sandbox and sandbox.status == "True")
    )


def stuck_events(pod: pb.Pod, cluster: Cluster, *reasons: str) -> list[pb.Event]:
    """Return the stuck pod's events of these reasons, the most specific last: summaries of all its volumes come first.

    The kubelet creates a sandbox once all volumes are mounted, and then pulls images: events about what comes before
    its latest step are over.
    """
    if not is_stuck(pod, cluster):
        return []
    events = cluster.events(pod)
    later = CONTAINER_EVENTS if SANDBOX_FAILURE in reasons else CONTAINER_EVENTS | {SANDBOX_FAILURE}
    passed_at = latest_of(events, later)
    present = [event for event in events if event.reason in reasons and last_seen(event) >= passed_at]
    return sorted(present, key=lambda event: not event.message.startswith(ALL_VOLUMES))


def latest_of(events: Iterable[pb.Event], reasons: Collection[str]) -> int:
    """Return when an event of these reasons was last seen, in seconds since 1970, or 0."""
    return max((last_seen(event) for event in events if event.reason in reasons), default=0)


def by_event(pod: pb.Pod, cluster: Cluster, text: re.Pattern[str], *reasons: str) -> Symptom | None:
    """Return the stuck pod's latest event of these reasons that has this text, with its groups `volume` and `key`."""
    for event in reversed(stuck_events(pod, cluster, *reasons)):
        if match := text.search(event.message):
            groups = match.groupdict("")
            return Symptom(pod, event.message, volume=groups.get("volume", ""), key=groups.get("key", ""))
    return None


def crash(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> pb.ContainerStateTerminated | None:
    """Return how the container ended if it crash-loops, or has failed for good; one restart is not a fault.

    A container that is ready again and stays so has recovered, however often it crashed before.
    """
    state, last = status.state, status.lastState.terminated
    if state.waiting.reason == "CrashLoopBackOff":
        return last
    if state.HasField("terminated"):
        if pod.status.phase == "Failed":
            failed = state.terminated.exitCode and not is_sidecar(pod, status) and not pod.status.reason
            return state.terminated if failed and failed_for_good(pod, cluster) else None
        if state.terminated.exitCode and not restarts_on_failure(pod, status):
            return state.terminated if cluster.over(state.terminated.finishedAt, STUCK) else None
        crashed = state.terminated.exitCode or not _may_end(pod, status)
        return state.terminated if crashed and recent_restarts(pod, status, cluster) else None
    if has_recovered(status, cluster) or recent_restarts(pod, status, cluster) < cluster.limit(RESTARTS):
        return None
    return last


def is_down(pod: pb.Pod, cluster: Cluster, after: Threshold) -> bool:
    """Return whether the pod is not ready and crash-loops, or has not been ready for longer than the threshold."""
    if is_ready(pod):
        return False
    return cluster.over(turned_at(pod), after) or any(crash(pod, status, cluster) for status in statuses(pod))


def is_sidecar(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the container is an init container that keeps running: it ends with its pod, and never ends it."""
    container = init_container_named(pod, status.name)
    return container is not None and container.restartPolicy == "Always"


def unstarted_sidecar(pod: pb.Pod) -> pb.ContainerStatus | None:
    """Return the sidecar that runs and whose startup probe has not succeeded yet: no later container starts before."""
    for status in pod.status.initContainerStatuses:
        starts = status.state.HasField("running") and not status.started and is_sidecar(pod, status)
        if starts and container_of(pod, status).HasField("startupProbe"):
            return status
    return None


def _may_end(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the container may complete: init containers other than sidecars, and those of a Job.

    A container's own restartPolicy overrides its pod's.
    """
    if init_container_named(pod, status.name):
        return not is_sidecar(pod, status)
    return _restart_policy(pod, status) != "Always"


def restarts_on_failure(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the kubelet restarts the container when it fails; else it stays as it ended."""
    return _restart_policy(pod, status) != "Never"


def _restart_policy(pod: pb.Pod, status: pb.ContainerStatus) -> str:
    return container_of(pod, status).restartPolicy or pod.spec.restartPolicy


def is_kept_unready(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has not been ready for longer than `pod.stuck`, and not because of its node.

    If nodes are not observed, the pod itself may still say why.
    """
    if is_ready(pod) or not cluster.over(turned_at(pod), STUCK):
        return False
    try:
        node = cluster.nodes_by_name.get(pod.spec.nodeName)
    except NotObserved:
        return True
    return node is not None and is_ready(node)
