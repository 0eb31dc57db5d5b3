"""Jobs that failed and CronJobs that are overdue, and what of that is on purpose."""

import pytest

from checks.test_jobs import EXPLAINS, failed, overdue
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.facts.apps.cron_schedule import UnreadableSchedule, times_due
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from tests.cron_jobs import HOUR, cluster, cron_job, job
from tests.fakes import NOW

BACKOFF, DEADLINE = "BackoffLimitExceeded", "DeadlineExceeded"


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        (BACKOFF, "failed: its pods failed more often than backoffLimit allows (2)"),
        (DEADLINE, "failed: it took longer than activeDeadlineSeconds allows (30)"),
        ("PodFailurePolicy", "failed: a pod failed in a way that podFailurePolicy does not retry"),
        ("FailedIndexes", "failed: some of its indexes failed"),
        ("MaxFailedIndexesExceeded", "failed: more of its indexes failed than maxFailedIndexes allows"),
        ("Odd{job}", "failed: Odd{job}: {job.spec}"),
    ],
)
def test_a_failed_job_is_found_with_its_reason(reason: str, says: str) -> None:
    (found,) = failed(cluster([], job("report", "Failed", reason, of="", message="{job.spec}")))
    assert found.says == says
    assert (found.obj, found.severity) == (Ref("Job", "shop", "report"), Severity.ERROR)
    assert found.remedy.endswith(", then create the Job again")


def test_a_job_that_failed_long_ago_is_a_warning() -> None:
    (found,) = failed(cluster([], job("report", "Failed", BACKOFF, of="", ended=2 * HOUR)))
    assert found.severity is Severity.WARNING


def test_failed_runs_of_a_cron_job_are_one_finding() -> None:
    runs = [job("report-1", "Failed", BACKOFF, ended=4000), job("report-2", "Failed", DEADLINE, ended=400)]
    (found,) = failed(cluster([cron_job()], *runs))
    assert found.obj == Ref("CronJob", "shop", "report")
    assert found.says == "its latest run failed: it took longer than activeDeadlineSeconds allows (30)"
    assert found.remedy.startswith("find out what takes so long, or raise activeDeadlineSeconds; its next run follows")
    assert found.concerns == (Ref("Job", "shop", "report-2"),)


def suite(name: str) -> pb.CronJob:
    made = cron_job()
    made.spec.jobTemplate.spec.template.metadata.labels["app.kubernetes.io/name"] = name
    return made


@pytest.mark.parametrize(
    ("cron_jobs", "jobs"),
    [
        ([cron_job(succeeded=10)], [job("report-1", "Failed", BACKOFF)]),
        ([cron_job()], [job("report-1", "Failed", BACKOFF), job("report-2", "Complete", ended=10)]),
        ([cron_job(suspend=True)], [job("report-1", "Failed", BACKOFF)]),
        ([suite("kubevitals")], [job("report-1", "Failed", BACKOFF)]),
        ([suite("kubevitals-fleet")], [job("report-1", "Failed", BACKOFF)]),
        ([], [job("report", of="", started=9 * HOUR)]),
    ],
)
def test_jobs_that_are_no_fault(cron_jobs: list[pb.CronJob], jobs: list[pb.Job]) -> None:
    assert not list(failed(cluster(cron_jobs, *jobs)))


def test_a_job_is_a_symptom_of_its_pod() -> None:
    (found,) = failed(cluster([cron_job()], job("report-1", "Failed", BACKOFF)))
    pod = Finding(Ref("Pod", "shop", "report-1-x"), "crashes", "fix it", owner=Ref("Job", "shop", "report-1"))
    root, symptom = Case("startup-error", "app-exit", pod), Case("jobs", "failed", found)
    assert roots_of([symptom, root], EXPLAINS)[symptom] is root


def done(seconds: int) -> pb.Job:
    """A run that took so long and succeeded five hours ago."""
    return job("report-0", "Complete", ended=5 * HOUR, started=5 * HOUR + seconds)


LATE = 5 * HOUR

OVERDUE: list[tuple[pb.CronJob, list[pb.Job], Severity, str]] = [
    (
        cron_job(succeeded=LATE, concurrencyPolicy="Forbid"),
        [done(60), job(started=LATE - 60)],
        Severity.ERROR,
        "its run does not end: 5 scheduled times passed since it started",
    ),
    (
        cron_job(succeeded=LATE, concurrencyPolicy="Forbid"),
        [job(started=LATE - 60)],
        Severity.WARNING,
        "its run does not end: ",
    ),
    (
        cron_job(),
        [job(f"report-{n}", started=n * HOUR) for n in range(1, 6)],
        Severity.ERROR,
        "its runs do not end: 5 runs are active at once",
    ),
    (
        cron_job(succeeded=LATE, concurrencyPolicy="Replace"),
        [job(started=60)],
        Severity.WARNING,
        "each run is replaced before it succeeds: 5 scheduled times",
    ),
    (
        cron_job(succeeded=LATE, started=LATE),
        [],
        Severity.ERROR,
        "no run has started although 5 scheduled times passed",
    ),
    (
        cron_job("* * * * *", started=0),
        [],
        Severity.ERROR,
        "no run has started although 100 or more scheduled times passed",
    ),
    (cron_job(started=0), [], Severity.ERROR, "no run has started although 24 scheduled times passed"),
    (
        cron_job(succeeded=LATE, started=LATE, startingDeadlineSeconds=60),
        [],
        Severity.WARNING,
        "no run has started although",
    ),
    (cron_job(succeeded=LATE), [], Severity.WARNING, "no run has succeeded although 5 scheduled times passed"),
]


