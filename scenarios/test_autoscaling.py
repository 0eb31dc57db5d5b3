"""Autoscalers without metrics and without a workload, and one that is switched off by its workload."""

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, deployment


def autoscaler(name: str, target: str = "web") -> Object:
    """A HorizontalPodAutoscaler by CPU utilization."""
    metric = {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}},
    }
    target_ref = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {"scaleTargetRef": target_ref, "minReplicas": 1, "maxReplicas": 3, "metrics": [metric]},
    }


@scenario(
    deployment("web", resources={"requests": {"cpu": "10m"}}),
    autoscaler("web"),
    later=600,
    finds=["autoscaling[no-metrics] HorizontalPodAutoscaler/web"],
)
def test_autoscaler_without_a_metrics_api(seen: Seen) -> None:
    """The cluster has no metrics-server."""
    assert seen.says("the metrics API metrics.k8s.io does not answer")


@scenario(autoscaler("web", "wep"), later=600, finds=["autoscaling[no-target] HorizontalPodAutoscaler/web"])
def test_autoscaler_without_its_workload(seen: Seen) -> None:
    """The name of the Deployment is misspelt."""
    assert seen.says("/wep does not exist")


@scenario(deployment("web", 0), autoscaler("web"))
def test_autoscaler_of_no_replicas(seen: Seen) -> None:
    """Somebody has scaled its Deployment to zero, which switches it off."""
    conditions = seen.get("HorizontalPodAutoscaler/web").status.conditions
    assert any(c.type == "ScalingActive" and c.reason == "ScalingDisabled" for c in conditions)
