"""Pods that are still being created: the table's lines about sandboxes and volumes."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import is_arriving
from kubevitals.facts.pods import sandbox_errors
from kubevitals.facts.pods.memory_limits import is_too_small
from kubevitals.facts.pods.no_space import NO_SPACE, full_disks
from kubevitals.facts.pods.references import (
    Reference,
    complete_names,
    is_missing,
    reported_missing,
    volume_references,
)
from kubevitals.facts.pods.states import (
    ALL_VOLUMES,
    BUSY,
    CONTAINER_EVENTS,
    MOUNT_FAILURES,
    SANDBOX_FAILURE,
    STUCK,
    Symptom,
    by_event,
    is_stuck,
    latest_of,
    stuck_events,
)
from kubevitals.inventory.cluster import Cluster, claim_name
from kubevitals.inventory.events import last_seen
from kubevitals.objects import Ref, condition, is_ready, node_condition


def _has_no_sandbox(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has been on its node without a sandbox for longer than `pod.stuck`.

    After a reboot of the node it may be a pod that ran before. A node that has just joined and is not ready has no CNI
    yet, which is not a fault.
    """
    node = cluster.nodes_by_name.get(pod.spec.nodeName)
    if node and not is_ready(node) and is_arriving(node, cluster):
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
    """Return why the pod has no sandbox: what its node's Ready condition says, else the latest event.

    An earlier message that the table knows wins over a later one that it does not: runtimes word one cause in many
    ways. A Normal SandboxChanged event follows each failure. Where a plugin is gone, only that one is repeated: the
    failure is reported once, and its event expires. A controller that assigns addresses knows more than the runtime.
    """
    node = None if pod.spec.hostNetwork else cluster.nodes_by_name.get(pod.spec.nodeName)
    ready = node and node_condition(node, "Ready")
    if ready and ready.status == "False" and _NO_NETWORK in ready.message:
        return ready.message
    events = cluster.events(pod)
    created = latest_of(events, CONTAINER_EVENTS)
    failures = [e for e in events if e.reason in sandbox_errors.REPORTED_BY and last_seen(e) >= created]
    failures.sort(key=lambda event: event.reason != SANDBOX_FAILURE)
    latest = [event for event in events[-1:] if event.reason == "SandboxChanged"]
    messages = [event.message for event in reversed(failures or latest)]
    return next(filter(sandbox_errors.is_known, messages), messages[0] if messages else "")


