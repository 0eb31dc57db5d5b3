"""What limits, scales and exposes the made-up Deployments: one of each kind for a Deployment or a team."""

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import DEFAULT_INGRESS_CLASS
from tests.fakes import CREATED

PODS_OF_ONE = 25
"""Pods of a Deployment."""

TEAMS = 40
"""Namespaces of Deployments."""


def team(number: int) -> str:
    """Return a namespace."""
    return f"team-{number % TEAMS:02}"


def pod_name(number: int) -> str:
    """Return the name of a Deployment's pod."""
    return f"app-{number // PODS_OF_ONE:05}-7c9d8f-{number:05}"


def meta(name: str, number: int = 0) -> pb.ObjectMeta:
    """Return the metadata of an object in the namespace with this number."""
    return pb.ObjectMeta(name=name, namespace=team(number), uid=f"{number:036}", creationTimestamp=CREATED)


def autoscaler(number: int) -> pb.HorizontalPodAutoscaler:
    """Return the autoscaler of a Deployment."""
    made = pb.HorizontalPodAutoscaler(metadata=meta(f"app-{number:05}", number))
    made.spec.scaleTargetRef.kind, made.spec.scaleTargetRef.name = "Deployment", f"app-{number:05}"
    made.spec.maxReplicas = 2 * PODS_OF_ONE
    made.status.currentReplicas = made.status.desiredReplicas = PODS_OF_ONE
    for kind in ("AbleToScale", "ScalingActive", "ScalingLimited"):
        status = "False" if kind == "ScalingLimited" else "True"
        made.status.conditions.add(type=kind, status=status, lastTransitionTime=CREATED)
    return made


def budget(number: int) -> pb.PodDisruptionBudget:
    """Return the PodDisruptionBudget of a Deployment."""
    made = pb.PodDisruptionBudget(metadata=meta(f"app-{number:05}", number))
    made.spec.maxUnavailable.intVal = made.status.disruptionsAllowed = 1
    made.spec.selector.matchLabels["app"] = f"app-{number:05}"
    made.status.expectedPods = made.status.currentHealthy = PODS_OF_ONE
    made.status.desiredHealthy = PODS_OF_ONE - 1
    return made


def ingress(number: int) -> pb.Ingress:
    """Return the Ingress of a Deployment."""
    metadata = pb.AnnotatedMeta(name=f"app-{number:05}", namespace=team(number))
    made = pb.Ingress(metadata=metadata)
    path = made.spec.rules.add(host=f"app-{number:05}.example.com").ingressRuleValue.http.paths.add(path="/")
    path.backend.service.name, path.backend.service.port.number = f"app-{number:05}", 80
    return made


def ingress_class() -> pb.IngressClass:
    """Return the class of Ingresses that name none."""
    metadata = pb.AnnotatedMeta(name="nginx", annotations={DEFAULT_INGRESS_CLASS: "true"})
    return pb.IngressClass(metadata=metadata)


def quota(number: int) -> pb.ResourceQuota:
    """Return the quota of a namespace, which is nearly empty."""
    made = pb.ResourceQuota(metadata=meta("quota", number))
    for resource, hard, used in (("limits.memory", "1000Gi", "150Gi"), ("pods", "1000", "300")):
        made.spec.hard[resource].string = made.status.hard[resource].string = hard
        made.status.used[resource].string = used
    return made


def limit_range(number: int) -> pb.LimitRange:
    """Return the limits of a namespace's containers."""
    item = pb.LimitRangeItem(type="Container")
    item.max["memory"].string, item.min["memory"].string = "4Gi", "16Mi"
    return pb.LimitRange(metadata=meta("limits", number), spec=pb.LimitRangeSpec(limits=[item]))
