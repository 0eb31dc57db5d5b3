"""Running containers with a liveness probe, and how long they took to start."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probes import Timing, container_of, timing
from kubevitals.facts.pods.faults import is_broken
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, condition, containers, owner, ref, statuses


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


def start_took(probed: ProbedContainer) -> int:
    """Return the seconds from the container's only start until it was ready, or 0 where that is not known.

    It is not known where the pod may have waited for other containers, where the first readiness probe succeeded, and
    where the pod was ready so late that the liveness probe must have succeeded before.
    """
    pod, container, status = probed
    if status.restartCount or container.HasField("startupProbe") or not container.HasField("readinessProbe"):
        return 0
    ready, readiness = condition(pod, "ContainersReady"), timing(container.readinessProbe)
    if not ready or ready.status != "True":
        return 0
    took = ready.lastTransitionTime.seconds - probed.started_at
    if not readiness.delay + readiness.period < took <= probed.numbers.start + probed.numbers.period:
        return 0
    others = (other for other in statuses(pod) if other.name != status.name)
    return took if all(_was_ready_by(pod, other, probed.started_at) for other in others) else 0


def _was_ready_by(pod: pb.Pod, status: pb.ContainerStatus, time: int) -> bool:
    """Return whether the container ran by then and was ready as soon as it ran."""
    container, running = container_of(pod, status), status.state.running
    has_probe = container.HasField("readinessProbe") or container.HasField("startupProbe")
    return not has_probe and not status.restartCount and running.startedAt.seconds <= time
