"""Which ports of a Service lead to no port of the pods behind it."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.lingering import SIDECARS
from kubevitals.facts.apps.selectors import matches
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, owner, ref
from kubevitals.text import near_name

COMPARED = 100
"""Ports of containers that a wrong port is compared with: the pods of a Service mostly declare the same few."""


_FOR_OPERATION = re.compile(r"metric|prom|health|status|probe|profil|admin|debug")
"""Words in the names of ports that are for the operation of a program, and not for its clients."""


_METRICS = re.compile(r"metric|prom")


class WrongPort(NamedTuple):
    """A port of a Service that leads nowhere.

    Attributes:
        by_name: whether its targetPort is a name; else it is a number that no container declares, which is a hint only.
    """

    port: pb.ServicePort
    why: str
    by_name: bool


def is_for_metrics(service: pb.Service, port: pb.ServicePort) -> bool:
    """Return whether the name of a Service, of its port or of the targetPort says that only metrics are there.

    Charts leave such Services behind without their port (ionos-cloud/cluster-api-provider-proxmox#876).
    """
    return any(_METRICS.search(name) for name in (service.metadata.name, port.name, port.targetPort.strVal))


def wrong_ports(service: pb.Service, pods: Sequence[pb.Pod], cluster: Cluster) -> Iterator[WrongPort]:
    """Yield the ports of a Service whose targetPort no container of these pods declares.

    A number can be right without being declared. It counts only where every container declares ports, no probe queries
    the port, and each such number may be meant for a declared port to which no Service leads. For a headless Service no
    number counts: clients connect to the pods themselves. Nor does one of a Service with an owner: its operator knows
    where its pods listen, and Istio's declares no port of a Gateway's listeners
    (istio/istio manifests/charts/istio-control/istio-discovery/files/kube-gateway.yaml).
    """
    containers = [container for pod in pods for container in _serving(pod)]
    declared = [port for container in containers for port in container.ports]
    known = _known(containers)
    wrong = [port for port in service.spec.ports if _target(port) not in known]
    numbers = sum(not port.targetPort.strVal for port in wrong)
    may_count = numbers and _may_count(service, containers) and numbers <= len(_spare(service, pods, cluster))
    for port in wrong:
        by_name = bool(port.targetPort.strVal)
        if by_name or may_count:
            target, _ = _target(port)
            yield WrongPort(port, f"targetPort {target}{_instead(port, target, declared)}", by_name)


class Stray(NamedTuple):
    """Pods behind a Service that do not have one of its ports, although pods of another workload have it.

    Attributes:
        of: the workload of these pods.
        declared: what they declare instead.
    """

    port: pb.ServicePort
    of: Ref
    declared: str


def strays(service: pb.Service, pods: Iterable[pb.Pod]) -> Iterator[Stray]:
    """Yield the workloads behind a Service that get a part of its connections by mistake.

    Its selector is too wide: their pods declare other ports for clients, and not the number that another workload's
    pods declare. What counts is as in `wrong_ports`. By name, a Service sends nothing to pods without the port.
    """
    by_owner: dict[Ref, list[pb.Container]] = defaultdict(list)
    for pod in pods:
        by_owner[owner(pod) or ref(pod)].extend(_serving(pod))
    for port in service.spec.ports if len(by_owner) > 1 else ():
        if port.targetPort.strVal or _FOR_OPERATION.search(port.name):
            continue
        has = {of for of, containers in by_owner.items() if _target(port) in _known(containers)}
        for of, containers in by_owner.items() if has else ():
            declared = list(_for_clients(containers))
            if of not in has and declared and _may_count(service, containers):
                yield Stray(port, of, _names(declared))


_Target = tuple[str, str]
"""A port's name or number, and its protocol."""


def _target(port: pb.ServicePort) -> _Target:
    return _as_target(port, port.targetPort.strVal or str(port.targetPort.intVal or port.port))


def _as_target(port: pb.ServicePort | pb.ContainerPort, target: str) -> _Target:
    return target, port.protocol or "TCP"


def _known(containers: Iterable[pb.Container]) -> set[_Target]:
    """Return the ports that containers declare, and those that probes query."""
    declared = {
        _as_target(port, target)
        for container in containers
        for port in container.ports
        for target in (port.name, str(port.containerPort))
    }
    return declared | {(port, "TCP") for container in containers for port in _probed(container)}


def _probed(container: pb.Container) -> set[str]:
    """Return the ports that the kubelet queries by number: probes need no declaration."""
    handlers = [p.handler for p in (container.livenessProbe, container.readinessProbe, container.startupProbe)]
    numbers = {port for h in handlers for port in (h.httpGet.port.intVal, h.tcpSocket.port.intVal, h.grpc.port)}
    return {str(number) for number in numbers if number}


def _may_count(service: pb.Service, containers: Sequence[pb.Container]) -> bool:
    of_operator = bool(service.metadata.ownerReferences)
    return not of_operator and service.spec.clusterIP != "None" and all(container.ports for container in containers)


def _spare(service: pb.Service, pods: Sequence[pb.Pod], cluster: Cluster) -> set[int]:
    """Return the ports that the programs of pods declare for their clients, and to which no Service leads."""
    others = chain.from_iterable(_others(pods[0], cluster))
    targets = set(map(_target, (*service.spec.ports, *others)))
    return {
        port.containerPort
        for port in _for_clients(container for pod in pods for container in _serving(pod))
        if targets.isdisjoint(_as_target(port, target) for target in (port.name, str(port.containerPort)))
    }


def _for_clients(containers: Iterable[pb.Container]) -> Iterator[pb.ContainerPort]:
    """Yield the ports that programs declare for their clients."""
    for container in containers:
        if not SIDECARS.fullmatch(container.name):
            yield from (port for port in container.ports if not _FOR_OPERATION.search(port.name))


def _others(pod: pb.Pod, cluster: Cluster) -> Iterator[Sequence[pb.ServicePort]]:
    """Yield the ports of the Services that have an address and lead to a pod; the pods of one Service are alike."""
    index, namespace, labels = cluster.derive(_by_label), pod.metadata.namespace, pod.metadata.labels
    for label in labels.items():
        for service in index.get((namespace, label), ()):
            if matches(service.spec.selector, labels):
                yield service.spec.ports


def _by_label(cluster: Cluster) -> Mapping[tuple[str, tuple[str, str]], list[pb.Service]]:
    """Return the Services that have an address, by namespace and by the rarest label that their pods must have."""
    index: dict[tuple[str, tuple[str, str]], list[pb.Service]] = defaultdict(list)
    judged = [each for each in cluster.services if each.spec.selector and each.spec.clusterIP != "None"]
    having = Counter((each.metadata.namespace, label) for each in judged for label in each.spec.selector.items())
    for service in judged:
        labels = [(service.metadata.namespace, label) for label in service.spec.selector.items()]
        index[min(labels, key=having.__getitem__)].append(service)
    return index


def _serving(pod: pb.Pod) -> list[pb.Container]:
    """Return the containers that run as long as the pod: its own, and sidecars among init containers."""
    return [*(c for c in pod.spec.initContainers if c.restartPolicy == "Always"), *pod.spec.containers]


def _instead(port: pb.ServicePort, target: str, declared: Iterable[pb.ContainerPort]) -> str:
    """Return what the containers declare in place of a port."""
    others = list(islice(declared, COMPARED))
    if any(target in (other.name, str(other.containerPort)) for other in others):
        return f" is not declared for {_target(port)[1]}, but for another protocol"
    near = near_name(target, {other.name for other in others if other.name})
    return f" is not a port of its pods{near}: they declare {_names(others)}"


def _names(ports: Iterable[pb.ContainerPort]) -> str:
    names = sorted({f"{port.containerPort}{f' ({port.name})' if port.name else ''}" for port in ports})
    return ", ".join(names[:5]) or "none"
