"""Autoscalers: those that cannot scale, those at their maximum, and those that only look so."""

from typing import Any

import pytest

from checks.test_autoscaling import at_maximum, no_metrics, no_target
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from tests.fakes import ago, cluster_of

NO_API = (
    "the HPA was unable to compute the replica count: failed to get cpu utilization: unable to get metrics for "
    "resource cpu: unable to fetch metrics from resource metrics API: the server could not find the requested resource "
    "(get pods.metrics.k8s.io)"
)
NO_REQUEST = (
    "the HPA was unable to compute the replica count: failed to get cpu utilization: missing request for cpu in "
    "container app of Pod web-7c9d8f-abcde"
)
NO_SCALE = 'the HPA controller was unable to get the target\'s current scale: deployments/scale.apps "web" not found'


def autoscaler(
    kind: str = "ScalingActive",
    status: str = "False",
    reason: str = "FailedGetResourceMetric",
    message: str = NO_API,
    since: int = 3600,
) -> pb.HorizontalPodAutoscaler:
    made = pb.HorizontalPodAutoscaler(metadata=pb.ObjectMeta(name="web", namespace="shop", uid="1"))
    made.spec.scaleTargetRef.kind, made.spec.scaleTargetRef.name = "Deployment", "web"
    made.spec.minReplicas, made.spec.maxReplicas = 1, 5
    made.status.conditions.add(type=kind, status=status, reason=reason, message=message, lastTransitionTime=ago(since))
    return made


def found(*autoscalers: pb.HorizontalPodAutoscaler, **lists: Any) -> list[Finding]:
    cluster = cluster_of(autoscalers=autoscalers, **lists)
    return [finding for rule in (no_metrics, no_target, at_maximum) for finding in rule(cluster)]


def test_an_autoscaler_without_a_metrics_api_concerns_its_api_service() -> None:
    metrics = pb.APIService(metadata=pb.ObjectMeta(name="v1beta1.metrics.k8s.io"))
    metrics.spec.group = "metrics.k8s.io"
    custom = pb.APIService(metadata=pb.ObjectMeta(name="v1.x"), spec=pb.APIServiceSpec(group="custom.metrics.k8s.io"))
    (finding,) = found(autoscaler(), api_services=[metrics, custom])
    assert finding.says == "cannot scale: the metrics API metrics.k8s.io does not answer"
    assert finding.remedy.startswith("install metrics-server")
    assert finding.concerns == (Ref("Deployment", "shop", "web"), Ref("APIService", "", "v1beta1.metrics.k8s.io"))


def test_a_missing_request_is_named_with_its_container() -> None:
    (finding,) = found(autoscaler(message=NO_REQUEST))
    assert finding.says == 'cannot scale: container "app" has no cpu request, and the target is a share of it'


def test_another_reason_is_told_as_the_controller_says_it() -> None:
    (finding,) = found(autoscaler(reason="InvalidMetricSourceType", message="no such type"))
    assert finding.says == "cannot scale: InvalidMetricSourceType: no such type"


@pytest.mark.parametrize(
    ("kind", "message", "remedy"),
    [
        ("ScalingActive", "failed to get cpu utilization: missing request for cpu", "set resources.requests"),
        ("ScalingActive", "no metrics returned from resource metrics API", "see whether its pods are ready"),
        ("ScalingActive", "did not receive metrics for targeted pods (pods might be unready)", "see whether its pods"),
        (
            "ScalingActive",
            "unable to fetch metrics from external metrics API: rpc error: code = Unknown desc = query status: 400",
            "read the log of the adapter",
        ),
        ("ScalingActive", "pods by selector app=web are controlled by multiple HPAs: [shop/a shop/b]", "delete all"),
        ("AbleToScale", 'no matches for kind "Deployment" in group "extensions"', "correct apiVersion and kind"),
        ("ScalingActive", "no such type", "fix what the message reports"),
    ],
)
def test_what_helps_depends_on_what_the_controller_says(kind: str, message: str, remedy: str) -> None:
    (finding,) = found(autoscaler(kind, message=message))
    assert finding.remedy.startswith(remedy)


def test_a_workload_that_does_not_exist_is_missing() -> None:
    (finding,) = found(autoscaler("AbleToScale", reason="FailedGetScale", message=NO_SCALE))
    assert finding.says == "cannot scale: Deployment/shop/web does not exist"
    assert finding.missing == (Ref("Deployment", "shop", "web"),)


def test_a_workload_that_cannot_be_set_is_told_once() -> None:
    both = autoscaler("AbleToScale", reason="FailedUpdateScale", message="conflict")
    both.status.conditions.append(autoscaler().status.conditions[0])
    (finding,) = found(both)
    assert finding.says == "cannot scale: FailedUpdateScale: conflict"
    assert not finding.missing


@pytest.mark.parametrize(
    "healthy",
    [
        autoscaler(status="True", reason="ValidMetricFound"),
        autoscaler(reason="ScalingDisabled", message="scaling is disabled since the replica count is zero"),
        autoscaler(since=200),
        autoscaler("AbleToScale", reason="FailedGetScale", since=200),
        autoscaler("AbleToScale", "True", "ReadyForNewScale"),
    ],
    ids=["active", "zero", "new", "new-target", "able"],
)
def test_an_autoscaler_that_scales_is_not_found(healthy: pb.HorizontalPodAutoscaler) -> None:
    assert not found(healthy)


def limited(reason: str = "TooManyReplicas", since: int = 3600, scaled: int = 3600, least: int = 1) -> Any:
    made = autoscaler("ScalingLimited", "True", reason, since=since)
    made.status.lastScaleTime.CopyFrom(ago(scaled))
    made.spec.minReplicas = least
    return made


def test_an_autoscaler_at_its_maximum_is_a_warning() -> None:
    (finding,) = found(limited())
    assert finding.says == "has been at its maximum of 5 replicas, and its metrics ask for more"
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    "healthy",
    [limited("TooFewReplicas"), limited(since=300), limited(scaled=300), limited(least=5)],
    ids=["minimum", "now", "scaled-now", "fixed"],
)
def test_an_autoscaler_that_is_limited_for_a_while_or_on_purpose_is_not_found(
    healthy: pb.HorizontalPodAutoscaler,
) -> None:
    assert not found(healthy)
