"""Jobs whose work is done, and whose pods do not end."""

import pytest

from checks.test_jobs import overdue
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding, Severity
from tests.cron_jobs import HOUR, cron_job, job
from tests.fakes import ago, cluster_of


def pod(done: int = HOUR, code: int = 0, beside: str = "istio-proxy") -> pb.Pod:
    """Return a pod of the Job, in which the work has ended so many seconds ago, and another container runs."""
    ended = pb.ContainerStateTerminated(exitCode=code, reason="Completed", finishedAt=ago(done))
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(2 * HOUR)))
    statuses = [
        pb.ContainerStatus(name="migrate", state=pb.ContainerState(terminated=ended)),
        pb.ContainerStatus(name=beside, ready=True, state=running),
    ]
    made = pb.Pod(
        metadata=pb.ObjectMeta(name="report-1-x", namespace="shop", uid="pod"),
        spec=pb.PodSpec(nodeName="one", restartPolicy="Never"),
        status=pb.PodStatus(phase="Running", containerStatuses=statuses),
    )
    made.metadata.ownerReferences.add(kind="Job", name="report-1", uid="report-1", controller=True)
    return made


def found(*pods: pb.Pod, jobs: list[pb.Job] | None = None, cron_jobs: list[pb.CronJob] | None = None) -> list[Finding]:
    jobs = [job(of="", started=2 * HOUR)] if jobs is None else jobs
    return list(overdue(cluster_of(pods=list(pods), jobs=jobs, cron_jobs=cron_jobs or [])))


@pytest.mark.parametrize(
    "sidecar", ["istio-proxy", "linkerd-proxy", "vault-agent", "cloud-sql-proxy", "fluent-bit", "log-forwarder"]
)
def test_a_sidecar_keeps_a_job_from_completing(sidecar: str) -> None:
    """istio/istio issue 11045, linkerd/linkerd2 issue 8194, kubernetes/kubernetes issue 25908."""
    (finding,) = found(pod(beside=sidecar))
    assert str(finding.obj) == "Job/shop/report-1"
    assert finding.says == (
        f'it does not complete: container "migrate" completed 1h ago, and container "{sidecar}" runs on'
    )
    assert finding.remedy.startswith("make it a native sidecar")


@pytest.mark.parametrize(
    ("made", "jobs"),
    [
        (pod(done=60), None),
        (pod(code=1), None),
        (pod(beside="train"), None),
        (pod(), [job(turned="Complete", of="")]),
        (pod(), []),
    ],
    ids=["just completed", "failed", "the work itself", "Job is complete", "no Job"],
)
def test_what_ends_by_itself_or_has_ended_is_no_fault(made: pb.Pod, jobs: list[pb.Job] | None) -> None:
    assert not found(made, jobs=jobs)


def test_runs_of_a_cron_job_are_its_finding() -> None:
    (finding,) = found(pod(), jobs=[job(started=2 * HOUR)], cron_jobs=[cron_job("0 0 * * *", succeeded=HOUR)])
    assert str(finding.obj) == "CronJob/shop/report"
    assert finding.says.startswith("its run does not complete: ")


@pytest.mark.parametrize(("lingers", "count"), [(True, 1), (False, 0)])
def test_the_first_run_may_take_as_long_as_it_likes_until_one_of_its_containers_is_done(
    count: int, *, lingers: bool
) -> None:
    """It holds all later runs up (Forbid), and none has ever succeeded."""
    made = pod(beside="mailer")
    if not lingers:
        made.status.containerStatuses[0].CopyFrom(made.status.containerStatuses[1])
    never = cron_job("*/10 * * * *", succeeded=0, concurrencyPolicy="Forbid")
    findings = found(made, jobs=[job(started=4 * HOUR)], cron_jobs=[never])
    assert len(findings) == count
    assert all(finding.severity is Severity.WARNING for finding in findings)
    assert all('container "migrate" completed 1h ago' in finding.says for finding in findings)


def test_a_cron_job_that_is_overdue_is_told_once_whatever_runs_on() -> None:
    """Its schedule shows that the run is too long: the name of the container need not be known."""
    done = job("report-0", turned="Complete", ended=5 * HOUR, started=6 * HOUR)
    late = cron_job("*/10 * * * *", succeeded=5 * HOUR, concurrencyPolicy="Forbid")
    (finding,) = found(pod(beside="mailer"), jobs=[done, job(started=4 * HOUR)], cron_jobs=[late])
    assert 'scheduled times passed since it started; container "migrate" completed 1h ago' in finding.says
    assert finding.remedy.startswith("make it a native sidecar")
