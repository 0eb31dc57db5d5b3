"""Containers that crash or are not ready, and report the cause themselves: no space, or no more files to watch."""

from collections.abc import Callable, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probe_events import still_fails
from kubevitals.facts.pods.container_probes import ProbeKind
from kubevitals.facts.pods.inotify import exhausted_line
from kubevitals.facts.pods.no_space import NO_SPACE, writable_mounts
from kubevitals.facts.pods.states import Symptom, crash, is_kept_unready
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import statuses


def no_space_in_log(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that crashes or is not ready, and reports that no space is left.

    It does so in its termination message, in an answer to a probe, or in its last log lines.

    Raises:
        NotObserved: its log could not be read, and it does not report it elsewhere.
    """
    return _reporting(_no_space, pod, cluster)


def inotify(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that crashes or is not ready, and reports that it may not watch files any more.

    Raises:
        NotObserved: its log could not be read, and it does not report it elsewhere.
    """
    return _reporting(exhausted_line, pod, cluster)


def _reporting(report: Callable[[Sequence[str]], str | None], pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Return the container that crashes or is not ready, with the line that reports why."""
    for status in statuses(pod):
        if ended := crash(pod, status, cluster):
            previous = not status.state.HasField("terminated")
            line = report([ended.message]) or report(cluster.log(pod, status.name, previous=previous))
        elif status.state.HasField("running") and not status.ready and is_kept_unready(pod, cluster):
            line = report(_answers(pod, status, cluster)) or report(_storage_log(pod, status, cluster))
        else:
            continue
        if line:
            return Symptom(pod, line, status)
    return None


def _answers(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> list[str]:
    failing = (still_fails(pod, status.name, kind, cluster) for kind in ProbeKind)
    return [events.words for events in failing if events]


def _storage_log(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> Sequence[str]:
    """Return the log of a container with storage of its own; others' logs are not worth a request here."""
    return cluster.log(pod, status.name, previous=False) if writable_mounts(pod, status.name) else ()


def _no_space(lines: Sequence[str]) -> str | None:
    return next((line for line in reversed(lines) if NO_SPACE in line.lower()), None)
