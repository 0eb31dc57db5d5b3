"""What a pod that is not ready waits for, in a few words that are the same for all replicas."""

from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.states import is_sidecar
from kubevitals.objects import condition, is_finished, is_waiting

GATED = "SchedulingGated"
"""The reason of PodScheduled=False of a pod that waits until its schedulingGates are removed (kubernetes/api core/v1).
"""


class PodState(NamedTuple):
    """What a pod waits for.

    Attributes:
        container: the container that it waits for, if that has run and so has a log; else empty.
    """

    words: str
    container: str = ""


def state_of(pod: pb.Pod) -> PodState:
    """Return what the pod waits for."""
    if pod.metadata.HasField("deletionTimestamp"):
        return PodState("is being deleted")
    if is_finished(pod):
        return PodState(f"has failed ({pod.status.reason})" if pod.status.reason else "has failed")
    if not pod.spec.nodeName:
        scheduled = condition(pod, "PodScheduled")
        reason = scheduled.reason if scheduled else ""
        return PodState(f"has no node ({reason})" if reason else "has no node")
    return _of_init(pod) or _of_containers(pod)


def is_gated(pod: pb.Pod) -> bool:
    """Return whether the pod waits on purpose: its schedulingGates keep it from being scheduled."""
    scheduled = condition(pod, "PodScheduled")
    return not pod.spec.nodeName and scheduled is not None and scheduled.reason == GATED


def _of_init(pod: pb.Pod) -> PodState | None:
    for status in pod.status.initContainerStatuses:
        if status.state.HasField("terminated") or (is_sidecar(pod, status) and status.ready):
            continue
        if status.state.HasField("running"):
            verb = "is not ready" if is_sidecar(pod, status) else "has not completed"
            return PodState(f'init container "{status.name}" {verb}', status.name)
        return _waiting(status, "init container")
    return None


def _of_containers(pod: pb.Pod) -> PodState:
    if not pod.status.containerStatuses:
        return PodState("no container has started")
    for status in sorted(pod.status.containerStatuses, key=lambda status: not is_waiting(status)):
        if is_waiting(status):
            return _waiting(status, "container")
        if status.state.HasField("terminated"):
            return PodState(f'container "{status.name}" has terminated', status.name)
        if not status.ready:
            return PodState(f'container "{status.name}" is not ready', status.name)
    return PodState("is not ready although its containers are")


def _waiting(status: pb.ContainerStatus, what: str) -> PodState:
    reason = status.state.waiting.reason
    words = f'{what} "{status.name}" waits' + (f" ({reason})" if reason else "")
    return PodState(words, status.name if status.restartCount else "")
