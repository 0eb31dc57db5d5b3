"""Probes of containers: their numbers with Kubernetes' defaults, how often they failed, whom they had killed."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import first_seen, last_seen
from kubevitals.objects import containers
from kubevitals.text import clean

SIGNALLED = frozenset({137, 143})
"""Exit codes of a container that the kubelet kills: by SIGKILL, or by SIGTERM that it does not handle."""

KILLERS = ("startup", "liveness")
"""The kinds of probes whose failures have a container killed."""

GRACE = 30
"""Seconds that a container has to end by itself, unless its pod says otherwise."""


class Timing(NamedTuple):
    """A probe's numbers, in seconds; what is not set has Kubernetes' default."""

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
class Told:
    """What events tell of one probe's failures, or of the container's killings for it."""

    count: int
    first: int
    last: int
    words: str


def timing(probe: pb.Probe) -> Timing:
    """Return the numbers of a probe."""
    return Timing(
        probe.initialDelaySeconds, probe.periodSeconds or 10, probe.timeoutSeconds or 1, probe.failureThreshold or 3
    )


def container_of(pod: pb.Pod, status: pb.ContainerStatus) -> pb.Container:
    """Return the specification of a container."""
    return next((c for c in containers(pod.spec) if c.name == status.name), pb.Container())


def probe_of(container: pb.Container, kind: str) -> pb.Probe | None:
    """Return the container's probe of a kind (`liveness`, `readiness`, `startup`), or nothing."""
    field = f"{kind}Probe"
    return getattr(container, field) if container.HasField(field) else None


def failures(pod: pb.Pod, container: str, kind: str, cluster: Cluster) -> Told | None:
    """Return what events tell of a probe's failures.

    Probes that "errored" are left out: the kubelet does not count them either.
    """
    return _told(pod, container, "Unhealthy", rf"\b{kind.capitalize()} probe failed:(?P<words>.*)", cluster)


def killings(pod: pb.Pod, container: str, kind: str, cluster: Cluster) -> Told | None:
    """Return what events tell of the container being killed for a probe."""
    return _told(pod, container, "Killing", rf"(?P<words>failed {kind} probe)", cluster)


def _told(pod: pb.Pod, container: str, reason: str, pattern: str, cluster: Cluster) -> Told | None:
    matches = [
        (event, match["words"].strip())
        for event in container_events(pod, container, reason, cluster)
        if (match := re.search(pattern, event.message, re.DOTALL))
    ]
    if not matches:
        return None
    return Told(
        count=sum(max(event.count, event.series.count, 1) for event, _ in matches),
        first=min(first_seen(event) for event, _ in matches),
        last=last_seen(matches[-1][0]),
        words=matches[-1][1],
    )


def container_events(pod: pb.Pod, container: str, reason: str, cluster: Cluster) -> Iterator[pb.Event]:
    """Yield the events of a reason on a container, the latest last."""
    return (
        event
        for event in cluster.events(pod)
        if event.reason == reason and event.involvedObject.fieldPath.endswith(f"ontainers{{{container}}}")
    )


def is_told_of(pod: pb.Pod, container: str, ended: pb.ContainerStateTerminated, cluster: Cluster) -> bool:
    """Return whether events tell of the start of the run that ended so: they expire, and are limited in number."""
    started = container_events(pod, container, "Started", cluster)
    return any(last_seen(event) >= ended.startedAt.seconds for event in started)


def killed_by(pod: pb.Pod, status: pb.ContainerStatus, ended: pb.ContainerStateTerminated, cluster: Cluster) -> str:
    """Return the kind of probe that had the container killed when it ended so, or nothing.

    Killing events say so, and after a signal as many failures as it takes to kill. Events expire after an hour, and the
    kubelet sends few of a pod that has had many: where none tells of this run's start, an earlier Killing is believed,
    and a signal that came no sooner than the probe could kill.
    """
    if ended.reason == "OOMKilled":
        return ""
    end = _End(pod, container_of(pod, status), ended)
    kinds = [kind for kind in KILLERS if probe_of(end.container, kind)]
    for judged_by in (_said, _failed, _fits):
        for kind in kinds:
            if judged_by(end, kind, cluster):
                return kind
    return ""


class _End(NamedTuple):
    pod: pb.Pod
    container: pb.Container
    how: pb.ContainerStateTerminated

    @property
    def signalled(self) -> bool:
        return self.how.exitCode in SIGNALLED

    def timing(self, kind: str) -> Timing:
        return timing(probe_of(self.container, kind) or pb.Probe())

    def is_told_of(self, cluster: Cluster) -> bool:
        return is_told_of(self.pod, self.container.name, self.how, cluster)


def _said(end: _End, kind: str, cluster: Cluster) -> bool:
    killing = killings(end.pod, end.container.name, kind, cluster)
    if not killing or end.signalled or killing.last >= end.how.startedAt.seconds:
        return bool(killing)
    return not end.is_told_of(cluster)


def _failed(end: _End, kind: str, cluster: Cluster) -> bool:
    failed = failures(end.pod, end.container.name, kind, cluster)
    return failed is not None and end.signalled and failed.count >= end.timing(kind).failures


def _fits(end: _End, kind: str, cluster: Cluster) -> bool:
    """Return whether the run was long enough for the probe, and for a startup probe not much longer."""
    numbers, lasted = end.timing(kind), end.how.finishedAt.seconds - end.how.startedAt.seconds
    soonest = numbers.start - numbers.period
    latest = numbers.start + numbers.period + GRACE if kind == "startup" else math.inf
    return end.signalled and soonest <= lasted <= latest and not end.is_told_of(cluster)


LATE = "no answer within {timeout} s"


ANSWERS = (
    (r"statuscode: (?P<code>\d+)", "HTTP {code}"),
    (r"deadline exceeded|i/o timeout|Client\.Timeout|^timeout: ", LATE),
    (r"connection refused", "connection refused"),
    (r"no route to host|network is unreachable", "no way to it"),
    (r"connection reset|EOF", "a broken connection"),
    (r'service unhealthy \(responded with "(?P<code>\w+)"\)', "gRPC {code}"),
    (r"does not implement the grpc health protocol", "no gRPC health service"),
)
"""What kubelets say of a failed probe, with what it means."""


COMMAND_ANSWERS = ((r"^command .{0,2000}timed out", LATE),)
"""Likewise of a command; anything else is what it wrote itself."""


GONE, SILENT = "the events with its answer are gone", "failure without output"
"""What stands for an answer that nobody knows."""


def asks(probe: pb.Probe) -> str:
    """Return what the probe asks; not a query or a command, which may hold credentials."""
    handler = probe.handler
    if handler.HasField("httpGet"):
        return f"GET {handler.httpGet.path.partition('?')[0] or '/'} on port {_port(handler.httpGet.port)}"
    if handler.HasField("tcpSocket"):
        return f"TCP connection to port {_port(handler.tcpSocket.port)}"
    return f"gRPC on port {handler.grpc.port}" if handler.HasField("grpc") else "a command"


def _port(port: pb.IntOrString) -> str:
    return port.strVal if port.type else str(port.intVal)


def answer(probe: pb.Probe, failed: Told | None) -> str:
    """Return what the probe was answered, as far as events still tell."""
    if not failed:
        return GONE
    for pattern, meaning in COMMAND_ANSWERS if probe.handler.HasField("exec") else ANSWERS:
        if match := re.search(pattern, failed.words, re.DOTALL):
            return meaning.format(timeout=timing(probe).timeout, **match.groupdict())
    return clean(failed.words, 200) or SILENT
