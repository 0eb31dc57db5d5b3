"""Which nodes are asked themselves: all that are ready, or of very many a sample."""

from zlib import crc32

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready
from kubevitals.threshold import Threshold

SAMPLE = Threshold(
    "nodes.sample",
    500,
    "nodes that are asked themselves, most often through the API server: their kubelets, kube-proxies, node exporters",
)


def asked_nodes(cluster: Cluster) -> list[pb.Node]:
    """Return the nodes that are ready, or of very many a sample that is the same in each run; the user is told."""
    return cluster.derive(_sample)


def _sample(cluster: Cluster) -> list[pb.Node]:
    ready = [node for node in cluster.nodes if is_ready(node)]
    if len(ready) <= (size := int(cluster.limit(SAMPLE))):
        return ready
    cluster.remarks.append(
        f"{size:,} of {len(ready):,} nodes were asked themselves, always the same ones: what only their kubelets, "
        f"kube-proxies and node exporters tell of is not observed on the others "
        f"(--threshold {SAMPLE.name}={len(ready)} asks all)"
    )
    sample = sorted(ready, key=lambda node: crc32(node.metadata.name.encode()))[:size]
    return sorted(sample, key=lambda node: node.metadata.name)
