"""A pod runs, but it is not ready: its readiness probe fails, or a readiness gate is not met.

Meaning:
    The containers run, and Kubernetes does not count the pod as ready: a readiness probe asks for the wrong port or
    path, or the application reports that it cannot work, or a condition that spec.readinessGates requires is not true.
    A container may take as long to become ready as its probes and the other replicas say.

Impact:
    Services send no requests to the pod. A rollout waits for it, and a workload is short of its replicas.

Diagnosis:
    `kubectl describe pod` shows Unhealthy events with the probe's answer, and the conditions Ready and ContainersReady.
    `kubectl logs` shows what the application waits for.

Mitigation:
    Correct port, path or command of the readiness probe, or fix what the application reports. For a gate, see why its
    controller does not set the condition. If only one replica is meant to be ready, because they elect a leader,
    declare the finding as a known issue.
"""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.causes import AppCause, cause_of_exit, missing_right
from kubevitals.facts.pods.container_probe_events import (
    ProbeEvents,
    ReplyKind,
    failures_line,
    probe_failures,
    reply_to,
)
from kubevitals.facts.pods.container_probe_remedies import remedy_for
from kubevitals.facts.pods.container_probes import ProbeKind, container_of, numbers_line, probe_of, request_of
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.states import Symptom
from kubevitals.facts.pods.unready import has_been_ready, is_only_one_ready, unmet_gates, unready_since
from kubevitals.facts.workloads import outdated
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import current_log_lines, pod_lines
from kubevitals.findings.finding import Finding, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import condition
from kubevitals.text import duration

STANDBY = "if only one replica is meant to be ready (leader election), declare this as a known issue"

GATES = (
    ("target-health.elbv2.k8s.aws/", "see the health checks of the target group, and the log of the AWS Load Balancer"),
    ("cloud.google.com/load-balancer-neg-ready", "see the health checks of the load balancer's backend service"),
)
"""Conditions by their beginning that cloud providers' load balancers set, and where they say more."""


class Failure(NamedTuple):
    """A container that is not ready, its probe, and how that probe failed last."""

    symptom: Symptom
    kind: ProbeKind
    probe: pb.Probe | None
    failed: ProbeEvents | None
    not_observed: NotObserved | None

    @property
    def reply(self) -> ReplyKind:
        """How the probe failed last."""
        return reply_to(self.probe or pb.Probe(), self.failed).kind


