"""Assembles the report of a run from its verdicts."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import TypeVar

from kubevitals.diagnosis.granting import granting
from kubevitals.diagnosis.grouping import reported_findings
from kubevitals.diagnosis.ranking import ranked_roots
from kubevitals.diagnosis.result import SCHEMA, ClusterInfo, Item, Report, ReportedFinding, Root
from kubevitals.diagnosis.run import Run
from kubevitals.diagnosis.trend import PastRun
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import left_behind
from kubevitals.redaction import redacting
from kubevitals.text import clean
from kubevitals.version import __version__

T = TypeVar("T")


def assemble(run: Run) -> Report:
    """Return the report of a run. If the run was stopped, it is partial."""
    unsorted = reported_findings(run)
    roots = ranked_roots(unsorted)
    findings = _in_order(unsorted, roots)
    outcome = _outcome(run)
    judged = {verdict.check for verdict in run.verdicts if not verdict.unseen}
    return Report(
        schema=SCHEMA,
        kubevitals=__version__,
        cluster=cluster_info(run.cluster),
        taken=run.cluster.now,
        finished=datetime.now(UTC),
        seconds=round(monotonic() - run.inputs.started, 3),
        outcome=outcome,
        counts=dict(run.counts),
        roots=roots,
        findings=findings,
        items=_items(run, findings),
        comparison=run.inputs.history.compare(findings, judged, run.cluster.scope),
        unexplained=run.unexplained,
        stale=run.stale,
        remarks=_remarks(run),
        redacted=redacting(),
        unjudged=run.unjudged,
        runs=kept.all_runs(PastRun(run.cluster.now, outcome, len(roots))) if (kept := run.inputs.kept) else [],
        period=run.inputs.period,
    )


def cluster_info(cluster: Cluster) -> ClusterInfo:
    """Return which cluster this is, as far as that is observed."""
    return ClusterInfo(
        cluster.context,
        cluster.uid,
        _observed(lambda: cluster.server_version) or "",
        _observed(lambda: [clean(node.metadata.name) for node in cluster.nodes]),
        _observed(lambda: len(cluster.namespaces)),
        _observed(lambda: len(cluster.pods)),
    )


def _observed(look: Callable[[], T]) -> T | None:
    try:
        return look()
    except NotObserved:
        return None


def _remarks(run: Run) -> list[str]:
    left = _observed(lambda: left_behind(run.cluster)) or []
    vacant = [run.vacancy] if run.vacancy else []
    return list(dict.fromkeys(map(clean, (*vacant, *_without_rights(run), *run.remarks, *run.cluster.remarks, *left))))


def _without_rights(run: Run) -> list[str]:
    """Return how to get rights, if the run observed nothing because they are missing."""
    refusals = [verdict.unseen.reason for verdict in run.verdicts if verdict.unseen and verdict.unseen.right]
    command = "" if run.observed or run.unjudged else granting(refusals)
    return [f"this account has no right to look: an administrator grants it with {command}"] if command else []


def _outcome(run: Run) -> Outcome:
    if run.counts[Outcome.BROKEN]:
        return Outcome.BROKEN
    if not run.observed or run.unjudged:
        return Outcome.NOT_OBSERVED
    return next((outcome for outcome in (Outcome.WARNED, Outcome.KNOWN) if run.counts[outcome]), Outcome.HEALTHY)


def _in_order(findings: Sequence[ReportedFinding], roots: Sequence[Root]) -> list[ReportedFinding]:
    """Return the findings in the order of their roots, each root before its symptoms."""
    positions = {id_: position for position, root in enumerate(roots) for id_ in (root.id, *root.others)}
    return sorted(findings, key=lambda finding: (positions[finding.root or finding.id], finding.root != ""))


def _items(run: Run, findings: Sequence[ReportedFinding]) -> list[Item]:
    ids = defaultdict(list)
    for finding in findings:
        ids[finding.check].append(finding.id)
    return [_item(verdict, run, ids) for verdict in run.verdicts]


def _item(verdict: Verdict, run: Run, ids: Mapping[str, list[str]]) -> Item:
    return Item(
        check=verdict.check,
        chapter=run.inputs.chapters.get(verdict.cause, ""),
        outcome=verdict.outcome,
        seconds=round(run.seconds.get(verdict.check, 0.0), 3),
        findings=ids.get(verdict.check, []),
        unseen=verdict.unseen.reason if verdict.unseen else "",
        right=verdict.unseen.right if verdict.unseen else "",
        asked=verdict.unseen is not None and verdict.unseen.asked,
        inapplicable=verdict.inapplicable,
    )
