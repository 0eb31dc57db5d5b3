"""Which container probes fail at present, now and then or every time, or cannot be made at all."""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.container_probe_events import (
    ERRORED,
    ProbeEvents,
    pods_with_failures,
    probe_kills,
    sent_by_kubelet,
    still_fails,
)
from kubevitals.facts.pods.container_probes import ProbeKind, container_of, probe_of
from kubevitals.facts.pods.faults import is_broken
from kubevitals.facts.pods.restarts import RECENT
from kubevitals.facts.pods.starts import ProbedContainer, declared_in, probed_containers
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import BURST
from kubevitals.objects import Ref, is_ready, statuses
from kubevitals.threshold import Threshold

FAILURES = Threshold(
    "liveness-probe.failures",
    2,
    "failures from which a strict probe is reported; Kubernetes' failureThreshold is there to forgive a single one",
)

FAILING = Threshold(
    "liveness-probe.failing",
    120,
    "seconds for which a liveness probe must have failed every time without a kill; Kubernetes' defaults allow 30",
)

SENT = 0.8
"""The share of a probe's failures that events must show: the kubelet may drop some."""


class FailingProbe(NamedTuple):
    """A container probe that fails every time, and the events that show it."""

    pod: pb.Pod
    container: pb.Container
    kind: ProbeKind
    events: ProbeEvents

    @property
    def where(self) -> tuple[Ref, str, ProbeKind]:
        """What declares the probe, the container's name, and the probe's kind."""
        return declared_in(self.pod), self.container.name, self.kind


def always_failing(cluster: Cluster) -> Iterator[FailingProbe]:
    """Yield the liveness probes that have failed every time for `liveness-probe.failing`, and killed nothing."""
    for probed in probed_with_failures(cluster):
        if failed := always_fails(probed, cluster):
            yield FailingProbe(probed.pod, probed.container, ProbeKind.LIVENESS, failed)


def probed_with_failures(cluster: Cluster) -> Iterator[ProbedContainer]:
    """Return the running containers with a liveness probe of the few pods of which some probe has failed.

    Raises:
        NotObserved: events are not observed, and there is a liveness probe.
    """
    try:
        failing = cluster.derive(pods_with_failures)
    except NotObserved:
        if any(probed_containers(cluster.pods, cluster)):
            raise
        return iter(())
    pods = (pod for pod in cluster.pods if (pod.metadata.namespace, pod.metadata.name) in failing)
    return probed_containers(pods, cluster)


def erroring(cluster: Cluster) -> Iterator[FailingProbe]:
    """Yield the probes of running containers that the kubelet has been unable to make for `liveness-probe.failing`.

    Pods that are broken in another way are left out.
    """
    about = (event.involvedObject for event in cluster.all_events if ERRORED in event.message)
    names = {(obj.namespace, obj.name) for obj in about if obj.kind == "Pod"}
    for pod in cluster.pods if names else ():
        is_candidate = (pod.metadata.namespace, pod.metadata.name) in names and pod.status.phase == "Running"
        if is_candidate and not pod.metadata.HasField("deletionTimestamp") and not is_broken(pod, cluster):
            yield from _erroring(pod, cluster)


def _erroring(pod: pb.Pod, cluster: Cluster) -> Iterator[FailingProbe]:
    for status in statuses(pod):
        container = container_of(pod, status)
        for kind in ProbeKind if status.state.HasField("running") else ():
            events = still_fails(pod, status.name, kind, cluster) if probe_of(container, kind) else None
            if events and events.errored and _has_lasted(events, _errored_until(pod, events, cluster), cluster):
                yield FailingProbe(pod, container, kind, events)


def _errored_until(pod: pb.Pod, events: ProbeEvents, cluster: Cluster) -> float:
    """Return until when a probe could not be made: a pod that is not ready shows it after its kubelet's last event."""
    is_limited = not is_ready(pod) and sent_by_kubelet(pod, cluster) >= BURST
    return cluster.now.timestamp() if is_limited else events.seen.last


def _has_lasted(events: ProbeEvents, until: float, cluster: Cluster) -> bool:
    return until - events.seen.first >= cluster.limit(FAILING)


def always_fails(probed: ProbedContainer, cluster: Cluster) -> ProbeEvents | None:
    """Return the events of a liveness probe that has failed every time for `liveness-probe.failing`, or nothing."""
    failed = still_fails(probed.pod, probed.container.name, ProbeKind.LIVENESS, cluster)
    if not failed or failed.errored or not _has_lasted(failed, failed.seen.last, cluster):
        return None
    lasted = failed.seen.last - failed.seen.first
    if failed.seen.first < probed.started_at or _has_succeeded(probed, lasted):
        return None
    others = max(0, sent_by_kubelet(probed.pod, cluster) - failed.seen.count)
    return failed if failed.seen.count >= SENT * min(lasted / probed.numbers.period, BURST - others) else None


def _has_succeeded(probed: ProbedContainer, lasted: int) -> bool:
    """Return whether the probe must have succeeded in between, since the container would have been killed by now."""
    return lasted > probed.numbers.window + probed.numbers.period


def fails_or_killed(probed: ProbedContainer, cluster: Cluster) -> bool:
    """Return whether the liveness probe fails at present, more than once, or has killed within `pod.recent`."""
    pod, name = probed.pod, probed.container.name
    failed = still_fails(pod, name, ProbeKind.LIVENESS, cluster)
    if failed and failed.seen.count >= cluster.limit(FAILURES):
        return True
    kills = probe_kills(pod, name, ProbeKind.LIVENESS, cluster)
    return kills is not None and cluster.now.timestamp() - kills.seen.last < cluster.limit(RECENT)
