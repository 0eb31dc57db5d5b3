"""Liveness, readiness and startup probes of containers: timing, failures in events, which one killed a container."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import first_seen, last_seen
from kubevitals.objects import containers
from kubevitals.text import clean


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

SIGNALLED = frozenset({137, 143})
"""Exit codes of a container that the kubelet kills: by SIGKILL, or by a SIGTERM that it does not handle."""

GRACE = 30
"""Seconds that a container has to end by itself, unless its pod sets another grace period."""


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


@dataclass(frozen=True, slots=True)
class ProbeEvents:
    """The events about one container probe, its failures or its kills: how many, when, and what the latest says."""

    count: int
    first: int
    last: int
    words: str


def timing(probe: pb.Probe) -> Timing:
    """Return the numbers of a container probe."""
    return Timing(
        probe.initialDelaySeconds, probe.periodSeconds or 10, probe.timeoutSeconds or 1, probe.failureThreshold or 3
    )


def container_of(pod: pb.Pod, status: pb.ContainerStatus) -> pb.Container:
    """Return the specification of a container."""
    return next((c for c in containers(pod.spec) if c.name == status.name), pb.Container())


def probe_of(container: pb.Container, kind: ProbeKind) -> pb.Probe | None:
    """Return the container's probe of this kind, or nothing."""
    return getattr(container, kind.field) if container.HasField(kind.field) else None


def probe_failures(pod: pb.Pod, container: str, kind: ProbeKind, cluster: Cluster) -> ProbeEvents | None:
    """Return the events about failures of a container probe.

    Probes that "errored" are left out: the kubelet does not count them either.
    """
    pattern = rf"\b{kind.capitalize()} probe failed:(?P<words>.*)"
    return _probe_events(pod, container, "Unhealthy", pattern, cluster)


def probe_kills(pod: pb.Pod, container: str, kind: ProbeKind, cluster: Cluster) -> ProbeEvents | None:
    """Return the events about kills of the container because a probe failed."""
    return _probe_events(pod, container, "Killing", rf"(?P<words>failed {kind} probe)", cluster)


def _probe_events(pod: pb.Pod, container: str, reason: str, pattern: str, cluster: Cluster) -> ProbeEvents | None:
    matches = [
        (event, match["words"].strip())
        for event in container_events(pod, container, reason, cluster)
        if (match := re.search(pattern, event.message, re.DOTALL))
    ]
    if not matches:
        return None
    return ProbeEvents(
        count=sum(max(event.count, event.series.count, 1) for event, _ in matches),
        first=min(first_seen(event) for event, _ in matches),
        last=last_seen(matches[-1][0]),
        words=matches[-1][1],
    )


def container_events(pod: pb.Pod, container: str, reason: str, cluster: Cluster) -> Iterator[pb.Event]:
    """Yield a container's events of this reason, the latest last."""
    return (
        event
        for event in cluster.events(pod)
        if event.reason == reason and event.involvedObject.fieldPath.endswith(f"ontainers{{{container}}}")
    )


def start_has_event(pod: pb.Pod, container: str, ended: pb.ContainerStateTerminated, cluster: Cluster) -> bool:
    """Return whether there is a Started event of the run that ended; events expire, and are limited in number."""
    starts = container_events(pod, container, "Started", cluster)
    return any(last_seen(event) >= ended.startedAt.seconds for event in starts)


def killed_by(
    pod: pb.Pod, status: pb.ContainerStatus, ended: pb.ContainerStateTerminated, cluster: Cluster
) -> ProbeKind | None:
    """Return the kind of probe whose failure got the container killed when it ended so, or nothing.

    A Killing event says so, or, after a signal, as many failures as it takes to kill. Events expire after an hour, and
    the kubelet limits how many it sends about a pod. Where this run's start has no event, an earlier Killing event
    counts, or a signal that came no sooner than the probe could kill.
    """
    if ended.reason == "OOMKilled":
        return None
    end = _End(pod, container_of(pod, status), ended)
    kinds = [kind for kind in KILLERS if probe_of(end.container, kind)]
    for judged_by in (_killing_event, _enough_failures, _fitting_time):
        for kind in kinds:
            if judged_by(end, kind, cluster):
                return kind
    return None


