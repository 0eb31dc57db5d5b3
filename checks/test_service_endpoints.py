"""A Service leads nowhere: it selects no pod, none of its pods is ready, or its pods do not have its port.

Meaning:
    Kubernetes sends a Service's traffic to the ready pods that have all labels of its selector, at its targetPort. A
    Service that selects no pod is an error if a workload looks like the one that is meant, if a StatefulSet needs
    it, or if an application reports that it does not answer. Otherwise it may be a leftover, and is a warning. A
    headless Service, or one of an operator, may select nothing for good: optional components and replicas have such
    Services. One for the primary of a database is a warning if there are replicas and none leads. Pods that are ready
    for some time and in no EndpointSlice have no address of the Service's family, or kube-controller-manager does not
    act.

Impact:
    Connections to the Service are refused or time out. Clients that need it at their start do not start.

Diagnosis:
    `kubectl get endpointslices` shows what is behind a Service. `kubectl get pods --show-labels` shows the labels to
    compare with the selector, `kubectl describe pod` the ports and why a pod is not ready.

Mitigation:
    Correct the label or the port that differs, in the Service or in the workload's template. Make the pods ready if
    none is.
"""

from collections.abc import Iterator, Mapping
from itertools import islice

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.behind import Forgotten, alike_behind, forgotten, pods_behind
from kubevitals.facts.apps.leaders import followers
from kubevitals.facts.apps.nearest import Near, nearest
from kubevitals.facts.apps.selectors import (
    Workload,
    labels_set_later,
    pods_by_label,
    workloads_by_label,
    workloads_by_namespace,
)
from kubevitals.facts.apps.service_ports import Stray, WrongPort, is_for_metrics, strays, wrong_ports
from kubevitals.facts.apps.services import ServiceName, ready_endpoints
from kubevitals.facts.apps.why_ended import why_ended
from kubevitals.facts.pods.faults import PodFault, is_broken, pod_faults
from kubevitals.facts.pods.refused import all_refused
from kubevitals.facts.pods.states import STUCK
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, EVERYWHERE, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import DNS_SERVICES, Ref, is_dns, is_ready, owner, ref
from kubevitals.text import plural

EXPLAINS = (
    Explains(
        (*BROKEN_PODS, "scheduling", "volume-claim", "pod-creation"), IN_WORKLOAD, ("service-endpoints[none-ready]",)
    ),
    Explains(
        ("control-plane[controller-manager-stalled]",), EVERYWHERE, ("service-endpoints[none-ready]",), words="although"
    ),
    Explains(
        ("service-endpoints",),
        CONCERNED,
        ("startup-error[app-exit]", "startup-error[init-container]", "startup-error[init-waits]"),
    ),
)

SHOWN = 10
"""Pods that a finding concerns."""


def no_match(cluster: Cluster) -> Iterator[Finding]:
    """Find Services that select no pod and no workload, past `pod.stuck`."""
    for service in _without_endpoints(cluster):
        place, selector = service.metadata.namespace, service.spec.selector
        if cluster.derive(pods_by_label).matching(place, selector) or _workloads(service, cluster):
            continue
        near, needed = _meant(service, cluster), _needed_by(service, cluster)
        if needed or (near and near.workload.replicas):
            yield _no_match(service, near, needed, Severity.ERROR)
        elif count := followers(service, cluster):
            yield _leaderless(service, count)
        elif not near and not _may_select_nothing(service, cluster):
            yield _no_match(service, None, None, Severity.WARNING)


def _without_endpoints(cluster: Cluster) -> Iterator[pb.Service]:
    """Yield the Services with a selector that have had no ready endpoint past `pod.stuck`.

    The DNS Service is a cause of its own.
    """
    for service in cluster.services:
        name = ServiceName(service.metadata.namespace, service.metadata.name)
        judged = service.spec.selector and service.spec.type != "ExternalName" and not _is_dns(service)
        settled = cluster.over(service.metadata.creationTimestamp, STUCK)
        if judged and settled and not cluster.derive(ready_endpoints).get(name):
            cluster.need_complete(name.namespace)
            yield service


def _is_dns(service: pb.Service) -> bool:
    name = service.metadata.namespace, service.metadata.name
    return name in DNS_SERVICES or (name[0] == "kube-system" and is_dns(service.metadata))


