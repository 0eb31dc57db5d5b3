"""Init containers that wait for something that does not come, by what their log repeats.

An init container may work for hours, as migrations and restores do. One that waits repeats the same lines, and these
say that something is missing or does not answer.
"""

import re
from collections.abc import Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.states import STUCK, Symptom, is_sidecar
from kubevitals.inventory.cluster import Cluster
from kubevitals.threshold import Threshold

INITIALIZING = Threshold(
    "pod.initializing",
    300,
    "seconds for which an init container may wait for something, by its log: a database takes minutes to start",
)

REPEATED = 3
"""How often a line must stand in the log, at least."""

_TIME = re.compile(r"^[\[(]?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d\S{0,12}\s{0,3}|^\d\d:\d\d:\d\d\S{0,8}\s{0,3}")
_WAITS = re.compile(
    r"(?i)\bwait|\bretry|\bnot (?:yet )?(?:ready|available|reachable|up|found)\b|\brefused\b|\bunreachable\b|"
    r"\btimed out\b|\btimeout\b|\bcan(?:'t|not)\b|\bcould not\b|\bunable\b|\bfail|\bbad address\b|\bunknown host\b|"
    r"\bno such host\b|NXDOMAIN"
)
"""What programs write that wait: of the examples in Kubernetes' documentation, nslookup, nc, wget, pg_isready."""


def init_waits(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod with an init container that has run for `pod.initializing` and repeats that it waits.

    Raises:
        NotObserved: its log cannot be read.
    """
    status = _running(pod)
    if status is None or not cluster.over(status.state.running.startedAt, STUCK):
        return None
    words = waiting_lines(cluster.log(pod, status.name, previous=False))
    lasts = cluster.over(status.state.running.startedAt, INITIALIZING)
    return Symptom(pod, words[-1], status) if words and lasts else None


def waiting_lines(lines: Sequence[str]) -> list[str]:
    """Return the lines that a log repeats and that say what is waited for."""
    plain = [_TIME.sub("", line).strip() for line in lines]
    return [line for line in dict.fromkeys(plain) if plain.count(line) >= REPEATED and _WAITS.search(line)]


def _running(pod: pb.Pod) -> pb.ContainerStatus | None:
    """Return the init container that runs and that the other containers wait for."""
    if pod.metadata.HasField("deletionTimestamp") or pod.status.phase != "Pending":
        return None
    running = (s for s in pod.status.initContainerStatuses if s.state.HasField("running"))
    return next((status for status in running if not is_sidecar(pod, status)), None)
