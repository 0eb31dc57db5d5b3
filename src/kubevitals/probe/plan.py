"""The probe's targets: a bounded number of addresses from each node, so that connections grow linearly with nodes."""

import re
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import inf
from typing import NamedTuple, TypeVar

from kubevitals import schema_pb2 as pb
from kubevitals.objects import DNS_SERVICES, is_dns, is_ready, is_virtual, service_of
from kubevitals.probe.report import ABSENT, ProbeNetwork, Target, Through
from kubevitals.probe.sample import ServiceTarget, own_name_servers, service_names, service_targets

T = TypeVar("T", bound=tuple[object, ...])

PEERS = 3
"""Nodes that each node connects to, and that connect to it."""

TRIES = 3
"""Attempts at a Service or a name server: enough to see one that fails now and then."""

PEER_TRIES = 2
"""Attempts at a single address: one packet may get lost."""

DNS_PODS, API_ENDPOINTS = 8, 3
"""DNS pods and API servers that each probe pod connects to."""

PORT, HEALTH_PORT = 8080, 10256
"""The port of the probe's pods in the pod network, and kube-proxy's health port."""

OS = "kubernetes.io/os"

_WORD = re.compile(r"[\w.:/-]{1,253}", re.ASCII)


def _unshown(progress: str) -> None:
    """Show no progress."""


class Options(NamedTuple):
    """The user's options for the probe.

    Attributes:
        timeout: seconds for the whole run, without the removal of its objects.
        pull_secret: a Secret in the namespace to pull the image with, or nothing.
        outside: the outside name to look up, or nothing to look up none.
        domain: the cluster's domain.
        progress: shows how far the run is.
    """

    image: str = "busybox:1.36"
    namespace: str = "kubevitals-probe"
    pull_secret: str = ""
    timeout: float = 60
    outside: str = ABSENT
    domain: str = "cluster.local"
    progress: Callable[[str], None] = _unshown


class ProbePlan(NamedTuple):
    """The targets of every node.

    Attributes:
        nodes: the names of the nodes where a probe is expected: Linux nodes that are ready.
        dns_services: addresses of the cluster's DNS; `dns_pods` are those of its pods, with ``namespace/name``.
        service_names: Services whose names are looked up, as ``NAME.NAMESPACE``.
        services: Services that are connected to, each with an endpoint.
        name_servers: name servers that pods list themselves, after the node that queries it.
        api_services: addresses of the Service `kubernetes`; `api_endpoints` are its endpoints. Each with its port.
    """

    options: Options
    nodes: tuple[str, ...]
    dns_services: tuple[str, ...] = ()
    dns_pods: tuple[tuple[str, str], ...] = ()
    api_services: tuple[tuple[str, int], ...] = ()
    api_endpoints: tuple[tuple[str, int], ...] = ()
    service_names: tuple[str, ...] = ()
    services: tuple[ServiceTarget, ...] = ()
    name_servers: tuple[tuple[str, str], ...] = ()


class ProbePod(NamedTuple):
    """A probe pod that is running."""

    name: str
    node: str
    network: ProbeNetwork
    ips: tuple[str, ...]


class ProbeService(NamedTuple):
    """The probe's own Service."""

    cluster_ips: tuple[str, ...]
    node_port: int


def plan(
    options: Options,
    nodes: Iterable[pb.Node],
    services: Iterable[pb.Service],
    slices: Iterable[pb.EndpointSlice],
    pods: Iterable[pb.Pod],
    now: float = inf,
) -> ProbePlan:
    """Return the targets, chosen from the objects of the cluster as it is `now` (seconds since 1970)."""
    services, pods = list(services), list(pods)
    by_service: dict[tuple[str, str], list[pb.EndpointSlice]] = {}
    for part in slices:
        by_service.setdefault(service_of(part), []).append(part)
    dns, api = [], []
    for service in services:
        name = (service.metadata.namespace, service.metadata.name)
        if name in DNS_SERVICES or (name[0] == "kube-system" and is_dns(service.metadata)):
            dns.append(service)
        elif name == ("default", "kubernetes"):
            api.append(service)
    behind = [part for s in api for part in by_service.get((s.metadata.namespace, s.metadata.name), ())]
    probed = tuple(sorted(node.metadata.name for node in nodes if is_probed(node)))
    dns_ips = tuple(ip for service in dns for ip in _addresses(service))
    return ProbePlan(
        options,
        probed,
        dns_ips,
        _spread(dict.fromkeys(_dns_pods(dns, by_service, pods)), DNS_PODS),
        tuple((ip, port.port) for s in api for ip in _addresses(s) for port in s.spec.ports[:1]),
        _spread(dict.fromkeys(_endpoints(behind)), API_ENDPOINTS),
        service_names(services, pods, now),
        service_targets(services, by_service, pods, now),
        own_name_servers(pods, dns_ips, probed),
    )


