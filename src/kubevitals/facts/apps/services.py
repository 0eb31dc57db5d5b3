"""Which Service a host name or an address belongs to, and whether anything stands behind it."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import service_of


class ServiceName(NamedTuple):
    """The namespace and the name of a Service."""

    namespace: str
    name: str


def named_by(host: str, namespace: str, cluster: Cluster) -> ServiceName | None:
    """Return the Service that a host name means in a namespace; nothing where it is a name outside the cluster.

    ``db``, ``db.shop``, ``db.shop.svc.cluster.local`` and ``db-0.db.shop.svc`` all name a Service ``db``. A name of two
    parts may also be a domain: it is a Service's only if its second part is a namespace.
    """
    parts = host.lower().rstrip(".").split(".")
    if len(parts) == 1:
        return ServiceName(namespace, parts[0])
    if "svc" in parts[2:]:
        at = parts.index("svc", 2)
        return ServiceName(parts[at - 1], parts[at - 2])
    if len(parts) == 2 and any(parts[1] == known.metadata.name for known in cluster.namespaces):
        return ServiceName(parts[1], parts[0])
    return None


def services(cluster: Cluster) -> Mapping[ServiceName, pb.Service]:
    """Return all Services."""
    return {ServiceName(s.metadata.namespace, s.metadata.name): s for s in cluster.services}


def services_by_ip(cluster: Cluster) -> Mapping[str, ServiceName]:
    """Return the Services by each of their cluster IPs."""
    return {
        ip: name for name, service in cluster.derive(services).items() for ip in _cluster_ips(service) if ip != "None"
    }


def _cluster_ips(service: pb.Service) -> set[str]:
    return {service.spec.clusterIP, *service.spec.clusterIPs} - {""}


def ready_endpoints(cluster: Cluster) -> Mapping[ServiceName, int]:
    """Return how many ready endpoints each Service has; one whose readiness is not said counts as ready."""
    return Counter(service for service, _ in _ready(cluster))


def ready_nodes(cluster: Cluster) -> Mapping[ServiceName, set[str]]:
    """Return the nodes with a ready endpoint of each Service; one whose node is not known is on a node without name."""
    nodes: dict[ServiceName, set[str]] = defaultdict(set)
    for service, endpoint in _ready(cluster):
        nodes[service].add(endpoint.nodeName)
    return nodes


def _ready(cluster: Cluster) -> Iterator[tuple[ServiceName, pb.Endpoint]]:
    for piece in cluster.endpoint_slices:
        service = ServiceName(*service_of(piece))
        for endpoint in piece.endpoints:
            if endpoint.conditions.ready or not endpoint.conditions.HasField("ready"):
                yield service, endpoint
