"""Makes the report of a run: findings with their roots and their history, the most probable root first."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from time import monotonic
from typing import NamedTuple, TypeVar

from kubevitals.diagnosis.identity import identity
from kubevitals.diagnosis.result import SCHEMA, ClusterInfo, Found, Item, Known, Place, Report, Root
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.diagnosis.run import Run
from kubevitals.diagnosis.turns import counted, in_turn, some
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.errors import NotObserved
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.finding import Severity, in_pieces
from kubevitals.inventory.cluster import Cluster
from kubevitals.redaction import redacting
from kubevitals.text import clean
from kubevitals.version import __version__

T = TypeVar("T")

FRONT = 5
"""Roots of one namespace that stand before those of others that are as bad: one that has hundreds hides none."""


class _Part(NamedTuple):
    """Cases that are shown as one finding: of one identity, with one root, all expected or none."""

    identity: str
    root: str
    known: str

    @property
    def id(self) -> str:
        return ".".join(filter(None, self))


def assemble(run: Run) -> Report:
    """Return the report of a run whose checks are through, or of as much of it as there was."""
    findings = _findings(run)
    roots = _roots(findings, run)
    rank = {id_: place for place, root in enumerate(roots) for id_ in (root.id, *root.others)}
    findings.sort(key=lambda found: (rank[found.root or found.id], found.root != ""))
    ids = defaultdict(list)
    for found in findings:
        ids[found.check].append(found.id)
    judged = {verdict.check for verdict in run.verdicts if not verdict.unseen}
    return Report(
        schema=SCHEMA,
        kubevitals=__version__,
        cluster=cluster_info(run.cluster),
        taken=run.cluster.now,
        finished=datetime.now(UTC),
        seconds=round(monotonic() - run.started, 3),
        outcome=_worst(run),
        counts=dict(run.counts),
        roots=roots,
        findings=findings,
        items=[_item(verdict, run, ids[verdict.check]) for verdict in run.verdicts],
        comparison=run.history.compare(findings, judged, run.cluster.scope),
        unexplained=run.unexplained,
        stale=run.stale,
        remarks=list(filter(None, (*run.remarks, *run.cluster.remarks, run.unprobed))),
        redacted=redacting(),
        unjudged=run.unjudged,
    )


def cluster_info(cluster: Cluster) -> ClusterInfo:
    """Return which cluster is looked at, as far as that is observed."""
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


def _worst(run: Run) -> Outcome:
    if run.counts[Outcome.BROKEN]:
        return Outcome.BROKEN
    if not run.observed or run.unjudged:
        return Outcome.NOT_OBSERVED
    return next((o for o in (Outcome.WARNED, Outcome.KNOWN) if run.counts[o]), Outcome.HEALTHY)


def _findings(run: Run) -> list[Found]:
    cases = [Case(v.cause, v.variant, f, known) for v in run.verdicts for f, known in v.judged]
    identities = {case: identity(case.check, case.finding) for case in cases}
    roots = roots_of(cases, run.rules)
    parts: dict[_Part, list[Case]] = defaultdict(list)
    part_of = {}
    for case in cases:
        own, root = identities[case], identities[roots[case]]
        part = part_of[case] = _Part(own, "" if root == own else root, "known" if case.known else "")
        parts[part].append(case)
    ids = _ids(parts)
    return [
        _found(members, ids[part], ids[part_of[roots[members[0]]]] if part.root else "", part.identity, run)
        for part, members in parts.items()
    ]


def _ids(parts: Iterable[_Part]) -> dict[_Part, str]:
    """Return the parts' ids: the first part of a finding is called after its identity alone."""
    ids: dict[_Part, str] = {}
    taken: set[str] = set()
    for part in sorted(parts):
        ids[part] = part.id if part.identity in taken else part.identity
        taken.add(part.identity)
    return ids


