"""Pods of which nothing has run yet: the table's lines about sandboxes and volumes."""

import re
from collections.abc import Callable
from dataclasses import replace

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.disks import tight, under_pressure
from kubevitals.facts.nodes.placement import START
from kubevitals.facts.pods import sandbox_errors
from kubevitals.facts.pods.references import names, said_absent, volume_references
from kubevitals.facts.pods.states import ALL_VOLUMES, SANDBOX_FAILURE, STUCK, Symptom, by_event, is_stuck, stuck_events
from kubevitals.inventory.cluster import Cluster, claim_name
from kubevitals.objects import condition, is_ready, node_condition

NO_SPACE = "no space left on device"
"""What the C library says of ENOSPC, and every program after it."""


def _has_no_sandbox(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has been on its node without a sandbox for longer than `pod.stuck`.

    After a reboot of the node that can be a pod that ran before. On a node that has just joined and is not ready the
    CNI is yet to come.
    """
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    if node and not is_ready(node) and not cluster.over(node.metadata.creationTimestamp, START):
        return False
    ready = condition(pod, "PodReadyToStartContainers")
    if ready is None:
        return is_stuck(pod, cluster)
    return (
        bool(pod.spec.nodeName)
        and pod.status.phase in ("Pending", "Running")
        and ready.status == "False"
        and cluster.over(ready.lastTransitionTime, STUCK)
    )


_NO_NETWORK = "NetworkPluginNotReady"


def _sandbox_words(pod: pb.Pod, cluster: Cluster) -> str:
    """Return what is said of the sandbox that the pod has not got: its node's present state, else the latest event.

    A text that is not in the table does not hide an earlier one that is: what a runtime says of one cause varies. A
    Normal SandboxChanged follows each failure. Where a plugin is gone it is all that comes again and again: the failure
    is said once, and its event expires.
    """
    node = None if pod.spec.hostNetwork else cluster.nodes_by_name.get(pod.spec.nodeName)
    ready = node and node_condition(node, "Ready")
    if ready and ready.status == "False" and _NO_NETWORK in ready.message:
        return ready.message
    events = cluster.events(pod)
    failures = [event for event in events if event.reason == SANDBOX_FAILURE]
    expired = [event for event in events[-1:] if event.reason == "SandboxChanged"]
    said = [event.message for event in reversed(expired + failures)]
    return next((words for words in said if sandbox_errors.is_known(words)), said[0] if said else "")


def sandbox_line(variant: str) -> Callable[[pb.Pod, Cluster], Symptom | None]:
    """Return the line of a sandbox that could not be made, for one variant of ip-allocation."""

    def line(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
        words = _sandbox_words(pod, cluster) if _has_no_sandbox(pod, cluster) else ""
        error = sandbox_errors.explain(words)
        return Symptom(pod, words) if error and error.variant == variant else None

    return line


def missing_object(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod that mounts a ConfigMap or Secret that does not exist."""
    if not is_stuck(pod, cluster):
        return None
    mounted = list(volume_references(pod.spec))
    seen = {reference.kind: names(cluster, reference.kind, pod.metadata.namespace) for reference in mounted}
    absent = [(r.kind, r.name) for r in mounted if (found := seen[r.kind]) is not None and r.name not in found]
    if not absent and None in seen.values():
        absent = _told_absent(pod, cluster)
    words = ", ".join(f'{kind.lower()} "{name}" not found' for kind, name in dict.fromkeys(absent))
    return Symptom(pod, words) if words else None


def _told_absent(pod: pb.Pod, cluster: Cluster) -> list[tuple[str, str]]:
    """Return what events say is absent, without what is there by now."""
    return [
        (kind, name)
        for event in stuck_events(pod, cluster, "FailedMount")
        for kind, name in said_absent(event.message)
        if name not in (names(cluster, kind, pod.metadata.namespace) or ())
    ]


_NO_KEY = re.compile(r"references non-existent (?:config|secret) key: (\S{1,253})")


def missing_key(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod that mounts a key that its ConfigMap or Secret does not have."""
    return by_event(pod, cluster, "FailedMount", _NO_KEY)


_CONFIG_VOLUMES = ("configMap", "secret", "projected")


def node_disk_full(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match ConfigMaps and Secrets that the kubelet cannot write to the node's disk."""
    config = {v.name for v in pod.spec.volumes if any(v.volumeSource.HasField(kind) for kind in _CONFIG_VOLUMES)}
    for event in reversed(stuck_events(pod, cluster, "FailedMount")):
        volume = _VOLUME.search(event.message)
        if volume and volume["volume"] in config and (NO_SPACE in event.message or _disk_is_full(pod, cluster)):
            return Symptom(pod, event.message)
    return None


def _disk_is_full(pod: pb.Pod, cluster: Cluster) -> bool:
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    return node is not None and (under_pressure(node) or bool(tight(node, cluster)))


_VOLUME = re.compile(r'(?:failed|error) for volume "(?P<volume>[^"]{1,253})"')

_ANY_VOLUME = re.compile(r'(?:volume |volumes=\[)"?(?P<volume>[^"\s\],]{1,253})')


def attach_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose volume could not be attached, and was not since, or that waits for one that is not attached."""
    symptom = by_event(pod, cluster, "FailedAttachVolume", _ANY_VOLUME)
    attached = stuck_events(pod, cluster, "SuccessfulAttachVolume") if symptom else []
    if symptom and not any(f'"{symptom.volume}"' in event.message for event in attached):
        return symptom
    waiting = by_event(pod, cluster, "FailedMount", _WAITING)
    unattached = waiting and next((v.name for v in pod.spec.volumes if _is_unattached(pod, v, cluster)), None)
    return replace(waiting, volume=unattached) if waiting and unattached else None


_WAITING = re.compile(f"^{ALL_VOLUMES}")


def _is_unattached(pod: pb.Pod, volume: pb.Volume, cluster: Cluster) -> bool:
    """Return whether the volume's VolumeAttachment says that it is not attached to the pod's node."""
    claim = cluster.claims_by_name.get((pod.metadata.namespace, claim_name(pod, volume)))
    return claim is not None and (claim.spec.volumeName, pod.spec.nodeName) in cluster.derive(_unattached)


def _unattached(cluster: Cluster) -> set[tuple[str, str]]:
    return {(a.spec.source.persistentVolumeName, a.spec.nodeName) for a in cluster.attachments if not a.status.attached}


_NO_CACHE = re.compile(r"failed to sync \w{1,20} cache|object \S{1,600} not registered")
"""What the kubelet says of a ConfigMap or Secret that it has not heard of yet, or no longer watches for the pod."""


def mount_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose volume could not be mounted, for whatever reason is left and does not pass by itself.

    The kubelet tries again what was absent and is there by now, and has often not heard of a ConfigMap at first.
    """
    events = stuck_events(pod, cluster, "FailedMount")
    left = [event for event in events if not said_absent(event.message)]
    for event in reversed(left):
        passes = _NO_CACHE.search(event.message) and max(event.count, event.series.count) <= 1
        summary = _WAITING.match(event.message) and len(left) < len(events)
        volume = _ANY_VOLUME.search(event.message)
        if volume and not passes and not summary:
            return Symptom(pod, event.message, volume=volume["volume"])
    return None