class _End(NamedTuple):
    pod: pb.Pod
    container: pb.Container
    how: pb.ContainerStateTerminated

    @property
    def signalled(self) -> bool:
        return self.how.exitCode in SIGNALLED

    def timing(self, kind: ProbeKind) -> Timing:
        return timing(probe_of(self.container, kind) or pb.Probe())

    def start_has_event(self, cluster: Cluster) -> bool:
        return start_has_event(self.pod, self.container.name, self.how, cluster)


def _killing_event(end: _End, kind: ProbeKind, cluster: Cluster) -> bool:
    kills = probe_kills(end.pod, end.container.name, kind, cluster)
    if not kills or end.signalled or kills.last >= end.how.startedAt.seconds:
        return bool(kills)
    return not end.start_has_event(cluster)


def _enough_failures(end: _End, kind: ProbeKind, cluster: Cluster) -> bool:
    failed = probe_failures(end.pod, end.container.name, kind, cluster)
    return failed is not None and end.signalled and failed.count >= end.timing(kind).failures


def _fitting_time(end: _End, kind: ProbeKind, cluster: Cluster) -> bool:
    """Return whether the run was long enough for the probe, and for a startup probe not much longer."""
    numbers, lasted = end.timing(kind), end.how.finishedAt.seconds - end.how.startedAt.seconds
    soonest = numbers.start - numbers.period
    latest = numbers.start + numbers.period + GRACE if kind == ProbeKind.STARTUP else math.inf
    return end.signalled and soonest <= lasted <= latest and not end.start_has_event(cluster)


class ReplyKind(StrEnum):
    """What became of a container probe's request; the values are sentences for a finding, with places for details."""

    LATE = "no answer within {timeout} s"
    CLIENT_ERROR = "HTTP 4{rest}"
    HTTP_STATUS = "HTTP {code}"
    REFUSED = "connection refused"
    UNREACHABLE = "no route to the container"
    BROKEN = "the connection was closed"
    GRPC_STATUS = "gRPC {code}"
    NO_GRPC_HEALTH = "no gRPC health service"
    OUTPUT = "{words}"
    NO_OUTPUT = "it failed without output"
    EXPIRED = "the events with its answer have expired"


class ProbeReply(NamedTuple):
    """How a container probe failed last: the kind, which decides about remedies, and the words for a reader."""

    kind: ReplyKind
    words: str


REPLIES = (
    (r"statuscode: 4(?P<rest>\d+)", ReplyKind.CLIENT_ERROR),
    (r"statuscode: (?P<code>\d+)", ReplyKind.HTTP_STATUS),
    (r"deadline exceeded|i/o timeout|Client\.Timeout|^timeout: ", ReplyKind.LATE),
    (r"connection refused", ReplyKind.REFUSED),
    (r"no route to host|network is unreachable", ReplyKind.UNREACHABLE),
    (r"connection reset|EOF", ReplyKind.BROKEN),
    (r'service unhealthy \(responded with "(?P<code>\w+)"\)', ReplyKind.GRPC_STATUS),
    (r"does not implement the grpc health protocol", ReplyKind.NO_GRPC_HEALTH),
)
"""What the kubelet says about a failed HTTP, TCP or gRPC probe (pkg/probe/http, tcp and grpc), and what it means."""

COMMAND_REPLIES = ((r"^command .{0,2000}timed out", ReplyKind.LATE),)
"""The same for a command (pkg/probe/exec); anything else is the command's own output."""


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


def reply_to(probe: pb.Probe, failed: ProbeEvents | None) -> ProbeReply:
    """Return how the container probe failed last, as far as events still say."""
    if not failed:
        return ProbeReply(ReplyKind.EXPIRED, ReplyKind.EXPIRED)
    for pattern, kind in COMMAND_REPLIES if probe.handler.HasField("exec") else REPLIES:
        if match := re.search(pattern, failed.words, re.DOTALL):
            return ProbeReply(kind, kind.format(timeout=timing(probe).timeout, **match.groupdict()))
    if words := clean(failed.words, 200):
        return ProbeReply(ReplyKind.OUTPUT, words)
    return ProbeReply(ReplyKind.NO_OUTPUT, ReplyKind.NO_OUTPUT)