@pytest.mark.parametrize(("late", "jobs", "severity", "says"), OVERDUE)
def test_a_cron_job_is_overdue(late: pb.CronJob, jobs: list[pb.Job], severity: Severity, says: str) -> None:
    (found,) = overdue(cluster([late], *jobs))
    assert found.says.startswith(says)
    assert found.severity is severity


@pytest.mark.parametrize(
    ("cron_job", "jobs"),
    [
        (cron_job(succeeded=600), []),
        (cron_job(succeeded=LATE, started=LATE, suspend=True), []),
        (cron_job(created=HOUR, started=0), []),
        (cron_job("* * * * *", created=300, started=0), []),
        (cron_job(concurrencyPolicy="Forbid"), [job(started=LATE)]),
        (cron_job(succeeded=LATE, concurrencyPolicy="Forbid"), [done(4 * HOUR), job(started=LATE)]),
        (cron_job(succeeded=LATE), [job(started=60)]),
        (cron_job(concurrencyPolicy="Replace"), [job(started=60)]),
        (cron_job(succeeded=LATE), [job("report-1", "Failed", BACKOFF)]),
        (
            cron_job(succeeded=LATE, jobTemplate=pb.JobTemplateSpec(spec=pb.JobSpec(ttlSecondsAfterFinished=0))),
            [],
        ),
        (suite("kubevitals"), []),
        (cron_job("0 0 * * 0", succeeded=LATE, started=LATE), []),
    ],
)
def test_a_cron_job_that_is_on_time(cron_job: pb.CronJob, jobs: list[pb.Job]) -> None:
    assert not list(overdue(cluster([cron_job], *jobs)))


def test_a_controller_manager_that_is_down_is_the_root() -> None:
    (found,) = overdue(cluster([cron_job(succeeded=LATE, started=LATE)]))
    lease = Finding(Ref("Lease", "kube-system", "kube-controller-manager"), "is stale", "start it")
    root, symptom = Case("control-plane", "controller-manager-stalled", lease), Case("jobs", "overdue", found)
    assert roots_of([symptom, root], EXPLAINS)[symptom] is root


def test_a_schedule_that_cannot_be_read_is_said_once() -> None:
    seen = cluster([cron_job("a b c d e"), cron_job(timeZone="Mars/Olympus")])
    assert not list(overdue(seen))
    assert not list(overdue(seen))
    (remark,) = seen.remarks
    assert remark.startswith("2 CronJobs not judged, since the schedule cannot be read: CronJob/shop/report: ")


DAY = 86400


@pytest.mark.parametrize(
    ("schedule", "zone", "since", "due"),
    [
        ("0 * * * *", "", DAY, 24),
        ("@hourly", "", DAY, 24),
        ("@daily", "", 3 * DAY, 3),
        ("@midnight", "", 3 * DAY, 3),
        ("@weekly", "", 14 * DAY, 2),
        ("@every 1h30m", "", DAY, 16),
        ("@every 0.5s", "", DAY, 100),
        ("*/20 * ? * *", "", HOUR, 3),
        ("30 12 * * *", "Europe/Berlin", DAY, 1),
        ("TZ=Asia/Tokyo 0 21 * * *", "", 60, 1),
        ("CRON_TZ=Asia/Tokyo 0 12 * * *", "", 60, 0),
        ("0 0 1 1 *", "", DAY, 0),
        ("* * * * *", "", 100 * DAY, 100),
    ],
)
def test_scheduled_times_are_counted(schedule: str, zone: str, since: int, due: int) -> None:
    now = NOW.timestamp()
    assert times_due(schedule, zone, now - since, now) == due


@pytest.mark.parametrize(
    ("schedule", "zone"),
    [
        ("", ""),
        ("* * * *", ""),
        ("0 0 * * * *", ""),
        ("61 * * * *", ""),
        ("0 0 31 2 *", ""),
        ("@often", ""),
        ("@every soon", ""),
        ("* * * * *", "../../etc/passwd"),
        ("* * * * *", "No/Where"),
        ("0 0 1 1 *", "Europe/Berlin\x1b"),
        ("* * * * *", "A" * 5000),
        ("*/" + "9" * 5000 + " * * * *", ""),
    ],
)
def test_unreadable_schedules(schedule: str, zone: str) -> None:
    with pytest.raises(UnreadableSchedule):
        times_due(schedule, zone, 0, NOW.timestamp())
