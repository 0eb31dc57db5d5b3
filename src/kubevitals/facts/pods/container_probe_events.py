"""Events about liveness, readiness and startup probes: failures, errors, kills, and what the latest one means."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probes import KILLERS, ProbeKind, Timing, container_of, probe_of, timing
from kubevitals.facts.pods.named_containers import container_named, started_at
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import Occurrences, last_seen, occurrences, times_seen
from kubevitals.objects import is_ready, turned_at
from kubevitals.text import clean, duration, plural

SIGNALLED = frozenset({137, 143})
"""Exit codes of a container that the kubelet kills: by SIGKILL, or by a SIGTERM that it does not handle."""

GRACE = 30
"""Seconds that a container has to end by itself, unless its pod sets another grace period."""


@dataclass(frozen=True, slots=True)
class ProbeEvents:
    """The events about one container probe, its failures or its kills, and what the latest says.

    Attributes:
        errored: whether the latest is about a probe that could not be made, which the kubelet counts as neither
            success nor failure.
    """

    seen: Occurrences
    words: str
    errored: bool = False


FAILED = "Unhealthy"
"""The reason of the event of a probe that failed, or that could not be made (pkg/kubelet/events/event.go)."""


def pods_with_failures(cluster: Cluster) -> frozenset[tuple[str, str]]:
    """Return the namespace and name of each pod of which some probe has failed."""
    about = (event.involvedObject for event in cluster.all_events if event.reason == FAILED)
    return frozenset((obj.namespace, obj.name) for obj in about)


def probe_failures(pod: pb.Pod, container: str, kind: ProbeKind, cluster: Cluster) -> ProbeEvents | None:
    """Return the events about failures of a container probe, as the kubelet counts them."""
    pattern = rf"\b{kind.capitalize()} probe failed:(?P<words>.*)"
    return _probe_events(pod, container, FAILED, pattern, cluster)


ERRORED = " probe errored"
"""What the kubelet says about a probe that could not be made (pkg/kubelet/prober/prober.go)."""


def probe_errors(pod: pb.Pod, container: str, kind: ProbeKind, cluster: Cluster) -> ProbeEvents | None:
    """Return the events about attempts at a container probe that could not be made, such as an absent command.

    The kubelet drops these results (pkg/kubelet/prober/worker.go): the probe then neither succeeds nor fails.
    """
    pattern = rf"\b{kind.capitalize()}{ERRORED}(?: and resulted in \w{{1,20}} state)?:(?P<words>.*)"
    errors = _probe_events(pod, container, FAILED, pattern, cluster)
    return replace(errors, errored=True) if errors else None


def still_fails(pod: pb.Pod, container: str, kind: ProbeKind, cluster: Cluster) -> ProbeEvents | None:
    """Return the failures or else the errors of a container probe if they still come, and the pod shows no recovery."""
    for events in (probe_failures(pod, container, kind, cluster), probe_errors(pod, container, kind, cluster)):
        if events and _is_current(pod, container, kind, events, cluster):
            return events
    return None


def _is_current(pod: pb.Pod, container: str, kind: ProbeKind, events: ProbeEvents, cluster: Cluster) -> bool:
    """Return whether a probe's events still come, and neither the container started since nor the pod got ready."""
    spec, started = container_named(pod, container), started_at(pod, container)
    turned_ready = turned_at(pod).seconds if is_ready(pod) else 0
    period = timing(probe_of(spec, kind) or pb.Probe()).period
    return max(started, turned_ready) <= events.seen.last and events.seen.is_current(
        cluster.now, period, sent_by_kubelet(pod, cluster)
    )


def sent_by_kubelet(pod: pb.Pod, cluster: Cluster) -> int:
    """Return how many events the kubelet has sent about a pod: `BURST` is the limit of all together."""
    sent = cluster.derive(_sent_by_kubelets)
    name = (pod.metadata.namespace, pod.metadata.name)
    return sum(sent.get((*name, uid), 0) for uid in {"", pod.metadata.uid})


