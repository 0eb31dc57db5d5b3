"""Running containers with a liveness probe, and how long they took to start."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.shared_pods import ready_after
from kubevitals.facts.pods.container_probes import Timing, container_of, timing
from kubevitals.facts.pods.faults import is_broken
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, containers, owner, ref, statuses


class ProbedContainer(NamedTuple):
    """A running container with a liveness probe, in a pod that is not broken."""

    pod: pb.Pod
    container: pb.Container
    status: pb.ContainerStatus

    @property
    def numbers(self) -> Timing:
        """The numbers of its liveness probe."""
        return timing(self.container.livenessProbe)

    @property
    def where(self) -> tuple[Ref, str]:
        """Where the probe is declared: in the pod's controller, or in a bare pod; and the container's name."""
        return declared_in(self.pod), self.container.name

    @property
    def started_at(self) -> int:
        """When the container started, in seconds since 1970."""
        return self.status.state.running.startedAt.seconds


def declared_in(pod: pb.Pod) -> Ref:
    """Return what declares the pod's containers: its controller, or a bare or static pod itself."""
    controller = owner(pod)
    return controller if controller and controller.kind != "Node" else ref(pod)


def probed_containers(pods: Iterable[pb.Pod], cluster: Cluster) -> Iterator[ProbedContainer]:
    """Yield the running containers with a liveness probe, without those of pods that are broken or being deleted."""
    for pod in pods:
        if not pod.metadata.HasField("deletionTimestamp") and not is_broken(pod, cluster):
            yield from _probed(pod)


def _probed(pod: pb.Pod) -> Iterator[ProbedContainer]:
    probed = {container.name: container for container in containers(pod.spec) if container.HasField("livenessProbe")}
    for status in statuses(pod) if probed else ():
        if status.name in probed and status.state.HasField("running"):
            yield ProbedContainer(pod, probed[status.name], status)


def starts(cluster: Cluster) -> Iterator[tuple[ProbedContainer, int]]:
    """Yield the containers whose start was seen, with the seconds from their only start until they were ready.

    It is not seen where the pod may have waited for other containers, where the first readiness probe succeeded, and
    where the pod was ready so late that the liveness probe must have succeeded before.
    """
    for pods in cluster.alike_pods:
        every = {container.name: _telling(container) for container in containers(pods[0].spec)}
        telling = {name: seconds for name, seconds in every.items() if seconds}
        least = min((seconds.start for seconds in telling.values()), default=0)
        for pod in pods if telling else ():
            for start in _starts(pod, telling) if ready_after(pod) >= least else ():  # no container precedes its pod
                if not pod.metadata.HasField("deletionTimestamp") and not is_broken(pod, cluster):
                    yield start


def _telling(container: pb.Container) -> range:
    """Return the seconds that tell how long the container took; empty if its probes do not show it."""
    is_probed = container.HasField("livenessProbe") and container.HasField("readinessProbe")
    if not is_probed or container.HasField("startupProbe"):
        return range(0)
    readiness, liveness = timing(container.readinessProbe), timing(container.livenessProbe)
    return range(readiness.delay + readiness.period + 1, liveness.start + liveness.period + 1)


def _starts(pod: pb.Pod, telling: Mapping[str, range]) -> Iterator[tuple[ProbedContainer, int]]:
    at = pod.status.startTime.seconds + ready_after(pod)
    for status in statuses(pod):
        began = status.state.running.startedAt.seconds
        is_only = status.state.HasField("running") and not status.restartCount
        if at - began in telling.get(status.name, ()) and is_only and _is_the_last(pod, status):
            yield ProbedContainer(pod, container_of(pod, status), status), at - began


def _is_the_last(pod: pb.Pod, started: pb.ContainerStatus) -> bool:
    """Return whether all other containers of the pod were ready when this one started: the pod waited for it."""
    others = (other for other in statuses(pod) if other.name != started.name)
    return all(_was_ready_by(pod, other, started.state.running.startedAt.seconds) for other in others)


def _was_ready_by(pod: pb.Pod, status: pb.ContainerStatus, time: int) -> bool:
    """Return whether the container ran by then and was ready as soon as it ran."""
    container, running = container_of(pod, status), status.state.running
    has_probe = container.HasField("readinessProbe") or container.HasField("startupProbe")
    return not has_probe and not status.restartCount and running.startedAt.seconds <= time
