"""Pods that their kubelet rejects: a controller replaces them, which helps only if the next one is admitted."""

from collections.abc import Callable

import pytest

from checks.test_startup_error import not_started
from checks.test_workload_unavailable import replicas_missing
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from tests import workloads
from tests.fakes import ago

SYSCTL = ("SysctlForbidden", 'forbidden sysctl: "net.core.somaxconn" not allowlisted')
GPU = (
    "UnexpectedAdmissionError",
    "Pod Allocate failed due to requested number of devices unavailable for nvidia.com/gpu. Requested: 1, Available: 0",
)


def rejected(number: int, age: int, reason: str = SYSCTL[0], message: str = SYSCTL[1]) -> pb.Pod:
    pod = workloads.pod(f"web-5d-{number}", ready=False, age=age, since=age)
    pod.status.phase, pod.status.reason, pod.status.message = "Failed", reason, message
    del pod.status.containerStatuses[:]
    return pod


def loop(*said: str) -> list[pb.Pod]:
    return [rejected(number, 300 - 60 * number, *said) for number in range(5)]


def found(made: list[pb.Pod]) -> list[Finding]:
    return list(not_started(workloads.cluster(workloads.deployment(0, 1), made)))


@pytest.mark.parametrize(
    ("said", "remedy"),
    [(SYSCTL, "leave the sysctl out"), (GPU, "look at the pod of the device plugin on node worker-0")],
)
def test_a_controller_whose_new_pods_are_all_rejected(said: tuple[str, str], remedy: str) -> None:
    """kubernetes/kubernetes issue 130145: the ReplicaSet creates thousands of pods, and none is admitted."""
    (finding,) = found(loop(*said))
    assert str(finding.obj) == "Pod/shop/web-5d-4"
    assert finding.says == (
        f"the kubelet rejects each new pod (5 pods of its controller within 15m): {said[0]}: {said[1]}"
    )
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("reason", "message", "remedy"),
    [
        ("OutOfcpu", "Node didn't have enough resource: cpu", "lower what the pod requests"),
        ("Evicted", "The node was low on resource: pids. Threshold quantity: 10", "starts so many processes on node"),
        ("NodeAffinity", "Pod Predicate NodeAffinity failed", "or the labels of node worker-0"),
        ("TopologyAffinityError", "Resources cannot be allocated with Topology locality", "NUMA node"),
        (
            "AppArmor",
            "Cannot enforce AppArmor: AppArmor is not enabled on the host",
            "load the profile on node worker-0",
        ),
        ("PodFeatureUnsupported", "Pod requires node features that are not available: X", "update the kubelet"),
        ("VolumeAttachmentLimitExceeded", "Node has insufficient volume attachment capacity", "move other pods"),
        ("NewReason", "of a later kubelet", "correct what the message names"),
    ],
)
def test_the_remedy_fits_the_reason(reason: str, message: str, remedy: str) -> None:
    bare = rejected(1, 60, reason, message)
    del bare.metadata.ownerReferences[:]
    (finding,) = found([bare])
    assert remedy in finding.remedy
    assert finding.remedy.endswith("; then create the pod again")


def test_the_workload_is_short_of_what_is_rejected() -> None:
    (finding,) = replicas_missing(workloads.cluster(workloads.deployment(0, 1), loop()))
    assert finding.says == "has 0 of 1 replica available: has failed (SysctlForbidden) (1 pod)"
    assert "Pod/shop/web-5d-4" in map(str, finding.concerns)


def admitted(made: list[pb.Pod]) -> None:
    made.append(workloads.pod("web-5d-9", age=30))


def at_once(made: list[pb.Pod]) -> None:
    for pod in made:
        pod.metadata.creationTimestamp.CopyFrom(ago(60))


def of_a_node_that_restarted(made: list[pb.Pod]) -> None:
    """kubernetes/kubernetes issue 100467: its old pods fail admission, and are replaced."""
    for number, pod in enumerate(made):
        pod.metadata.creationTimestamp.CopyFrom(ago(80_000 - number * 500))


def of_a_node_that_shuts_down(made: list[pb.Pod]) -> None:
    for pod in made:
        pod.status.reason = "NodeShutdown"


@pytest.mark.parametrize("change", [admitted, at_once, of_a_node_that_restarted, of_a_node_that_shuts_down])
def test_rejected_pods_that_are_replaced_are_no_fault(change: Callable[[list[pb.Pod]], None]) -> None:
    made = loop()
    assert found(made)
    change(made)
    assert not found(made)


def test_a_deployment_that_is_unavailable_for_long_has_no_pods() -> None:
    """Whatever deletes its pods as soon as they are created: only their absence shows it."""
    long = workloads.condition("Available", "False", "MinimumReplicasUnavailable")
    short = workloads.condition("Available", "False", "MinimumReplicasUnavailable", since=60)
    (finding,) = workloads.missing(workloads.deployment(0, 1, long), [])
    assert finding.says == "has 0 of 1 replica available: 1 pod not created"
    assert not workloads.missing(workloads.deployment(0, 1, short), [])


def test_a_deployment_that_was_created_paused_has_no_pods_on_purpose() -> None:
    paused = workloads.deployment(0, 1, workloads.condition("Available", "False", "MinimumReplicasUnavailable"))
    paused.spec.paused = True
    assert not workloads.missing(paused, [])