def _sent_by_kubelets(cluster: Cluster) -> Mapping[tuple[str, str, str], int]:
    """Return how many events kubelets have sent about each pod, by its namespace, its name, and the uid they name."""
    sent: Counter[tuple[str, str, str]] = Counter()
    for event in cluster.all_events:
        about = event.involvedObject
        if event.source.component == "kubelet" and about.kind == "Pod":
            sent[about.namespace, about.name, about.uid] += times_seen(event)
    return sent


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
    return ProbeEvents(occurrences([event for event, _ in matches]), matches[-1][1])


def container_events(pod: pb.Pod, container: str, reason: str, cluster: Cluster) -> Iterator[pb.Event]:
    """Yield a container's events of this reason, the latest last."""
    about = (pod.metadata.namespace, pod.metadata.name, container, reason)
    for event in cluster.derive(_by_container).get(about, ()):
        if event.involvedObject.uid in ("", pod.metadata.uid):
            yield event


_CONTAINER = "ontainers{"
"""What stands before the name in the fieldPath of an event about a container, whichever list of the pod has it."""


def _by_container(cluster: Cluster) -> Mapping[tuple[str, str, str, str], list[pb.Event]]:
    """Return the events about containers by namespace, pod, container and reason, the latest last."""
    index = defaultdict(list)
    for event in cluster.all_events:
        about, (_, found, name) = event.involvedObject, event.involvedObject.fieldPath.rpartition(_CONTAINER)
        if about.kind == "Pod" and found and name.endswith("}"):
            index[about.namespace, about.name, name.removesuffix("}"), event.reason].append(event)
    for events in index.values():
        events.sort(key=last_seen)
    return index


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
    if not kills or end.signalled or kills.seen.last >= end.how.startedAt.seconds:
        return bool(kills)
    return not end.start_has_event(cluster)


def _enough_failures(end: _End, kind: ProbeKind, cluster: Cluster) -> bool:
    failed = probe_failures(end.pod, end.container.name, kind, cluster)
    return failed is not None and end.signalled and failed.seen.count >= end.timing(kind).failures


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
    NO_COMMAND = 'its command "{command}" cannot be run: {why}'
    OUTPUT = "{words}"
    NO_OUTPUT = "no output from the probe"
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

ERRORS = (
    (r'exec: "(?P<command>[^"]{1,200})": (?:stat [^:]{1,200}: )?(?P<why>[^:]{1,100})', ReplyKind.NO_COMMAND),
    (r"executable file `(?P<command>[^`]{1,200})` (?P<why>not found[^:]{0,100})", ReplyKind.NO_COMMAND),
)
"""What runc and crun say about a command that they cannot run (runc libcontainer, crun src/libcrun/container.c)."""


def reply_to(probe: pb.Probe, failed: ProbeEvents | None) -> ProbeReply:
    """Return how the container probe failed last, as far as events still say."""
    if not failed:
        return ProbeReply(ReplyKind.EXPIRED, ReplyKind.EXPIRED)
    replies = COMMAND_REPLIES if probe.handler.HasField("exec") else REPLIES
    for pattern, kind in ERRORS if failed.errored else replies:
        if match := re.search(pattern, failed.words, re.DOTALL):
            words = kind.format(timeout=timing(probe).timeout, **match.groupdict())
            return ProbeReply(kind, clean(words, 200))
    if words := clean(failed.words, 200):
        return ProbeReply(ReplyKind.OUTPUT, words)
    return ProbeReply(ReplyKind.NO_OUTPUT, ReplyKind.NO_OUTPUT)


def failures_line(kind: ProbeKind, probe: pb.Probe, failed: ProbeEvents, cluster: Cluster) -> str:
    """Return how often a container probe failed, when and how it failed last, as a line of evidence."""
    count, words = plural(failed.seen.count, "failure"), reply_to(probe, failed).words
    return f"events: {count} of the {kind} probe, the last {ago(failed, cluster)} ago: {words}"


def ago(events: ProbeEvents, cluster: Cluster) -> str:
    """Return how long ago the last of these events was."""
    return duration(cluster.now.timestamp() - events.seen.last)
