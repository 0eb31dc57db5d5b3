"""Leases: by which a component of the control plane shows that it works, and a kubelet that its clock is right."""

from collections.abc import Iterator
from enum import Enum, auto

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import NO_LEADER
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import condition
from kubevitals.text import duration
from kubevitals.threshold import Threshold

STALE = Threshold(
    "control-plane.lease",
    60,
    "seconds since a component last renewed its Lease: it does so every 2 s, and another instance takes over after 15; "
    "twice the Lease's own duration, if that is longer",
)

CLOCK = Threshold(
    "control-plane.clock",
    5,
    "seconds that a node's clock may be ahead of the API server's: certificates and tokens are judged by it",
)

_CONTROLLERS = frozenset({"ReplicaSet", "StatefulSet", "DaemonSet", "Job"})
"""Kinds whose pods kube-controller-manager creates and the scheduler binds."""


class Trace(Enum):
    """What a component leaves on a pod when it works: the pod itself, or the time at which it got a node."""

    CREATED = auto()
    SCHEDULED = auto()


def stale_lease(name: str, trace: Trace, cluster: Cluster) -> pb.Lease | None:
    """Return a component's Lease if its holder has stopped to renew it, and nothing shows that it works without it.

    A Lease may be left over from a time when several instances elected a leader: then pods bear newer traces, or the
    component is told to elect none.

    Raises:
        NotApplicable: there is no such Lease, or the component does not need it.
        NotObserved: no Lease at all was renewed lately, so that the API server accepts no writes, or answers with old
            objects.
    """
    lease = next((lease for lease in cluster.system_leases if lease.metadata.name == name), None)
    if lease is None or not lease.spec.renewTime.seconds:
        raise NotApplicable(
            f"kube-system has no Lease {name}: the control plane is managed, or works without an elected leader"
        )
    if cluster.age(lease.spec.renewTime) < _patience(lease, cluster):
        return None
    if _elects_no_leader(name, cluster):
        raise NotApplicable(f"{name} works without an elected leader ({NO_LEADER}): its Lease is left over")
    _need_fresh_leases(cluster)
    left_over = lease.spec.renewTime.seconds + _patience(lease, cluster)
    return None if any(time > left_over for time in _traces(trace, cluster)) else lease


def pods_of(component: str, cluster: Cluster) -> list[pb.Pod]:
    """Return the pods that run a component of the control plane, as kubeadm names and labels them."""
    return [
        pod
        for pod in cluster.pods
        if pod.metadata.namespace == "kube-system" and pod.metadata.labels.get("component") == component
    ]


def _elects_no_leader(component: str, cluster: Cluster) -> bool:
    pods = pods_of(component, cluster)
    words = [{*c.command, *c.args} for pod in pods for c in pod.spec.containers]
    return bool(words) and all(NO_LEADER in of_container for of_container in words)


def _patience(lease: pb.Lease, cluster: Cluster) -> float:
    return max(cluster.limit(STALE), 2 * lease.spec.leaseDurationSeconds)


def _need_fresh_leases(cluster: Cluster) -> None:
    if silence := without_writes(cluster):
        raise NotObserved(
            f"no Lease has been renewed for {duration(silence)}: the API server accepts no writes, or answers are old"
        )


def without_writes(cluster: Cluster) -> float:
    """Return for how many seconds no Lease at all was renewed, or 0 if one is fresh: then the API server stores writes.

    Raises:
        NotApplicable: there are no Leases.
    """
    ages = [cluster.age(lease.spec.renewTime) for lease in (*cluster.system_leases, *cluster.node_leases)]
    if not ages:
        raise NotApplicable("there are no Leases")
    youngest = min(ages)
    return youngest if youngest >= cluster.limit(STALE) else 0


def _traces(trace: Trace, cluster: Cluster) -> Iterator[int]:
    """Yield the times at which pods of controllers were created or got a node."""
    for pod in cluster.pods:
        if any(owner.controller and owner.kind in _CONTROLLERS for owner in pod.metadata.ownerReferences):
            if trace is Trace.CREATED:
                yield pod.metadata.creationTimestamp.seconds
            elif (scheduled := condition(pod, "PodScheduled")) and scheduled.status == "True":
                yield scheduled.lastTransitionTime.seconds


def clocks_ahead(cluster: Cluster) -> dict[str, float]:
    """Return by how many seconds the clocks of nodes are ahead of the API server's, if by more than the threshold.

    A kubelet writes the time of its own clock into its Lease every 10 seconds. A clock that is behind does not show.

    Raises:
        NotObserved: the time at which the API server sent the Leases is not known.
    """
    leases, date = cluster.node_leases, cluster.listed_at(Cluster.node_leases)
    if not date:
        raise NotObserved("the time at which the API server sent the Leases is not known: its answer has no Date")
    names = {node.metadata.name for node in cluster.derive(our_nodes)}
    ahead = {lease.metadata.name: _seconds(lease.spec.renewTime) - date - 1 for lease in leases}
    return {name: by for name, by in ahead.items() if name in names and by > cluster.limit(CLOCK)}


def _seconds(time: pb.Time) -> float:
    return time.seconds + time.nanos / 1e9
