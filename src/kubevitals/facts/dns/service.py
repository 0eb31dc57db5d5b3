"""The cluster's DNS Service, the pods and Deployments behind it, and the name servers that kubelets give to pods."""

from collections.abc import Iterator, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import DNS_ELSEWHERE, DNS_LABEL, DNS_NAMES, DNS_VALUE, is_dns, is_finished, is_ready
from kubevitals.text import clean


def service(cluster: Cluster) -> pb.Service:
    """Return the cluster's DNS Service.

    Raises:
        NotObserved: there is none where distributions install it.
    """
    by_name = {
        (s.metadata.namespace, s.metadata.name): s for s in cluster.services if s.spec.clusterIP not in ("", "None")
    }
    usual = [*(("kube-system", name) for name in DNS_NAMES), DNS_ELSEWHERE]
    if dns_service := next((by_name[name] for name in usual if name in by_name), None):
        return dns_service
    for (namespace, _), candidate in sorted(by_name.items()):
        if namespace == "kube-system" and is_dns(candidate.metadata) and _serves_dns(candidate):
            return candidate
    cluster.scope.need("kube-system")
    cluster.scope.need(DNS_ELSEWHERE[0])
    raise NotObserved(
        f"there is no DNS Service: no {', '.join(DNS_NAMES)} and none with the label "
        f"{DNS_LABEL}={DNS_VALUE} in kube-system, and no {'/'.join(DNS_ELSEWHERE)}"
    )


def addresses(cluster: Cluster) -> set[str]:
    """Return the name servers that pods may use: the addresses of all Services that serve DNS.

    Raises:
        NotObserved: the cluster's own DNS Service is not found.
    """
    service(cluster)
    return {ip for s in cluster.services if _serves_dns(s) for ip in [*s.spec.clusterIPs, s.spec.clusterIP] if ip}


def is_node_local(address: str) -> bool:
    """Return whether an address is link-local: NodeLocal DNS listens on one of these (KEP-1024)."""
    return address.startswith(("169.254.", "fe80:"))


def _serves_dns(candidate: pb.Service) -> bool:
    return any(port.port == 53 for port in candidate.spec.ports)


def pods(cluster: Cluster) -> list[pb.Pod]:
    """Return the pods that the DNS Service selects, without those that are finished or being deleted."""
    selector, namespace = dict(service(cluster).spec.selector), service(cluster).metadata.namespace
    lasting = _lasting(cluster, namespace)
    return [pod for pod in lasting if selector and selector.items() <= dict(pod.metadata.labels).items()]


def likely_pods(cluster: Cluster) -> list[pb.Pod]:
    """Return the pods that look like the cluster's DNS, selected or not: by their label or by their name."""
    namespace = service(cluster).metadata.namespace
    return [pod for pod in _lasting(cluster, namespace) if is_dns(pod.metadata) or "coredns" in pod.metadata.name]


def ready_pods(cluster: Cluster) -> Mapping[str, pb.Pod]:
    """Return the DNS pods that are ready, by ``namespace/name``: other checks report a pod that is not ready."""
    candidates = [*pods(cluster), *likely_pods(cluster)]
    return {f"{pod.metadata.namespace}/{pod.metadata.name}": pod for pod in candidates if is_ready(pod)}


def _lasting(cluster: Cluster, namespace: str) -> list[pb.Pod]:
    """Return the namespace's pods that are neither finished nor being deleted."""
    return [
        pod
        for pod in cluster.pods
        if pod.metadata.namespace == namespace
        and not pod.metadata.HasField("deletionTimestamp")
        and not is_finished(pod)
    ]


def deployments(cluster: Cluster) -> list[pb.Deployment]:
    """Return the Deployments that look like the cluster's DNS."""
    namespace = service(cluster).metadata.namespace
    return [
        d
        for d in cluster.deployments
        if d.metadata.namespace == namespace and (is_dns(d.metadata) or d.metadata.name in DNS_NAMES)
    ]


def ready_endpoints(cluster: Cluster) -> int:
    """Return how many endpoints of the DNS Service are ready; an unset condition means ready (EndpointConditions)."""
    name, namespace = service(cluster).metadata.name, service(cluster).metadata.namespace
    return sum(
        not endpoint.conditions.HasField("ready") or endpoint.conditions.ready
        for piece in cluster.endpoint_slices
        if piece.metadata.namespace == namespace and piece.metadata.labels.get("kubernetes.io/service-name") == name
        for endpoint in piece.endpoints
    )


def name_servers_of_kubelets(cluster: Cluster) -> Iterator[tuple[str, list[str]]]:
    """Yield the name servers that the kubelet of each ready node gives to pods, without Windows nodes.

    Raises:
        NotObserved: kubelets may not be asked; or, after the last node, some kubelet did not answer.
    """
    for node, config in kubelet.configs(cluster):
        if node.status.nodeInfo.operatingSystem != "windows":
            yield node.metadata.name, [clean(ip, 60) for ip in config.kubeletconfig.clusterDNS or ()]
