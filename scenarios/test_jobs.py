"""Jobs that fail, CronJobs that are overdue, and Jobs that take their time on purpose."""

from datetime import UTC, datetime

from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import Object, cron_job, job, pod

MINUTELY = "* * * * *"
HOURS = 3 * 3600
IN_TWELVE_HOURS = f"0 {(datetime.now(UTC).hour + 12) % 24} * * *"
"""Once a day, and not while the scenarios are made."""


def limited(made: Object, **fields: object) -> Object:
    """The Job with other fields in its specification."""
    made["spec"] |= fields
    return made


@scenario(limited(job("report", "sleep 1d"), activeDeadlineSeconds=5), finds=["jobs[failed] Job/report"])
def test_job_over_its_deadline(seen: Seen) -> None:
    """Its pod is deleted, so that only the Job tells."""
    assert seen.says("failed: it took longer than activeDeadlineSeconds allows (5)")


@scenario(
    limited(job("report", "exit $((JOB_COMPLETION_INDEX))"), completions=2, completionMode="Indexed", backoffLimit=0),
    finds=["jobs[failed] Job/report", "startup-error[app-exit] Pod/report-*"],
)
def test_index_of_a_job_failed(seen: Seen) -> None:
    """One of its two pods succeeded."""
    assert seen.says("failed: its pods failed more often than backoffLimit allows (0)")


def always_late() -> Object:
    """A CronJob whose runs are ended after five seconds; their pods are deleted."""
    made = cron_job("report", "sleep 1d", schedule=MINUTELY)
    limited(made["spec"]["jobTemplate"], activeDeadlineSeconds=5)
    return made


@scenario(always_late(), finds=["jobs[failed] CronJob/report"])
def test_every_run_of_a_cron_job_fails(seen: Seen) -> None:
    """The failed Jobs of one CronJob are one finding."""
    assert seen.says("its latest run failed: it took longer than activeDeadlineSeconds allows (5)")


@scenario(
    limited(job("report", "sleep 1d"), suspend=True), cron_job("paused", "exit 1", schedule=MINUTELY, suspend=True)
)
def test_suspended_jobs(seen: Seen) -> None:
    """Nothing is due while they are suspended."""
    assert seen.get("CronJob/paused").spec.suspend


@scenario(job("report", "sleep 1d"))
def test_job_takes_long(seen: Seen) -> None:
    """A Job without a schedule may run for days."""
    assert seen.get("Job/report").status.active


@scenario(on=test_job_takes_long, later=HOURS)
def test_job_has_taken_hours(seen: Seen) -> None:
    """It still may."""
    assert seen.get("Job/report").status.active


@scenario(limited(cron_job("worker", "sleep 1d", schedule=MINUTELY), concurrencyPolicy="Forbid"))
def test_first_run_of_a_cron_job(seen: Seen) -> None:
    """It keeps the others from starting, as it may be meant to."""
    assert seen.get("CronJob/worker").status.active


@scenario(on=test_first_run_of_a_cron_job, later=HOURS)
def test_first_run_of_a_cron_job_after_hours(seen: Seen) -> None:
    """Some CronJobs start a worker again only once it ends."""
    assert seen.get("CronJob/worker").status.active


@scenario(cron_job("piled", "sleep 1d", schedule=MINUTELY), later=within(300, created("CronJob/piled")))
def test_runs_pile_up(seen: Seen) -> None:
    """Several runs are active, and none is old yet."""
    assert len(seen.get("CronJob/piled").status.active) >= 3


@scenario(on=test_runs_pile_up, later=HOURS, finds=["jobs[overdue] CronJob/piled"])
def test_runs_have_piled_up_for_hours(seen: Seen) -> None:
    """concurrencyPolicy is Allow, and no run ends."""
    assert seen.says("its runs do not end: ")


@scenario(pod("app"), cron_job("nightly", schedule=IN_TWELVE_HOURS))
def test_cron_job_was_created_a_moment_ago(seen: Seen) -> None:
    """It is not due yet."""
    assert not seen.get("CronJob/nightly").status.lastScheduleTime.seconds


@scenario(on=test_cron_job_was_created_a_moment_ago, later=5 * 86400, finds=["jobs[overdue] CronJob/nightly"])
def test_no_run_was_started_for_days(seen: Seen) -> None:
    """As if the controller manager had not run since."""
    assert seen.says("no run has started although ")
