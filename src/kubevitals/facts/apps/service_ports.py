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

    A number can be right without being declared: it counts only where every container declares ports.
    """
    declared = [port for pod in pods for container in _serving(pod) for port in container.ports]
    complete = all(container.ports for pod in pods for container in _serving(pod))
    targets = {(target, _protocol(port)) for port in declared for target in (port.name, str(port.containerPort))}
    for port in service.spec.ports:
        target = port.targetPort.strVal or str(port.targetPort.intVal or port.port)
        by_name = bool(port.targetPort.strVal)
        if (by_name or complete) and (target, _protocol(port)) not in targets:
            yield WrongPort(port, f"targetPort {target}{_instead(port, target, declared)}", by_name)


def _serving(pod: pb.Pod) -> list[pb.Container]:
    """Return the containers that run as long as the pod: its own, and sidecars among init containers."""
    return [*(c for c in pod.spec.initContainers if c.restartPolicy == "Always"), *pod.spec.containers]


def _protocol(port: pb.ServicePort | pb.ContainerPort) -> str:
    return port.protocol or "TCP"


def _instead(port: pb.ServicePort, target: str, declared: Iterable[pb.ContainerPort]) -> str:
    """Return what the containers declare in place of a port."""
    others = list(islice(declared, COMPARED))
    if any(target in (other.name, str(other.containerPort)) for other in others):
        return f" is not declared for {_protocol(port)}, but for another protocol"
    names = sorted({f"{other.containerPort}{f' ({other.name})' if other.name else ''}" for other in others})
    near = near_name(target, {other.name for other in others if other.name})
    return f" is not a port of its pods{near}: they declare {', '.join(names[:5]) or 'none'}"
