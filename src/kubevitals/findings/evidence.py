"""Evidence: what a person would otherwise look up, such as events of an object or the log of a crashed container."""

import shlex
from collections.abc import Iterator
from itertools import islice

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import event_line
from kubevitals.objects import KubeObject, last_end, ref
from kubevitals.text import clean, duration

EVENTS = 4
"""How many events of an object are shown: the latest ones."""

_ROUTINE = frozenset({"Scheduled", "Pulling", "Pulled", "Created", "Started", "SuccessfulAttachVolume"})
"""Reasons of events about steps that succeeded."""


def event_lines(obj: KubeObject, cluster: Cluster, told: str = "") -> Iterator[str]:
    """Yield the latest events of an object, of both types.

    Events about steps that succeeded are left out, and those whose message contains `told`, a text that the finding
    already has.
    """
    try:
        latest_first = reversed(cluster.events(obj))
    except NotObserved as error:
        yield f"events not observed: {error}"
        return
    others = (e for e in latest_first if e.reason not in _ROUTINE and not (told and told in e.message))
    for event in reversed(list(islice(others, EVENTS))):
        yield f"event {_when(seen_ago(event, cluster))}: {event_line(event)}"


def pod_lines(pod: pb.Pod, cluster: Cluster, told: str = "") -> Iterator[str]:
    """Yield the pod's node, its conditions that are not met, and its latest events, as `event_lines` does."""
    if pod.spec.nodeName:
        yield f"node: {pod.spec.nodeName}"
    unmet = [
        condition
        for condition in pod.status.conditions
        if condition.status != "True" or condition.type == "DisruptionTarget"
    ]
    if unmet:
        yield f"conditions: {', '.join(map(_condition, unmet))}"
    yield from event_lines(pod, cluster, told)


def container_lines(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> Iterator[str]:
    """Yield how and how often a container terminated, and the last lines of its log and of the current one's."""
    ended = last_end(status)
    waiting = status.state.waiting.reason
    yield (
        f'container "{status.name}": {_exit(ended)}{_lifetime(ended)}, restarted {status.restartCount}×'
        f"{f', now {waiting}' if waiting else ''}"
    )
    if ended.finishedAt.seconds:
        yield f"last terminated {_when(cluster.age(ended.finishedAt))}"
    if ended.message:
        yield f"termination message: {ended.message}"
    for line in _log(pod, status, cluster, previous=not status.state.HasField("terminated")):
        yield f"log: {line}"
    if status.state.HasField("running"):
        yield from current_log_lines(pod, status, cluster)


def current_log_lines(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> Iterator[str]:
    """Yield the last lines of the log of a container that runs."""
    for line in _log(pod, status, cluster, previous=False):
        yield f"log of the current container: {line}"


def _when(age: float) -> str:
    """Return when something happened; clocks that differ by a minute are usual."""
    return f"{duration(age)} ago" if age > -60 else f"{duration(-age)} in the future (clocks differ)"


def log_command(pod: pb.Pod, status: pb.ContainerStatus) -> str:
    """Return the kubectl command that shows the log of a container from before it terminated."""
    is_current = status.state.HasField("terminated") and (not status.restartCount or pod.status.phase == "Failed")
    container = shlex.quote(clean(status.name))
    return f"{ref(pod).kubectl('logs')} -c {container} --tail=50{'' if is_current else ' --previous'}"


def current_log_command(pod: pb.Pod, container: str) -> str:
    """Return the kubectl command that shows the log of a container that runs."""
    return f"{ref(pod).kubectl('logs')} -c {shlex.quote(clean(container))} --tail=50"


def daemon_look(pod: pb.Pod | None) -> str:
    """Return the kubectl command that shows the log of a daemon's pod; nothing if there is no such pod."""
    return f"{ref(pod).kubectl('logs')} --tail=50" if pod else ""


def _log(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster, *, previous: bool) -> tuple[str, ...]:
    try:
        return cluster.log(pod, status.name, previous=previous)
    except NotObserved as error:
        return (f"(log not observed: {error})",)


def _condition(condition: pb.PodCondition) -> str:
    return f"{condition.type}={condition.status}{f' ({condition.reason})' if condition.reason else ''}"


def _exit(ended: pb.ContainerStateTerminated) -> str:
    return f"{ended.reason or 'terminated'}, exit code {ended.exitCode}"


def _lifetime(ended: pb.ContainerStateTerminated) -> str:
    if not (ended.startedAt.seconds and ended.finishedAt.seconds):
        return ""
    return f" after {duration(ended.finishedAt.seconds - ended.startedAt.seconds)}"
