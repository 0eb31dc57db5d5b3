"""How often a container restarted recently, whether it has recovered since, and which ends its node caused.

A status keeps only the number of all restarts since the pod was created, and the last run. A daemon that has run for a
year has survived many reboots of its node: that number is not a rate.
"""

from collections.abc import Iterable

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.container_probe_events import container_events
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import first_seen, last_seen
from kubevitals.objects import last_end
from kubevitals.threshold import Threshold

RECENT = Threshold(
    "pod.recent",
    900,
    "seconds in which a restart still counts as present: the crash back-off is at most 5 minutes",
)

RESTARTS = Threshold(
    "pod.restarts", 3, "restarts within `pod.recent` from which on a pod that runs again still counts as crashing"
)

RECOVERED = Threshold(
    "pod.recovered",
    60,
    "seconds for which a container must be ready again, and twice as long as its last run, to have recovered",
)

BOOT = 600
"""Seconds that lie at most between the end of a container in a shutdown and its node's event `Rebooted`."""

UNSEEN_END = ("Unknown", 255)
"""Reason and exit code of a container that ended while its runtime did not run, as in a reboot
(containerd internal/cri/server/restart.go, internal/cri/server/container_status.go)."""


def recent_restarts(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> int:
    """Return how often the container restarted within `pod.recent`; an end that its node caused is not a restart.

    Events count the starts, unless they do not include the present run: they expire, and the kubelet limits their
    number. Then the container is taken to have restarted before as quickly as the last time, if that is known.
    """
    last = status.lastState.terminated
    if not status.restartCount or cluster.over(last.finishedAt, RECENT) or ended_with_node(pod, last, cluster):
        return 0
    began = _began(status)
    if not cluster.over(pod.status.startTime, RECENT) or not (began and last.startedAt.seconds):
        return status.restartCount
    starts = list(_started_events(pod, status, cluster))
    if any(last_seen(event) >= began for event in starts):
        count = sum(_within(event, cluster) for event in starts)
    else:
        cycle = max(1, began - last.startedAt.seconds)
        count = 1 + int((cluster.limit(RECENT) - (cluster.now.timestamp() - began)) // cycle)
    return max(1, min(count, status.restartCount))


def _began(status: pb.ContainerStatus) -> int:
    """Return when the present run began, or the one that has just ended."""
    return status.state.running.startedAt.seconds or last_end(status).startedAt.seconds


def _started_events(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> Iterable[pb.Event]:
    """Return the events of the container's starts; without the right to read events the pace of restarts decides."""
    try:
        return list(container_events(pod, status.name, "Started", cluster))
    except NotObserved:
        return ()


def _within(event: pb.Event, cluster: Cluster) -> int:
    """Return how many of the occurrences of an event lie within `pod.recent`, if they are evenly spread."""
    count, first, last = max(event.count, event.series.count, 1), first_seen(event), last_seen(event)
    start = cluster.now.timestamp() - cluster.limit(RECENT)
    if last < start:
        return 0
    if first >= start or last <= first:
        return count
    return 1 + int((count - 1) * (last - start) / (last - first))


def has_recovered(status: pb.ContainerStatus, cluster: Cluster) -> bool:
    """Return whether the container is ready again and has run long enough for its crashes to be over."""
    if not status.ready or not status.state.HasField("running"):
        return False
    last = status.lastState.terminated
    lasted = last.finishedAt.seconds - last.startedAt.seconds if last.startedAt.seconds else 0
    return cluster.age(status.state.running.startedAt) >= max(cluster.limit(RECOVERED), 2 * lasted)


def ended_with_node(pod: pb.Pod, ended: pb.ContainerStateTerminated, cluster: Cluster) -> bool:
    """Return whether the container ended because its node, or the node's container runtime, restarted."""
    if (ended.reason, ended.exitCode) == UNSEEN_END:
        return True
    rebooted = cluster.derive(_reboots).get(pod.spec.nodeName, ())
    return any(0 <= time - ended.finishedAt.seconds <= BOOT for time in rebooted)


def _reboots(cluster: Cluster) -> dict[str, list[int]]:
    """Return when each node rebooted, as far as events show: the kubelet reports a new boot ID as `Rebooted`."""
    try:
        return {node.metadata.name: _rebooted(node, cluster) for node in cluster.nodes}
    except NotObserved:
        return {}


def _rebooted(node: pb.Node, cluster: Cluster) -> list[int]:
    return [last_seen(event) for event in cluster.events(node) if event.reason == "Rebooted"]
