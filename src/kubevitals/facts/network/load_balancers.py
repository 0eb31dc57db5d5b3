"""Why the controller of a load balancer cannot set it up, by the events that it sends, or does not remove it."""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import is_current, last_seen
from kubevitals.threshold import Threshold

FAILED = {
    "AllocationFailed": 300,
    "FailedBuildModel": 1000,
    "FailedDeployModel": 1000,
    "Sync": 600,
    "SyncLoadBalancerFailed": 300,
    "Translate": 600,
}
"""Reasons of warnings, with the most seconds between two tries: metallb/metallb controller/service.go; AWS Load
Balancer Controller pkg/k8s/events.go, main.go; kubernetes/cloud-provider controllers/service/controller.go; GKE's
kubernetes/ingress-gce pkg/events/events.go."""

DONE = frozenset(
    {"EnsuredLoadBalancer", "IPAllocated", "SuccessfullyReconciled", "UpdatedLoadBalancer", "nodeAssigned"}
)
"""Reasons with which the same controllers say that they have succeeded."""


def set_up_failure(obj: pb.Ingress | pb.Service, cluster: Cluster) -> pb.Event | None:
    """Return the last event that says that the load balancer cannot be set up, if it still comes."""
    events = [event for event in cluster.events(obj) if _has_failed(event) or event.reason in DONE]
    last = max(events, key=last_seen, default=None)
    if last is None or not _has_failed(last):
        return None
    return last if is_current(last, cluster.now, FAILED[last.reason]) else None


def _has_failed(event: pb.Event) -> bool:
    return event.reason in FAILED and event.type == "Warning"


DELETION = Threshold(
    "ingress.deletion",
    900,
    "seconds that a controller may take to remove the load balancer of an Ingress or a Service that is being deleted",
)


def lingering(cluster: Cluster) -> Iterator[pb.Ingress | pb.Service]:
    """Yield Ingresses and Services that are being deleted, and held by finalizers for longer than `ingress.deletion`.

    Controllers set them to remove load balancers first; one that was uninstalled removes neither.
    """
    objects: tuple[pb.Ingress | pb.Service, ...] = (*cluster.ingresses, *cluster.services)
    for obj in objects:
        since = obj.metadata.deletionTimestamp
        if obj.metadata.finalizers and since.seconds and cluster.over(since, DELETION):
            yield obj
