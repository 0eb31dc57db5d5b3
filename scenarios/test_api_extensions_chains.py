"""Faults of the platform that spread over several steps: all that follows is beneath one root."""

from kubevitals.diagnosis.result import Root
from kubevitals.findings.explains import declared
from scenarios.harness import Seen, check_modules, scenario
from scenarios.objects import deployment, service
from scenarios.test_api_extensions import aggregated_without_a_service
from scenarios.test_autoscaling import autoscaler
from scenarios.test_pod_creation import START, webhook
from tests.findings import report_of


def roots(seen: Seen, *checks: str) -> list[Root]:
    """Return the roots of these checks, and those that are about the scenario's namespace."""
    report = report_of(*seen.verdicts, rules=declared(check_modules().values()))
    place = f"/{seen.scenario.name}/"
    return [root for root in report.roots if place in root.objects or root.check in checks]


@scenario(
    webhook("gone", "webhook-that-is-gone"),
    deployment("web", 0),
    service("web"),
    then=[START],
    finds=[
        "api-extensions[webhook] ValidatingWebhookConfiguration/gone",
        "pod-creation[webhook] Deployment/web",
        "service-endpoints[none-ready] Service/web",
        "workload-unavailable[replicas-missing] Deployment/web",
    ],
)
def test_webhook_that_is_gone(seen: Seen) -> None:
    """It refuses the pods of a Deployment, whose Service has no endpoint for that reason."""
    found = roots(seen, "api-extensions[webhook]")
    assert not [root for root in found if seen.scenario.name in root.objects]
    root = next(root for root in found if root.objects.endswith("/gone"))
    assert [[link.object for link in links] for links in root.chains] == [
        [
            f"Service/{seen.scenario.name}/web",
            f"Deployment/{seen.scenario.name}/web",
            f"Service/{seen.scenario.name}/absent",
        ]
    ]
    assert root.replicas
    assert root.replicas.missing == 1


@scenario(
    deployment("web", resources={"requests": {"cpu": "10m"}}),
    autoscaler("web"),
    fault=aggregated_without_a_service("v1beta1", "metrics.k8s.io", namespace="kube-system", name="metrics-server"),
    then=["create namespace no-more", "delete namespace no-more --wait=false"],
    later=900,
    finds=[
        "api-extensions[api-service] APIService/v1beta1.metrics.k8s.io",
        "autoscaling[no-metrics] HorizontalPodAutoscaler/web",
        "terminating[namespace] Namespace/no-more (warning)",
    ],
)
def test_metrics_api_left_behind(seen: Seen) -> None:
    """What metrics-server left behind is why an autoscaler has no metrics and a namespace cannot be deleted."""
    assert seen.says("is not available: Service kube-system/metrics-server does not exist")
    found = roots(seen, "api-extensions[api-service]", "autoscaling[no-metrics]", "terminating[namespace]")
    assert [root.check for root in found] == ["api-extensions[api-service]"]
    assert len(found[0].symptoms) == 2