def _workloads(service: pb.Service, cluster: Cluster) -> list[Workload]:
    return cluster.derive(workloads_by_label).matching(service.metadata.namespace, service.spec.selector)


def _meant(service: pb.Service, cluster: Cluster) -> Near | None:
    """Return the workload that is meant, unless it has a Service of its own and another name.

    None is where an operator made the Service: it sets labels later, as KubeRay marks the pods that serve
    (ray-project/kuberay ray-operator/controllers/ray/common/service.go).
    """
    place, name = service.metadata.namespace, service.metadata.name
    if service.metadata.ownerReferences:
        return None
    near = nearest(name, service.spec.selector, cluster.derive(workloads_by_namespace).get(place, []))
    if near and near.workload.obj.name != name and near.workload.obj in cluster.derive(_served):
        return None
    return near


def _served(cluster: Cluster) -> frozenset[Ref]:
    """Return the workloads that a Service selects."""
    found = (workload for s in cluster.services if s.spec.selector for workload in _workloads(s, cluster))
    return frozenset(workload.obj for workload in found)


def _needed_by(service: pb.Service, cluster: Cluster) -> Ref | None:
    """Return what needs the Service: a StatefulSet, or a pod that reports that it does not answer."""
    return cluster.derive(_named_by_stateful_sets).get(ref(service)) or cluster.derive(_reported).get(ref(service))


def _named_by_stateful_sets(cluster: Cluster) -> Mapping[Ref, Ref]:
    return {
        Ref("Service", owner.metadata.namespace, owner.spec.serviceName): ref(owner)
        for owner in cluster.stateful_sets
        if owner.spec.replicas
    }


def _reported(cluster: Cluster) -> Mapping[Ref, Ref]:
    """Return the Services that crashing applications name in their last words, with one such pod."""
    found = cluster.derive(pod_faults).symptoms
    return {
        named: ref(symptom.pod)
        for fault in (PodFault.APP_EXIT, PodFault.INIT_CONTAINER)
        for symptom in found.get(fault, ())
        for named in why_ended(symptom.pod, symptom.status, cluster).concerns
        if named.kind == "Service"
    }


def _may_select_nothing(service: pb.Service, cluster: Cluster) -> bool:
    """Return whether the Service may be for pods that there are only sometimes.

    It is headless, an operator's, or selects by a label that is set on running pods: the role of a replica.
    """
    place, later = service.metadata.namespace, cluster.derive(labels_set_later)
    owned = bool(service.metadata.ownerReferences)
    return owned or service.spec.clusterIP == "None" or any((place, key) in later for key in service.spec.selector)


def _no_match(service: pb.Service, near: Near | None, needed: Ref | None, severity: Severity) -> Finding:
    but = (
        f"{near.workload.obj.kind} {near.workload.obj.name} has {near.has}" if near else "no workload has these labels"
    )
    correct = f"correct the selector, or the labels of the workload's pods: {ref(service).kubectl('edit')}"
    return Finding(
        ref(service),
        says=f"selects no pod: its selector is {_written(service.spec.selector)}; {but}",
        remedy=correct if severity is Severity.ERROR else f"delete the Service if nothing uses it; else {correct}",
        evidence=[f"needed by: {needed}"] if needed else [],
        severity=severity,
        since=service.metadata.creationTimestamp.seconds,
    )


def _leaderless(service: pb.Service, count: int) -> Finding:
    return Finding(
        ref(service),
        says=f"selects no pod: none of {plural(count, 'ready replica')} leads ({_written(service.spec.selector)})",
        remedy="see in the log of the replicas, and of their operator, why none is promoted",
        severity=Severity.WARNING,
    )


def _written(selector: Mapping[str, str]) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))


def none_ready(cluster: Cluster) -> Iterator[Finding]:
    """Find Services none of whose pods is ready, if a pod has a fault, or if its workload is refused all its pods.

    Also Services without an endpoint, although pods that they select have been ready past `pod.stuck`.
    """
    for service in _without_endpoints(cluster):
        pods = pods_behind(service, cluster)
        if ready := [pod for pod in pods if is_ready(pod)]:
            if lost := forgotten(service, ready, cluster):
                yield _forgotten(service, ready, lost, cluster)
            continue
        if service.spec.publishNotReadyAddresses:
            continue
        if broken := [pod for pod in pods if is_broken(pod, cluster)]:
            owners = [owner(pod) or ref(pod) for pod in broken]
            says = f"none of the pods that it selects is ready ({plural(len(pods), 'pod')})"
            yield _none_ready(service, says, [*owners, *map(ref, broken)])
        elif not pods and (workload := _refused(service, cluster)):
            yield _none_ready(service, f"{workload.kind} {workload.name} has no pods", [workload])


