"""Faults of the platform that spread over several steps: all that follows is beneath one root."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from kubevitals.diagnosis.result import Root
from kubevitals.findings.explains import declared
from scenarios.harness import Seen, check_modules, scenario
from scenarios.objects import Object, deployment, service
from scenarios.test_autoscaling import autoscaler
from scenarios.test_pod_creation import START, webhook
from tests.findings import report_of

if TYPE_CHECKING:
    from scenarios.live import LiveCluster

METRICS = "v1beta1.metrics.k8s.io"
LEFT_BEHIND: Object = {
    "apiVersion": "apiregistration.k8s.io/v1",
    "kind": "APIService",
    "metadata": {"name": METRICS},
    "spec": {
        "group": "metrics.k8s.io",
        "version": "v1beta1",
        "service": {"namespace": "kube-system", "name": "metrics-server"},
        "insecureSkipTLSVerify": True,
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
    },
}
"""The APIService of a metrics-server that was uninstalled."""


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


@contextmanager
def metrics_api_left_behind(cluster: "LiveCluster") -> Iterator[None]:
    """Register the metrics API without its server; while it is there, no namespace can be deleted."""
    cluster.apply([LEFT_BEHIND])
    try:
        yield
    finally:
        cluster.kubectl(f"delete apiservice {METRICS} --ignore-not-found")


@scenario(
    deployment("web", resources={"requests": {"cpu": "10m"}}),
    autoscaler("web"),
    fault=metrics_api_left_behind,
    then=["create namespace no-more", "delete namespace no-more --wait=false"],
    later=900,
    finds=[
        f"api-extensions[api-service] APIService/{METRICS}",
        "autoscaling[no-metrics] HorizontalPodAutoscaler/web",
        "terminating[namespace] Namespace/no-more (warning)",
    ],
)
def test_metrics_api_left_behind(seen: Seen) -> None:
    """An autoscaler has no metrics, and a namespace cannot be deleted: one APIService is the reason of both."""
    assert seen.says("is not available: Service kube-system/metrics-server does not exist")
    found = roots(seen, "api-extensions[api-service]", "autoscaling[no-metrics]", "terminating[namespace]")
    assert [root.check for root in found] == ["api-extensions[api-service]"]
    assert len(found[0].symptoms) == 2
