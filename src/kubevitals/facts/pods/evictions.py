"""Why the kubelet evicted a pod."""

import re

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.shared_pods import is_calm

MEMORY = re.compile(
    r"The node was low on resource: memory\b|(?:Pod was rejected: )?The node had condition: \[[\w, ]*MemoryPressure"
)
DISK = re.compile(
    r"The node was low on resource: (?:ephemeral-storage|inodes)\b"
    r"|(?:Pod was rejected: )?The node had condition: \[[\w, ]*DiskPressure"
    r"|Usage of EmptyDir volume |Pod ephemeral local storage usage |Container \S{1,63} exceeded its local ephemeral"
)
"""How the kubelet's messages begin (pkg/kubelet/eviction/helpers.go and eviction_manager.go).

Only the beginning is compared, since names of pods and containers follow it.
"""


def evicted_for(pod: pb.Pod, resource: re.Pattern[str]) -> bool:
    """Return whether the pod was evicted for this resource."""
    return not is_calm(pod) and pod.status.reason == "Evicted" and bool(resource.match(pod.status.message))


def evicted_at(pod: pb.Pod) -> pb.Time:
    """Return when the pod was evicted: its last change. Evicted pods may stay for weeks."""
    times = [
        pod.metadata.creationTimestamp,
        pod.status.startTime,
        *(c.lastTransitionTime for c in pod.status.conditions),
    ]
    return max(times, key=lambda time: time.seconds)
