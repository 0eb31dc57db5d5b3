"""Why the controller of a load balancer cannot set it up, for Ingresses and Services, by the events that it sends."""

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import is_current, last_seen

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
