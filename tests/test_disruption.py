"""PodDisruptionBudgets: those that allow no eviction, and those that only look so."""

from typing import Any

import pytest

from checks.test_disruption import blocked, never, overlapping
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from tests.fakes import CREATED, ago, cluster_of

WEB = {"app": "web"}


def budget(
    healthy: int = 2, demanded: int = 2, pods: int = 3, *, allowed: int = 0, since: int = 3600, name: str = "web"
) -> pb.PodDisruptionBudget:
    made = pb.PodDisruptionBudget(metadata=pb.ObjectMeta(name=name, namespace="shop", generation=1))
    made.spec.selector.matchLabels.update(WEB)
    made.spec.minAvailable.intVal = demanded
    status = made.status
    status.currentHealthy, status.desiredHealthy, status.expectedPods = healthy, demanded, pods
    status.disruptionsAllowed, status.observedGeneration = allowed, 1
    status.conditions.add(
        type="DisruptionAllowed", status=str(bool(allowed)), reason="InsufficientPods", lastTransitionTime=ago(since)
    )
    return made


def pod(name: str = "web-0", *, ready: bool = True, **labels: str) -> pb.Pod:
    made = pb.Pod(metadata=pb.ObjectMeta(name=name, namespace="shop", labels=labels or WEB, creationTimestamp=CREATED))
    made.spec.nodeName = "one"
    made.status.conditions.add(type="Ready", status=str(ready))
    return made


def node(*, cordoned: bool = False, taint: str = "") -> pb.Node:
    made = pb.Node(metadata=pb.ObjectMeta(name="one"), spec=pb.NodeSpec(unschedulable=cordoned))
    if taint:
        made.spec.taints.add(key=taint)
    return made


def found(*budgets: pb.PodDisruptionBudget, **lists: Any) -> list[Finding]:
    default: dict[str, Any] = {"pods": [pod(), pod("web-1", ready=False)], "nodes": [node()]}
    cluster = cluster_of(disruption_budgets=budgets, **(default | lists))
    return [finding for rule in (blocked, never, overlapping) for finding in rule(cluster)]


def test_a_budget_with_too_few_healthy_pods_is_a_warning() -> None:
    (finding,) = found(budget())
    assert finding.says == "allows no eviction: 2 of 3 pods are healthy, and it demands 2"
    assert finding.severity is Severity.WARNING
    assert finding.concerns == (Ref("Pod", "shop", "web-1"),)


@pytest.mark.parametrize(
    "leaving",
    [node(cordoned=True), node(taint="ToBeDeletedByClusterAutoscaler"), node(taint="node.cluster.x-k8s.io/x")],
)
def test_while_a_node_is_drained_it_is_an_error(leaving: pb.Node) -> None:
    for one in (budget(), budget(3, 3, 3)):
        (finding,) = found(one, nodes=[leaving])
        assert finding.severity is Severity.ERROR
        assert finding.says.endswith("; node one is cordoned and cannot be drained")


def test_a_drain_of_another_node_is_a_warning() -> None:
    elsewhere = node(cordoned=True)
    elsewhere.metadata.name = "two"
    (finding,) = found(budget(), nodes=[elsewhere])
    assert finding.severity is Severity.WARNING


def test_nodes_that_are_not_observed_make_no_error() -> None:
    cluster = cluster_of({"/api/v1/nodes": "refused"}, disruption_budgets=[budget()], pods=[pod()])
    (finding,) = blocked(cluster)
    assert finding.severity is Severity.WARNING


def test_a_budget_that_can_never_allow_any() -> None:
    (finding,) = found(budget(3, 3, 3))
    assert finding.says == "allows no eviction: minAvailable is 3, and there are 3 pods"
    nothing = budget(1, 1, 1)
    nothing.spec.ClearField("minAvailable")
    nothing.spec.maxUnavailable.type, nothing.spec.maxUnavailable.strVal = 1, "0%"
    (finding,) = found(nothing)
    assert finding.says == "allows no eviction: maxUnavailable is 0%, and there is 1 pod"


def operators_budget() -> pb.PodDisruptionBudget:
    made = budget(1, 1, 1)
    made.metadata.ownerReferences.add(kind="Cluster", name="pg", controller=True)
    return made


def test_a_budget_of_an_operator_over_one_pod_is_on_purpose() -> None:
    assert not found(operators_budget())


