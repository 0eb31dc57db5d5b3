"""Pods with container probes and their events, as the tests of liveness probes build them."""

from kubevitals import schema_pb2 as pb
from tests.fakes import NOW

BEGAN = int(NOW.timestamp()) - 600


COMMAND = pb.ProbeHandler(exec=pb.Present())


def at(seconds: int) -> pb.Time:
    """A time after the container's start."""
    return pb.Time(seconds=BEGAN + seconds)


def running(name: str = "app", restarts: int = 0, since: int = 0) -> pb.ContainerStatus:
    state = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=at(since)))
    return pb.ContainerStatus(name=name, state=state, ready=True, restartCount=restarts)


def pod(
    *containers: pb.Container, took: int = 0, status: pb.ContainerStatus | None = None, name: str = "web-1"
) -> pb.Pod:
    """A pod of one owner, whose first container has this status, and which got ready after so many seconds."""
    ready = pb.PodCondition(type="ContainersReady", status="True", lastTransitionTime=at(took))
    others = [running(container.name) for container in containers[1:]]
    return pb.Pod(
        metadata=pb.ObjectMeta(
            name=name,
            namespace="shop",
            uid=name,
            ownerReferences=[pb.OwnerReference(kind="StatefulSet", name="web", controller=True)],
        ),
        spec=pb.PodSpec(containers=containers, restartPolicy="Always"),
        status=pb.PodStatus(
            phase="Running", conditions=[ready], containerStatuses=[status or running(), *others], startTime=at(-5)
        ),
    )


def app(liveness: pb.Probe, readiness: pb.Probe | None = None, startup: pb.Probe | None = None) -> pb.Container:
    return pb.Container(name="app", livenessProbe=liveness, readinessProbe=readiness, startupProbe=startup)


def event(reason: str, message: str, last: int, count: int = 1, first: int = 0, name: str = "web-1") -> pb.Event:
    return pb.Event(
        involvedObject=pb.ObjectReference(
            kind="Pod", namespace="shop", name=name, uid=name, fieldPath="spec.containers{app}"
        ),
        reason=reason,
        message=message,
        source=pb.EventSource(component="kubelet"),
        count=count,
        firstTimestamp=at(first),
        lastTimestamp=at(last),
    )


REFUSED = "Liveness probe failed: dial tcp 10.0.0.1:80: connect: connection refused"


def killing(last: int, count: int = 4) -> pb.Event:
    return event("Killing", "Container app failed liveness probe, will be restarted", last, count)


def started(last: int) -> pb.Event:
    return event("Started", "Started container app", last)
