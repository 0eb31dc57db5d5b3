"""What a person would look at by hand: an object's events, its node, the last words of a container that died."""

import shlex
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import event_line
from kubevitals.objects import KubeObject, last_end, ref
from kubevitals.text import clean, duration

EVENTS = 4
"""Events of an object that are shown, the latest."""

_ROUTINE = frozenset({"Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulAttachVolume"})
"""Events that say that a step went well."""


def event_lines(obj: KubeObject, cluster: Cluster, told: str = "") -> Iterator[str]:
    """Yield the object's latest telling events, Normal ones too, without those that repeat what is told already."""
    try:
        events = [e for e in cluster.events(obj) if e.reason not in _ROUTINE and not (told and told in e.message)]
    except NotObserved as error:
        yield f"events not observed: {error}"
        return
    for event in events[-EVENTS:]:
        yield f"event {duration(seen_ago(event, cluster))} ago: {event_line(event)}"


def pod_lines(pod: pb.Pod, cluster: Cluster, told: str = "") -> Iterator[str]:
    """Yield where the pod is, conditions that are not met, and its latest events without those that are `told`."""
    if pod.spec.nodeName:
        yield f"node: {pod.spec.nodeName}"
    telling = [c for c in pod.status.conditions if c.status != "True" or c.type == "DisruptionTarget"]
    if conditions := ", ".join(map(_condition, telling)):
        yield f"conditions: {conditions}"
    yield from event_lines(pod, cluster, told)


def container_lines(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> Iterator[str]:
    """Yield how a container ended, how often, its last log lines, and those of the one that runs in its stead."""
    ended = last_end(status)
    waits = status.state.waiting.reason
    yield (
        f"container {status.name}: {_how(ended)}, {_lived(ended)}restarted {status.restartCount}×"
        f"{f', now {waits}' if waits else ''}"
    )
    if ended.finishedAt.seconds:
        yield f"last ended {duration(cluster.age(ended.finishedAt))} ago"
    if ended.message:
        yield f"termination message: {ended.message}"
    for line in _log(pod, status, cluster, previous=not status.state.HasField("terminated")):
        yield f"log: {line}"
    if status.state.HasField("running"):
        for line in _log(pod, status, cluster, previous=False):
            yield f"log of the present run: {line}"


def log_command(pod: pb.Pod, status: pb.ContainerStatus) -> str:
    """Return the kubectl command that shows what the container wrote before it died."""
    lasts = status.state.HasField("terminated") and (not status.restartCount or pod.status.phase == "Failed")
    container = shlex.quote(clean(status.name))
    return f"{ref(pod).kubectl('logs')} -c {container} --tail=50{'' if lasts else ' --previous'}"


def daemon_look(pod: pb.Pod | None) -> str:
    """Return the kubectl command that shows what a node's daemon wrote; nothing without its pod."""
    return f"{ref(pod).kubectl('logs')} --tail=50" if pod else ""


def _log(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster, *, previous: bool) -> tuple[str, ...]:
    try:
        return cluster.log(pod, status.name, previous=previous)
    except NotObserved as error:
        return (f"(log not observed: {error})",)


def _condition(condition: pb.PodCondition) -> str:
    return f"{condition.type}={condition.status}{f' ({condition.reason})' if condition.reason else ''}"


def _how(ended: pb.ContainerStateTerminated) -> str:
    return f"{ended.reason or 'ended'}, exit code {ended.exitCode}"


def _lived(ended: pb.ContainerStateTerminated) -> str:
    if not (ended.startedAt.seconds and ended.finishedAt.seconds):
        return ""
    return f"ran {duration(ended.finishedAt.seconds - ended.startedAt.seconds)}, "
