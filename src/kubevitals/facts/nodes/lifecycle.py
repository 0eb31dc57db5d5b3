"""Which nodes are judged: not virtual ones, and none that is just being added or removed."""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import meant_for
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready, is_virtual, node_condition
from kubevitals.text import clean
from kubevitals.threshold import Threshold

JOINING = Threshold(
    "node.joining",
    180,
    "seconds after it joined from which a node is judged: a kubeadm join, its CNI and its daemons take up to three "
    "minutes",
)

TRANSITION = Threshold(
    "node.transition",
    900,
    "seconds after which a node is judged although a taint says that it is being added or removed: draining and "
    "removing a node takes some minutes, and the cluster autoscaler gives up after 15",
)

ADDED = frozenset(
    {
        "node.cloudprovider.kubernetes.io/uninitialized",
        "node.cluster.x-k8s.io/uninitialized",
        "karpenter.sh/unregistered",
        "node.cilium.io/agent-not-ready",
        "ebs.csi.aws.com/agent-not-ready",
        "efs.csi.aws.com/agent-not-ready",
        "fsx.csi.aws.com/agent-not-ready",
        "node.ocs.openshift.io/uninitialized",
        "cni.istio.io/not-ready",
        "node.gardener.cloud/critical-components-not-ready",
    }
)
"""Taints of a node that is being set up (cloud-provider, Cluster API, Karpenter, Cilium, AWS' CSI drivers, Istio,
Gardener)."""

ADDED_PREFIXES = (
    "startup-taint.cluster-autoscaler.kubernetes.io/",
    "ignore-taint.cluster-autoscaler.kubernetes.io/",
    "readiness.k8s.io/",
)
"""What taints begin with that users have removed when a node is set up (cluster-autoscaler/utils/taints/taints.go,
kubernetes-sigs/node-readiness-controller)."""

REMOVED = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        "node.cloudprovider.kubernetes.io/shutdown",
        "cloud.google.com/impending-node-termination",
        "aws-node-termination-handler/asg-lifecycle-termination",
        "aws-node-termination-handler/rebalance-recommendation",
        "aws-node-termination-handler/scheduled-maintenance",
        "aws-node-termination-handler/spot-itn",
    }
)
"""Taints of a node that is being removed (cluster-autoscaler, Karpenter, cloud-provider, GKE, AWS)."""

CLUSTER_API = "cluster.x-k8s.io"
"""The domain of Cluster API's taints, which come and go with the replacement of a node."""

NAMED = 3
"""Nodes that a remark names."""


SHUTTING_DOWN = "node is shutting down"
"""Why a kubelet is not ready while it ends its pods, since the machine is about to be shut down, as a spot machine is
(kubernetes.io/docs: Node Shutdowns)."""


def removal(node: pb.Node) -> str:
    """Return what marks the node as being removed, or nothing.

    That is a taint's key, ``deletionTimestamp``, or what its kubelet says.
    """
    if node.metadata.HasField("deletionTimestamp"):
        return "deletionTimestamp"
    ready = node_condition(node, "Ready")
    is_ending = ready is not None and ready.status == "False" and SHUTTING_DOWN in f"{ready.reason} {ready.message}"
    return next((taint.key for taint in node.spec.taints if _removes(taint)), SHUTTING_DOWN if is_ending else "")


def _removes(taint: pb.Taint) -> bool:
    return taint.key in REMOVED or (taint.key not in ADDED and taint.key.partition("/")[0].endswith(CLUSTER_API))


def is_leaving(node: pb.Node, cluster: Cluster) -> bool:
    """Return whether the node is being removed, for less than `node.transition`."""
    if not (mark := removal(node)):
        return False
    since = _removal_time(node, mark)
    if not since.seconds and is_ready(node):
        return any(taint.key == mark and taint.effect != "PreferNoSchedule" for taint in node.spec.taints)
    return not cluster.over(since, TRANSITION)


def _removal_time(node: pb.Node, mark: str) -> pb.Time:
    """Return since when the node is being removed; if the mark has no time, since when the node is not ready.

    The cluster autoscaler writes the time into its taint's value (cluster-autoscaler/utils/taints/taints.go).
    """
    if node.metadata.HasField("deletionTimestamp"):
        return node.metadata.deletionTimestamp
    taint = next((taint for taint in node.spec.taints if taint.key == mark), pb.Taint())
    if taint.value.isdecimal() and len(taint.value) < 12:
        return pb.Time(seconds=int(taint.value))
    ready = node_condition(node, "Ready")
    if taint.timeAdded.seconds or not ready or ready.status == "True":
        return taint.timeAdded
    return ready.lastTransitionTime


def is_arriving(node: pb.Node, cluster: Cluster) -> bool:
    """Return whether the node has just joined, or is being set up for less than `node.transition`."""
    created = node.metadata.creationTimestamp
    being_set_up = any(taint.key in ADDED or taint.key.startswith(ADDED_PREFIXES) for taint in node.spec.taints)
    return not cluster.over(created, TRANSITION if being_set_up else JOINING)


def our_nodes(cluster: Cluster) -> tuple[pb.Node, ...]:
    """Return the nodes that rules judge, ready or not: no virtual and no leaving ones, as a remark then says."""
    virtual = [node for node in cluster.nodes if is_virtual(node)]
    leaving = [node for node in cluster.nodes if not is_virtual(node) and is_leaving(node, cluster)]
    cluster.remarks += _remarks(virtual, leaving)
    skipped = {node.metadata.name for node in (*virtual, *leaving)}
    return tuple(node for node in cluster.nodes if node.metadata.name not in skipped)


def settled_nodes(cluster: Cluster) -> tuple[pb.Node, ...]:
    """Return the nodes on which everything should run by now: `our_nodes` without those that are arriving."""
    return tuple(node for node in cluster.derive(our_nodes) if not is_arriving(node, cluster))


def is_daemon_elsewhere(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a DaemonSet put the pod on a node that is not judged: it never starts there, or not any more."""
    is_daemon = any(owner.controller and owner.kind == "DaemonSet" for owner in pod.metadata.ownerReferences)
    name = pod.spec.nodeName or min(meant_for(pod.spec), default="")
    if not is_daemon or name not in cluster.nodes_by_name:
        return False
    return name not in cluster.derive(_our_names)


def _our_names(cluster: Cluster) -> frozenset[str]:
    return frozenset(node.metadata.name for node in cluster.derive(our_nodes))


def _remarks(virtual: list[pb.Node], leaving: list[pb.Node]) -> Iterator[str]:
    if virtual:
        yield f"virtual nodes are not judged: {_names([node.metadata.name for node in virtual])}"
    if leaving:
        names = [f"{node.metadata.name} ({removal(node)})" for node in leaving]
        yield f"nodes that are being removed are not judged: {_names(names)}"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return clean(", ".join(sorted(names)[:NAMED])) + more