def _found(cases: Sequence[Case], id_: str, root: str, own: str, run: Run) -> Found:
    first, said = cases[0].finding, list(dict.fromkeys(case.finding.says for case in cases))
    issue = cases[0].known
    severity = min((case.finding.severity for case in cases), key=_gravity)
    return Found(
        id=id_,
        check=cases[0].check,
        severity=severity,
        namespace=clean(first.obj.namespace),
        owner=str(first.owner or ""),
        says=said[0],
        also=said[1:],
        remedy=first.remedy,
        look=first.look,
        evidence=list(first.evidence),
        places=list(dict.fromkeys(Place(str(case.finding.obj), clean(case.finding.node)) for case in cases)),
        concerns=list(dict.fromkeys(str(ref) for case in cases for ref in case.finding.concerns)),
        missing=list(map(str, first.missing)),
        first_seen=run.history.first_seen(own) or run.cluster.now,
        since=_since((case.finding.since for case in cases), run.cluster.now),
        status=run.history.status(own, severity),
        known=Known(clean(issue.reason), issue.until) if issue else None,
        root=root,
    )


def _gravity(severity: Severity) -> bool:
    return severity is not Severity.ERROR


def _since(times: Iterable[int], now: datetime) -> datetime | None:
    told = [time for time in times if 0 < time <= now.timestamp()]
    return datetime.fromtimestamp(min(told), UTC) if told else None


def _roots(findings: Iterable[Found], run: Run) -> list[Root]:
    symptoms: dict[str, list[Found]] = defaultdict(list)
    for found in findings:
        if found.root:
            symptoms[found.root].append(found)
    alike: dict[object, list[Found]] = defaultdict(list)
    for found in findings:
        if not found.root:
            alike[_alike(found)].append(found)
    told = (piece for group in alike.values() for piece in in_pieces(group))
    roots = [_root(piece, [each for found in piece for each in symptoms[found.id]]) for piece in told]
    known = {found.id for found in findings if found.known}

    namespaces = {found.id: found.namespace for found in findings}

    def weight(root: Root) -> tuple[object, ...]:
        return root.id in known, _gravity(root.severity)

    def order(root: Root) -> tuple[object, ...]:
        chapter = run.chapters.get(cause_in(root.check), "")
        return *weight(root), -root.explains, chapter, root.objects

    def in_crowd(ranked: tuple[int, Root]) -> tuple[object, ...]:
        before, root = ranked
        return *weight(root), bool(namespaces[root.id]) and before >= FRONT

    ranked = counted(sorted(roots, key=order), lambda root: namespaces[root.id])
    return [root for _, root in sorted(ranked, key=in_crowd)]


def _alike(found: Found) -> tuple[object, ...]:
    """Return what findings have in common that are one root."""
    kind = found.places[0].object.partition("/")[0]
    said = (found.check, found.severity, found.says, *found.also, found.remedy)
    return (*said, found.owner, kind, found.status, found.known)


def _root(alike: Sequence[Found], symptoms: Sequence[Found]) -> Root:
    found = alike[0]
    return Root(
        id=found.id,
        check=found.check,
        objects=some(place.object for each in alike for place in each.places),
        says=found.says,
        severity=min((each.severity for each in (found, *symptoms)), key=_gravity),
        explains=sum(len(symptom.places) for symptom in symptoms),
        symptoms=[symptom.id for symptom in symptoms],
        others=[other.id for other in in_turn(alike[1:], lambda each: each.namespace)],
    )


def _item(verdict: Verdict, run: Run, findings: list[str]) -> Item:
    return Item(
        check=verdict.check,
        chapter=run.chapters.get(verdict.cause, ""),
        outcome=verdict.outcome,
        seconds=round(run.seconds.get(verdict.check, 0.0), 3),
        findings=findings,
        unseen=verdict.unseen.reason if verdict.unseen else "",
        right=verdict.unseen.right if verdict.unseen else "",
        inapplicable=verdict.inapplicable,
    )