def test_a_budget_of_an_operator_is_a_warning_while_its_node_is_drained() -> None:
    (finding,) = found(operators_budget(), nodes=[node(cordoned=True)])
    assert finding.severity is Severity.WARNING
    assert finding.remedy.startswith("see whether the operator of Cluster/shop/pg moves the pod by itself")


def test_a_budget_of_an_operator_that_demands_all_of_several_pods_is_a_warning() -> None:
    brokers = operators_budget()
    brokers.status.expectedPods = brokers.status.currentHealthy = brokers.status.desiredHealthy = 2
    brokers.spec.minAvailable.intVal = 2
    (finding,) = found(brokers)
    assert finding.severity is Severity.WARNING
    assert finding.says == "allows no eviction: minAvailable is 2, and there are 2 pods"
    assert finding.remedy.startswith("see whether Cluster/shop/pg misses a pod")
    moved = pod("web-1")
    moved.metadata.creationTimestamp.CopyFrom(ago(120))
    assert not found(brokers, pods=[pod(), moved])
    brokers.spec.ClearField("minAvailable")
    brokers.spec.maxUnavailable.intVal = 0
    assert not found(brokers)


def made_by(kind: str) -> pb.Pod:
    made = pod()
    made.metadata.ownerReferences.add(kind=kind, name="web", controller=True)
    return made


@pytest.mark.parametrize(("kind", "count"), [("InstanceManager", 0), ("ReplicaSet", 1), ("StatefulSet", 1)])
def test_a_budget_over_the_one_pod_of_an_operator_is_on_purpose(kind: str, count: int) -> None:
    assert len(found(budget(1, 1, 1), pods=[made_by(kind)])) == count
    (drained,) = found(budget(1, 1, 1), pods=[made_by(kind)], nodes=[node(cordoned=True)])
    assert drained.severity is (Severity.ERROR if count else Severity.WARNING)


def test_a_budget_of_an_operator_with_too_few_healthy_pods_is_a_warning() -> None:
    one = operators_budget()
    one.status.expectedPods = 2
    assert len(found(one)) == 1


def test_a_budget_that_cannot_be_computed_says_why() -> None:
    failed = budget(0, 0, 3)
    failed.status.conditions[0].reason, failed.status.conditions[0].message = "SyncFailed", "found no controllers"
    (finding,) = found(failed)
    assert finding.says == "allows no eviction: found no controllers"


def outdated() -> pb.PodDisruptionBudget:
    made = budget()
    made.metadata.generation = 2
    return made


@pytest.mark.parametrize(
    "healthy",
    [budget(allowed=1), budget(since=300), budget(0, 0, 0), outdated()],
    ids=["allows", "now", "no-pods", "outdated"],
)
def test_a_budget_that_allows_evictions_or_has_none_to_allow_is_not_found(healthy: pb.PodDisruptionBudget) -> None:
    assert not found(healthy)


def test_two_budgets_over_one_pod() -> None:
    (finding,) = found(budget(allowed=1), budget(allowed=1, name="web-too"))
    assert finding.obj == Ref("PodDisruptionBudget", "shop", "web")
    assert finding.says == "selects the same 2 pods as web-too: no pod with two budgets can be evicted"
    assert finding.severity is Severity.WARNING
    (finding,) = found(budget(allowed=1), budget(allowed=1, name="web-too"), nodes=[node(cordoned=True)])
    assert finding.severity is Severity.ERROR


def test_budgets_over_different_pods_and_without_selectors_do_not_overlap() -> None:
    none, others = budget(allowed=1, name="none"), budget(allowed=1, name="others")
    none.spec.ClearField("selector")
    others.spec.selector.matchLabels["app"] = "db"
    assert not found(budget(allowed=1), none, others, pods=[pod(), pod("db-0", app="db")])


def test_an_empty_selector_selects_every_pod_of_its_namespace() -> None:
    every = budget(allowed=1, name="every")
    every.spec.selector.Clear()
    every.spec.selector.SetInParent()
    assert len(found(budget(allowed=1), every)) == 1
    every.metadata.namespace = "elsewhere"
    assert not found(budget(allowed=1), every)


def test_of_two_budgets_over_one_pod_the_status_of_one_is_old() -> None:
    """The controller follows each pod for one of them, so that only what they have in common is said."""
    (finding,) = found(budget(), budget(healthy=0, name="web-too"))
    assert finding.says.startswith("selects the same 2 pods as web-too")
