"""Liveness, readiness and startup probes of containers: what they request, how often, and for how long."""

from enum import StrEnum
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.named_containers import container_named


class ProbeKind(StrEnum):
    """The kinds of container probes, as they are named in a pod's specification."""

    STARTUP = "startup"
    LIVENESS = "liveness"
    READINESS = "readiness"

    @property
    def field(self) -> str:
        """The container's field that holds the probe: ``livenessProbe``."""
        return f"{self}Probe"


KILLERS = (ProbeKind.STARTUP, ProbeKind.LIVENESS)
"""The kinds of probes after whose failures the kubelet kills the container."""


class Timing(NamedTuple):
    """A container probe's numbers, in seconds, with Kubernetes' defaults for what is not set."""

    delay: int
    period: int
    timeout: int
    failures: int

    @property
    def window(self) -> int:
        """How long the probe must fail until the container is killed."""
        return self.period * self.failures

    @property
    def start(self) -> int:
        """How long the container may take to start."""
        return self.delay + self.window

    def is_as_strict_as(self, other: "Timing") -> bool:
        """Return whether this probe gives up no later than the other."""
        return self.delay <= other.delay and self.timeout <= other.timeout and self.window <= other.window


def timing(probe: pb.Probe) -> Timing:
    """Return the numbers of a container probe."""
    return Timing(
        probe.initialDelaySeconds, probe.periodSeconds or 10, probe.timeoutSeconds or 1, probe.failureThreshold or 3
    )


def container_of(pod: pb.Pod, status: pb.ContainerStatus) -> pb.Container:
    """Return the specification of a container."""
    return container_named(pod, status.name)


def probe_of(container: pb.Container, kind: ProbeKind) -> pb.Probe | None:
    """Return the container's probe of this kind, or nothing."""
    return getattr(container, kind.field) if container.HasField(kind.field) else None


def equals_readiness(container: pb.Container) -> bool:
    """Return whether liveness and readiness probe ask the same; commands are not read and may differ."""
    handler = container.livenessProbe.handler
    return not handler.HasField("exec") and handler == container.readinessProbe.handler


def request_of(probe: pb.Probe) -> str:
    """Return what the container probe requests, without a query or a command, which may hold credentials."""
    handler = probe.handler
    if handler.HasField("httpGet"):
        return f"GET {handler.httpGet.path.partition('?')[0] or '/'} on port {_port(handler.httpGet.port)}"
    if handler.HasField("tcpSocket"):
        return f"TCP connection to port {_port(handler.tcpSocket.port)}"
    return f"gRPC on port {handler.grpc.port}" if handler.HasField("grpc") else "a command"


def _port(port: pb.IntOrString) -> str:
    return port.strVal if port.type else str(port.intVal)


def numbers_line(kind: ProbeKind, probe: pb.Probe) -> str:
    """Return what a container probe requests and how often, as a line of evidence."""
    numbers = timing(probe)
    return (
        f"{kind.field}: {request_of(probe)}; initialDelaySeconds {numbers.delay}, periodSeconds {numbers.period}, "
        f"timeoutSeconds {numbers.timeout}, failureThreshold {numbers.failures}"
    )
