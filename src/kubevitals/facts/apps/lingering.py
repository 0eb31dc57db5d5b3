"""Jobs that have done their work and do not complete, because a container beside it runs on."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.text import duration
from kubevitals.threshold import Threshold

LINGERING = Threshold(
    "jobs.lingering", 600, "seconds for which the other containers of a Job's pod may run on after one has completed"
)

SIDECARS = re.compile(
    r"(?:istio|linkerd|dapr|osm|consul|kuma|app-?mesh|cloud-?sql)[\w-]{0,20}|daprd|envoy|vault-agent|[\w-]{0,20}-proxy"
    r"|log(?:ging|s)?-?(?:forwarder|shipper|router|agent|tailer)|fluent-?bit|fluentd|filebeat|promtail|vector|otc-container|otel[\w-]{0,20}|datadog-agent|xray-daemon"
)
"""Names of containers that serve the others of their pod and never end: what meshes, secret stores and collectors of
logs and traces inject, and the proxies of databases (kubernetes/kubernetes issue 25908, istio/istio issue 11045)."""


class Lingering(NamedTuple):
    """Containers of one pod of a Job.

    Attributes:
        done: the container that completed last.
        running: those that run on.
        since: when it completed, in seconds since 1970.
        are_sidecars: whether those that run on are known never to end by themselves.
    """

    pod: pb.Pod
    done: str
    running: tuple[str, ...]
    since: int
    are_sidecars: bool

    def says(self, cluster: Cluster) -> str:
        """Return a clause about the pod."""
        names = ", ".join(f'"{name}"' for name in self.running[:3])
        runs = "containers {} run on" if len(self.running) > 1 else "container {} runs on"
        ago = duration(cluster.age(pb.Time(seconds=self.since)))
        return f'container "{self.done}" completed {ago} ago, and {runs.format(names)}'


REMEDY = (
    "make it a native sidecar (an init container with restartPolicy: Always), leave it out of the Job's pods, or let "
    "the work end it (Istio: POST /quitquitquit, Linkerd: POST /shutdown)"
)
"""What helps: Kubernetes ends a native sidecar once all other containers have completed."""


def lingering_jobs(cluster: Cluster) -> Mapping[str, Lingering]:
    """Return such a pod of each Job that has one, by the Job's uid."""
    found: dict[str, Lingering] = {}
    for pods in cluster.alike_pods:
        for job in (reference.uid for reference in pods[0].metadata.ownerReferences if reference.kind == "Job"):
            for pod in pods:
                if pod.status.phase == "Running" and (lingers := _lingering(pod, cluster)):
                    found[job] = lingers
    return found


def _lingering(pod: pb.Pod, cluster: Cluster) -> Lingering | None:
    statuses = pod.status.containerStatuses
    running = tuple(status.name for status in statuses if status.state.HasField("running"))
    ended = [status for status in statuses if status.state.HasField("terminated")]
    if not running or len(running) + len(ended) < len(statuses) or any(s.state.terminated.exitCode for s in ended):
        return None
    last = max(ended, key=lambda status: status.state.terminated.finishedAt.seconds, default=None)
    if last is None or pod.metadata.deletionTimestamp.seconds:
        return None
    since = last.state.terminated.finishedAt
    known = all(SIDECARS.fullmatch(name) for name in running)
    return Lingering(pod, last.name, running, since.seconds, known) if cluster.over(since, LINGERING) else None
