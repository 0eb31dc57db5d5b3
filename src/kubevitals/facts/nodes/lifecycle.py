"""Which nodes are judged: no virtual ones, none that is just being added or removed, and none down on purpose."""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.placement import meant_for
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished, is_ready, is_virtual, node_condition
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
    "seconds after which a node is judged although a taint says that it is being added or removed, or although it was "
    "drained: removing or rebooting a node takes some minutes, and the cluster autoscaler gives up after 15",
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

SHUT_DOWN = "node.cloudprovider.kubernetes.io/shutdown"
"""The taint of a node whose machine the cloud has stopped (cloud-provider api/well_known_taints.go)."""

REMOVED = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        SHUT_DOWN,
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


DRAINED = "cordoned and drained"

_CONTROL_PLANE = "node-role.kubernetes.io/control-plane"

_STAYING = frozenset({"DaemonSet", "Node"})
"""Kinds that own the pods that a drain leaves: daemons and static pods."""


def is_leaving(node: pb.Node, cluster: Cluster) -> bool:
    """Return whether the node is being removed, for less than `node.transition`, or is down on purpose."""
    return _is_being_removed(node, cluster) or bool(_out_of_service(node, cluster))


def _out_of_service(node: pb.Node, cluster: Cluster) -> str:
    """Return why a node that is not ready harms nothing, or nothing: only daemons and static pods are left there.

    It was drained, as before a reboot, and has been down for less than `node.transition`; or the cloud has stopped its
    machine, for however long: AKS keeps such machines for later (learn.microsoft.com/azure/aks/scale-down-mode).
    """
    ready = node_condition(node, "Ready")
    is_stopped = (
        any(taint.key == SHUT_DOWN for taint in node.spec.taints) and _CONTROL_PLANE not in node.metadata.labels
    )
    if ready is None or is_ready(node) or not (is_stopped or node.spec.unschedulable) or _is_in_use(node, cluster):
        return ""
    if is_stopped:
        return SHUT_DOWN
    return "" if cluster.over(ready.lastTransitionTime, TRANSITION) else DRAINED


def _is_in_use(node: pb.Node, cluster: Cluster) -> bool:
    try:
        return node.metadata.name in cluster.derive(_used)
    except NotObserved:
        return True


def _used(cluster: Cluster) -> frozenset[str]:
    """Return the names of nodes with a pod that a drain would have evicted."""
    return frozenset(pod.spec.nodeName for pod in cluster.pods if not is_finished(pod) and not _stays(pod))


def _stays(pod: pb.Pod) -> bool:
    return any(owner.controller and owner.kind in _STAYING for owner in pod.metadata.ownerReferences)


def _is_being_removed(node: pb.Node, cluster: Cluster) -> bool:
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
    idle = [node for node in leaving if not _is_being_removed(node, cluster)]
    cluster.remarks += _remarks(virtual, [node for node in leaving if node not in idle], idle, cluster)
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


def _remarks(virtual: list[pb.Node], leaving: list[pb.Node], idle: list[pb.Node], cluster: Cluster) -> Iterator[str]:
    if virtual:
        yield f"virtual nodes are not judged: {_names([node.metadata.name for node in virtual])}"
    if leaving:
        names = [f"{node.metadata.name} ({removal(node)})" for node in leaving]
        yield f"nodes that are being removed are not judged: {_names(names)}"
    if idle:
        names = [f"{node.metadata.name} ({_out_of_service(node, cluster)})" for node in idle]
        yield f"nodes that are out of service are not judged: {_names(names)}"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return clean(", ".join(sorted(names)[:NAMED])) + more
