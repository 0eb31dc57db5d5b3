"""What is told about a roll-up: faults that are new, spread and resolved, and clusters that were not looked at."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice

from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.severity import Severity
from kubevitals.fleet import wording
from kubevitals.fleet.result import SEEN, UNSEEN, Changes, Fault, FleetCluster, PastFault, Rollup, State
from kubevitals.reports.delivery.alertmanager import PERIODS, Alert, alert
from kubevitals.reports.delivery.deliveries import POST
from kubevitals.reports.delivery.notification import NOTIFICATION_SCHEMA, SHOWN, Change, Notification, link
from kubevitals.reports.delivery.post import Address

FLEET = "fleet"
"""What stands for the name of a cluster."""

NOT_SEEN = "cluster-not-observed"
"""The name of the alert about a cluster that was not looked at."""

UNKNOWN = tuple(state for state in UNSEEN if state is not State.UNREACHABLE)
"""States of a cluster that no fault reports. An unreachable cluster has one: its API server does not answer."""


def notify(rollup: Rollup, form: str, address: Address, docs_url: str, period: float) -> None:
    """Post what is told about a roll-up. `period` is the time from one roll-up to the next, in seconds.

    Raises:
        Undelivered: it could not be delivered.
    """
    POST[form](told(rollup, docs_url), alerts(rollup, docs_url, period), address)


def told(rollup: Rollup, docs_url: str) -> Notification:
    """Return what is told about a roll-up; expected faults are left out."""
    clusters = wording.by_id(rollup)
    changes = [*_present(rollup, clusters, docs_url), *_not_seen(rollup), *_resolved(rollup, clusters, docs_url)]
    worst = next(iter(rollup.states))
    return Notification(
        schema=NOTIFICATION_SCHEMA,
        kubevitals=rollup.kubevitals,
        cluster=FLEET,
        cluster_uid="",
        taken=rollup.taken,
        outcome=Outcome(worst) if worst in SEEN else Outcome.NOT_OBSERVED,
        verdict=wording.heading(rollup),
        compared=rollup.changes.taken if rollup.changes else None,
        changes=changes[:SHOWN],
        left_out=len(changes[SHOWN:]),
    )


def _present(rollup: Rollup, clusters: Mapping[str, FleetCluster], docs_url: str) -> Iterator[Change]:
    for fault in _unexpected(rollup):
        if fault.status != "ongoing":
            yield Change(
                change="worse" if fault.status == "spread" else "new",
                id=fault.id,
                check=fault.checks[0],
                severity=fault.severity,
                namespace="",
                object=fault.objects,
                says=f"{fault.says}: {wording.where(fault.clusters, clusters)}",
                since=fault.since or rollup.taken,
                remedy=fault.remedy,
                link=link(fault.checks[0], docs_url),
            )


def _unexpected(rollup: Rollup) -> Iterator[Fault]:
    return (fault for fault in rollup.faults if not fault.known)


def _not_seen(rollup: Rollup) -> Iterator[Change]:
    """Yield the clusters that were not looked at, but were in the earlier roll-up if there is one."""
    turned = {turn.cluster for turn in rollup.changes.turns if turn.before not in UNKNOWN} if rollup.changes else None
    for cluster in _unknown(rollup):
        if turned is None or cluster.id in turned:
            state = f"cluster[{cluster.state}]"
            says = ": ".join(filter(None, (cluster.state, cluster.reason)))
            since = cluster.taken or rollup.taken
            yield Change("new", f"{NOT_SEEN} {cluster.id}", state, Severity.ERROR, "", cluster.name, says, since)


def _unknown(rollup: Rollup) -> Iterator[FleetCluster]:
    return (cluster for cluster in rollup.clusters if cluster.state in UNKNOWN)


def _resolved(rollup: Rollup, clusters: Mapping[str, FleetCluster], docs_url: str) -> Iterator[Change]:
    for past in rollup.changes.resolved if rollup.changes else ():
        check = next(iter(past.checks), "")
        says = f"{past.says}: {wording.where(past.clusters, clusters)}"
        texts = past.id, check, past.severity, "", past.objects, says, rollup.taken
        yield Change("resolved", *texts, link=link(check, docs_url))


def alerts(rollup: Rollup, docs_url: str, period: float) -> Iterator[Alert]:
    """Yield the alerts of a roll-up: all faults, those that are gone, and the clusters that were not looked at."""
    later, clusters = rollup.taken + timedelta(seconds=PERIODS * period), wording.by_id(rollup)
    for fault in islice(_unexpected(rollup), SHOWN):
        summary = wording.fault_line(fault, clusters)
        about = {"summary": summary, "remedy": fault.remedy, "runbook_url": link(fault.checks[0], docs_url)}
        for severity in Severity:
            ends = later if severity is fault.severity else rollup.taken
            yield alert(_labels(fault.checks, fault.id, severity), about, fault.since or rollup.taken, ends)
    for cluster in islice(_unknown(rollup), SHOWN):
        yield _of_cluster(cluster, later)
    if rollup.changes:
        yield from _of_past(rollup.changes, rollup, later)


def _of_past(changes: Changes, rollup: Rollup, later: datetime) -> Iterator[Alert]:
    """Yield the alerts about what the earlier roll-up had: what is gone ends, what was not checked again goes on."""
    present = {fault.id for fault in rollup.faults}
    for past in islice((past for past in changes.resolved if past.id not in present), SHOWN):
        yield from (_past(past, severity, rollup.taken, rollup.taken) for severity in Severity)
    for past in islice((past for past in changes.unconfirmed if past.id not in present), SHOWN):
        yield _past(past, past.severity, rollup.taken, later)
    again = {turn.cluster for turn in changes.turns if turn.before in UNKNOWN and turn.now not in UNKNOWN}
    yield from (_of_cluster(cluster, rollup.taken) for cluster in rollup.clusters if cluster.id in again)


def _past(past: PastFault, severity: Severity, starts: datetime, ends: datetime) -> Alert:
    return alert(_labels(past.checks, past.id, severity), {"summary": f"{past.objects}: {past.says}"}, starts, ends)


def _of_cluster(cluster: FleetCluster, ends: datetime) -> Alert:
    labels = {"alertname": NOT_SEEN, "cluster": cluster.name, "cluster_uid": cluster.uid, "severity": Severity.ERROR}
    return alert(labels, {"summary": wording.cluster_line(cluster)}, cluster.taken or ends, ends)


def _labels(checks: Sequence[str], finding: str, severity: Severity) -> dict[str, str]:
    name = next(iter(checks), "")
    return {"alertname": name, "cluster": FLEET, "finding": finding, "severity": str(severity)}
