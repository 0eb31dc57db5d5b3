"""Why a Service does not answer a pod, as far as objects tell: its port, its endpoints, and who may connect to them."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.apps.selectors import Workload, workloads_by_label
from kubevitals.facts.apps.services import ServiceName, ready_endpoints, ready_nodes
from kubevitals.facts.network.enforcement import need_enforcement
from kubevitals.facts.nodes.placement import selects
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.text import listed, plural

_DROPPED = re.compile(r"(?i)time(?:d )?-?out")
"""What clients say if nothing answers at all: network policies drop packets, and refuse no connection."""

POLICIES = 3
"""NetworkPolicies that a remedy lists."""


class Silence(NamedTuple):
    """Why a Service does not answer.

    Attributes:
        reason: what follows "does not answer".
        remedy: what to do; empty if that is not known.
    """

    reason: str
    remedy: str = ""


def why_silent(service: pb.Service, port: str, line: str, pod: pb.Pod, cluster: Cluster) -> Silence:
    """Return why a Service does not answer a pod, which says so in this line of its log.

    Raises:
        NotObserved: the objects that tell are not observed.
    """
    ports = sorted({declared.port for declared in service.spec.ports})
    if port and ports and int(port) not in ports:
        return Silence(f": it has port {', '.join(map(str, ports))}", "use the Service's port, or add this one to it")
    name = ServiceName(service.metadata.namespace, service.metadata.name)
    if not (ready := cluster.derive(ready_endpoints).get(name)):
        return _without_endpoint(service, cluster)
    is_near = not cluster.derive(ready_nodes)[name].isdisjoint(("", pod.spec.nodeName))
    if service.spec.internalTrafficPolicy == "Local" and not is_near:
        return Silence(
            f": its internalTrafficPolicy is Local, and none of its {plural(ready, 'ready endpoint')} is on its node",
            "set internalTrafficPolicy of the Service to Cluster, or run one of its pods on each node",
        )
    policies = _policies(service, pod, cluster) if _DROPPED.search(line) else ""
    allow = f"let these policies allow the connection: {policies}; else check that its pods listen on the port"
    return Silence(f", although it has {plural(ready, 'ready endpoint')}", allow if policies else "")


def _without_endpoint(service: pb.Service, cluster: Cluster) -> Silence:
    """Say what keeps a Service without an endpoint: its workloads are scaled to zero, or their pods are not ready."""
    if scaled := scaled_to_zero(service, cluster):
        return Silence(f": {scaled.kind} {scaled.name}, which it selects, is scaled to 0", scale_up(scaled))
    return Silence(": it has no ready endpoint", "make the pods behind the Service ready; check its selector")


def scaled_to_zero(service: pb.Service, cluster: Cluster) -> Ref | None:
    """Return a workload that a Service selects, if it selects some, as far as is observed, and none has a replica."""
    lasting = [workload for workload in _workloads(service, cluster) if workload.obj.kind != "CronJob"]
    return lasting[0].obj if lasting and not any(workload.replicas for workload in lasting) else None


def scale_up(scaled: Ref) -> str:
    """Return the remedy for a workload without replicas."""
    return f"scale it up: {scaled.kubectl('scale')} --replicas=1"


def _workloads(service: pb.Service, cluster: Cluster) -> list[Workload]:
    """Return the workloads that a Service selects, as far as they are observed."""
    selector = service.spec.selector
    try:
        return cluster.derive(workloads_by_label).matching(service.metadata.namespace, selector) if selector else []
    except NotObserved:
        return []


def _policies(service: pb.Service, pod: pb.Pod, cluster: Cluster) -> str:
    """List the NetworkPolicies that select the pods behind a Service for ingress, or the pod for egress."""
    with suppress(NotObserved):  # policies may be enforced where that is not known
        try:
            need_enforcement(cluster)
        except NotApplicable:
            return ""
    labels = next((workload.labels for workload in _workloads(service, cluster)), service.spec.selector)
    try:
        policies = _selecting(service.metadata.namespace, labels, "Ingress", cluster)
        if not pod.spec.hostNetwork:
            policies += _selecting(pod.metadata.namespace, pod.metadata.labels, "Egress", cluster)
    except NotObserved:
        return ""
    return listed(policies, POLICIES)


def _selecting(namespace: str, labels: Mapping[str, str], direction: str, cluster: Cluster) -> list[str]:
    return [
        str(ref(policy))
        for policy in cluster.network_policies
        if policy.metadata.namespace == namespace
        and direction in policy.spec.policyTypes
        and selects(policy.spec.podSelector, labels)
    ]
