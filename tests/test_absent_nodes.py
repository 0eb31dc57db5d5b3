"""Pods whose template names a node that does not exist."""

from typing import Any

import pytest

from checks.test_startup_error import not_started
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.source.request import Answer
from tests.built import node
from tests.fakes import Answers, cluster_of
from tests.workloads import deployment, pod


def bound(age: int = 25, to: str = "node99") -> pb.Pod:
    """Return a pod that no kubelet has seen."""
    made = pod("web-5d-0", ready=False, age=age)
    made.spec.nodeName = to
    made.status.CopyFrom(pb.PodStatus(phase="Pending"))
    return made


def of_template(node_name: str = "node99") -> pb.Deployment:
    made = deployment(0, 1)
    made.spec.template.spec.nodeName = node_name
    return made


def found(made: pb.Pod, of: pb.Deployment, answers: Answers | None = None, **lists: Any) -> list[Finding]:
    lists = {"nodes": [node("worker-0")]} | lists
    return list(not_started(cluster_of(answers, pods=[made], deployments=[of], **lists)))


def test_a_template_that_names_a_node_that_does_not_exist() -> None:
    """No scheduler is asked, the pod is deleted after 40 s and created again, so that none ever gets old."""
    (finding,) = found(bound(), of_template())
    assert finding.says == "its node node99 does not exist"
    assert finding.remedy.startswith("leave nodeName out of the pod template")


def test_a_pod_that_waits_for_such_a_node() -> None:
    (finding,) = found(bound(age=600), of_template(""))
    assert finding.says == "its node node99 does not exist"


@pytest.mark.parametrize(
    ("made", "of"),
    [
        (bound(), of_template("")),
        (bound(to="worker-0"), of_template("worker-0")),
        (bound(to="worker-9"), of_template("node99")),
    ],
    ids=["a node that was just removed", "a node that exists", "of an earlier template"],
)
def test_a_young_pod_may_still_start(made: pb.Pod, of: pb.Deployment) -> None:
    assert not found(made, of)


def test_a_pod_that_has_run_outlives_its_node() -> None:
    made = pod("web-5d-0")
    made.spec.nodeName = "node99"
    assert not found(made, of_template())


@pytest.mark.parametrize("path", ["/api/v1/nodes", "/apis/apps/v1/statefulsets"])
def test_what_is_not_observed_may_exist(path: str) -> None:
    assert not found(bound(), of_template(), {path: Answer(403)})


def test_a_pod_on_a_node_that_is_not_observed_is_its_kubelets_matter() -> None:
    (finding,) = found(bound(age=600), of_template(), {"/api/v1/nodes": Answer(403)})
    assert finding.says == "the kubelet of node node99 has not reported any container of the pod"
