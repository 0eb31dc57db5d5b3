"""Which ports of a Service lead to no port of the pods behind it."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.text import near_name

COMPARED = 100
"""Ports of containers that a wrong port is compared with: the pods of a Service mostly declare the same few."""


class WrongPort(NamedTuple):
    """A port of a Service that leads nowhere.

    Attributes:
        by_name: whether its targetPort is a name; else it is a number that no container declares, which is a hint only.
    """

    port: pb.ServicePort
    why: str
    by_name: bool


def wrong_ports(service: pb.Service, pods: Sequence[pb.Pod]) -> Iterator[WrongPort]:
    """Yield the ports of a Service whose targetPort no container of these pods declares.

    A number can be right without being declared. It counts only where every container declares ports, no probe queries
    the port, and each such number may be meant for a declared port to which no port of the Service leads. For a
    headless Service no number counts: clients connect to the pods themselves.
    """
    containers = [container for pod in pods for container in _serving(pod)]
    declared = [port for container in containers for port in container.ports]
    known = {_as_target(port, target) for port in declared for target in (port.name, str(port.containerPort))}
    known |= {(port, "TCP") for container in containers for port in _probed(container)}
    wrong = [port for port in service.spec.ports if _target(port) not in known]
    numbers = sum(not port.targetPort.strVal for port in wrong)
    is_declared = all(container.ports for container in containers) and numbers <= len(_spare(service, declared))
    for port in wrong:
        by_name = bool(port.targetPort.strVal)
        if by_name or (is_declared and service.spec.clusterIP != "None"):
            target, _ = _target(port)
            yield WrongPort(port, f"targetPort {target}{_instead(port, target, declared)}", by_name)


_Target = tuple[str, str]
"""A port's name or number, and its protocol."""


def _target(port: pb.ServicePort) -> _Target:
    return _as_target(port, port.targetPort.strVal or str(port.targetPort.intVal or port.port))


def _as_target(port: pb.ServicePort | pb.ContainerPort, target: str) -> _Target:
    return target, port.protocol or "TCP"


def _probed(container: pb.Container) -> set[str]:
    """Return the ports that the kubelet queries by number: probes need no declaration."""
    handlers = [p.handler for p in (container.livenessProbe, container.readinessProbe, container.startupProbe)]
    numbers = {port for h in handlers for port in (h.httpGet.port.intVal, h.tcpSocket.port.intVal, h.grpc.port)}
    return {str(number) for number in numbers if number}


def _spare(service: pb.Service, declared: Iterable[pb.ContainerPort]) -> set[int]:
    """Return the declared ports to which no port of the Service leads."""
    targets = set(map(_target, service.spec.ports))
    return {
        port.containerPort
        for port in declared
        if targets.isdisjoint(_as_target(port, target) for target in (port.name, str(port.containerPort)))
    }


def _serving(pod: pb.Pod) -> list[pb.Container]:
    """Return the containers that run as long as the pod: its own, and sidecars among init containers."""
    return [*(c for c in pod.spec.initContainers if c.restartPolicy == "Always"), *pod.spec.containers]


def _instead(port: pb.ServicePort, target: str, declared: Iterable[pb.ContainerPort]) -> str:
    """Return what the containers declare in place of a port."""
    others = list(islice(declared, COMPARED))
    if any(target in (other.name, str(other.containerPort)) for other in others):
        return f" is not declared for {_target(port)[1]}, but for another protocol"
    names = sorted({f"{other.containerPort}{f' ({other.name})' if other.name else ''}" for other in others})
    near = near_name(target, {other.name for other in others if other.name})
    return f" is not a port of its pods{near}: they declare {', '.join(names[:5]) or 'none'}"
