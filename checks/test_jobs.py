"""A Job has failed, or a CronJob is overdue.

Meaning:
    A Job has used up its attempts or its time, and no later Job of the same owner has succeeded. Or scheduled times
    of a CronJob pass without a success: its run does not end and keeps others from starting, runs pile up, or none
    starts. A run counts as too long if it takes three times as long as the longest one that is known. Or a Job has done
    its work, and a sidecar that runs on keeps it from completing.

Impact:
    The work is not done: backups, clean-ups and reports are missing, a release waits for its migration. Runs that pile
    up use the cluster's resources.

Diagnosis:
    `kubectl describe job` shows the reason and the events, `kubectl logs job/NAME` what the pods reported.
    `kubectl get jobs` shows the runs of a CronJob, `kubectl describe cronjob` why it starts none.

Mitigation:
    Fix what the pods report, then create the Job again: `kubectl create job --from=cronjob/NAME NAME-again`. Delete a
    run that hangs, and limit the next ones with activeDeadlineSeconds.
"""

from collections.abc import Collection, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.cron_runs import Late, Overdue, cron_job_of, is_suite, overdue_cron_jobs
from kubevitals.facts.apps.cron_schedule import MOST
from kubevitals.facts.apps.lingering import REMEDY, lingering_jobs
from kubevitals.facts.pods.attempts import PAST, failed_jobs, job_condition, turned
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import BROKEN_PODS, EVERYWHERE, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.text import duration, plural

EXPLAINS = (
    Explains((*BROKEN_PODS, "scheduling", "volume-claim", "pod-creation"), IN_WORKLOAD, ("jobs",)),
    Explains(
        ("control-plane[controller-manager-stalled]",), EVERYWHERE, ("jobs[overdue]",), words="no run has started"
    ),
)

SHOWN = 10
"""Runs that a finding concerns."""

WHY = {
    "BackoffLimitExceeded": "its pods failed more often than backoffLimit allows ({job.spec.backoffLimit})",
    "DeadlineExceeded": "it took longer than activeDeadlineSeconds allows ({job.spec.activeDeadlineSeconds})",
    "PodFailurePolicy": "a pod failed in a way that podFailurePolicy does not retry",
    "FailedIndexes": "some of its indexes failed",
    "MaxFailedIndexesExceeded": "more of its indexes failed than maxFailedIndexes allows",
}
"""What reasons of a Job's condition Failed mean (kubernetes/api batch/v1/types.go)."""

FIXES = {"DeadlineExceeded": "find out what takes so long, or raise activeDeadlineSeconds"}
"""What helps, apart from what the pods report."""


def failed(cluster: Cluster) -> Iterator[Finding]:
    """Find Jobs that failed and that no later success supersedes; those of one CronJob are one finding.

    After `pod.past`, a Job that no CronJob repeats is only a warning.
    """
    latest: dict[str, pb.Job] = {}
    for job in failed_jobs(cluster):
        maker = cron_job_of(job, cluster)
        if not maker or not (maker.spec.suspend or is_suite(maker)):
            uid = maker.metadata.uid if maker else job.metadata.uid
            latest[uid] = max(job, latest.get(uid, job), key=lambda one: turned(one, "Failed"))
    for job in latest.values():
        yield _failed(job, cron_job_of(job, cluster), cluster)


def _failed(job: pb.Job, cron_job: pb.CronJob | None, cluster: Cluster) -> Finding:
    condition = job_condition(job, "Failed")
    known = WHY.get(condition.reason, "").format(job=job)
    why = known or f"{condition.reason}: {condition.message}"
    again = "; its next run follows the schedule" if cron_job else ", then create the Job again"
    past = not cron_job and not job.metadata.ownerReferences and cluster.over(condition.lastTransitionTime, PAST)
    return Finding(
        ref(cron_job or job),
        says=f"its latest run failed: {why}" if cron_job else f"failed: {why}",
        remedy=f"{FIXES.get(condition.reason, 'fix what its pods report')}{again}",
        evidence=[
            f"{ref(job)} failed {duration(cluster.age(condition.lastTransitionTime))} ago: {condition.message}",
            *event_lines(job, cluster, told=condition.message),
        ],
        severity=Severity.WARNING if past else Severity.ERROR,
        concerns=(ref(job),),
        since=condition.lastTransitionTime.seconds,
    )


