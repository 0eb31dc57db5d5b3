"""Which pods each PodDisruptionBudget is about."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, controller, is_finished, ref

_ANY = ("", "")
"""Stands for the labels of a selector that requires none by its matchLabels."""

_BUILT_IN = frozenset({"ReplicaSet", "ReplicationController", "StatefulSet", "DaemonSet", "Job", "Node"})
"""Kinds that control pods and are Kubernetes' own."""

_Index = Mapping[tuple[str, tuple[str, str]], list[pb.PodDisruptionBudget]]


class Selected(NamedTuple):
    """Unfinished pods with equal labels, and the budgets that select them."""

    pods: list[pb.Pod]
    budgets: list[pb.PodDisruptionBudget]


def selected(cluster: Cluster) -> list[Selected]:
    """Return the unfinished pods that some budget selects, with all their budgets."""
    index = _by_label(cluster)
    found = []
    for alike in cluster.alike_pods:
        labels = alike[0].metadata.labels
        if budgets := [each for each in _candidates(alike[0], index) if selects(each.spec.selector, labels)]:
            pods = [pod for pod in alike if not is_finished(pod) and not pod.metadata.HasField("deletionTimestamp")]
            found += [Selected(pods, budgets)] if pods else []
    return found


def pods_of(cluster: Cluster) -> Mapping[Ref, list[pb.Pod]]:
    """Return the unfinished pods that each budget selects."""
    found: dict[Ref, list[pb.Pod]] = defaultdict(list)
    for pods, budgets in cluster.derive(selected):
        for budget in budgets:
            found[ref(budget)] += pods
    return found


def operator_of(budget: pb.PodDisruptionBudget, cluster: Cluster) -> Ref | None:
    """Return the object for which an operator keeps a budget: the budget's controller, or that of its only pod.

    Longhorn's budgets have no owner, and each has one pod of an InstanceManager (longhorn/longhorn-manager
    controller/instance_manager_controller.go).
    """
    if owner := controller(budget):
        return owner
    pods = cluster.derive(pods_of).get(ref(budget), [])
    maker = controller(pods[0]) if len(pods) == 1 else None
    return maker if maker and maker.kind not in _BUILT_IN else None


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
