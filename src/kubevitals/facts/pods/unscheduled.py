"""Pods that have no node: the table's first lines."""

import re

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import is_daemon_elsewhere
from kubevitals.facts.pods.states import STUCK, Symptom
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.inventory.events import first_seen
from kubevitals.objects import condition
from kubevitals.threshold import Threshold

SCALE_UP = Threshold(
    "scheduling.scale-up",
    900,
    "seconds that a new node may take after the cluster autoscaler or Karpenter has asked for one "
    "(max-node-provision-time of the cluster autoscaler)",
)

_ASKED = frozenset({"TriggeredScaleUp", "Nominated"})
"""Reasons of events about a pod for which a node has been asked for: by the cluster autoscaler
(processors/status/eventing_scale_up_processor.go), or by Karpenter and EKS Auto Mode
(pkg/controllers/provisioning/scheduling/events.go)."""

_NOT_ADDED = "FailedScaleUp"
"""The reason of an event about a pod whose node the cloud does not give (GKE's cluster autoscaler)."""

_AT_LIMIT = re.compile(r"max node group size reached|max cluster .{1,60} limit reached|exceed limits for nodepool")
"""What an autoscaler says of a pod that would have a new node, were it not for the autoscaler's own limit: the cluster
autoscaler (core/scaleup/orchestrator/skippedreasons.go, rejectedreasons.go), Karpenter
(pkg/controllers/provisioning/scheduling/scheduler.go)."""

_SAYS_WHY_NOT = frozenset({"NotTriggerScaleUp", "FailedScheduling"})
"""Reasons of events by which these say so; Karpenter's is that of kube-scheduler."""

DEFAULT_SCHEDULER = "default-scheduler"

FARGATE = "fargate-scheduler"
"""EKS' scheduler, which has AWS Fargate make a node for each pod."""

SELECTED_NODE = "volume.kubernetes.io/selected-node"
"""The annotation by which the scheduler tells a provisioner where a volume is needed."""


def unschedulable(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod for which a scheduler has found no node, and for which none is on its way.

    What schedulers want that are no kube-scheduler is not known: a queue may wait on purpose.
    """
    scheduled = condition(pod, "PodScheduled")
    waits = (
        scheduled is not None
        and scheduled.status == "False"
        and scheduled.reason == "Unschedulable"
        and cluster.over(scheduled.lastTransitionTime, STUCK)
        and _has_told(pod, scheduled.message)
    )
    if (
        not waits
        or not scheduled
        or is_nominated(pod, cluster)
        or awaits_node(pod, cluster)
        or is_daemon_elsewhere(pod, cluster)
    ):
        return None
    return Symptom(pod, scheduled.message)


def unassigned(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod at which no scheduler has looked. While a volume is provisioned, one has."""
    no_word = not pod.spec.nodeName and pod.status.phase == "Pending" and condition(pod, "PodScheduled") is None
    if not no_word or not cluster.over(pod.metadata.creationTimestamp, STUCK):
        return None
    return None if is_nominated(pod, cluster) or _waits(pod, cluster) else Symptom(pod, "")


def _waits(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the scheduler has chosen a node for a claim of the pod, and waits for its volume."""
    claims = (cluster.claims_by_name.get((pod.metadata.namespace, name)) for name in claim_names(pod))
    return any(claim and SELECTED_NODE in claim.metadata.annotations for claim in claims)


_OF_NODES = re.compile(r"\d{1,9}/\d{1,9} nodes are available: ")
"""How the messages begin of every profile of kube-scheduler, such as GKE's gke.io/optimize-utilization-scheduler
(kubernetes pkg/scheduler/framework/types.go)."""


def _has_told(pod: pb.Pod, message: str) -> bool:
    """Return whether the scheduler of a pod has said what is wrong, as Fargate's does: it has no queue."""
    return _by_default_scheduler(pod) or bool(_OF_NODES.match(message)) or (not judges_nodes(pod) and bool(message))


def is_nominated(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a scheduler has chosen a node for the pod less than `scheduling.scale-up` ago.

    It waits for room there, or for the machine. A node that never gets room stays chosen forever
    (kubernetes/kubernetes issues 95752, 106780).
    """
    scheduled = condition(pod, "PodScheduled")
    since = scheduled.lastTransitionTime if scheduled else pod.metadata.creationTimestamp
    return bool(pod.status.nominatedNodeName) and not cluster.over(since, SCALE_UP)


def judges_nodes(pod: pb.Pod) -> bool:
    """Return whether the scheduler of a pod chooses among the nodes as kube-scheduler does."""
    return pod.spec.schedulerName != FARGATE


def _by_default_scheduler(pod: pb.Pod) -> bool:
    return pod.spec.schedulerName in ("", DEFAULT_SCHEDULER)


def can_wait(pod: pb.Pod) -> bool:
    """Return whether a pod without a node does no harm: its negative priority lets every other pod take its place.

    So do pods that keep spare capacity free (kubernetes/autoscaler cluster-autoscaler/FAQ.md, overprovisioning).
    """
    return pod.spec.priority < 0 and not pod.spec.nodeName


def awaits_node(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a node is on its way: it was first asked for lately, and has not been refused since.

    If it never comes, others are asked for repeatedly.
    """
    asked = [event for event in cluster.events(pod) if event.reason in _ASKED]
    if not asked or refusal_of_node(pod, cluster):
        return False
    return not cluster.over(pb.Time(seconds=min(map(first_seen, asked))), SCALE_UP)


def refusal_of_node(pod: pb.Pod, cluster: Cluster) -> str:
    """Return why the cloud gave no node when one was last asked for, or nothing."""
    answers = [event for event in cluster.events(pod) if event.reason in {*_ASKED, _NOT_ADDED}]
    return answers[-1].message if answers and answers[-1].reason == _NOT_ADDED else ""


def is_at_limit(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the autoscaler adds no node for the pod because of its own limit, and has asked for none since."""
    events = cluster.events(pod)
    told = [e for e in events if e.reason in _ASKED or (e.reason in _SAYS_WHY_NOT and _AT_LIMIT.search(e.message))]
    return bool(told) and told[-1].reason not in _ASKED
