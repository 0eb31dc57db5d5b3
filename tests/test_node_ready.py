"""What kubelets and agents on a node report of it, and what helps."""

import pytest

from checks.test_node_ready import not_ready, pressure, silent
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Severity
from tests.fakes import ago, cluster_of
from tests.networks import node


def reported(kind: str, status: str, since: int = 600) -> pb.Node:
    state = pb.NodeCondition(type=kind, status=status, reason="Why", message="what", lastTransitionTime=ago(since))
    return node("one", conditions=[state])


@pytest.mark.parametrize(
    ("kind", "status"),
    [("ReadonlyFilesystem", "True"), ("KubeletProblem", "True"), ("StorageReady", "False"), ("KernelReady", "False")],
)
def test_a_problem_that_an_agent_reports_is_a_warning(kind: str, status: str) -> None:
    (finding,) = pressure(cluster_of(nodes=[reported(kind, status)]))
    assert finding.says == f"reports a problem: {kind}={status}: Why: what"
    assert (finding.severity, finding.part) == (Severity.WARNING, kind)


@pytest.mark.parametrize(
    ("kind", "status", "since"),
    [
        ("ReadonlyFilesystem", "False", 600),
        ("ReadonlyFilesystem", "Unknown", 600),
        ("ReadonlyFilesystem", "True", 10),
        ("StorageReady", "True", 600),
        ("VMEventScheduled", "True", 600),
        ("EtcdIsVoter", "True", 600),
    ],
)
def test_a_condition_that_is_no_problem(kind: str, status: str, since: int) -> None:
    seen = cluster_of(nodes=[reported(kind, status, since)])
    assert not [*not_ready(seen), *silent(seen), *pressure(seen)]


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        (
            "PLEG is not healthy: pleg was last seen active 16h17m ago; threshold is 3m0s",
            "restart the container runtime",
        ),
        ("[container runtime is down, PLEG is not healthy: pleg has yet to be successful]", "restart the container"),
        (
            "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:x",
            "the CNI's pod",
        ),
        ("CSINode is not yet initialized", "its CSINode"),
        ("missing node capacity for resources: ephemeral-storage", "restart the kubelet"),
        ("something new", "look for the cause on the node"),
    ],
)
def test_what_helps_depends_on_what_the_kubelet_reports(message: str, remedy: str) -> None:
    (finding,) = not_ready(cluster_of(nodes=[node("one", "False", message)]))
    assert remedy in finding.remedy
