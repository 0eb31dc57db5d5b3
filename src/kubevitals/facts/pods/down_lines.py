"""Evidence on a pod that is down: how its containers ended, and what its events say."""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.states import crash
from kubevitals.findings.evidence import container_lines, pod_lines
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import statuses


def down_lines(pod: pb.Pod, cluster: Cluster) -> Iterator[str]:
    """Yield how the containers of the pod that keep crashing ended, and its node, conditions and events."""
    for status in statuses(pod):
        if crash(pod, status, cluster):
            yield from container_lines(pod, status, cluster)
    yield from pod_lines(pod, cluster)