def is_probed(node: pb.Node) -> bool:
    """Return whether a probe pod is expected on the node: it runs Linux, is ready, and is not virtual."""
    return node.metadata.labels.get(OS) == "linux" and is_ready(node) and not is_virtual(node)


def targets(plan: ProbePlan, service: ProbeService, pods: Sequence[ProbePod]) -> dict[str, str]:
    """Return the targets of each pod, one a line, by the pod's name."""
    serving = {pod.node: pod for pod in pods if pod.network == "pod"}
    ring = [serving[node] for node in sorted(serving)]
    names = [pod.node for pod in ring]
    hosts = {pod.node: pod.ips for pod in pods if pod.network == "host"}
    lines = {}
    for pod in pods:
        peers = _peers(ring, bisect_left(names, pod.node), pod.node in serving)
        words = [*_reaches(plan, service, pod, peers, hosts), *_lookups(plan, pod)]
        lines[pod.name] = "".join(f"{' '.join(line)}\n" for line in words if all(map(_WORD.fullmatch, line)))
    return lines


def _peers(ring: Sequence[ProbePod], position: int, serves: bool) -> list[ProbePod]:
    """Return the node's own pod, if there is one, and its peers: the next ones, and the one across the ring."""
    size = len(ring)
    steps = [step for step in dict.fromkeys((0, 1, 2, size // 2, 3)) if step < size]
    return [ring[(position + step) % size] for step in steps[: PEERS + serves]]


Line = tuple[str, ...]


def _reaches(
    plan: ProbePlan,
    service: ProbeService,
    pod: ProbePod,
    peers: Sequence[ProbePod],
    hosts: Mapping[str, tuple[str, ...]],
) -> Iterator[Line]:
    """Yield the targets that have to answer, in the address families that the pod has itself."""
    chosen = [*_own_targets(service, pod, peers, hosts), *_cluster_targets(plan, pod)]
    families = {_family(ip) for ip in pod.ips}
    for kind, ip, port, node, tries in chosen:
        if _family(ip) in families:
            yield ("reach", kind, ip, str(port), node, str(tries))
    if pod.network == "host":
        yield ("reach", Target.KUBE_PROXY, "127.0.0.1", str(HEALTH_PORT), pod.node, str(PEER_TRIES))


Aim = tuple[Target, str, int, str, int]
"""A target: what it is, its address and port, its node or ``-``, and how often it is tried."""


def _own_targets(
    service: ProbeService, pod: ProbePod, peers: Sequence[ProbePod], hosts: Mapping[str, tuple[str, ...]]
) -> Iterator[Aim]:
    """Yield what the probe itself serves: its pods, its Service, and that on two nodes' ports."""
    at_peers = [(ip, peer.node) for peer in peers for ip in peer.ips]
    yield from ((Target.PEER, ip, PORT, node, PEER_TRIES) for ip, node in at_peers)
    yield from ((Target.LARGE, ip, PORT, node, PEER_TRIES) for ip, node in at_peers if node != pod.node)
    yield from ((Target.SERVICE, ip, 80, "-", TRIES) for ip in service.cluster_ips)
    families = {_family(ip) for ip in service.cluster_ips}
    for node in list(dict.fromkeys((pod.node, *(peer.node for peer in peers))))[:2]:
        addresses = (ip for ip in hosts.get(node, ()) if _family(ip) in families)
        yield from ((Target.NODE_PORT, ip, service.node_port, node, TRIES) for ip in addresses)


def _cluster_targets(plan: ProbePlan, pod: ProbePod) -> Iterator[Aim]:
    """Yield what the cluster serves: the API server, and to pods of the pod network a few other Services."""
    yield from ((Target.API_SERVICE, ip, port, "-", TRIES) for ip, port in plan.api_services)
    yield from ((Target.API_ENDPOINT, ip, port, "-", PEER_TRIES) for ip, port in plan.api_endpoints)
    if pod.network == "pod":
        yield from ((Target.OPEN_SERVICE, s.cluster_ip, s.port, "-", TRIES) for s in plan.services)
        yield from ((Target.OPEN_ENDPOINT, s.endpoint, s.endpoint_port, "-", PEER_TRIES) for s in plan.services)


def _lookups(plan: ProbePlan, pod: ProbePod) -> Iterator[Line]:
    names = [(f"kubernetes.default.svc.{plan.options.domain}", "inside")]
    if plan.options.outside:
        names.append((plan.options.outside, "outside"))
    families = {_family(ip) for ip in pod.ips}
    for name, where in names:
        for ip in plan.dns_services:
            if _family(ip) in families:
                yield ("lookup", name, where, Through.SERVICE, ip, "-", str(TRIES))
        for ip, dns_pod in plan.dns_pods:
            if _family(ip) in families:
                yield ("lookup", name, where, Through.POD, ip, dns_pod, str(PEER_TRIES))
        yield ("resolver", name, where, str(TRIES))
    if pod.network == "pod":
        yield from _sampled_lookups(plan, pod, families)


def _sampled_lookups(plan: ProbePlan, pod: ProbePod, families: Collection[int]) -> Iterator[Line]:
    """Yield the names of Services, and the name servers that pods on this node list themselves."""
    for name in plan.service_names:
        for ip in plan.dns_services:
            if _family(ip) in families:
                full = f"{name}.svc.{plan.options.domain}"
                yield ("lookup", full, "sample", Through.SERVICE, ip, "-", str(PEER_TRIES))
    for node, server in plan.name_servers:
        if node == pod.node and _family(server) in families:
            own = f"kubernetes.default.svc.{plan.options.domain}"
            yield ("lookup", own, "inside", Through.OWN, server, "-", str(TRIES))


def _dns_pods(
    services: Iterable[pb.Service],
    by_service: Mapping[tuple[str, str], Iterable[pb.EndpointSlice]],
    pods: Iterable[pb.Pod],
) -> Iterator[tuple[str, str]]:
    """Yield the DNS pods that serve on port 53: the endpoints of the Service or, without any, the pods with its label.

    The label counts only in the namespaces where distributions install DNS: elsewhere any user's pod may have it.
    """
    has_endpoints, namespaces = False, {namespace for namespace, _ in DNS_SERVICES}
    for service in services:
        for part in by_service.get((service.metadata.namespace, service.metadata.name), ()):
            for endpoint in part.endpoints:
                has_endpoints = True
                if any(port.port == 53 for port in part.ports):
                    about = endpoint.targetRef
                    yield from ((ip, f"{about.namespace}/{about.name}") for ip in endpoint.addresses[:1] if about.name)
    if not has_endpoints:
        for pod in pods:
            if pod.metadata.namespace in namespaces and is_dns(pod.metadata) and pod.status.phase == "Running":
                yield from ((ip.ip, f"{pod.metadata.namespace}/{pod.metadata.name}") for ip in pod.status.podIPs)


def _endpoints(slices: Iterable[pb.EndpointSlice]) -> Iterator[tuple[str, int]]:
    for part in slices:
        for endpoint in part.endpoints:
            yield from ((ip, port.port) for ip in endpoint.addresses[:1] for port in part.ports[:1])


def _addresses(service: pb.Service) -> list[str]:
    listed = list(service.spec.clusterIPs) or [service.spec.clusterIP]
    return [ip for ip in listed if ip not in ("", "None")]


def _family(address: str) -> int:
    return 6 if ":" in address else 4


def _spread(items: Iterable[T], count: int) -> tuple[T, ...]:
    """Return at most `count` items, evenly spread over all of them in sorted order."""
    listed = sorted(items)
    if len(listed) <= count:
        return tuple(listed)
    return tuple(listed[index * len(listed) // count] for index in range(count))
