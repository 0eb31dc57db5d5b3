"""Memory limits of containers and pods, and which are too small to start with."""

import re

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.sandbox_errors import OOM_TEXT
from kubevitals.objects import containers, statuses
from kubevitals.quantity import amount

LEAST = 16 << 20
"""Bytes of memory with which any container starts: CRI-O refuses less than 12 MiB."""

_DIED_AT_START = re.compile(
    r"cannot start a (?:stopped process|container that has stopped)"
    r"|container process is already dead"
    r"|sandbox container \"?[\w.-]{1,128}\"? is not running"
    r"|namespace path: lstat /proc/\d{1,10}/ns/"
    r"|(?:read|write) init-p: (?:connection reset by peer|broken pipe)"
    r"|procReady not received",
    re.IGNORECASE,
)
"""What runtimes say about a process that is gone before its container is up, as after an OOM kill: runc
(libcontainer/container_linux.go, process_linux.go, configs/validate), containerd (internal/cri/server)."""


def memory_limit(pod: pb.Pod, container: str = "") -> float:
    """Return a container's memory limit in bytes, or else its pod's, or 0; during a resize, the limit still in force.

    Without a container's name it is the sandbox's: the pod's limit, or else the sum of all containers' limits.
    """
    actual = {status.name: status.resources.limits for status in statuses(pod) if status.HasField("resources")}
    limits = (actual.get(c.name, c.resources.limits) for c in containers(pod.spec) if container in ("", c.name))
    of_containers = sum(amount(limit, "memory") for limit in limits)
    of_pod = amount(pod.spec.resources.limits, "memory")
    return of_containers or of_pod if container else of_pod or of_containers


def is_too_small(message: str, pod: pb.Pod, container: str = "") -> bool:
    """Return whether the memory limit kept a container, or the sandbox, from starting.

    The message says so itself, or it says that a process was gone at once, and the limit is below `LEAST`.
    """
    if OOM_TEXT.search(message):
        return True
    return bool(_DIED_AT_START.search(message)) and 0 < memory_limit(pod, container) < LEAST
