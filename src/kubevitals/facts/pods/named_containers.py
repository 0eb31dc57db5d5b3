"""A pod's containers by name, without a search for each of them where there are many: one pod may have thousands."""

from functools import lru_cache
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.objects import containers, statuses

MANY = 50
"""Containers from which on a search for each takes longer than an index of all."""


class _ByName(NamedTuple):
    every: dict[str, pb.Container]
    init: dict[str, pb.Container]
    started: dict[str, int]


class _Pod:
    """A pod as a key: it equals only itself, with as many containers."""

    def __init__(self, pod: pb.Pod) -> None:
        spec, status = pod.spec, pod.status
        self.pod = pod
        self.counts = (len(spec.initContainers), len(spec.containers), len(status.containerStatuses))

    def __hash__(self) -> int:
        return id(self.pod)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Pod) and self.pod is other.pod and self.counts == other.counts


@lru_cache(maxsize=1)
def _by_name(of: _Pod) -> _ByName:
    """Return the containers of the pod that is being judged; the first counts where several have one name."""
    pod = of.pod
    started: dict[str, int] = {}
    for status in statuses(pod):
        started[status.name] = max(started.get(status.name, 0), status.state.running.startedAt.seconds)
    return _ByName(
        {container.name: container for container in reversed(containers(pod.spec))},
        {container.name: container for container in reversed(list(pod.spec.initContainers))},
        started,
    )


def container_named(pod: pb.Pod, name: str) -> pb.Container:
    """Return the specification of a container; an empty one if the pod has none of this name."""
    if len(pod.spec.initContainers) + len(pod.spec.containers) < MANY:
        return next((container for container in containers(pod.spec) if container.name == name), pb.Container())
    return _by_name(_Pod(pod)).every.get(name) or pb.Container()


def init_container_named(pod: pb.Pod, name: str) -> pb.Container | None:
    """Return the specification of an init container, if the pod has one of this name."""
    if len(pod.spec.initContainers) < MANY:
        return next((container for container in pod.spec.initContainers if container.name == name), None)
    return _by_name(_Pod(pod)).init.get(name)


def started_at(pod: pb.Pod, name: str) -> int:
    """Return when a container that runs was started, in seconds since 1970; else 0."""
    if len(pod.status.initContainerStatuses) + len(pod.status.containerStatuses) < MANY:
        return max((one.state.running.startedAt.seconds for one in statuses(pod) if one.name == name), default=0)
    return _by_name(_Pod(pod)).started.get(name, 0)