def _forgotten(service: pb.Service, ready: list[pb.Pod], lost: Forgotten, cluster: Cluster) -> Finding:
    return Finding(
        ref(service),
        says=f"has no endpoint, although it selects {plural(len(ready), 'ready pod')}{lost.why}",
        remedy=lost.remedy,
        evidence=event_lines(service, cluster),
        concerns=tuple(map(ref, ready[:SHOWN])),
    )


def _refused(service: pb.Service, cluster: Cluster) -> Ref | None:
    """Return a workload of the Service that wants pods and is refused them by the API server.

    Raises:
        NotObserved: there is none, and not all could be judged.
    """
    wanting = [workload.obj for workload in _workloads(service, cluster) if workload.replicas]
    found, unseen = cluster.derive(all_refused) if wanting else ({}, None)
    one = next((obj for obj in wanting if obj in found), None)
    if unseen and not one:
        raise unseen
    return one


def _none_ready(service: pb.Service, says: str, concerns: list[Ref]) -> Finding:
    return Finding(
        ref(service),
        says=f"has no ready endpoint: {says}",
        remedy="make its pods ready: see what keeps them from it",
        concerns=tuple(islice(dict.fromkeys(concerns), SHOWN)),
    )


def wrong_port(cluster: Cluster) -> Iterator[Finding]:
    """Find Services with a targetPort that no container of their pods declares, or none of one of their workloads.

    It is an error if all ports of the Service are names without a port and one is not for metrics, or if an application
    reports that the Service does not answer. Otherwise it is a warning: charts often keep a port for metrics that are
    off, and containers may listen at ports that they do not declare. A headless Service's ports are only in its SRV
    records: it is found only if it has no such record at all.
    """
    for service in cluster.services:
        if not service.spec.selector or service.spec.type == "ExternalName" or _is_dns(service):
            continue
        alike = alike_behind(service, cluster)
        firsts = [pods[0] for pods in alike]
        wrong = list(wrong_ports(service, firsts, cluster)) if alike else []
        if wrong and (service.spec.clusterIP != "None" or len(wrong) == len(service.spec.ports)):
            yield _wrong_port(service, wrong, pods_behind(service, cluster), cluster)
        elif stray := next(strays(service, firsts), None):
            yield _stray(service, stray)


def _stray(service: pb.Service, stray: Stray) -> Finding:
    port, of = stray.port.targetPort.intVal or stray.port.port, f"{stray.of.kind} {stray.of.name}"
    return Finding(
        ref(service),
        says=f"port {stray.port.port} also leads to the pods of {of}, which do not have port {port}: "
        f"they declare {stray.declared}",
        remedy=f"select by a label that only the pods with this port have: {ref(service).kubectl('edit')}",
        severity=Severity.WARNING,
        concerns=(stray.of,),
        since=service.metadata.creationTimestamp.seconds,
    )


def _wrong_port(service: pb.Service, wrong: list[WrongPort], pods: list[pb.Pod], cluster: Cluster) -> Finding:
    is_headless = service.spec.clusterIP == "None"
    none_leads = not is_headless and len(wrong) == len(service.spec.ports) and all(port.by_name for port in wrong)
    matters = none_leads and not all(is_for_metrics(service, port.port) for port in wrong)
    reported = cluster.derive(_reported).get(ref(service))
    lacks = "has no SRV record" if is_headless else "leads nowhere"
    return Finding(
        ref(service),
        says="; ".join(f"port {port.port.port} {lacks}: {port.why}" for port in wrong),
        remedy=f"correct targetPort, or declare the port in the pods' template: {ref(service).kubectl('edit')}",
        evidence=[f"pod behind it: {ref(pod)}" for pod in islice(pods, SHOWN)],
        severity=Severity.ERROR if matters or reported else Severity.WARNING,
        since=service.metadata.creationTimestamp.seconds,
    )


@check(no_match, none_ready, wrong_port, chapter="5.4")
def test_services_lead_to_pods() -> None:
    """Every Service leads to a ready pod."""
