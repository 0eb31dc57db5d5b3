"""Pods that their kubelet rejects before a container starts, one after the other, and what helps."""

import re
from collections import defaultdict

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.recreations import recreations
from kubevitals.facts.pods.restarts import RECENT, RESTARTS
from kubevitals.facts.pods.states import STUCK
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, controller, is_finished, ref, statuses
from kubevitals.text import duration

_PASSING = frozenset({"Evicted", "NodeShutdown", "Terminated"})
"""Reasons of failed pods that others explain, or that pass with the node (pkg/kubelet/eviction, nodeshutdown)."""

_REMEDIES = (
    (r"SysctlForbidden", "leave the sysctl out, or allow it in the kubelet's configuration (allowedUnsafeSysctls)"),
    (r"OutOf\w", "lower what the pod requests, and let the scheduler choose its node: do not set nodeName"),
    (
        r"UnexpectedAdmissionError.{0,40}Allocate failed",
        "look at the pod of the device plugin on node NODE, and at the device itself: the node lists devices that it "
        "cannot give",
    ),
    (
        r"Evicted: .{0,60}resource: pids",
        "find what starts so many processes on node NODE, and limit pods (podPidsLimit)",
    ),
    (r"TopologyAffinityError", "request no more than one NUMA node has, or relax the kubelet's topologyManagerPolicy"),
    (r"^AppArmor\b", "load the profile on node NODE, choose nodes that have AppArmor, or correct appArmorProfile"),
    (
        r"PodFeatureUnsupported|PodLevelResourcesNotSupported",
        "update the kubelet of node NODE, choose nodes that have the feature, or leave it out of the pod",
    ),
    (
        r"VolumeAttachmentLimitExceeded",
        "move other pods with volumes off node NODE, or use machines that can attach more",
    ),
    (r"NodeAffinity|PodOS", "correct nodeSelector, node affinity and os of the pod, or the labels of node NODE"),
)
"""Reasons and messages of a rejection, with the remedy (kubernetes pkg/kubelet/lifecycle/predicate.go,
handlers.go, sysctl, cm)."""


def rejection_remedy(pod: pb.Pod) -> str:
    """Return what helps against the rejection of a pod."""
    words = f"{pod.status.reason}: {pod.status.message}"
    known = (remedy for pattern, remedy in _REMEDIES if re.match(pattern, words))
    remedy = next(known, "correct what the message names (resources, sysctls, the choice of the node)")
    return remedy.replace("NODE", pod.spec.nodeName)


def is_rejected(pod: pb.Pod) -> bool:
    """Return whether the kubelet rejected the pod for a reason that does not pass with its node."""
    if pod.status.phase != "Failed" or pod.status.reason in ("", *_PASSING):
        return False
    return not any(status.state.HasField(state) for status in statuses(pod) for state in ("running", "terminated"))


def rejected_like_others(pod: pb.Pod, cluster: Cluster) -> str:
    """Return how many new pods of the pod's controller are rejected, if it is the newest, and none was admitted since.

    The controller replaces a pod at once, so that a rejection matters only if it lasts: at least `pod.restarts` pods
    created within `pod.recent`, over at least `pod.stuck`. Pods of a node that restarts were created long before. Of
    a DaemonSet or a StatefulSet only one is there at a time.
    """
    if count := cluster.derive(_newest_rejected).get(ref(pod), 0):
        return f"{count} pods of its controller within {duration(cluster.limit(RECENT))}"
    by = controller(pod) if is_rejected(pod) else None
    recreated = cluster.derive(recreations).get(by, 0) if by else 0
    return f"its controller has recreated it {recreated} times" if recreated else ""


def _newest_rejected(cluster: Cluster) -> dict[Ref, int]:
    rejected: dict[Ref, list[pb.Pod]] = defaultdict(list)
    for pod in filter(is_rejected, cluster.pods):
        if (by := controller(pod)) and not cluster.over(pod.metadata.creationTimestamp, RECENT):
            rejected[by].append(pod)
    admitted_at: dict[Ref, int] = defaultdict(int)
    for pod in cluster.pods if rejected else ():
        by = controller(pod)
        if by in rejected and not is_finished(pod) and pod.status.containerStatuses:
            admitted_at[by] = max(admitted_at[by], _created(pod))
    newest = {by: max(pods, key=_created) for by, pods in rejected.items()}
    return {
        ref(newest[by]): len(pods)
        for by, pods in rejected.items()
        if len(pods) >= cluster.limit(RESTARTS)
        and _created(newest[by]) - min(map(_created, pods)) >= cluster.limit(STUCK)
        and admitted_at[by] <= _created(newest[by])
    }


def _created(pod: pb.Pod) -> int:
    return pod.metadata.creationTimestamp.seconds
