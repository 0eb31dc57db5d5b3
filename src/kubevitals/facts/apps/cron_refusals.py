"""CronJobs that the controller does not run, because it cannot read their schedule or time zone."""

from contextlib import suppress

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import last_seen

_SCHEDULE = frozenset({"UnParseableCronJobSchedule", "UnparseableSchedule", "InvalidSchedule"})
_ZONE = "UnknownTimeZone"
"""Reasons of events (kubernetes/kubernetes pkg/controller/cronjob/cronjob_controllerv2.go); their messages quote what
the controller cannot read."""


def refusal(cron_job: pb.CronJob, cluster: Cluster) -> str:
    """Return why the controller starts no run, by its latest event about the present schedule; empty if it has none.

    The controller reports it once per change of the CronJob, and events expire. An event about an earlier schedule or
    time zone, or before the latest start of a run, says nothing.
    """
    with suppress(NotObserved):  # then the scheduled times that pass decide
        for event in reversed(cluster.events(cron_job)):
            if last_seen(event) >= cron_job.status.lastScheduleTime.seconds and _is_present(event, cron_job.spec):
                return event.message
    return ""


def _is_present(event: pb.Event, spec: pb.CronJobSpec) -> bool:
    if event.reason == _ZONE:
        return bool(spec.timeZone) and f'"{spec.timeZone}"' in event.message
    return event.reason in _SCHEDULE and bool(spec.schedule) and spec.schedule in event.message
