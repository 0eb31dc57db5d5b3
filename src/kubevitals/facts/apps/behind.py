"""The pods behind a Service, and why ready ones are no endpoints of it."""

from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.selectors import pods_by_label
from kubevitals.facts.pods.states import STUCK
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished, turned_at


def pods_behind(service: pb.Service, cluster: Cluster) -> list[pb.Pod]:
    """Return the pods behind a Service: they have not finished and are not being deleted."""
    return [pod for alike in alike_behind(service, cluster) for pod in alike]


def alike_behind(service: pb.Service, cluster: Cluster) -> list[list[pb.Pod]]:
    """Return the pods behind a Service, in groups that are alike."""
    found = cluster.derive(pods_by_label).matching(service.metadata.namespace, service.spec.selector)
    lasting = ([pod for pod in alike if _lasts(pod)] for alike in found)
    return [pods for pods in lasting if pods]


def _lasts(pod: pb.Pod) -> bool:
    return not is_finished(pod) and not pod.metadata.HasField("deletionTimestamp")


class Forgotten(NamedTuple):
    """Why ready pods are in no EndpointSlice of their Service, as a clause or nothing, and what to do."""

    why: str
    remedy: str


def forgotten(service: pb.Service, ready: list[pb.Pod], cluster: Cluster) -> Forgotten | None:
    """Return why a Service has no endpoint although these pods have been ready past `pod.stuck`.

    Pods without an address stand for others, as those of multi-cluster schedulers do.
    """
    if not all(pod.status.podIPs and cluster.over(turned_at(pod), STUCK) for pod in ready):
        return None
    wanted = set(service.spec.ipFamilies)
    if wanted and wanted.isdisjoint(_family(address.ip) for pod in ready for address in pod.status.podIPs):
        return Forgotten(
            f": without an address of {' or '.join(sorted(wanted))}",
            "set ipFamilies of the Service to a family that pods have (delete and create it again)",
        )
    return Forgotten(
        "", "see in the log of kube-controller-manager why it does not update the EndpointSlices of this Service"
    )


def _family(address: str) -> str:
    return "IPv6" if ":" in address else "IPv4"
