"""Which liveness probes of running containers fail at present, now and then or every time."""

from kubevitals.facts.pods.container_probe_events import ProbeEvents, probe_kills, still_fails
from kubevitals.facts.pods.container_probes import ProbeKind
from kubevitals.facts.pods.restarts import RECENT
from kubevitals.facts.pods.starts import ProbedContainer
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import BURST
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


def always_fails(probed: ProbedContainer, cluster: Cluster) -> ProbeEvents | None:
    """Return the events of a liveness probe that has failed every time for `liveness-probe.failing`, or nothing."""
    failed = still_fails(probed.pod, probed.container.name, ProbeKind.LIVENESS, cluster)
    lasted = failed.seen.last - failed.seen.first if failed else 0
    if not failed or lasted < cluster.limit(FAILING):
        return None
    if failed.errored:
        return failed
    if failed.seen.first < probed.started_at or _has_succeeded(probed, lasted):
        return None
    return failed if failed.seen.count >= SENT * min(lasted / probed.numbers.period, BURST) else None


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