LATE = {
    Late.RUNNING: "its run does not end: {due} passed since it started",
    Late.PILED_UP: "its runs do not end: {active} are active at once",
    Late.REPLACED: "each run is replaced before it succeeds: {due} passed without a success",
    Late.NOT_STARTED: "no run has started although {due} passed",
    Late.NOT_SUCCEEDED: "no run has succeeded although {due} passed",
    Late.UNREADABLE: "no run starts, since its schedule or time zone cannot be read: ",
}
REMEDIES = {
    Late.NOT_STARTED: "see its events for the reason: too many missed times, or no running kube-controller-manager",
    Late.NOT_SUCCEEDED: "keep failed Jobs to see why they fail: raise failedJobsHistoryLimit",
    Late.UNREADABLE: "correct spec.schedule (five fields, or a macro such as @hourly) or spec.timeZone (a name such as "
    "Europe/Berlin)",
}


def overdue(cluster: Cluster) -> Iterator[Finding]:
    """Find CronJobs of which `jobs.periods` scheduled times passed without a success, for `jobs.overdue` seconds.

    The latest run has not failed: that is another variant. A run that is active may take as long as it likes if it is
    the first one, and three times as long as the longest one that is known. A CronJob whose schedule or time zone the
    controller cannot read is overdue at once. A Job is overdue if its work is done and a sidecar runs on past
    `jobs.lingering`, so that it never completes.
    """
    late_cron_jobs = cluster.derive(overdue_cron_jobs)
    for late in late_cron_jobs:
        says = LATE[late.late].format(due=_times(late.due), active=plural(len(late.active), "run")) + late.why
        remedy = REMEDIES.get(late.late, "delete the run that hangs, and limit runs with activeDeadlineSeconds")
        lingering = cluster.derive(lingering_jobs)
        kept = next((lingering[run.metadata.uid] for run in late.active if run.metadata.uid in lingering), None)
        yield Finding(
            ref(late.cron_job),
            says=f"{says}; {kept.says(cluster)}" if kept else says,
            remedy=REMEDY if kept else remedy,
            evidence=_lines(late, cluster),
            severity=Severity.ERROR if late.certain else Severity.WARNING,
            concerns=tuple(ref(run) for run in late.active[:SHOWN]),
            since=late.since,
        )
    yield from _lingering({ref(late.cron_job) for late in late_cron_jobs}, cluster)


def _lingering(told: Collection[Ref], cluster: Cluster) -> Iterator[Finding]:
    """Yield the Jobs that a sidecar keeps from completing, once for each CronJob that is not `told` of already."""
    unfinished = {j.metadata.uid: j for j in cluster.jobs if not turned(j, "Failed") and not turned(j, "Complete")}
    found: dict[Ref, Finding] = {}
    for uid, lingering in cluster.derive(lingering_jobs).items():
        if lingering.are_sidecars and (job := unfinished.get(uid)):
            of = ref(cron_job_of(job, cluster) or job)
            found[of] = Finding(
                of,
                says=f"{'its run' if of != ref(job) else 'it'} does not complete: {lingering.says(cluster)}",
                remedy=REMEDY,
                evidence=[f"{ref(job)}: {ref(lingering.pod)}", *pod_lines(lingering.pod, cluster)],
                concerns=(ref(job),),
                since=lingering.since,
            )
    yield from (finding for of, finding in found.items() if of not in told)


def _times(due: int) -> str:
    return f"{due} or more scheduled times" if due >= MOST else plural(due, "scheduled time")


def _lines(late: Overdue, cluster: Cluster) -> Iterator[str]:
    spec, status = late.cron_job.spec, late.cron_job.status
    yield f"schedule: {spec.schedule} {spec.timeZone}".rstrip() + f", concurrencyPolicy {spec.concurrencyPolicy}"
    for what, time in (("started a run", status.lastScheduleTime), ("succeeded", status.lastSuccessfulTime)):
        yield f"last {what}: {duration(cluster.age(time))} ago" if time.seconds else f"has never {what}"
    for run in late.active[:SHOWN]:
        yield f"active: {ref(run)}, since {duration(cluster.age(run.status.startTime))}"
    yield from event_lines(late.cron_job, cluster)


@check(failed, overdue, chapter="5.5")
def test_jobs_succeed() -> None:
    """Every Job succeeds, and every CronJob runs when it is due."""
