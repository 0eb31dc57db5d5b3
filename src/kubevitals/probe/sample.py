"""Which Services and name servers of the cluster the probe tries: a bounded sample of the youngest.

What is young shows faults first: old rules and cached answers go on working.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import SERVICE_HOST
from kubevitals.objects import containers, is_finished, is_ready, turned_at

NAMES, SERVICES, NAME_SERVERS = 8, 6, 8
"""Names of Services that are looked up, Services that are connected to, and pods' own name servers that are queried."""

SETTLED = 30
"""Seconds after which a new Service or endpoint has reached every DNS pod and node: both need about a second."""

BySlice = Mapping[tuple[str, str], Sequence[pb.EndpointSlice]]


class ServiceTarget(NamedTuple):
    """A Service that accepts TCP connections, and one of its ready endpoints."""

    cluster_ip: str
    port: int
    endpoint: str
    endpoint_port: int


def service_names(services: Iterable[pb.Service], pods: Sequence[pb.Pod], now: float) -> tuple[str, ...]:
    """Return the names ``NAME.NAMESPACE`` of Services, youngest first.

    Half of them are those that pods that are not ready name in full, and then those beside such pods.
    """
    ailing = [pod for pod in pods if not is_ready(pod) and not is_finished(pod)]
    namespaces = {pod.metadata.namespace for pod in ailing}
    said = {host.removesuffix(".svc") for pod in ailing for host in _named_services(pod)}
    in_turn = _in_turn(services, now)
    named = [service for service in in_turn if _name(service) in said]
    beside = [service for service in in_turn if service.metadata.namespace in namespaces]
    first = list(dict.fromkeys(map(_name, [*named, *beside])))[: NAMES // 2]
    return tuple(dict.fromkeys([*first, *map(_name, in_turn)]))[:NAMES]


def _in_turn(services: Iterable[pb.Service], now: float) -> list[pb.Service]:
    """Return the settled Services, youngest first; namespaces take turns, so that none hides the others."""
    candidates = sorted(
        (s for s in services if has_address(s) and now - s.metadata.creationTimestamp.seconds > SETTLED),
        key=lambda s: (-s.metadata.creationTimestamp.seconds, s.metadata.namespace, s.metadata.name),
    )
    taken: Counter[str] = Counter()
    turns = []
    for service in candidates:
        turns.append((taken[service.metadata.namespace], service))
        taken[service.metadata.namespace] += 1
    turns.sort(key=lambda turn: turn[0])
    return [service for _, service in turns]


def _name(service: pb.Service) -> str:
    return f"{service.metadata.name}.{service.metadata.namespace}"


def _named_services(pod: pb.Pod) -> Iterator[str]:
    """Yield the Services that the pod's arguments and variables name, as they are kept (`encoding.kept`)."""
    for container in containers(pod.spec):
        yield from (word for word in container.args if SERVICE_HOST.fullmatch(word))


def service_targets(
    services: Iterable[pb.Service], slices: BySlice, pods: Iterable[pb.Pod], now: float
) -> tuple[ServiceTarget, ...]:
    """Return Services with a ready endpoint: half of them the youngest, the others those with the latest endpoints."""
    ready_since = {(p.metadata.namespace, p.metadata.name): turned_at(p).seconds for p in pods}
    found: list[tuple[int, int, ServiceTarget]] = []
    for service in services:
        parts = slices.get((service.metadata.namespace, service.metadata.name), ())
        if has_address(service) and service.spec.internalTrafficPolicy != "Local":
            created = service.metadata.creationTimestamp.seconds
            changed = max((created, *(ready_since.get(pod, 0) for pod in _pods_behind(parts))))
            target = next(_targets(service, parts), None)
            if target and now - changed > SETTLED:
                found.append((created, changed, target))
    youngest = sorted(found, reverse=True)[: SERVICES // 2]
    latest = sorted(found, key=lambda item: item[1], reverse=True)
    return tuple(dict.fromkeys(target for _, _, target in [*youngest, *latest]))[:SERVICES]


def own_name_servers(
    pods: Iterable[pb.Pod], known: Collection[str], nodes: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """Return name servers that pods list themselves, each with a probed node where such a pod runs."""
    found: dict[str, str] = {}
    for pod in pods:
        if pod.spec.nodeName in nodes and not is_finished(pod):
            for server in pod.spec.dnsConfig.nameservers:
                if server not in known:
                    found.setdefault(server, pod.spec.nodeName)
    return tuple((node, server) for server, node in sorted(found.items()))[:NAME_SERVERS]


def has_address(service: pb.Service) -> bool:
    """Return whether a Service has a ClusterIP."""
    return service.spec.clusterIP not in ("", "None")


def is_ready_endpoint(endpoint: pb.Endpoint) -> bool:
    """Return whether an endpoint is ready; an unset condition means ready (EndpointConditions)."""
    return not endpoint.conditions.HasField("ready") or endpoint.conditions.ready


def _pods_behind(parts: Iterable[pb.EndpointSlice]) -> Iterator[tuple[str, str]]:
    for part in parts:
        yield from ((e.targetRef.namespace, e.targetRef.name) for e in part.endpoints if e.targetRef.name)


def _targets(service: pb.Service, parts: Iterable[pb.EndpointSlice]) -> Iterator[ServiceTarget]:
    """Yield the Service's first TCP port with the ready endpoints behind it, of the address family of its ClusterIP."""
    ip = service.spec.clusterIP
    ports = {port.name: port.port for port in reversed(service.spec.ports) if port.protocol in ("", "TCP")}
    for part in parts:
        if part.addressType == ("IPv6" if ":" in ip else "IPv4"):
            for port in part.ports:
                if port.name in ports and port.protocol in ("", "TCP") and port.port:
                    for endpoint in filter(is_ready_endpoint, part.endpoints):
                        yield from (ServiceTarget(ip, ports[port.name], at, port.port) for at in endpoint.addresses[:1])
