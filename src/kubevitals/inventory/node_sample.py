"""Which nodes are queried individually: all that are ready, or a sample if there are very many."""

from zlib import crc32

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.circuit_breaker import FAILURES, CircuitBreaker
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready, is_virtual
from kubevitals.threshold import Threshold

SAMPLE = Threshold(
    "nodes.sample",
    500,
    "nodes whose kubelet, kube-proxy and node exporter are queried, mostly through the API server; of more nodes, a "
    "sample",
)

PATIENCE = Threshold(
    "nodes.patience",
    1,
    "seconds without any answer from eight kubelets, kube-proxies or node exporters until none is waited for: fewer of "
    "them have longer, since one may just be slow",
)


def node_breaker(cluster: Cluster, group: str, of: int, *, must_listen: bool = False) -> CircuitBreaker:
    """Return the circuit breaker of one group of endpoints on nodes; see `CircuitBreaker`."""
    patience = cluster.limit(PATIENCE) * max(1, FAILURES / max(1, of))
    return CircuitBreaker(group, of=of, must_listen=must_listen, patience=patience)


def queried_nodes(cluster: Cluster) -> list[pb.Node]:
    """Return the ready nodes without virtual ones, or a sample, the same in each run, which a remark then says."""
    return cluster.derive(_sample)


def _sample(cluster: Cluster) -> list[pb.Node]:
    ready = [node for node in cluster.nodes if is_ready(node) and not is_virtual(node)]
    if len(ready) <= (size := int(cluster.limit(SAMPLE))):
        return ready
    cluster.remarks.append(
        f"{size:,} of {len(ready):,} nodes were queried individually, always the same ones: what only a kubelet, "
        f"kube-proxy or node exporter knows is not observed on the others "
        f"(--threshold {SAMPLE.name}={len(ready)} queries all)"
    )
    sample = sorted(ready, key=lambda node: crc32(node.metadata.name.encode()))[:size]
    return sorted(sample, key=lambda node: node.metadata.name)
