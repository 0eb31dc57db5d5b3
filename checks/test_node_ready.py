"""A node does not run pods: its kubelet says so, or has fallen silent, or it runs out of a resource.

Meaning:
    The kubelet reports `Ready=False` with a reason (container runtime down, CNI not initialized), or the control
    plane has not heard from it (`Ready=Unknown`: kubelet, node or the way between gone), or it reports pressure
    on memory, disk or PIDs.

Impact:
    A node that is not ready gets no new pods and loses its old ones after five minutes; under pressure it evicts
    pods and takes no more. What its pods and peers suffer is a symptom of this.

Diagnosis:
    `kubectl describe node` for conditions and events; on the node `systemctl status kubelet containerd`,
    `journalctl -u kubelet`, `df -h` and `free -m`.

Mitigation:
    Restart what is down (kubelet, container runtime, CNI pod); free or add the resource; where the machine is gone,
    delete the Node so that its pods and volumes can move.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import node_condition, ref
from kubevitals.text import duration
from kubevitals.threshold import Threshold

JOINING = Threshold(
    "node-ready.joining",
    120,
    "a node younger than this may still be starting; kubeadm joins take up to a minute",
)
LASTING = Threshold("node-ready.lasting", 30, "a kubelet restart leaves a node not ready for some seconds")

RESOURCES = {"MemoryPressure": "memory", "DiskPressure": "disk space or inodes", "PIDPressure": "process ids"}

DOWN = ("node-ready[silent]", "node-ready[not-ready]")

NO_PROCESS = "can(?:no|')t fork|resource temporarily unavailable"
"""What programs say that can start no process. A full disk and want of memory are storage-full's and memory-limit's."""

EXPLAINS = (
    Explains(
        DOWN,
        SAME_NODE,
        (
            "ip-allocation[cni-unreachable]",
            "ip-allocation[cni-misconfigured]",
            "ip-allocation[sandbox-failed]",
            "volume-claim[attach-failed]",
            "volume-claim[mount-failed]",
            "volume-claim[driver-down]",
        ),
    ),
    Explains(("node-ready[pressure]",), SAME_NODE, ("startup-error", "ip-allocation[sandbox-failed]"), NO_PROCESS),
)


def not_ready(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose kubelet reports Ready=False."""
    for node, ready in _unready(cluster):
        if ready.status == "False":
            yield Finding(
                ref(node),
                says=f"is not ready: {ready.reason}: {ready.message}",
                remedy="follow the reason on the node: systemctl status kubelet containerd, and the node's CNI pod",
                evidence=_lines(node, ready, cluster),
                since=ready.lastTransitionTime.seconds,
            )


def silent(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that the control plane no longer hears from (Ready=Unknown), or never did."""
    for node, ready in _unready(cluster):
        if ready.status != "False":
            yield Finding(
                ref(node),
                says="has fallen silent: the control plane does not hear from its kubelet",
                remedy="see whether the machine is up and reaches the API server; start its kubelet; "
                "if the machine is gone for good, delete the Node",
                evidence=_lines(node, ready, cluster),
                since=ready.lastTransitionTime.seconds,
            )


def pressure(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that report pressure. A silent node's conditions are Unknown, which is none."""
    for node in _nodes(cluster):
        for kind, resource in RESOURCES.items():
            state = node_condition(node, kind)
            if state and state.status == "True":
                yield Finding(
                    ref(node),
                    says=f"is running out of {resource} ({kind})",
                    remedy=f"find what uses up the {resource} on the node and free some; until then pods are evicted",
                    evidence=_lines(node, state, cluster),
                    part=kind,
                    since=state.lastTransitionTime.seconds,
                )


def _unready(cluster: Cluster) -> Iterator[tuple[pb.Node, pb.NodeCondition]]:
    for node in _nodes(cluster):
        ready = node_condition(node, "Ready") or pb.NodeCondition(status="Unknown", reason="NoReadyCondition")
        joined, lasts = node.metadata.creationTimestamp, ready.lastTransitionTime
        if ready.status != "True" and cluster.over(joined, JOINING) and cluster.over(lasts, LASTING):
            yield node, ready


def _nodes(cluster: Cluster) -> tuple[pb.Node, ...]:
    if not cluster.nodes:
        raise NotObserved("the cluster has no nodes: there is nothing to judge")
    return cluster.nodes


def _lines(node: pb.Node, state: pb.NodeCondition, cluster: Cluster) -> Iterator[str]:
    since = duration(cluster.age(state.lastTransitionTime)) if state.lastTransitionTime.seconds else "ever"
    yield f"{state.type or 'Ready'}={state.status} for {since}: {state.reason}: {state.message}"
    if state.lastHeartbeatTime.seconds:
        heard = duration(cluster.age(state.lastHeartbeatTime))
        yield f"last heard of {heard} ago, kubelet {node.status.nodeInfo.kubeletVersion}"
    yield from event_lines(node, cluster)


@check(not_ready, silent, pressure, chapter="0")
def test_nodes_are_ready() -> None:
    """Every node is ready and under no pressure."""
