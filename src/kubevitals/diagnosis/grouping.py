"""Groups what checks found into the findings of a report: the replicas of a Deployment become one finding."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec.structs import replace

from kubevitals.diagnosis.identity import identity
from kubevitals.diagnosis.result import Known, Place, Replicas, ReportedFinding
from kubevitals.diagnosis.roots import Case, explain
from kubevitals.diagnosis.run import Run
from kubevitals.findings.finding import gravest
from kubevitals.text import clean


class _Group(NamedTuple):
    """What cases have in common that are shown as one finding: they differ in nothing but the object.

    Attributes:
        identity: of the finding, which stays the same from run to run.
        root: the identity of the root; empty if the finding is a root itself.
        known: not empty if a known issue expects the finding.
    """

    identity: str
    root: str
    known: str

    @property
    def id(self) -> str:
        return ".".join(filter(None, self))


def reported_findings(run: Run) -> list[ReportedFinding]:
    """Return the findings of a run as reports show them, each with the id of its root."""
    cases = [
        Case(verdict.cause, verdict.variant, finding, issue)
        for verdict in run.verdicts
        for finding, issue in verdict.judged
    ]
    roots, causes = explain(cases, run.inputs.rules)
    groups = _groups(cases, roots)
    cases_of: dict[_Group, list[Case]] = defaultdict(list)
    for case in cases:
        cases_of[groups[case]].append(case)
    ids = _ids(cases_of)
    findings = []
    for group, members in cases_of.items():
        finding = _reported(members, ids[group], group.identity, run)
        if group.root:
            first = members[0]
            finding = replace(finding, root=ids[groups[roots[first]]], cause=ids[_cause(first, causes, groups)])
        findings.append(finding)
    return findings


def _groups(cases: Sequence[Case], roots: Mapping[Case, Case]) -> dict[Case, _Group]:
    identities = {case: identity(case.check, case.finding) for case in cases}
    groups = {}
    for case in cases:
        root = identities[roots[case]]
        is_root = root == identities[case]
        groups[case] = _Group(identities[case], "" if is_root else root, "known" if case.known else "")
    return groups


def _cause(case: Case, causes: Mapping[Case, Case], groups: Mapping[Case, _Group]) -> _Group:
    """Return the group that explains a case directly; replicas of the case's own group explain nothing to a reader."""
    group = groups[case]
    while case in causes and groups[case] == group:
        case = causes[case]
    return groups[case]


def _ids(groups: Iterable[_Group]) -> dict[_Group, str]:
    """Return an id for each group: for the first group with an identity, that is the identity alone."""
    ids: dict[_Group, str] = {}
    taken: set[str] = set()
    for group in sorted(groups):
        ids[group] = group.id if group.identity in taken else group.identity
        taken.add(group.identity)
    return ids


def _reported(cases: Sequence[Case], id_: str, lasting: str, run: Run) -> ReportedFinding:
    first, issue = cases[0].finding, cases[0].known
    says = list(dict.fromkeys(case.finding.says for case in cases))
    severity = gravest(case.finding.severity for case in cases)
    history, now = run.inputs.history, run.cluster.now
    return ReportedFinding(
        id=id_,
        check=cases[0].check,
        severity=severity,
        namespace=clean(first.obj.namespace),
        owner=str(first.owner or ""),
        says=says[0],
        also=says[1:],
        remedy=first.remedy,
        look=first.look,
        evidence=list(first.evidence),
        places=list(dict.fromkeys(Place(str(case.finding.obj), clean(case.finding.node)) for case in cases)),
        concerns=list(dict.fromkeys(str(ref) for case in cases for ref in case.finding.concerns)),
        missing=list(map(str, first.missing)),
        first_seen=history.first_seen(lasting) or now,
        since=_earliest((case.finding.since for case in cases), now),
        status=history.status(lasting, severity),
        known=Known(clean(issue.reason), issue.until) if issue else None,
        replicas=Replicas(*first.replicas) if first.replicas else None,
        occurrences=run.inputs.kept.occurrences(lasting, cases[0].check, now) if run.inputs.kept else None,
    )


def _earliest(times: Iterable[int], now: datetime) -> datetime | None:
    past = [time for time in times if 0 < time <= now.timestamp()]
    return datetime.fromtimestamp(min(past), UTC) if past else None
