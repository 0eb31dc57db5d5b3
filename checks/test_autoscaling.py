"""A HorizontalPodAutoscaler cannot scale its workload, or has been at its maximum for long.

Meaning:
    A HorizontalPodAutoscaler (HPA) sets the replicas of a workload by metrics. Without metrics, without a CPU request
    that a utilization is a share of, or without the workload that it names, it does nothing. At its maximum it cannot
    add replicas, although its metrics ask for more.

Impact:
    The workload keeps the replicas that it has, however much load it gets.

Diagnosis:
    `kubectl describe hpa` shows the conditions AbleToScale, ScalingActive and ScalingLimited with their messages.
    `kubectl get apiservices` shows whether metrics.k8s.io is available.

Mitigation:
    Install or repair what serves the metrics, set the request that is missing, or correct scaleTargetRef. At the
    maximum, raise maxReplicas or find out where the load comes from.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.threshold import Threshold

EXPLAINS = (
    Explains(("api-extensions[api-service]",), CONCERNED, ("autoscaling[no-metrics]",)),
    Explains((*BROKEN_PODS, "scheduling", "pod-creation"), IN_WORKLOAD, ("autoscaling[no-metrics]",)),
)

FAILING = Threshold(
    "autoscaling.failing",
    300,
    "seconds that an autoscaler may be without metrics or its workload: it tries every 15, and metrics of new pods "
    "take up to two minutes",
)
AT_MAXIMUM = Threshold(
    "autoscaling.at-maximum",
    900,
    "seconds from which an autoscaler that wants more than maxReplicas is warned of, as kubernetes-mixin's "
    "KubeHpaMaxedOut",
)

_NO_REQUEST = re.compile(r"missing request for (?P<resource>[\w./-]{1,60}) in container (?P<container>[\w-]{1,63}) of")
_GROUP = re.compile(r"(?:custom\.|external\.)?metrics\.k8s\.io")
"""What the controller says (kubernetes/kubernetes pkg/controller/podautoscaler/replica_calculator.go, metrics/)."""

_NOT_SERVED = re.compile(r"could not find the requested resource|unable to handle the request|no custom metrics API")
"""Why a metrics API does not answer: it is not registered, or its APIService is not available."""


_REMEDIES = (
    (r"missing request for ", "set resources.requests of all containers in the pod template"),
    (
        r"no metrics returned from resource metrics API|did not receive metrics for",
        "see whether its pods are ready, and whether metrics-server gets the metrics of their nodes' kubelets: its log "
        "says why not",
    ),
    (
        r"external metrics API|custom metrics API",
        "read the log of the adapter that serves this metric, and of its source",
    ),
    (r"controlled by multiple HPAs", "delete all autoscalers of these pods but one, or make the selectors narrower"),
    (r"no matches for kind", "correct apiVersion and kind of scaleTargetRef: kubectl api-resources"),
)
"""What helps, by words of the controller (pkg/controller/podautoscaler/replica_calculator.go, metrics/client.go,
horizontal.go)."""


def _remedy(message: str) -> str:
    return next((remedy for text, remedy in _REMEDIES if re.search(text, message)), "fix what the message reports")


class Words(NamedTuple):
    """What is said of an autoscaler, and what helps."""

    says: str
    remedy: str


def no_metrics(cluster: Cluster) -> Iterator[Finding]:
    """Find autoscalers that have had no metrics for longer than `autoscaling.failing`."""
    for autoscaler in cluster.autoscalers:
        condition = _failing(autoscaler, "ScalingActive", cluster)
        if condition and condition.reason != "ScalingDisabled" and not _failing(autoscaler, "AbleToScale", cluster):
            words = _words(condition)
            yield _finding(autoscaler, condition, words, cluster, _metrics_apis(condition.message, cluster))


def _failing(
    autoscaler: pb.HorizontalPodAutoscaler, kind: str, cluster: Cluster
) -> pb.HorizontalPodAutoscalerCondition | None:
    """Return the condition of a type that has been False for long."""
    return next(
        (
            condition
            for condition in autoscaler.status.conditions
            if condition.type == kind
            and condition.status == "False"
            and cluster.over(condition.lastTransitionTime, FAILING)
        ),
        None,
    )


def _words(condition: pb.HorizontalPodAutoscalerCondition) -> Words:
    if request := _NO_REQUEST.search(condition.message):
        resource, container = request["resource"], request["container"]
        return Words(
            f'container "{container}" has no {resource} request, and the target is a share of it',
            f"set resources.requests.{resource} of the container in the pod template",
        )
    group = _GROUP.search(condition.message)
    if group and _NOT_SERVED.search(condition.message):
        serves = "metrics-server" if group[0] == "metrics.k8s.io" else "a metrics adapter"
        return Words(
            f"the metrics API {group[0]} does not answer",
            f"install {serves}, or bring it back: kubectl get apiservices",
        )
    return Words(f"{condition.reason}: {condition.message}", _remedy(condition.message))


def _metrics_apis(message: str, cluster: Cluster) -> tuple[Ref, ...]:
    """Return the APIServices of the metrics API that a message names."""
    group = _GROUP.search(message)
    try:
        return tuple(ref(service) for service in cluster.api_services if group and service.spec.group == group[0])
    except NotObserved:
        return ()


def no_target(cluster: Cluster) -> Iterator[Finding]:
    """Find autoscalers that have not been able to read or set their workload for longer than `autoscaling.failing`."""
    for autoscaler in cluster.autoscalers:
        if condition := _failing(autoscaler, "AbleToScale", cluster):
            target = _target(autoscaler)
            absent = condition.reason == "FailedGetScale" and "not found" in condition.message
            words = (
                Words(f"{target} does not exist", "correct scaleTargetRef, or delete the autoscaler")
                if absent
                else Words(f"{condition.reason}: {condition.message}", _remedy(condition.message))
            )
            yield _finding(autoscaler, condition, words, cluster, missing=(target,) if absent else ())


def _target(autoscaler: pb.HorizontalPodAutoscaler) -> Ref:
    target = autoscaler.spec.scaleTargetRef
    return Ref(target.kind, autoscaler.metadata.namespace, target.name)


def _finding(
    autoscaler: pb.HorizontalPodAutoscaler,
    condition: pb.HorizontalPodAutoscalerCondition,
    words: Words,
    cluster: Cluster,
    concerns: tuple[Ref, ...] = (),
    missing: tuple[Ref, ...] = (),
) -> Finding:
    told = f"condition {condition.type}=False ({condition.reason}): {condition.message}"
    return Finding(
        ref(autoscaler),
        says=f"cannot scale: {words.says}",
        remedy=words.remedy,
        evidence=[told, *event_lines(autoscaler, cluster, told=condition.message)],
        concerns=(_target(autoscaler), *concerns),
        missing=missing,
        since=condition.lastTransitionTime.seconds,
    )


def at_maximum(cluster: Cluster) -> Iterator[Finding]:
    """Find autoscalers that have wanted more than their maximum for longer than `autoscaling.at-maximum`."""
    for autoscaler in cluster.autoscalers:
        spec, status = autoscaler.spec, autoscaler.status
        limited = any(
            condition.type == "ScalingLimited"
            and condition.status == "True"
            and condition.reason == "TooManyReplicas"
            and cluster.over(condition.lastTransitionTime, AT_MAXIMUM)
            for condition in status.conditions
        )
        is_fixed = spec.minReplicas == spec.maxReplicas
        if limited and not is_fixed and cluster.over(status.lastScaleTime, AT_MAXIMUM):
            yield Finding(
                ref(autoscaler),
                says=f"has been at its maximum of {spec.maxReplicas} replicas, and its metrics ask for more",
                remedy="raise maxReplicas, or find out where the load comes from",
                evidence=event_lines(autoscaler, cluster),
                severity=Severity.WARNING,
                concerns=(_target(autoscaler),),
                since=status.lastScaleTime.seconds,
            )


@check(no_metrics, no_target, at_maximum, chapter="6.2")
def test_autoscalers_scale() -> None:
    """Every HorizontalPodAutoscaler can scale its workload."""
