"""Which pods each PodDisruptionBudget is about."""

from collections import defaultdict
from collections.abc import Iterator, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_finished, ref

_ANY = ("", "")
"""Stands for the labels of a selector that requires none by its matchLabels."""

_Index = Mapping[tuple[str, tuple[str, str]], list[pb.PodDisruptionBudget]]


def budgets_of(cluster: Cluster) -> Mapping[Ref, list[pb.PodDisruptionBudget]]:
    """Return the budgets that select each unfinished pod, for pods that a budget selects."""
    index = _by_label(cluster)
    found = {
        ref(pod): [budget for budget in _candidates(pod, index) if selects(budget.spec.selector, pod.metadata.labels)]
        for pod in cluster.pods
        if not is_finished(pod) and not pod.metadata.HasField("deletionTimestamp")
    }
    return {pod: budgets for pod, budgets in found.items() if budgets}


def pods_of(cluster: Cluster) -> Mapping[Ref, list[Ref]]:
    """Return the pods that each budget selects."""
    pods: dict[Ref, list[Ref]] = defaultdict(list)
    for pod, budgets in cluster.derive(budgets_of).items():
        for budget in budgets:
            pods[ref(budget)].append(pod)
    return pods


def _by_label(cluster: Cluster) -> _Index:
    """Return the budgets by namespace and by one label that their pods must have; without a selector none is chosen."""
    index: dict[tuple[str, tuple[str, str]], list[pb.PodDisruptionBudget]] = defaultdict(list)
    for budget in cluster.disruption_budgets:
        if budget.spec.HasField("selector"):
            label = min(budget.spec.selector.matchLabels.items(), default=_ANY)
            index[budget.metadata.namespace, label].append(budget)
    return index


def _candidates(pod: pb.Pod, index: _Index) -> Iterator[pb.PodDisruptionBudget]:
    for label in (_ANY, *pod.metadata.labels.items()):
        yield from index.get((pod.metadata.namespace, label), ())
