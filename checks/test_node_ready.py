"""A node is not ready: its kubelet reports a problem or is unreachable, or the node runs out of a resource.

Meaning:
    The kubelet reports `Ready=False` with a reason (container runtime down, CNI not initialized), or the control
    plane receives nothing from it (`Ready=Unknown`: the kubelet, the node or the network between is down), or it
    reports pressure on memory, disk or process IDs, or another problem: node-problem-detector and the agents of AKS and
    EKS write conditions of their own, while Ready stays True.

Impact:
    A node that is not ready gets no new pods and loses its pods after five minutes. Under pressure it evicts pods and
    accepts no new ones. Faults of its pods, and of what talks to them, are symptoms of this.

Diagnosis:
    `kubectl describe node` for conditions and events; on the node `systemctl status kubelet containerd`,
    `journalctl -u kubelet`, `df -h` and `free -m`.

Mitigation:
    Restart what is down (kubelet, container runtime, CNI pod). Free the resource or add more of it. If the machine is
    gone, delete the Node so that its pods and volumes can move.
"""

import re
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.lifecycle import our_nodes, settled_nodes
from kubevitals.facts.nodes.problems import is_problem
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import node_condition, ref
from kubevitals.text import duration
from kubevitals.threshold import Threshold

LASTING = Threshold(
    "node-ready.lasting", 30, "a node must have been not ready for this long; a kubelet restart takes some seconds"
)

RESOURCES = {"MemoryPressure": "memory", "DiskPressure": "disk space or inodes", "PIDPressure": "process IDs"}

DOWN = ("node-ready[silent]", "node-ready[not-ready]")

NOT_READY = (
    (
        r"PLEG is not healthy|[Cc]ontainer runtime (?:is down|status check)",
        "restart the container runtime on the node (containerd, crio or docker) and read its log; often the disk is "
        "slow or full",
    ),
    (
        r"NetworkPluginNotReady|cni plugin not initialized",
        "see why the CNI's pod on the node has written no configuration; once it has, restart the container runtime",
    ),
    (
        r"CSINode",
        "read the kubelet's log: it has no right to its CSINode, is newer than the API server, or has another name "
        "than its Node",
    ),
    (r"missing node capacity", "restart the kubelet: it has not read how much disk space and memory the node has"),
    (r"", "look for the cause on the node: systemctl status kubelet containerd; check the node's CNI pod"),
)
"""What kubelets report of themselves, with what helps; the first match counts (kubernetes/kubernetes
pkg/kubelet/nodestatus/setters.go, pkg/kubelet/runtime.go, issues 86765, 88859 and 112711)."""

NO_PROCESS = "can(?:no|')t fork|resource temporarily unavailable"
"""What programs say if they cannot start a process. Disk and memory belong to storage-full and memory-limit."""

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
                remedy=next(remedy for text, remedy in NOT_READY if re.search(text, ready.message)),
                evidence=_lines(node, ready, cluster),
                since=ready.lastTransitionTime.seconds,
            )


_SILENT = "is unreachable: its kubelet does not report to the control plane (Ready=Unknown)"


def silent(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose kubelet no longer reports to the control plane (Ready=Unknown), or never did."""
    for node, ready in _unready(cluster):
        if ready.status != "False":
            unexpected = f"has a Ready condition with a status that Kubernetes does not have: {ready.status}"
            yield Finding(
                ref(node),
                says=_SILENT if ready.status == "Unknown" else unexpected,
                remedy="check that the machine is up, reaches the API server and runs its kubelet, whose client "
                "certificate may have expired; if the machine is gone for good, delete the Node",
                evidence=_lines(node, ready, cluster),
                since=ready.lastTransitionTime.seconds,
            )


def pressure(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that report pressure; conditions of an unreachable node are Unknown, which is no pressure.

    What other agents on the node report, such as node-problem-detector, is a warning: a filesystem that is read-only.
    """
    _need_nodes(cluster)
    for node in cluster.derive(our_nodes):
        for state in node.status.conditions:
            if state.type in RESOURCES and state.status == "True":
                resource = RESOURCES[state.type]
                yield _troubled(
                    node,
                    state,
                    f"is running out of {resource} ({state.type})",
                    f"find out what uses the {resource} on the node and free some; until then pods are evicted",
                    Severity.ERROR,
                    cluster,
                )
            elif is_problem(state) and cluster.over(state.lastTransitionTime, LASTING):
                remedy = (
                    "see its kernel's and services' logs (journalctl -k, -u kubelet); drain and replace it if it stays"
                )
                says = f"reports a problem: {state.type}={state.status}: {state.reason}: {state.message}"
                yield _troubled(node, state, says, remedy, Severity.WARNING, cluster)


def _troubled(
    node: pb.Node, state: pb.NodeCondition, says: str, remedy: str, severity: Severity, cluster: Cluster
) -> Finding:
    return Finding(
        ref(node),
        says=says,
        remedy=remedy,
        evidence=_lines(node, state, cluster),
        severity=severity,
        part=state.type,
        since=state.lastTransitionTime.seconds,
    )


def _unready(cluster: Cluster) -> Iterator[tuple[pb.Node, pb.NodeCondition]]:
    _need_nodes(cluster)
    for node in cluster.derive(settled_nodes):
        ready = node_condition(node, "Ready") or pb.NodeCondition(status="Unknown", reason="NoReadyCondition")
        if ready.status != "True" and cluster.over(ready.lastTransitionTime, LASTING):
            yield node, ready


def _need_nodes(cluster: Cluster) -> None:
    if not cluster.nodes:
        raise NotObserved("the cluster has no nodes")


def _lines(node: pb.Node, state: pb.NodeCondition, cluster: Cluster) -> Iterator[str]:
    lasts = f" for {duration(cluster.age(state.lastTransitionTime))}" if state.lastTransitionTime.seconds else ""
    yield f"{state.type or 'Ready'}={state.status}{lasts}: {state.reason}: {state.message}"
    if state.lastHeartbeatTime.seconds:
        heartbeat = duration(cluster.age(state.lastHeartbeatTime))
        yield f"last heartbeat {heartbeat} ago, kubelet {node.status.nodeInfo.kubeletVersion}"
    yield from event_lines(node, cluster)


@check(not_ready, silent, pressure, chapter="0")
def test_nodes_are_ready() -> None:
    """Every node is ready and under no pressure."""