def sandbox_line(variant: str) -> Callable[[pb.Pod, Cluster], Symptom | None]:
    """Return the line of a pod sandbox that could not be created, for one variant of ip-allocation."""

    def line(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
        words = _sandbox_words(pod, cluster) if _has_no_sandbox(pod, cluster) else ""
        error = None if is_too_small(words, pod) else sandbox_errors.explain(words)
        return Symptom(pod, words) if error and error.variant == variant else None

    return line


def missing_object(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod that mounts a ConfigMap or Secret that does not exist."""
    if not is_stuck(pod, cluster):
        return None
    namespace, mounted = pod.metadata.namespace, list(volume_references(pod.spec))
    listed = {reference.kind: complete_names(cluster, reference.kind, namespace) for reference in mounted}
    missing = [Ref(r.kind, namespace, r.name) for r in mounted if _is_unlisted(r, listed[r.kind])]
    if not missing and None in listed.values():
        missing = list(_reported_missing(pod, cluster))
    return Symptom(pod, missing=tuple(dict.fromkeys(missing))) if missing else None


def _is_unlisted(reference: Reference, listed: frozenset[str] | None) -> bool:
    return listed is not None and reference.name not in listed


def _reported_missing(pod: pb.Pod, cluster: Cluster) -> Iterator[Ref]:
    """Yield what does not exist according to events, except what has been created since."""
    for event in stuck_events(pod, cluster, *MOUNT_FAILURES):
        for missing in reported_missing(event.message, pod.metadata.namespace):
            if is_missing(missing, cluster):
                yield missing


_NO_KEY = re.compile(r"references non-existent (?:config|secret) key: (?P<key>[\w.-]{1,253})")


def missing_key(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod that mounts a key which its ConfigMap or Secret does not have."""
    return by_event(pod, cluster, _NO_KEY, *MOUNT_FAILURES)


_CONFIG_VOLUMES = ("configMap", "secret", "projected", "downwardAPI")


def _config_volumes(pod: pb.Pod) -> set[str]:
    """Return the names of the pod's volumes that the kubelet itself fills with files."""
    return {v.name for v in pod.spec.volumes if any(v.volumeSource.HasField(kind) for kind in _CONFIG_VOLUMES)}


def node_disk_full(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose ConfigMaps or Secrets the kubelet cannot write to the node's disk."""
    config = _config_volumes(pod)
    for event in reversed(stuck_events(pod, cluster, *MOUNT_FAILURES)):
        volume = _VOLUME.search(event.message)
        if volume and volume["volume"] in config and (NO_SPACE in event.message or _disk_is_full(pod, cluster)):
            return Symptom(pod, event.message)
    return None


def _disk_is_full(pod: pb.Pod, cluster: Cluster) -> bool:
    return cluster.derive(full_disks).get(pod.spec.nodeName, False)


_VOLUME = re.compile(r'(?:failed|error|detach) for volume "(?P<volume>[^"]{1,253})"')

_ANY_VOLUME = re.compile(r'(?:volume |volumes=\[)"?(?P<volume>[^"\s\],]{1,253})')


def attach_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose volume could not be attached and still is not, or that waits for one that is not attached."""
    symptom = by_event(pod, cluster, _ANY_VOLUME, "FailedAttachVolume")
    attached = stuck_events(pod, cluster, "SuccessfulAttachVolume") if symptom else []
    if symptom and not any(f'"{symptom.volume}"' in event.message for event in attached):
        return symptom
    waiting = by_event(pod, cluster, _WAITING, *MOUNT_FAILURES)
    unattached = waiting and next((v.name for v in pod.spec.volumes if _is_unattached(pod, v, cluster)), None)
    return replace(waiting, volume=unattached) if waiting and unattached else None


_WAITING = re.compile(f"^{ALL_VOLUMES}")


def _is_unattached(pod: pb.Pod, volume: pb.Volume, cluster: Cluster) -> bool:
    """Return whether the volume's VolumeAttachment reports that it is not attached to the pod's node."""
    claim = cluster.claims_by_name.get((pod.metadata.namespace, claim_name(pod, volume)))
    return claim is not None and (claim.spec.volumeName, pod.spec.nodeName) in cluster.derive(_unattached)


def _unattached(cluster: Cluster) -> set[tuple[str, str]]:
    return {(a.spec.source.persistentVolumeName, a.spec.nodeName) for a in cluster.attachments if not a.status.attached}


_NO_CACHE = re.compile(r"failed to sync \w{1,20} cache|object \S{1,600} not registered")
"""What the kubelet says about a ConfigMap or Secret that it does not know yet, or no longer watches for the pod."""


_SAYS_LITTLE = re.compile(f"^{ALL_VOLUMES}|{BUSY}")
"""What the kubelet and drivers repeat while the reason is in an earlier event."""


def setup_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose ConfigMap, Secret, downwardAPI or projected volume cannot be set up for any other reason."""
    config = _config_volumes(pod)
    return next((symptom for symptom in _unmounted(pod, cluster) if symptom.volume in config), None)


def mount_failed(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose volume of a claim, a CSI driver or the node cannot be mounted for any other reason."""
    config = _config_volumes(pod)
    return next((symptom for symptom in _unmounted(pod, cluster) if symptom.volume not in config), None)


def _unmounted(pod: pb.Pod, cluster: Cluster) -> Iterator[Symptom]:
    """Yield the failures to mount a volume that do not pass by themselves, the latest first.

    The kubelet retries what was missing and exists by now, and often does not know a ConfigMap at first.
    """
    events = stuck_events(pod, cluster, *MOUNT_FAILURES)
    others = [event for event in events if not reported_missing(event.message, pod.metadata.namespace)]
    others.sort(key=lambda event: not _SAYS_LITTLE.search(event.message))
    for event in reversed(others):
        passes = _NO_CACHE.search(event.message) and max(event.count, event.series.count) <= 1
        is_summary = _WAITING.match(event.message) and len(others) < len(events)
        volume = _ANY_VOLUME.search(event.message)
        if volume and not passes and not is_summary:
            yield Symptom(pod, event.message, volume=volume["volume"])
