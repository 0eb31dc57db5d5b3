"""Jobs and CronJobs for tests."""

from collections.abc import Iterable
from typing import Any

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from tests.fakes import CREATED, ago, cluster_of

HOUR = 3600


def job(
    name: str = "report-1",
    turned: str = "",
    reason: str = "",
    *,
    ended: int = 60,
    started: int = HOUR,
    of: str = "report",
    message: str = "m",
) -> pb.Job:
    owners = [pb.OwnerReference(kind="CronJob", name=of, uid=of, controller=True)] if of else []
    conditions = [
        pb.JobCondition(type=turned, status="True", reason=reason, message=message, lastTransitionTime=ago(ended))
    ]
    return pb.Job(
        metadata=pb.ObjectMeta(name=name, namespace="shop", uid=name, ownerReferences=owners),
        spec=pb.JobSpec(backoffLimit=2, activeDeadlineSeconds=30),
        status=pb.JobStatus(
            conditions=conditions if turned else [],
            startTime=ago(started),
            completionTime=ago(ended) if turned == "Complete" else None,
            active=0 if turned else 1,
        ),
    )


def cron_job(
    schedule: str = "0 * * * *", succeeded: int = 0, started: int = 600, created: int = 0, **spec: Any
) -> pb.CronJob:
    """A CronJob that last succeeded and last started a run so many seconds ago, or never."""
    return pb.CronJob(
        metadata=pb.ObjectMeta(
            name="report", namespace="shop", uid="report", creationTimestamp=ago(created) if created else CREATED
        ),
        spec=pb.CronJobSpec(**({"schedule": schedule, "concurrencyPolicy": "Allow"} | spec)),
        status=pb.CronJobStatus(
            lastScheduleTime=ago(started) if started else None, lastSuccessfulTime=ago(succeeded) if succeeded else None
        ),
    )


def cluster(cron_jobs: Iterable[pb.CronJob] = (), *jobs: pb.Job) -> Cluster:
    return cluster_of(cron_jobs=[*cron_jobs], jobs=jobs, pods=[], all_events=[])
