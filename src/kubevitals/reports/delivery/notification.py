"""What is told about a run or a roll-up: root causes that are new or worse, and resolved; --notify json posts this.

``tools/schema notification`` generates its JSON Schema, docs/notification.schema.json, from these types.
"""

from collections.abc import Iterable
from typing import Literal
from urllib.parse import quote

import msgspec
from msgspec import Struct

from kubevitals.diagnosis.result import Id, Past, Replicas, Report, ReportedFinding, Root
from kubevitals.diagnosis.trend import Time
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.severity import Severity
from kubevitals.reports.delivery.post import JSON, Address, send
from kubevitals.reports.wording import heading, why_blind

NOTIFICATION_SCHEMA = 1
"""The version of the format. It rises when a field is removed or changes its meaning, not when one is added."""

SHOWN = 100
"""How many changes a notification has at most."""


class Change(Struct, frozen=True):
    """A root cause that is new, worse or resolved.

    Attributes:
        change: new if the earlier run did not have it, or there is no such run; worse if it was a warning then, or in a
            roll-up if it is in further clusters.
        id: the id of its finding, which stays the same from run to run.
        check: the name, cause[variant]; for a cluster that was not looked at, cluster[STATE].
        severity: the gravest severity of the root and its symptoms.
        object: the objects that have the fault, as a text; if there are many, the first ones.
        says: what is wrong, in a sentence that does not name the object.
        since: since when a run or the cluster knows of it.
        remedy: what to do about it; empty if it is resolved.
        look: the kubectl command that shows more; empty if it is resolved.
        link: the page about the cause, below the URL that --docs-url gives; empty without this option.
        symptoms: how many findings it explains.
        replicas: how many replicas are not available because of it; null if no workload is short of any.
    """

    change: Literal["new", "worse", "resolved"]
    id: Id
    check: str
    severity: Severity
    namespace: str
    object: str
    says: str
    since: Time
    remedy: str = ""
    look: str = ""
    link: str = ""
    symptoms: int = 0
    replicas: Replicas | None = None


class Notification(Struct, frozen=True):
    """What is told about a run.

    Attributes:
        schema: the version of this format.
        kubevitals: the version of kubevitals that sends it.
        cluster: the kubeconfig context, or the name that --display-name gives; `fleet` for a roll-up.
        cluster_uid: the uid of the namespace kube-system; empty if it was not observed.
        taken: the time of the cluster's state.
        outcome: the worst outcome of all checks.
        verdict: the outcome in one line, and why nothing was observed if nothing was.
        compared: the time of the cluster's state in the earlier run; null if there is no such run.
        changes: the root causes that are new or worse, in the order of what they cost, and what is resolved; at most
            the first 100.
        left_out: how many more changes there are.
    """

    schema: int
    kubevitals: str
    cluster: str
    cluster_uid: str
    taken: Time
    outcome: Outcome
    verdict: str
    compared: Time | None
    changes: list[Change]
    left_out: int = 0

    @classmethod
    def of(cls, report: Report, docs_url: str) -> "Notification":
        """Return what is told about a run; expected findings are left out."""
        changes = [*_present(report, docs_url), *_resolved(report, docs_url)]
        return cls(
            schema=NOTIFICATION_SCHEMA,
            kubevitals=report.kubevitals,
            cluster=report.cluster.context,
            cluster_uid=report.cluster.uid,
            taken=report.taken,
            outcome=report.outcome,
            verdict=": ".join(filter(None, (heading(report), why_blind(report)))),
            compared=report.comparison.taken if report.comparison else None,
            changes=changes[:SHOWN],
            left_out=len(changes[SHOWN:]),
        )

    @property
    def is_news(self) -> bool:
        """Whether there is anything to tell: a change, or that nothing was observed."""
        return bool(self.changes) or self.outcome is Outcome.NOT_OBSERVED


def post_json(told: Notification, address: Address) -> None:
    """Post what is told, if there is anything to tell.

    Raises:
        Undelivered: it could not be delivered.
    """
    if told.is_news:
        send("POST", address.url, msgspec.json.encode(told), JSON | address.credentials)


def link(check: str, docs_url: str) -> str:
    """Return the address of the page about the cause of a check; nothing if it is not known where the pages are."""
    return f"{docs_url}/{quote(cause_in(check), safe='')}/" if docs_url else ""


def unexpected_roots(report: Report) -> Iterable[tuple[Root, ReportedFinding]]:
    """Yield the roots that no known issue expects, each with its finding."""
    by_id = {finding.id: finding for finding in report.findings}
    return ((root, by_id[root.id]) for root in report.roots if not root.known)


def past_roots(findings: Iterable[Past]) -> Iterable[Past]:
    """Yield those findings of an earlier run that nothing explained and no known issue expected."""
    return (past for past in findings if not past.root and not past.known)


def _present(report: Report, docs_url: str) -> Iterable[Change]:
    for root, finding in unexpected_roots(report):
        if finding.status != "ongoing":
            yield Change(
                change=finding.status or "new",
                id=root.id,
                check=root.check,
                severity=root.severity,
                namespace=finding.namespace,
                object=root.objects,
                says=root.says,
                since=finding.began,
                remedy=finding.remedy,
                look=finding.look,
                link=link(root.check, docs_url),
                symptoms=len(root.symptoms),
                replicas=root.replicas,
            )


def _resolved(report: Report, docs_url: str) -> Iterable[Change]:
    for past in past_roots(report.comparison.resolved if report.comparison else ()):
        texts = past.id, past.check, past.severity, past.namespace, past.object, past.says
        yield Change("resolved", *texts, past.first_seen, link=link(past.check, docs_url))
