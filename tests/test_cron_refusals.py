"""CronJobs whose schedule or time zone cannot be read: they never run, and nothing else says so."""

import pytest

from checks.test_jobs import overdue
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Severity
from tests.cron_jobs import cluster, cron_job
from tests.fakes import ago, cluster_of


def said(reason: str, words: str, seconds: int = 60) -> pb.Event:
    about = pb.ObjectReference(kind="CronJob", namespace="shop", name="report", uid="report")
    return pb.Event(involvedObject=about, type="Warning", reason=reason, message=words, lastTimestamp=ago(seconds))


NO_ZONE = said("UnknownTimeZone", 'invalid timeZone: "Asia/Tokyo": unknown time zone Asia/Tokyo')
NO_SCHEDULE = said("UnparseableSchedule", 'unparseable schedule: "a b" : expected exactly 5 fields, found 2: [a b]')
NO_TIME = said("InvalidSchedule", "invalid schedule: 0 0 31 2 * : time difference between two schedules is less than 1")


@pytest.mark.parametrize(
    ("cron_job", "event"),
    [
        (cron_job(timeZone="Asia/Tokyo"), NO_ZONE),
        (cron_job("a b"), NO_SCHEDULE),
        (cron_job("0 0 31 2 *", created=30, started=0), NO_TIME),
    ],
)
def test_what_the_controller_cannot_read_never_runs(cron_job: pb.CronJob, event: pb.Event) -> None:
    (found,) = overdue(cluster_of(cron_jobs=[cron_job], jobs=[], pods=[], all_events=[event]))
    assert found.says == f"no run starts, since its schedule or time zone cannot be read: {event.message}"
    assert found.severity is Severity.ERROR
    assert "spec.timeZone" in found.remedy


@pytest.mark.parametrize(
    ("cron_job", "event"),
    [
        (cron_job(timeZone="Europe/Berlin", succeeded=600), NO_ZONE),
        (cron_job(succeeded=600), NO_ZONE),
        (cron_job(succeeded=600), NO_SCHEDULE),
        (cron_job(timeZone="Asia/Tokyo", succeeded=600, started=30), NO_ZONE),
        (cron_job(timeZone="Asia/Tokyo", suspend=True), NO_ZONE),
        (cron_job(timeZone="Asia/Tokyo", succeeded=600), said("UnsupportedSchedule", NO_ZONE.message)),
    ],
    ids=["corrected", "removed", "another schedule", "has run since", "suspended", "another reason"],
)
def test_what_the_controller_reads_by_now_is_no_fault(cron_job: pb.CronJob, event: pb.Event) -> None:
    assert not list(overdue(cluster_of(cron_jobs=[cron_job], jobs=[], pods=[], all_events=[event])))


def test_a_schedule_that_cannot_be_read_and_has_never_run_is_found_without_its_event() -> None:
    (found,) = overdue(cluster([cron_job(timeZone="Mars/Olympus", started=0)]))
    assert found.says.endswith('time zone "Mars/Olympus" is not known')
    assert found.severity is Severity.WARNING
    assert not list(overdue(cluster([cron_job(timeZone="Mars/Olympus", started=0, created=60)])))
