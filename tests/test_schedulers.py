"""Schedulers other than the default one, and pods that wait on purpose."""

import pytest

from checks.test_workload_unavailable import replicas_missing
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, pod_faults
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.finding import Finding, Severity
from tests import workloads
from tests.fakes import ago, cluster_of
from tests.test_scheduling import found, nodes, pending

INSUFFICIENT = "0/3 nodes are available: 3 Insufficient cpu. preemption: 0/3 nodes are available."
UNSUPPORTED = "Pod not supported on Fargate: volumes not supported: data is of an unsupported volume Type"
MISCONFIGURED = "Misconfigured Fargate Profile: fargate profile fp-default blocked for new launches"
TIMED_OUT = "Pod provisioning timed out (will retry) for pod: shop/web-0"
QUEUED = "pod group is not ready, 2 Pending, 3 minAvailable; 0/3 nodes are unavailable: 3 Insufficient cpu"


def by(scheduler: str, message: str, priority: int = 0) -> pb.Pod:
    pod = pending(cpu="64")
    pod.spec.schedulerName, pod.spec.priority = scheduler, priority
    pod.status.conditions[0].message = message
    return pod


def judged(pod: pb.Pod) -> list[Finding]:
    return found(pod, nodes())


@pytest.mark.parametrize("scheduler", ["gke.io/optimize-utilization-scheduler", "bin-packing"])
def test_any_profile_of_kube_scheduler_is_one(scheduler: str) -> None:
    """GKE writes its own profile into every pod of Autopilot clusters."""
    (finding,) = judged(by(scheduler, INSUFFICIENT))
    assert finding.says == "cannot be scheduled: it requests 64 CPU, and the node with most has 4 CPU free"


@pytest.mark.parametrize("message", [UNSUPPORTED, MISCONFIGURED, TIMED_OUT])
def test_fargate_says_itself_what_it_does_not_run(message: str) -> None:
    (finding,) = judged(by("fargate-scheduler", message))
    assert finding.says == f"cannot be scheduled: {message}"


def test_a_pod_for_which_fargate_makes_a_node_has_a_scheduler() -> None:
    """Its machine takes more than a minute; until then the pod has no condition."""
    for created, waits in ((300, True), (1000, False)):
        pod = by("fargate-scheduler", "")
        del pod.status.conditions[:]
        pod.status.nominatedNodeName = "0a1b-fargate"
        pod.metadata.creationTimestamp.CopyFrom(ago(created))
        assert pod_faults(cluster_of(pods=[pod])).symptoms[PodFault.NO_SCHEDULER] == ([] if waits else [Symptom(pod)])


@pytest.mark.parametrize(("scheduler", "message"), [("volcano", QUEUED), ("fargate-scheduler", "")])
def test_a_queue_may_wait_on_purpose(scheduler: str, message: str) -> None:
    assert not judged(by(scheduler, message))


@pytest.mark.parametrize(("priority", "severity"), [(-10, Severity.WARNING), (0, Severity.ERROR)])
def test_pods_that_keep_spare_capacity_free_may_wait(priority: int, severity: Severity) -> None:
    """As the FAQ of the cluster autoscaler describes it: they are evicted for any other pod, and then wait."""
    (finding,) = judged(by("", INSUFFICIENT, priority))
    assert finding.severity is severity
    waits = by("", INSUFFICIENT, priority)
    waits.metadata.ownerReferences.add(kind="StatefulSet", name="web", controller=True)
    (short,) = replicas_missing(cluster_of(pods=[waits], nodes=nodes(), stateful_sets=[workloads.stateful_set(0, 1)]))
    assert short.severity is severity


def test_a_workload_shows_what_another_scheduler_says() -> None:
    waits = workloads.pod("web-5d-0", ready=False)
    waits.spec.nodeName, waits.status.phase, waits.spec.schedulerName = "", "Pending", "volcano"
    waits.status.conditions.add(type="PodScheduled", status="False", reason="Unschedulable", message=QUEUED)
    (short,) = workloads.missing(workloads.deployment(0, 1), [waits])
    assert any(line.endswith(f"has no node (Unschedulable), for 1h: {QUEUED}") for line in short.evidence)
