"""Memory limits that the template of a workload does not set: raising the template's limit would not help."""

from collections.abc import Callable

import pytest

from checks.test_memory_limit import oom_killed
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.source.request import Answer
from tests.fakes import Answers, ago, cluster_of
from tests.workloads import deployment, meta, pod

CHANGED = "find out what changes the template's limit: a mutating webhook, the VerticalPodAutoscaler, or a resize"


def killed(limit: str = "16Mi") -> pb.Pod:
    """Return a pod of the Deployment web whose container was killed at this limit."""
    made = pod("web-5d-0", ready=False)
    made.spec.containers[0].resources.limits["memory"].string = limit
    ended = pb.ContainerStateTerminated(exitCode=137, reason="OOMKilled", startedAt=ago(70), finishedAt=ago(60))
    status = made.status.containerStatuses[0]
    status.state.CopyFrom(pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="CrashLoopBackOff")))
    status.lastState.terminated.CopyFrom(ended)
    status.restartCount = 5
    return made


def of_template(limit: str) -> pb.Deployment:
    made = deployment(0, 1)
    container = made.spec.template.spec.containers.add(name="app")
    if limit:
        container.resources.limits["memory"].string = limit
    return made


def limit_range(default: str = "16Mi", kind: str = "Container") -> pb.LimitRange:
    made = pb.LimitRange(metadata=meta("defaults"))
    made.spec.limits.add(type=kind).default["memory"].string = default
    return made


def found(of: pb.Deployment, *ranges: pb.LimitRange, answers: Answers | None = None) -> Finding:
    (finding,) = oom_killed(cluster_of(answers, pods=[killed()], deployments=[of], limit_ranges=ranges))
    return finding


def test_a_limit_that_something_changed_on_the_way() -> None:
    """A mutating webhook lowers the limit of each new pod, and the Deployment looks as it should."""
    finding = found(of_template("512Mi"))
    assert finding.says.endswith("was OOMKilled: its memory limit is 16Mi, and that of its template is 512Mi")
    assert finding.remedy.startswith(CHANGED)


def test_a_limit_that_is_the_default_of_the_namespace() -> None:
    finding = found(of_template(""), limit_range())
    assert finding.says.endswith('its memory limit is 16Mi, the default of LimitRange "defaults"')
    assert finding.remedy.startswith("set limits.memory in the workload's template")


@pytest.mark.parametrize(
    "ranges", [(), (limit_range("32Mi"),), (limit_range(kind="Pod"),)], ids=["none", "another", "for pods"]
)
def test_a_limit_that_no_default_gives(ranges: tuple[pb.LimitRange, ...]) -> None:
    finding = found(of_template(""), *ranges)
    assert finding.says.endswith("its memory limit is 16Mi, and its template sets none")
    assert finding.remedy.startswith(CHANGED)


def rolling_out(of: pb.Deployment) -> None:
    of.status.replicas, of.status.updatedReplicas = 2, 1


def not_seen_by_its_controller(of: pb.Deployment) -> None:
    of.metadata.generation = 2


def another_container(of: pb.Deployment) -> None:
    of.spec.template.spec.containers[0].name = "other"


@pytest.mark.parametrize("change", [rolling_out, not_seen_by_its_controller, another_container])
def test_a_pod_that_may_be_of_another_template(change: Callable[[pb.Deployment], None]) -> None:
    of = of_template("512Mi")
    change(of)
    assert found(of).says.endswith("was OOMKilled: its memory limit is 16Mi")


def test_the_limit_of_the_template() -> None:
    finding = found(of_template("16Mi"), limit_range())
    assert finding.says.endswith("was OOMKilled: its memory limit is 16Mi")
    assert finding.remedy.startswith("raise its limit, first to 24Mi")


@pytest.mark.parametrize("path", ["/apis/apps/v1/daemonsets", "/apis/apps/v1/deployments"])
def test_workloads_that_are_not_observed_tell_nothing(path: str) -> None:
    assert found(of_template("512Mi"), answers={path: Answer(403)}).says.endswith("its memory limit is 16Mi")


def test_limit_ranges_that_are_not_observed_are_not_named() -> None:
    finding = found(of_template(""), limit_range(), answers={"/api/v1/limitranges": Answer(403)})
    assert finding.says.endswith("and its template sets none")
