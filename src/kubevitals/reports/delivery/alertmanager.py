"""The root causes of a run as alerts of Alertmanager (API v2), which routes, silences and deduplicates them.

Every run posts all roots that there are, since an alert ends unless it is posted again. What changes between runs is an
annotation, not a label, so that the alert stays the same one; only the severity may change, so the alert of the other
severity always ends. The fields are those of postableAlert in
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice

import msgspec
from msgspec import Struct

from kubevitals.diagnosis.result import Past, Report, ReportedFinding, Root
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.severity import Severity
from kubevitals.reports.delivery.notification import SHOWN, link, past_roots, unexpected_roots
from kubevitals.reports.delivery.post import JSON, Address, send
from kubevitals.reports.wording import heading, place_names, replicas_line, why_blind
from kubevitals.text import plural

PATH = "/api/v2/alerts"

PERIODS = 2
"""After how many periods without a run an alert ends by itself: a single run may fail or be late."""

BLIND = "not-observed"
"""The name of the alert about a run that observed nothing."""


class Alert(Struct, rename="camel"):
    """An alert as Alertmanager takes it."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: datetime
    ends_at: datetime


def post_alerts(alerts: Iterable[Alert], address: Address) -> None:
    """Post alerts.

    Raises:
        Undelivered: they could not be delivered.
    """
    body = msgspec.json.encode(list(alerts))
    send("POST", address.below(PATH), body, JSON | address.credentials)


def alerts(report: Report, docs_url: str) -> Iterator[Alert]:
    """Yield the alerts of a run: about what it observed, what it found, and what is gone or was not checked again."""
    made = _Alerts(report, docs_url)
    yield made.blind()
    findings = {finding.id: finding for finding in report.findings}
    present = ((root, findings[id_]) for root, _ in unexpected_roots(report) for id_ in (root.id, *root.others))
    for root, finding in islice(present, SHOWN):
        yield from made.of(root, finding)
    if comparison := report.comparison:
        for past in islice(past_roots(comparison.resolved), SHOWN):
            yield from made.resolved(past)
        for past in islice(past_roots(comparison.unconfirmed), SHOWN):
            yield made.unconfirmed(past)


class _Alerts:
    """Makes the alerts of a run.

    What is gone ended when the run began: an end that Alertmanager's clock has not reached would not end an alert.
    """

    def __init__(self, report: Report, docs_url: str) -> None:
        self._report, self._docs_url = report, docs_url
        self._gone = min(report.taken, report.finished)
        self._later = report.finished + timedelta(seconds=PERIODS * report.period)

    def blind(self) -> Alert:
        """Return the alert that the run observed nothing, which has ended if it did."""
        summary = ": ".join(filter(None, (heading(self._report), why_blind(self._report))))
        ends = self._later if self._report.outcome is Outcome.NOT_OBSERVED else self._gone
        return self._alert(BLIND, BLIND, Severity.ERROR, "", {"summary": summary}, self._gone, ends)

    def of(self, root: Root, finding: ReportedFinding) -> Iterator[Alert]:
        """Yield the alert about a finding that is a root, or is one together with others; and that it has no other."""
        annotations = {
            "summary": f"{place_names(finding)}: {finding.says}",
            "remedy": finding.remedy,
            "look": finding.look,
            "cost": ", ".join(filter(None, (replicas_line(root.replicas), _symptoms(root)))),
            "runbook_url": link(root.check, self._docs_url),
        }
        for severity in Severity:
            ends = self._later if severity is root.severity else self._gone
            what = finding.check, finding.id, severity, finding.namespace
            yield self._alert(*what, annotations, finding.began, ends)

    def resolved(self, past: Past) -> Iterator[Alert]:
        """Yield the alerts about a finding that is gone."""
        return (self._past(past, severity, self._gone) for severity in Severity)

    def unconfirmed(self, past: Past) -> Alert:
        """Return the alert about a finding of an earlier run whose check saw too little to say that it is gone."""
        return self._past(past, past.severity, self._later)

    def _past(self, past: Past, severity: Severity, ends: datetime) -> Alert:
        annotations = {"summary": f"{past.object}: {past.says}", "runbook_url": link(past.check, self._docs_url)}
        return self._alert(past.check, past.id, severity, past.namespace, annotations, past.first_seen, ends)

    def _alert(
        self,
        name: str,
        finding: str,
        severity: Severity,
        namespace: str,
        annotations: dict[str, str],
        starts: datetime,
        ends: datetime,
    ) -> Alert:
        labels = {
            "alertname": name,
            "cluster": self._report.cluster.context,
            "cluster_uid": self._report.cluster.uid,
            "finding": finding,
            "severity": str(severity),
            "namespace": namespace,
        }
        return alert(labels, annotations, starts, ends)


def alert(labels: dict[str, str], annotations: dict[str, str], starts: datetime, ends: datetime) -> Alert:
    """Return an alert, which does not end before it starts."""
    return Alert(_given(labels), _given(annotations), min(starts, ends), ends)


def _given(texts: dict[str, str]) -> dict[str, str]:
    """Return the texts that are not empty: Alertmanager has no empty labels."""
    return {name: text for name, text in texts.items() if text}


def _symptoms(root: Root) -> str:
    return plural(len(root.symptoms), "symptom") if root.symptoms else ""
