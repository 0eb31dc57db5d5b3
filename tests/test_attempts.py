"""A failed pod or Job is past once a later attempt at the same thing has succeeded."""

from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, pod_faults
from kubevitals.findings.finding import Severity
from tests.built import node
from tests.fakes import ago, cluster_of

HOURS = 7200


def attempt(
    name: str, code: int, finished: int, labels: dict[str, str] | None = None, owner: pb.OwnerReference | None = None
) -> pb.Pod:
    """A finished pod whose container ended so many seconds ago."""
    ended = pb.ContainerStateTerminated(
        exitCode=code, reason="Error" if code else "Completed", finishedAt=ago(finished)
    )
    status = pb.ContainerStatus(name="app", state=pb.ContainerState(terminated=ended))
    return pb.Pod(
        metadata=pb.ObjectMeta(name=name, namespace="shop", labels=labels, ownerReferences=[owner] if owner else []),
        spec=pb.PodSpec(nodeName="one", restartPolicy="Never", containers=[pb.Container(name="app")]),
        status=pb.PodStatus(
            phase="Failed" if code else "Succeeded", startTime=ago(finished + 60), containerStatuses=[status]
        ),
    )


def judged(*pods: pb.Pod, **lists: Any) -> dict[str, Severity]:
    """Return the failed pods that are found, with their severity."""
    symptoms = pod_faults(cluster_of(pods=[*pods], nodes=[node()], **lists)).symptoms
    return {symptom.pod.metadata.name: symptom.severity for symptom in symptoms[PodFault.APP_EXIT]}


AIRFLOW = {
    "dag_id": "nightly",
    "task_id": "load",
    "run_id": "scheduled__2026-02-28T000000.0000000000-3b0a9a5d4",
    "try_number": "1",
}
RETRIED = AIRFLOW | {"run_id": "manual__2026-03-01T101112.1234560000-8f31c7a20", "try_number": "2"}


@pytest.mark.parametrize(
    ("failed", "succeeded", "labels", "later"),
    [
        ("migrate-1", "migrate-2", {}, {}),
        ("nightly-load-x7k2p", "nightly-load-bq4wz", {}, {}),
        ("load-0f3a9c2e", "load-77bd01aa", AIRFLOW, AIRFLOW | {"try_number": "2"}),
        ("installer-5-cp-0", "installer-5-retry-1-cp-0", {"app": "installer"}, {"app": "installer"}),
        ("build-1a2b3c4d-attempt-1", "build-9f8e7d6c-attempt-2", {"app": "ci"}, {"app": "ci"}),
    ],
)
def test_a_later_success_of_the_same_name_and_labels_supersedes_a_bare_pod(
    failed: str, succeeded: str, labels: dict[str, str], later: dict[str, str]
) -> None:
    assert judged(attempt(failed, 1, 600, labels)) == {failed: Severity.ERROR}
    assert judged(attempt(failed, 1, 600, labels), attempt(succeeded, 0, 60, later)) == {}


@pytest.mark.parametrize(
    "other",
    [
        attempt("migrate-2", 0, 900),
        attempt("cleanup-2", 0, 60),
        attempt("migrate-2", 0, 60, {"app": "other"}),
        attempt("migrate-mysql5", 0, 60),
        attempt("migrate-2", 3, 60, {"app": "other"}),
    ],
    ids=["earlier", "another name", "other labels", "a word with a digit", "failed as well"],
)
def test_what_is_no_later_success_does_not_supersede_it(other: pb.Pod) -> None:
    assert "migrate-1" in judged(attempt("migrate-1", 1, 600), other)


@pytest.mark.parametrize(("finished", "severity"), [(600, Severity.ERROR), (HOURS, Severity.WARNING)])
def test_a_bare_pod_that_failed_long_ago_is_a_warning(finished: int, severity: Severity) -> None:
    assert judged(attempt("migrate", 1, finished)) == {"migrate": severity}


CRON_JOB = pb.OwnerReference(kind="CronJob", name="report", uid="cron", controller=True)


def run(name: str, condition: str, turned: int, *owners: pb.OwnerReference) -> pb.Job:
    return pb.Job(
        metadata=pb.ObjectMeta(name=name, namespace="shop", uid=name, ownerReferences=owners),
        status=pb.JobStatus(
            conditions=[pb.JobCondition(type=condition, status="True", lastTransitionTime=ago(turned))]
        ),
    )


def of(job: str) -> pb.OwnerReference:
    return pb.OwnerReference(kind="Job", name=job, uid=job, controller=True)


@pytest.mark.parametrize("owners", [[], [CRON_JOB], [pb.OwnerReference(kind="Flow", uid="flow", controller=True)]])
def test_a_later_job_of_the_same_owner_supersedes_a_failed_one(owners: list[pb.OwnerReference]) -> None:
    pod, failed = attempt("report-1-x7k2p", 1, 600, owner=of("report-1")), run("report-1", "Failed", 600, *owners)
    assert judged(pod, jobs=[failed]) == {"report-1-x7k2p": Severity.ERROR}
    assert judged(pod, jobs=[failed, run("report-2", "Complete", 700, *owners)]) == {"report-1-x7k2p": Severity.ERROR}
    assert judged(pod, jobs=[failed, run("report-2", "Complete", 60, *owners)]) == {}


@pytest.mark.parametrize(("owners", "severity"), [([], Severity.WARNING), ([CRON_JOB], Severity.ERROR)])
def test_a_job_that_failed_long_ago_is_a_warning_unless_its_controller_still_waits_for_a_success(
    owners: list[pb.OwnerReference], severity: Severity
) -> None:
    pod, failed = attempt("report-1-x7k2p", 1, HOURS, owner=of("report-1")), run("report-1", "Failed", HOURS, *owners)
    assert judged(pod, jobs=[failed]) == {"report-1-x7k2p": severity}
