"""A workload has fewer available replicas than it asks for.

Meaning:
    A Deployment, StatefulSet, DaemonSet or ReplicaSet is short of replicas, its rollout has stopped, or its
    controller does not act on it. This is the net under all other causes: where another check says why, that is the
    root cause, and this finding is its symptom, which says how many replicas are missing. A new pod has time to
    become ready (`workload.start`), so that rollouts and scale-ups pass.

Impact:
    The workload has less capacity than its owner asked for, or none. A rollout that has stopped leaves the old version
    running.

Diagnosis:
    `kubectl describe` of the workload shows its conditions and events. `kubectl describe pod` and `kubectl logs` of the
    pods that are not ready show what they wait for.

Mitigation:
    Remove what the pods wait for, or undo the change that broke them (`kubectl rollout undo`).
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.unscheduled import can_wait
from kubevitals.facts.workloads.outdated import remedy_for
from kubevitals.facts.workloads.pod_states import is_gated, state_of
from kubevitals.facts.workloads.replicas import (
    counts,
    deployments,
    is_stalled,
    pods_by_owner,
    workloads,
)
from kubevitals.facts.workloads.shortage import Shortage, lasting_shortages, shortage_of
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import current_log_command, event_lines
from kubevitals.findings.explains import ANY, CONCERNED, EVERYWHERE, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Replicas, Severity
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.objects import Ref, condition, is_ready, ref, turned_at
from kubevitals.text import duration, plural
from kubevitals.threshold import Threshold

UNAVAILABLE = ("workload-unavailable",)

EXPLAINS = (
    Explains((ANY,), IN_WORKLOAD, UNAVAILABLE),
    Explains(("node-ready", "cni-daemonset"), CONCERNED, UNAVAILABLE),
    Explains(("control-plane[controller-manager-stalled]",), EVERYWHERE, ("workload-unavailable[not-acted-on]",)),
)

UNOBSERVED = Threshold(
    "workload.unobserved", 900, "seconds for which a controller may not have looked at a new workload; it takes seconds"
)

SHOWN = 5
"""Pods that the evidence shows."""

KEPT = 50
"""Pods that a finding concerns, with their claims and nodes."""


def replicas_missing(cluster: Cluster) -> Iterator[Finding]:
    """Find workloads with pods that are not ready past `workload.start`, or that their controller fails to create."""
    for shortage in lasting_shortages(cluster):
        if not is_stalled(shortage.workload):
            yield _finding(shortage, f"has {_available(shortage)} available: {_why(shortage)}", cluster)


def rollout_stalled(cluster: Cluster) -> Iterator[Finding]:
    """Find Deployments whose rollout has made no progress within progressDeadlineSeconds, by their own condition."""
    for deployment in deployments(cluster):
        if is_stalled(deployment):
            shortage = shortage_of(deployment, cluster) or _old_pods_serve(deployment, cluster)
            limit = duration(deployment.spec.progressDeadlineSeconds)
            says = f"has {_available(shortage)} available, and its rollout has made no progress for {limit}"
            yield _finding(shortage, f"{says}: {_why(shortage)}", cluster)


def not_acted_on(cluster: Cluster) -> Iterator[Finding]:
    """Find new workloads that no controller has looked at past `workload.unobserved`."""
    for workload in workloads(cluster):
        created = workload.metadata.creationTimestamp
        if not workload.status.observedGeneration and cluster.over(created, UNOBSERVED):
            yield Finding(
                ref(workload),
                says="has no pods: its controller has not looked at it since it was created",
                remedy="see whether kube-controller-manager runs, and what its log says about this object",
                evidence=event_lines(workload, cluster),
                replicas=Replicas(counts(workload).desired, counts(workload).desired),
                since=created.seconds,
            )


def _old_pods_serve(deployment: pb.Deployment, cluster: Cluster) -> Shortage:
    """Return the pods of a rollout that is stuck, although as many pods as desired are available."""
    pods = [pod for pod in cluster.derive(pods_by_owner).get(ref(deployment), ()) if not is_ready(pod)]
    return Shortage(deployment, deployment.spec.replicas, 0, pods, 0, lasts=True)


def _finding(shortage: Shortage, says: str, cluster: Cluster) -> Finding:
    workload, pods = shortage.workload, shortage.pods
    return Finding(
        ref(workload),
        says=says,
        remedy=remedy_for(pods[0], _remedy(shortage), cluster) if pods else _remedy(shortage),
        evidence=_lines(shortage, cluster),
        severity=Severity.WARNING if pods and all(map(_waits_on_purpose, pods)) else Severity.ERROR,
        concerns=tuple(_concerns(pods[:KEPT])),
        replicas=Replicas(shortage.missing, shortage.desired) if shortage.missing else None,
        since=min((turned_at(pod).seconds for pod in pods), default=0),
    )


def _waits_on_purpose(pod: pb.Pod) -> bool:
    return is_gated(pod) or can_wait(pod)


def _available(shortage: Shortage) -> str:
    noun = "pod" if isinstance(shortage.workload, pb.DaemonSet) else "replica"
    return f"{shortage.desired - shortage.missing} of {plural(shortage.desired, noun)}"


def _why(shortage: Shortage) -> str:
    """Return what the pods wait for, the most frequent first."""
    states = Counter(state_of(pod).words for pod in shortage.pods)
    told = [f"{words} ({plural(count, 'pod')})" for words, count in states.most_common()]
    told += [f"{plural(shortage.absent, 'pod')} not created"] if shortage.absent else []
    told += [f"a failed pod was recreated {shortage.recreated} times"] if shortage.recreated else []
    return ", ".join(told) or "its pods are not ready"


def _remedy(shortage: Shortage) -> str:
    if not shortage.pods:
        return "see why its pods are not created: in the workload's events, and in kube-controller-manager's log"
    first = shortage.pods[0]
    if is_gated(first):
        return (
            "see which controller removes the schedulingGates of the pods (queues such as Kueue), and what it waits for"
        )
    state = state_of(first)
    if not state.container:
        return f"see what keeps the pods from running: {ref(first).kubectl('describe')}"
    return f"see what container {state.container} waits for: {current_log_command(first, state.container)}"


def _lines(shortage: Shortage, cluster: Cluster) -> Iterator[str]:
    if isinstance(shortage.workload, pb.Deployment | pb.ReplicaSet):
        for c in shortage.workload.status.conditions:
            yield f"condition {c.type}={c.status} ({c.reason}): {c.message}"
    for pod in shortage.pods[:SHOWN]:
        scheduled = condition(pod, "PodScheduled")
        why = f": {scheduled.message}" if scheduled and scheduled.message else ""
        yield f"{ref(pod)}: {state_of(pod).words}, for {duration(cluster.age(turned_at(pod)))}{why}"
    yield from event_lines(shortage.workload, cluster)


def _concerns(pods: Sequence[pb.Pod]) -> Iterator[Ref]:
    """Yield the pods, then their claims, then their nodes: what explains a pod is more specific than its node."""
    yield from map(ref, pods)
    yield from (Ref("PersistentVolumeClaim", pod.metadata.namespace, name) for pod in pods for name in claim_names(pod))
    yield from {Ref("Node", "", pod.spec.nodeName): None for pod in pods if pod.spec.nodeName}


@check(replicas_missing, rollout_stalled, not_acted_on, chapter="5.6")
def test_workloads_have_their_replicas() -> None:
    """Every workload has as many available replicas as it asks for."""
