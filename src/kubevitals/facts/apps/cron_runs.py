"""Runs of CronJobs: which are overdue, because a run does not end, or none starts or succeeds."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.cron_refusals import refusal
from kubevitals.facts.apps.cron_schedule import UnreadableSchedule, times_due
from kubevitals.facts.apps.lingering import lingering_jobs
from kubevitals.facts.pods import faults
from kubevitals.facts.pods.attempts import failed_jobs, turned
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import ref
from kubevitals.text import plural
from kubevitals.threshold import Threshold

PERIODS = Threshold("jobs.periods", 3, "scheduled times that pass without a success before a CronJob is overdue")
OVERDUE = Threshold(
    "jobs.overdue", 900, "seconds for which a CronJob may be late, however short its period: runs of minutes are usual"
)

USUAL = 3
"""How many times as long as the longest run that is known a run may take."""


class Late(StrEnum):
    """Why a CronJob is overdue."""

    RUNNING = "running"
    PILED_UP = "piled up"
    REPLACED = "replaced"
    NOT_STARTED = "not started"
    NOT_SUCCEEDED = "not succeeded"
    UNREADABLE = "unreadable"


class Overdue(NamedTuple):
    """A CronJob that is overdue.

    Attributes:
        due: the scheduled times since `since`: the last success, the start of the oldest run, or the last start.
        since: in seconds since 1970.
        active: the runs that have not ended.
        certain: whether this can hardly be meant so.
        why: what the controller, or this suite, cannot read in the schedule.
    """

    cron_job: pb.CronJob
    late: Late
    due: int
    since: int
    active: list[pb.Job]
    certain: bool
    why: str = ""


def overdue_cron_jobs(cluster: Cluster) -> list[Overdue]:
    """Return the CronJobs that are overdue; a remark counts those whose schedule only this suite cannot read."""
    found: list[Overdue] = []
    unreadable: list[str] = []
    failed = {maker.metadata.uid for job in failed_jobs(cluster) if (maker := cron_job_of(job, cluster))}
    for cron_job in cluster.cron_jobs:
        if cron_job.spec.suspend or cron_job.metadata.uid in failed or is_suite(cron_job):
            continue
        try:
            found += _overdue(cron_job, cluster)
        except UnreadableSchedule as error:
            if _has_never_run(cron_job, cluster):
                found.append(_unreadable(cron_job, str(error), certain=False))
            else:
                unreadable.append(f"{ref(cron_job)}: {error}")
    if unreadable:
        count = plural(len(unreadable), "CronJob")
        cluster.remarks.append(f"{count} not judged, since the schedule cannot be read: {unreadable[0]}")
    return found


def is_suite(cron_job: pb.CronJob) -> bool:
    """Return whether the CronJob runs these checks: a run fails as long as another fault is found."""
    return faults.is_suite(cron_job.spec.jobTemplate.spec.template.metadata.labels)


def cron_job_of(job: pb.Job, cluster: Cluster) -> pb.CronJob | None:
    """Return the CronJob that made a Job."""
    cron_jobs = cluster.derive(_by_uid)
    return next((cron_jobs[r.uid] for r in job.metadata.ownerReferences if r.uid in cron_jobs), None)


def _by_uid(cluster: Cluster) -> Mapping[str, pb.CronJob]:
    return {cron_job.metadata.uid: cron_job for cron_job in cluster.cron_jobs}


def _runs(cluster: Cluster) -> Mapping[str, list[pb.Job]]:
    """Return the Jobs of each CronJob, by its uid."""
    runs: dict[str, list[pb.Job]] = defaultdict(list)
    for job in cluster.jobs:
        for reference in job.metadata.ownerReferences:
            runs[reference.uid].append(job)
    return runs


def _has_never_run(cron_job: pb.CronJob, cluster: Cluster) -> bool:
    return not cron_job.status.lastScheduleTime.seconds and cluster.over(cron_job.metadata.creationTimestamp, OVERDUE)


def _unreadable(cron_job: pb.CronJob, why: str, *, certain: bool) -> Overdue:
    since = max(cron_job.status.lastScheduleTime.seconds, cron_job.metadata.creationTimestamp.seconds)
    return Overdue(cron_job, Late.UNREADABLE, 0, since, [], certain, why)


def _overdue(cron_job: pb.CronJob, cluster: Cluster) -> Iterator[Overdue]:
    if why := refusal(cron_job, cluster):
        yield _unreadable(cron_job, why, certain=True)
        return
    since = max(cron_job.status.lastSuccessfulTime.seconds, cron_job.metadata.creationTimestamp.seconds)
    if not _is_late(cron_job, since, cluster):
        return
    runs = cluster.derive(_runs).get(cron_job.metadata.uid, [])
    active = [run for run in runs if not turned(run, "Complete") and not turned(run, "Failed")]
    if active:
        yield from _never_ends(cron_job, runs, active, since, cluster)
    else:
        yield from _never_starts(cron_job, since, cluster)


def _is_late(cron_job: pb.CronJob, since: int, cluster: Cluster) -> bool:
    late = cluster.age(pb.Time(seconds=since)) >= cluster.limit(OVERDUE)
    return late and _due(cron_job, since, cluster) >= cluster.limit(PERIODS)


def _due(cron_job: pb.CronJob, since: int, cluster: Cluster) -> int:
    return times_due(cron_job.spec.schedule, cron_job.spec.timeZone, since, cluster.now.timestamp())


def _never_ends(
    cron_job: pb.CronJob, runs: list[pb.Job], active: list[pb.Job], since: int, cluster: Cluster
) -> Iterator[Overdue]:
    """Yield a CronJob whose run takes far longer than those before.

    The first run may take as long as it likes, unless one of its containers has completed and others run on.
    """
    succeeded = bool(cron_job.status.lastSuccessfulTime.seconds)
    if cron_job.spec.concurrencyPolicy == "Replace":
        if succeeded:
            yield Overdue(cron_job, Late.REPLACED, _due(cron_job, since, cluster), since, active, certain=False)
        return
    start = min(_start(run) for run in active)
    usual = max((run.status.completionTime.seconds - _start(run) for run in runs if turned(run, "Complete")), default=0)
    late = _is_late(cron_job, start, cluster) and cluster.age(pb.Time(seconds=start)) > USUAL * usual
    is_first = len(runs) == 1 and not succeeded
    if late and (not is_first or runs[0].metadata.uid in cluster.derive(lingering_jobs)):
        kind = Late.PILED_UP if len(active) >= cluster.limit(PERIODS) else Late.RUNNING
        certain = bool(usual) or kind is Late.PILED_UP
        yield Overdue(cron_job, kind, _due(cron_job, start, cluster), start, active, certain)


def _start(run: pb.Job) -> int:
    return run.status.startTime.seconds or run.metadata.creationTimestamp.seconds


def _never_starts(cron_job: pb.CronJob, since: int, cluster: Cluster) -> Iterator[Overdue]:
    """Yield a CronJob that starts no run, or none of whose runs leaves a success.

    One with a starting deadline may have been resumed since it was last due. A Job that is deleted as soon as it has
    finished may leave no time of its success.
    """
    spec = cron_job.spec
    started = max(cron_job.status.lastScheduleTime.seconds, cron_job.metadata.creationTimestamp.seconds)
    if _is_late(cron_job, started, cluster):
        certain = not spec.HasField("startingDeadlineSeconds")
        yield Overdue(cron_job, Late.NOT_STARTED, _due(cron_job, started, cluster), started, [], certain)
    elif not spec.jobTemplate.spec.HasField("ttlSecondsAfterFinished"):
        yield Overdue(cron_job, Late.NOT_SUCCEEDED, _due(cron_job, since, cluster), since, [], certain=False)
