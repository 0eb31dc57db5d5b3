"""The cluster's DNS Service, the pods and Deployments behind it, and the name servers that kubelets give to pods."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.nodes.distributions import built_in_dns
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import probed
from kubevitals.objects import (
    DNS_ELSEWHERE,
    DNS_LABEL,
    DNS_NAMES,
    DNS_VALUE,
    is_dns,
    is_finished,
    is_ready,
    service_of,
)
from kubevitals.text import clean

METADATA_SERVER = "169.254.169.254"
"""The name server of pods with Cloud DNS for GKE: the metadata server, not NodeLocal DNS."""


def service(cluster: Cluster) -> pb.Service:
    """Return the cluster's DNS Service: the one that pods query, or else the one with a usual name or label.

    Raises:
        NotApplicable: pods query name servers that are no Services, or DNS is built into the nodes.
        NotObserved: what pods query is not known, and no Service has a usual name or label.
    """
    if how := cluster.derive(_without_pods):
        raise NotApplicable(how)
    queried = cluster.derive(name_servers)
    usual = _usual_service(cluster)
    if usual and (not queried or queried & set(_ips(usual))):
        return usual
    for candidate in cluster.services:
        if queried & set(_ips(candidate)):
            return candidate
    cluster.need_complete("kube-system")
    cluster.scope.need(DNS_ELSEWHERE[0])
    if queried and all(_is_outside(ip, cluster) for ip in queried):
        cluster.scope.need_all(f"pods query {', '.join(sorted(queried)[:3])}, which may be a Service anywhere")
        raise NotApplicable(f"pods query {', '.join(sorted(queried)[:3])}: DNS is no Service of this cluster")
    if usual:
        return usual
    raise NotObserved(
        f"there is no DNS Service: no {', '.join(DNS_NAMES)} and none with the label "
        f"{DNS_LABEL}={DNS_VALUE} in kube-system, and no {'/'.join(DNS_ELSEWHERE)}"
    )


def built_in(cluster: Cluster, *, optional: bool = False) -> str:
    """Return how names are resolved without a DNS pod, for certain or if that is chosen; else empty."""
    try:
        return built_in_dns(cluster.derive(our_nodes), optional=optional)
    except NotObserved:
        return ""


def _without_pods(cluster: Cluster) -> str:
    """Return how names are resolved if DNS is built into the nodes, and no DNS pod runs; else empty."""
    if (how := built_in(cluster)) and not any(_looks_like_dns(pod) for pod in _lasting(cluster, "kube-system")):
        return how
    return ""


def _looks_like_dns(pod: pb.Pod) -> bool:
    return is_dns(pod.metadata) or "coredns" in pod.metadata.name


def _usual_service(cluster: Cluster) -> pb.Service | None:
    """Return the Service with the name that distributions give it, or else one with its label in kube-system."""
    by_name = {(s.metadata.namespace, s.metadata.name): s for s in cluster.services if _ips(s)}
    usual = [*(("kube-system", name) for name in DNS_NAMES), DNS_ELSEWHERE]
    labelled = [
        name
        for name, candidate in sorted(by_name.items())
        if name[0] == "kube-system" and is_dns(candidate.metadata) and _serves_dns(candidate)
    ]
    return next((by_name[name] for name in (*usual, *labelled) if name in by_name), None)


def name_servers(cluster: Cluster) -> frozenset[str]:
    """Return the name servers of pods: the kubelets' clusterDNS, and the resolv.conf of the probe's pods.

    Empty if neither is observed. Addresses of NodeLocal DNS are among them.
    """
    servers: set[str] = set()
    with suppress(NotObserved):
        for _, given in name_servers_of_kubelets(cluster):
            servers.update(given)
    with suppress(NotObserved):
        for report in probed(cluster).of("pod"):
            servers.update(report.resolver.nameservers if report.resolver else ())
    return frozenset(servers)


def is_elsewhere(cluster: Cluster) -> bool:
    """Return whether the pods' name servers are known, and none is a Service or NodeLocal DNS."""
    try:
        service(cluster)
    except NotApplicable:
        return True
    except NotObserved:
        pass
    return False


def _is_outside(address: str, cluster: Cluster) -> bool:
    """Return whether an address is neither of the Services' network nor NodeLocal DNS.

    The Services' network is not known; an address counts as one of it if it shares the first 16 bits (IPv6: 64 bits)
    with the ClusterIP of a Service.
    """
    if is_node_local(address):
        return address == METADATA_SERVER
    return _prefix(address) not in {_prefix(ip) for s in cluster.services for ip in _ips(s)}


def _prefix(address: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(f"{address}/{64 if ':' in address else 16}", strict=False)
    except ValueError:
        return None


def _ips(candidate: pb.Service) -> list[str]:
    if candidate.spec.clusterIP in ("", "None"):
        return []
    return list(dict.fromkeys([candidate.spec.clusterIP, *candidate.spec.clusterIPs]))


def addresses(cluster: Cluster) -> set[str]:
    """Return the name servers that pods may use: the addresses of all Services that serve DNS.

    If pods query name servers that are no Services, these are among them.

    Raises:
        NotObserved: the cluster's own DNS Service is not found.
    """
    services = {ip for s in cluster.services if _serves_dns(s) for ip in _ips(s)}
    try:
        return services | set(_ips(service(cluster)))
    except NotApplicable:
        return services | cluster.derive(name_servers)


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
    """Return the pods that are or look like the cluster's DNS: by the Service's selector, their label or their name."""
    namespace, selected = service(cluster).metadata.namespace, {pod.metadata.name for pod in pods(cluster)}
    lasting = _lasting(cluster, namespace)
    return [pod for pod in lasting if pod.metadata.name in selected or _looks_like_dns(pod)]


def ready_pods(cluster: Cluster) -> Mapping[str, pb.Pod]:
    """Return the DNS pods that are ready, by ``namespace/name``: other checks report a pod that is not ready."""
    return {f"{pod.metadata.namespace}/{pod.metadata.name}": pod for pod in likely_pods(cluster) if is_ready(pod)}


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


def endpoint_slices(cluster: Cluster) -> list[pb.EndpointSlice]:
    """Return the EndpointSlices of the DNS Service."""
    name, namespace = service(cluster).metadata.name, service(cluster).metadata.namespace
    return [piece for piece in cluster.endpoint_slices if service_of(piece) == (namespace, name)]


def ready_endpoints(cluster: Cluster) -> int:
    """Return how many endpoints of the DNS Service are ready; an unset condition means ready (EndpointConditions)."""
    return sum(
        not endpoint.conditions.HasField("ready") or endpoint.conditions.ready
        for piece in endpoint_slices(cluster)
        for endpoint in piece.endpoints
    )


def name_servers_of_kubelets(cluster: Cluster) -> Iterator[tuple[str, list[str]]]:
    """Yield the name servers that the kubelet of each ready node gives to pods, without Windows nodes.

    Raises:
        NotObserved: kubelets must not be queried; or, after the last node, some kubelet did not answer.
    """
    for node, config in kubelet.configs(cluster):
        if node.status.nodeInfo.operatingSystem != "windows":
            yield node.metadata.name, [clean(ip, 60) for ip in config.kubeletconfig.clusterDNS or ()]
