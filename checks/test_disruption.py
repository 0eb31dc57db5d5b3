"""A PodDisruptionBudget allows no eviction, so that nodes cannot be drained.

Meaning:
    A PodDisruptionBudget (PDB) limits how many of its pods may be evicted at a time. It may allow none because too few
    pods are healthy, because of its own numbers, or because two budgets select the same pod. Operators of databases and
    virtual machines keep such budgets on purpose, over the one pod that they move themselves when its node is drained:
    these are reported, as a warning, only while such a node is cordoned.

Impact:
    `kubectl drain` waits without end, and so do upgrades of nodes and the cluster autoscaler.

Diagnosis:
    `kubectl get pdb -A` shows in ALLOWED DISRUPTIONS how many pods may be evicted now.

Mitigation:
    Bring the unhealthy pods back, run more replicas than the budget demands, or lower minAvailable. If two budgets
    select a pod, delete one or make its selector narrower.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.lifecycle import CLUSTER_API, REMOVED
from kubevitals.facts.pods.budgets import operator_of, pods_of, selected
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import BROKEN_PODS, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_ready, ref
from kubevitals.text import clean, plural
from kubevitals.threshold import Threshold

EXPLAINS = (Explains((*BROKEN_PODS, "scheduling"), IN_WORKLOAD, ("disruption[blocked]",)),)

LASTING = Threshold(
    "disruption.lasting",
    900,
    "seconds for which a budget may allow no eviction: a drain or a rollout uses it up for minutes",
)

NAMED = 10
"""Pods of a budget that are named."""


def blocked(cluster: Cluster) -> Iterator[Finding]:
    """Find budgets that have allowed no eviction for longer than `disruption.lasting`, as too few pods are healthy."""
    for budget in _exhausted(cluster):
        if not _is_impossible(budget):
            yield _finding(budget, _too_few(budget), "bring its pods back: they say why they are not ready", cluster)


def never(cluster: Cluster) -> Iterator[Finding]:
    """Find budgets that allow no eviction even if all their pods are healthy.

    CloudNativePG and the Postgres operator keep one for the primary, KubeVirt one for each virtual machine, and
    Longhorn one for each node (cloudnative-pg/cloudnative-pg#6307, zalando/postgres-operator#384, kubevirt/kubevirt
    disruptionbudget.go, longhorn/longhorn-manager instance_manager_controller.go).
    """
    for budget in filter(_is_impossible, _exhausted(cluster)):
        if (operator := operator_of(budget, cluster)) is None:
            remedy = "run more replicas than it demands, or lower what it demands"
            yield _finding(budget, _demand(budget), remedy, cluster)
        elif _demands_all(budget, cluster):
            remedy = (
                f"see whether {operator} misses a pod, and what its operator reports: {operator.kubectl('describe')}"
            )
            yield replace(_finding(budget, _demand(budget), remedy, cluster), severity=Severity.WARNING)
        elif _drained(cluster.derive(pods_of).get(ref(budget), []), cluster):
            remedy = f"see whether the operator of {operator} moves the pod by itself: {operator.kubectl('describe')}"
            found = _finding(budget, _demand(budget), remedy, cluster)
            yield replace(found, severity=Severity.WARNING, concerns=(operator, *found.concerns))


def _exhausted(cluster: Cluster) -> Iterator[pb.PodDisruptionBudget]:
    """Yield the budgets with pods that have allowed no eviction for long, and whose status is up to date.

    Of two budgets over one pod the controller follows the pod for one only, so that the other one's status is old
    (kubernetes/kubernetes pkg/controller/disruption/disruption.go getPdbForPod); `overlapping` finds these.
    """
    for budget in cluster.disruption_budgets:
        status, since = budget.status, _since(budget)
        is_current = status.observedGeneration >= budget.metadata.generation
        if is_current and status.expectedPods and not status.disruptionsAllowed and since:
            is_followed = cluster.over(since, LASTING) and ref(budget) not in cluster.derive(_sharing)
            yield from [budget] if is_followed else []


def _sharing(cluster: Cluster) -> frozenset[Ref]:
    """Return the budgets that have a pod in common with another one."""
    shared = (budgets for _, budgets in cluster.derive(selected) if len(budgets) > 1)
    return frozenset(ref(budget) for budgets in shared for budget in budgets)


def _since(budget: pb.PodDisruptionBudget) -> pb.Time | None:
    """Return since when a budget allows no eviction."""
    return next(
        (
            c.lastTransitionTime
            for c in budget.status.conditions
            if c.type == "DisruptionAllowed" and c.status == "False"
        ),
        None,
    )


def _is_impossible(budget: pb.PodDisruptionBudget) -> bool:
    return budget.status.desiredHealthy >= budget.status.expectedPods and not _failure(budget)


def _demands_all(budget: pb.PodDisruptionBudget, cluster: Cluster) -> bool:
    """Return whether a budget demands as many of several pods as there have been for long, as minAvailable.

    KubeVirt adds a pod while it moves a virtual machine, and demands both meanwhile. Any other operator demands one pod
    less than it runs. If it demands all, one is missing, or it holds evictions back until data is replicated
    (strimzi/strimzi-kafka-operator PodDisruptionBudgetUtils.java, elastic.co/docs: ECK, PDB).
    """
    pods = cluster.derive(pods_of).get(ref(budget), [])
    are_old = all(cluster.over(pod.metadata.creationTimestamp, LASTING) for pod in pods)
    return budget.spec.HasField("minAvailable") and budget.status.expectedPods > 1 and are_old


def _failure(budget: pb.PodDisruptionBudget) -> str:
    """Return why the controller cannot compute a budget."""
    return next((clean(c.message) for c in budget.status.conditions if c.reason == "SyncFailed"), "")


def _too_few(budget: pb.PodDisruptionBudget) -> str:
    status = budget.status
    healthy = f"{status.currentHealthy} of {plural(status.expectedPods, 'pod')} are healthy"
    return _failure(budget) or f"{healthy}, and it demands {status.desiredHealthy}"


def _demand(budget: pb.PodDisruptionBudget) -> str:
    field = "maxUnavailable" if budget.spec.HasField("maxUnavailable") else "minAvailable"
    number, count = getattr(budget.spec, field), budget.status.expectedPods
    value = clean(number.strVal, 20) if number.type else number.intVal
    return f"{field} is {value}, and there {'is' if count == 1 else 'are'} {plural(count, 'pod')}"


def overlapping(cluster: Cluster) -> Iterator[Finding]:
    """Find pairs of budgets that select the same pod: the API server evicts no such pod."""
    groups: dict[tuple[Ref, ...], list[pb.Pod]] = defaultdict(list)
    for pods, budgets in cluster.derive(selected):
        if len(budgets) > 1:
            groups[tuple(sorted(map(ref, budgets)))] += pods
    for (first, *others), pods in groups.items():
        names, named = ", ".join(other.name for other in others), [ref(pod) for pod in pods[:NAMED]]
        drained = _drained(pods, cluster)
        yield Finding(
            first,
            says=f"selects the same {plural(len(pods), 'pod')} as {names}: no pod with two budgets can be evicted"
            f"{drained}",
            remedy="delete one of the budgets, or make its selector narrower",
            evidence=[f"selected by both: {pod}" for pod in named],
            severity=Severity.ERROR if drained else Severity.WARNING,
            concerns=(*others, *named),
            part=names,
        )


def _finding(budget: pb.PodDisruptionBudget, why: str, remedy: str, cluster: Cluster) -> Finding:
    pods = cluster.derive(pods_of).get(ref(budget), [])
    drained, since = _drained(pods, cluster), _since(budget)
    unready = [ref(pod) for pod in pods if not is_ready(pod)][:NAMED]
    return Finding(
        ref(budget),
        says=f"allows no eviction: {why}{drained}",
        remedy=remedy,
        evidence=[f"not ready: {pod}" for pod in unready],
        severity=Severity.ERROR if drained else Severity.WARNING,
        concerns=tuple(unready),
        since=since.seconds if since else 0,
    )


def _drained(pods: list[pb.Pod], cluster: Cluster) -> str:
    """Return that a node with one of the pods is to be drained, as a clause; nothing if none is, or it is not known."""
    try:
        leaving = cluster.derive(_leaving_nodes)
    except NotObserved:
        return ""
    node = next((pod.spec.nodeName for pod in pods if pod.spec.nodeName in leaving), "")
    return f"; node {node} is cordoned and cannot be drained" if node else ""


def _leaving_nodes(cluster: Cluster) -> frozenset[str]:
    """Return the names of the nodes that are cordoned or being removed."""
    return frozenset(node.metadata.name for node in cluster.nodes if _is_leaving(node))


def _is_leaving(node: pb.Node) -> bool:
    return node.spec.unschedulable or any(t.key in REMOVED or CLUSTER_API in t.key for t in node.spec.taints)


@check(blocked, never, overlapping, chapter="6.3")
def test_pods_can_be_evicted() -> None:
    """Every PodDisruptionBudget allows evictions."""
