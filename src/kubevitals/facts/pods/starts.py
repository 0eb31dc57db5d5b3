"""Running containers with a liveness probe, and how long they took to start."""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probes import Timing, container_of, timing
from kubevitals.facts.pods.faults import is_broken
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, condition, containers, owner, ref, statuses


class Probed(NamedTuple):
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
        """Where the probe is written: in what made the pod, or in a pod of its own; and the container's name."""
        maker = owner(self.pod)
        return (maker if maker and maker.kind != "Node" else ref(self.pod)), self.container.name


def probed_containers(cluster: Cluster) -> tuple[Probed, ...]:
    """Return what a liveness probe threatens; pods that are broken already are told of once, elsewhere."""
    pods = (p for p in cluster.pods if not p.metadata.HasField("deletionTimestamp") and not is_broken(p, cluster))
    return tuple(probed for pod in pods for probed in _probed(pod))


def _probed(pod: pb.Pod) -> Iterator[Probed]:
    probed = {container.name: container for container in containers(pod.spec) if container.HasField("livenessProbe")}
    for status in statuses(pod) if probed else ():
        if status.name in probed and status.state.HasField("running"):
            yield Probed(pod, probed[status.name], status)


def start_took(probed: Probed) -> int:
    """Return the seconds from the container's only start to its readiness, 0 where that cannot be told.

    It cannot be told where others of the pod may have been waited for, where the first readiness probe succeeded, and
    where the pod got ready so late that the liveness probe must have succeeded before.
    """
    pod, container, status = probed
    if status.restartCount or container.HasField("startupProbe") or not container.HasField("readinessProbe"):
        return 0
    ready, readiness = condition(pod, "ContainersReady"), timing(container.readinessProbe)
    if not ready or ready.status != "True":
        return 0
    began = status.state.running.startedAt.seconds
    took = ready.lastTransitionTime.seconds - began
    if not readiness.delay + readiness.period < took <= probed.numbers.start + probed.numbers.period:
        return 0
    return took if all(_needs_no_wait(pod, s, began) for s in statuses(pod) if s.name != status.name) else 0


def _needs_no_wait(pod: pb.Pod, status: pb.ContainerStatus, began: int) -> bool:
    """Return whether the container was ready as soon as it ran, and ran by then."""
    container, running = container_of(pod, status), status.state.running
    probed = container.HasField("readinessProbe") or container.HasField("startupProbe")
    return not probed and not status.restartCount and running.startedAt.seconds <= began