def probe_failing(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that run and are not ready, past `pod.stuck` and the time that their probes allow for a start."""
    for symptom in broken_pods(cluster, PodFault.PROBE_FAILING):
        failure, pod, name = _failure(symptom, cluster), symptom.pod, symptom.status.name
        cause = _cause(failure, cluster)
        probe, kind = failure.probe, failure.kind
        asked = f'{kind} probe of container "{name}" fails ({request_of(probe)})' if probe else _without_probe(name)
        yield pod_finding(
            pod,
            says=f"{asked}: {_why(failure, cause)}" if probe else asked,
            remedy=outdated.remedy_for(pod, _remedy(failure, cause, cluster), cluster),
            evidence=_lines(failure, cluster),
            part=name,
            concerns=cause.concerns if cause else (),
            missing=cause.missing if cause else (),
        )


def _without_probe(name: str) -> str:
    return f'container "{name}" runs and is not ready, although it has no readiness probe'


def _failure(symptom: Symptom, cluster: Cluster) -> Failure:
    """Return how the container's probe fails; answers from before its present start do not count."""
    pod, status, kind = symptom.pod, symptom.status, symptom.probe or ProbeKind.READINESS
    probe = probe_of(container_of(pod, status), kind)
    try:
        failed = probe_failures(pod, status.name, kind, cluster)
    except NotObserved as error:
        return Failure(symptom, kind, probe, None, error)
    is_present = failed is not None and failed.seen.last >= status.state.running.startedAt.seconds
    return Failure(symptom, kind, probe, failed if is_present else None, None)


def _cause(failure: Failure, cluster: Cluster) -> AppCause | None:
    """Return what the application reports, in the probe's output or else in its log, if that is known."""
    pod, name = failure.symptom.pod, failure.symptom.status.name
    words = failure.failed.words if failure.failed and failure.reply is ReplyKind.OUTPUT else ""
    if cause := missing_right(words) or cause_of_exit(words.splitlines(), pod, name, cluster):
        return cause
    try:
        return cause_of_exit(cluster.log(pod, name, previous=False), pod, name, cluster)
    except NotObserved:
        return None  # the probe's answer stands alone


def _why(failure: Failure, cause: AppCause | None) -> str:
    """Return how the probe failed last, and what the application reports."""
    if failure.not_observed:
        return f"its answer is not observed: {failure.not_observed}"
    container = container_of(failure.symptom.pod, failure.symptom.status)
    words = reply_to(failure.probe or pb.Probe(), failure.failed).words
    if failure.reply is ReplyKind.REFUSED:
        return f"{words}, nothing listens on that port{_declared(container, failure.probe or pb.Probe())}"
    if failure.reply is ReplyKind.CLIENT_ERROR and words.endswith(" 404"):
        words += ", the application does not serve that path"
    if not cause or cause.means in words:
        return words
    return cause.means if failure.reply is ReplyKind.OUTPUT else f"{words}; its log says: {cause.means}"


def _declared(container: pb.Container, probe: pb.Probe) -> str:
    """Return which ports the container declares instead, if it declares some and not the probe's."""
    handler = probe.handler
    number = handler.httpGet.port.intVal or handler.tcpSocket.port.intVal or handler.grpc.port
    ports = [port.containerPort for port in container.ports if port.protocol in ("", "TCP")]
    if not ports or not number or number in ports:
        return ""
    return f"; the container declares {', '.join(map(str, ports[:5]))}"


_TOLD_BY_LOG = (ReplyKind.OUTPUT, ReplyKind.HTTP_STATUS, ReplyKind.GRPC_STATUS)
"""Replies with which the application itself says that it is not ready: its log says more."""


def _remedy(failure: Failure, cause: AppCause | None, cluster: Cluster) -> str:
    kind, probe, pod = failure.kind, failure.probe, failure.symptom.pod
    if not probe:
        return "see the kubelet's log on its node, and restart the kubelet"
    told = cause is not None and failure.reply in _TOLD_BY_LOG
    remedy = cause.remedy if cause and told else remedy_for(kind, probe, failure.reply)
    if failure.reply is ReplyKind.REFUSED:
        remedy += "; it must listen on the pod's address, not on 127.0.0.1"
    return f"{remedy}; {STANDBY}" if is_only_one_ready(pod, cluster) else remedy


def _lines(failure: Failure, cluster: Cluster) -> Iterator[str]:
    pod, status = failure.symptom.pod, failure.symptom.status
    lasted = duration(cluster.age(unready_since(pod, status)))
    yield f"ready until {lasted} ago" if has_been_ready(pod, status) else f"runs for {lasted}, and has not been ready"
    if failure.probe:
        yield numbers_line(failure.kind, failure.probe)
    if failure.failed and failure.probe:
        yield failures_line(failure.kind, failure.probe, failure.failed, cluster)
    yield from current_log_lines(pod, status, cluster)
    yield from pod_lines(pod, cluster)


def gate_unmet(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose containers are ready, but whose readiness gates are not met past `readiness.gate`."""
    for symptom in broken_pods(cluster, PodFault.GATE_UNMET):
        gates = unmet_gates(symptom.pod)
        known = next(filter(None, map(_gate_remedy, gates)), "")
        yield pod_finding(
            symptom.pod,
            says=f"is not ready, although its containers are: {'; '.join(_gate(gate, symptom.pod) for gate in gates)}",
            remedy=known or "see why the controller of that condition does not set it",
            evidence=pod_lines(symptom.pod, cluster),
        )


def _gate(gate: str, pod: pb.Pod) -> str:
    """Return why a readiness gate is not met."""
    set_ = condition(pod, gate)
    if not set_:
        return f'readiness gate "{gate}" is not met: nothing has set that condition'
    why = ": ".join(filter(None, (set_.reason, set_.message)))
    return f'readiness gate "{gate}" is {set_.status}{f" ({why})" if why else ""}'


def _gate_remedy(gate: str) -> str:
    return next((remedy for start, remedy in GATES if gate.startswith(start)), "")


@check(probe_failing, gate_unmet, chapter="5.3")
def test_running_pods_are_ready() -> None:
    """Every pod that runs is ready."""
