"""Where a container's memory limit comes from, if not from the template of its workload."""

from collections.abc import Mapping
from contextlib import suppress

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import REVISION, Ref, containers, owner, ref
from kubevitals.quantity import amount
from kubevitals.text import binary

_Workload = pb.Deployment | pb.StatefulSet | pb.DaemonSet


def limit_source(pod: pb.Pod, container: str, limit: float, cluster: Cluster) -> tuple[str, str]:
    """Return what sets a container's memory limit, if its workload's template does not, and what to do about that.

    A LimitRange sets a limit where the template has none (kubernetes.io: Limit Ranges). Mutating webhooks, the
    VerticalPodAutoscaler and a resize of the pod may set any. Both texts are empty if the template sets this limit, or
    if that is not observed.
    """
    template = _template(pod, cluster)
    own = next((each for each in containers(template) if each.name == container), None) if template else None
    if own is None or (of_template := amount(own.resources.limits, "memory")) == limit:
        return "", ""
    if not of_template and (default := _default(pod.metadata.namespace, limit, cluster)):
        return (
            f', the default of LimitRange "{default}"',
            "set limits.memory in the workload's template, or raise that default, and create the pod again",
        )
    instead = f"that of its template is {binary(of_template)}" if of_template else "its template sets none"
    return (
        f", and {instead}",
        "find out what changes the template's limit: a mutating webhook, the VerticalPodAutoscaler, or a resize of the "
        "pod",
    )


def _template(pod: pb.Pod, cluster: Cluster) -> pb.PodSpec | None:
    """Return the template that the pod is made of, unless it may be of an earlier one."""
    of = owner(pod)
    with suppress(NotObserved):
        workload = cluster.derive(_workloads).get(of) if of else None
        if workload and not workload.spec.template.spec.HasField("resources") and _is_latest(pod, workload):
            return workload.spec.template.spec
    return None


def _workloads(cluster: Cluster) -> Mapping[Ref, _Workload]:
    all_: tuple[_Workload, ...] = (*cluster.deployments, *cluster.stateful_sets, *cluster.daemon_sets)
    return {ref(workload): workload for workload in all_}


def _is_latest(pod: pb.Pod, workload: _Workload) -> bool:
    """Return whether the pod is made of the workload's present template."""
    if workload.status.observedGeneration < workload.metadata.generation:
        return False
    match workload:
        case pb.Deployment():
            return workload.status.updatedReplicas == workload.status.replicas
        case pb.StatefulSet():
            return pod.metadata.labels.get(REVISION, "") == workload.status.updateRevision
    return workload.status.updatedNumberScheduled == workload.status.desiredNumberScheduled


def _default(namespace: str, limit: float, cluster: Cluster) -> str:
    """Return the LimitRange that gives containers of a namespace this memory limit."""
    with suppress(NotObserved):
        for limits in cluster.limit_ranges:
            if limits.metadata.namespace == namespace and any(
                item.type == "Container" and amount(item.default, "memory") == limit for item in limits.spec.limits
            ):
                return limits.metadata.name
    return ""
