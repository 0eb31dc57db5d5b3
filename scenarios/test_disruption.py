"""PodDisruptionBudgets that allow no eviction, two over one pod, and one that allows evictions."""

from typing import Any

from scenarios.faults import uncordoned_afterwards
from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import HOSTNAME, Object, deployment

LASTING = 1200
"""Seconds after which a state has lasted long enough."""


def budget(name: str = "web", **spec: Any) -> Object:
    selector = {"selector": {"matchLabels": {"app": "web"}}}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": name},
        "spec": selector | spec,
    }


YOUNG = within(300, created("PodDisruptionBudget/web"))


@scenario(deployment("web"), budget(minAvailable=1), later=YOUNG)
def test_budget_of_one_replica(seen: Seen) -> None:
    """It allows no eviction, and has not done so for long."""
    assert seen.get("PodDisruptionBudget/web").status.expectedPods == 1


@scenario(
    on=test_budget_of_one_replica,
    later=LASTING,
    finds=["disruption[never] PodDisruptionBudget/web (warning)"],
)
def test_budget_that_never_allows_an_eviction(seen: Seen) -> None:
    """One replica, and one must be available."""
    assert seen.says("minAvailable is 1, and there is 1 pod")


@scenario(deployment("web", 3), budget(maxUnavailable=1))
def test_budget_that_allows_an_eviction(seen: Seen) -> None:
    """All replicas are ready."""
    assert seen.get("PodDisruptionBudget/web").status.disruptionsAllowed == 1


@scenario(
    deployment("web", 2),
    budget("web", maxUnavailable=1),
    budget("web-too", maxUnavailable=1),
    finds=["disruption[overlapping] PodDisruptionBudget/web (warning)"],
)
def test_two_budgets_over_one_pod(seen: Seen) -> None:
    """Each allows an eviction, and the API server evicts none of their pods."""
    assert seen.says("selects the same 2 pods as web-too")


@scenario(
    deployment("web", room="a"),
    budget(minAvailable=1),
    then=["wait --for=condition=Available deployment/web --timeout=60s", "cordon {cluster}-worker"],
    fault=uncordoned_afterwards("worker"),
    later=YOUNG,
)
def test_drain_has_just_begun(seen: Seen) -> None:
    """The node of the only replica is cordoned, and the budget has not been in the way for long."""
    assert seen.node("worker").spec.unschedulable


@scenario(on=test_drain_has_just_begun, later=LASTING, finds=["disruption[never] PodDisruptionBudget/web"])
def test_drain_that_does_not_end(seen: Seen) -> None:
    """The only replica is on a cordoned node, and cannot be evicted."""
    assert seen.says("is cordoned and cannot be drained")


@scenario(
    deployment(
        "web",
        3,
        affinity={
            "podAntiAffinity": {
                "requiredDuringSchedulingIgnoredDuringExecution": [
                    {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": HOSTNAME}
                ]
            }
        },
    ),
    budget(minAvailable=2),
    later=YOUNG,
    finds=["scheduling[unschedulable] Pod/web-*"],
)
def test_budget_of_too_few_healthy_pods(seen: Seen) -> None:
    """One of three replicas has no node, and the budget has not been in the way for long."""
    assert seen.get("PodDisruptionBudget/web").status.currentHealthy == 2


@scenario(
    on=test_budget_of_too_few_healthy_pods,
    later=LASTING,
    finds=[
        "scheduling[unschedulable] Pod/web-*",
        "workload-unavailable[replicas-missing] Deployment/web",
        "disruption[blocked] PodDisruptionBudget/web (warning)",
    ],
)
def test_budget_that_unhealthy_pods_use_up(seen: Seen) -> None:
    """Two of three replicas are healthy, and two must be."""
    assert seen.says("2 of 3 pods are healthy, and it demands 2")
