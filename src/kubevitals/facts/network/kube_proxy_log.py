"""kube-proxies that do not hear from the API server, by their own logs: they run, and their rules go stale."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.network.kube_proxy import Unhealthy, pod_on, runs_on
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.logs import Logs
from kubevitals.inventory.node_sample import queried_nodes

LOGS = 10
"""How many kube-proxies' logs are read: those that started last, since they may never have heard anything."""

RECENT = 300
"""Seconds for which a failure counts as present: client-go tries again after 30 seconds at most
(k8s.io/client-go tools/cache/reflector.go), and does not log that it succeeded."""

_FAILURE = re.compile(
    r"^[EWI](?P<month>\d\d)(?P<day>\d\d) (?P<time>\d\d:\d\d:\d\d)\.\d{1,9} .{0,200}?"
    r"[Ff]ailed to (?:watch|list)\b.{0,400}?\*v1\.(?:Service|EndpointSlice|Node)\b"
)
_REASON = re.compile(
    r"connection refused|i/o timeout|no route to host|no such host|Unauthorized|is forbidden|x509: |"
    r"TLS handshake timeout|context deadline exceeded"
)
"""What client-go's reflector writes (kubernetes/kubernetes issues 88999 and 111469)."""


def disconnected(cluster: Cluster) -> Iterator[Unhealthy]:
    """Yield the kube-proxies whose logs say that they cannot list or watch Services.

    Logs that cannot be read are skipped: the caller says that the health of these kube-proxies is not observed.

    Raises:
        NotApplicable: there is no kube-proxy.
    """
    working = {node.metadata.name for node in runs_on(cluster)}
    names = [node.metadata.name for node in queried_nodes(cluster) if node.metadata.name in working]
    proxies = [(name, pod) for name in names if (pod := pod_on(name, cluster))]
    logs = Logs(cluster.fetcher.get)
    for name, pod in sorted(proxies, key=lambda proxy: -_started(proxy[1]))[:LOGS]:
        with suppress(NotObserved):
            for status in pod.status.containerStatuses:
                if line := _last_failure(logs.read(pod, status.name, previous=False, shared=False), cluster):
                    yield Unhealthy(name, "it cannot list and watch Services at the API server", f"log: {line}")


def _started(pod: pb.Pod) -> int:
    return max((status.state.running.startedAt.seconds for status in pod.status.containerStatuses), default=0)


def _last_failure(lines: Sequence[str], cluster: Cluster) -> str:
    """Return the last line if it, or one shortly before, is a failure of the last minutes; else empty."""
    matches = [(line, match) for line in lines if (match := _FAILURE.search(line)) and _REASON.search(line)]
    return matches[-1][0] if matches and abs(_age(matches[-1][1], cluster)) < RECENT else ""


def _age(match: re.Match[str], cluster: Cluster) -> float:
    """Return how many seconds ago a line was written; klog writes no year, and its time is UTC in a container."""
    now = cluster.now
    try:
        written = datetime.strptime(f"{now.year}{match['month']}{match['day']} {match['time']}", "%Y%m%d %H:%M:%S")
    except ValueError:
        return float("inf")
    return (now - written.replace(tzinfo=UTC)).total_seconds()
