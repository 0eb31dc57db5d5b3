"""Pods that are being deleted and do not go, and what keeps them."""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.lifecycle import is_daemon_elsewhere
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_ready, ref, statuses
from kubevitals.threshold import Threshold

OVERDUE = Threshold(
    "terminating.pod",
    600,
    "seconds past its grace period after which a pod should be gone: a kubelet retries for minutes",
)


class Remains(NamedTuple):
    """What keeps a pod that is being deleted.

    Attributes:
        why: a clause.
        is_running: whether its containers may still run.
    """

    why: str
    remedy: str
    is_running: bool


def overdue_pods(cluster: Cluster) -> Iterator[pb.Pod]:
    """Yield the pods that should be gone: their deletionTimestamp is when their grace period ends.

    The API server adds the grace period to the time of the request (apiserver pkg/registry/rest/delete.go).
    """
    for pod in cluster.pods:
        since = pod.metadata.deletionTimestamp
        if since.seconds and cluster.over(since, OVERDUE) and not is_daemon_elsewhere(pod, cluster):
            yield pod


def what_keeps(pod: pb.Pod, cluster: Cluster) -> Remains:
    """Return what keeps a pod: its node, its finalizers, or a kubelet that cannot stop it."""
    running = [status.name for status in statuses(pod) if status.state.HasField("running")]
    node = _node_problem(pod, cluster)
    if node == _DOWN:
        remedy = "bring the node back; if the machine is gone for good, delete the node: kubectl delete node NODE"
        return Remains(node, remedy, is_running=True)
    if pod.metadata.finalizers and (node or not running):
        named = ", ".join(sorted(pod.metadata.finalizers)[:3])
        return Remains(
            f"{node or 'its containers have ended'}, but its finalizer {named} is not removed",
            "find out why the controller of that finalizer does not remove it, or whether it is still installed",
            is_running=False,
        )
    if node:
        remedy = f"if the machine is gone for good, {_by_force(pod)}; kube-controller-manager should do so by itself"
        return Remains(node, remedy, is_running=True)
    return _unstopped(pod, running, cluster)


_DOWN = "its node is not ready, and cannot stop it"


def _by_force(pod: pb.Pod) -> str:
    return f"delete the pod by force: {ref(pod).kubectl('delete')} --grace-period=0 --force"


def _node_problem(pod: pb.Pod, cluster: Cluster) -> str:
    """Return what is wrong with the pod's node, as far as nodes are observed."""
    try:
        node = cluster.nodes_by_name.get(pod.spec.nodeName)
    except NotObserved:
        return ""  # whatever else keeps the pod is still said
    if not pod.spec.nodeName or (node and is_ready(node)):
        return ""
    return _DOWN if node else "its node does not exist any more"


def _unstopped(pod: pb.Pod, running: list[str], cluster: Cluster) -> Remains:
    remedy = "see the log of the kubelet and of the container runtime on the node"
    if words := _failure_to_kill(pod, cluster):
        return Remains(f"the kubelet cannot stop it: {words}", f"fix what the message reports, or {remedy}", True)
    if running:
        names = ", ".join(f'"{name}"' for name in running[:3])
        return Remains(f"container {names} still runs past its grace period", remedy, is_running=True)
    return Remains(
        "its containers have ended, but the kubelet does not remove it",
        f"{remedy}; nothing of the pod runs any more, so that you may {_by_force(pod)}",
        is_running=False,
    )


def _failure_to_kill(pod: pb.Pod, cluster: Cluster) -> str:
    """Return why the kubelet could not stop the pod, as the latest event says (pkg/kubelet/events/event.go)."""
    try:
        events = cluster.events(pod)
    except NotObserved:
        return ""
    return next((event.message for event in reversed(events) if event.reason == "FailedKillPod"), "")
