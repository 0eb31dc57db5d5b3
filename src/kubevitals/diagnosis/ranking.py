"""Which roots there are, and in which order they are shown: the most probable one first."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from kubevitals.diagnosis.chains import chains
from kubevitals.diagnosis.result import Replicas, ReportedFinding, Root
from kubevitals.diagnosis.turns import counted, in_turn, some
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.finding import gravest, in_pieces, rank

FRONT = 5
"""How many roots of one namespace come before equally severe ones of other namespaces, so that none are hidden."""


class _Ranked(NamedTuple):
    """A root with what its place in the order depends on; a smaller tuple comes first."""

    is_known: bool
    severity: int
    explains: int
    missing: int
    chapter: str
    root: Root
    namespace: str

    @property
    def order(self) -> tuple[object, ...]:
        return self.is_known, self.severity, self.explains, self.missing, self.chapter, self.root.objects

    def in_turn(self, before: int) -> tuple[bool, int, bool]:
        """Return the order once it is known how many roots of the same namespace come before this one."""
        return self.is_known, self.severity, bool(self.namespace) and before >= FRONT


def ranked_roots(findings: Sequence[ReportedFinding], chapters: Mapping[str, str]) -> list[Root]:
    """Return the roots: not known ones first, then the gravest, then those that explain most and miss most replicas."""
    by_id = {finding.id: finding for finding in findings}
    roots = sorted((_ranked(root, by_id[root.id], chapters) for root in _roots(findings)), key=_order)
    turns = sorted(counted(roots, _namespace), key=_turn)
    return [ranked.root for _, ranked in turns]


def _ranked(root: Root, finding: ReportedFinding, chapters: Mapping[str, str]) -> _Ranked:
    chapter = chapters.get(cause_in(root.check), "")
    missing = root.replicas.missing if root.replicas else 0
    return _Ranked(
        finding.known is not None, rank(root.severity), -root.explains, -missing, chapter, root, finding.namespace
    )


def _order(ranked: _Ranked) -> tuple[object, ...]:
    return ranked.order


def _namespace(ranked: _Ranked) -> str:
    return ranked.namespace


def _turn(counted_root: tuple[int, _Ranked]) -> tuple[bool, int, bool]:
    before, ranked = counted_root
    return ranked.in_turn(before)


def _roots(findings: Iterable[ReportedFinding]) -> Iterable[Root]:
    symptoms: dict[str, list[ReportedFinding]] = defaultdict(list)
    alike: dict[object, list[ReportedFinding]] = defaultdict(list)
    for finding in findings:
        if finding.root:
            symptoms[finding.root].append(finding)
        else:
            alike[_common(finding)].append(finding)
    for group in alike.values():
        for piece in in_pieces(group):
            yield _root(piece, [symptom for finding in piece for symptom in symptoms[finding.id]])


def _common(finding: ReportedFinding) -> tuple[object, ...]:
    """Return what findings must have in common to be one root."""
    kind = finding.places[0].object.partition("/")[0]
    texts = (finding.check, finding.severity, finding.says, *finding.also, finding.remedy)
    return (*texts, finding.owner, kind, finding.status, finding.known)


def _root(alike: Sequence[ReportedFinding], symptoms: Sequence[ReportedFinding]) -> Root:
    first = alike[0]
    return Root(
        id=first.id,
        check=first.check,
        objects=some(place.object for finding in alike for place in finding.places),
        says=first.says,
        severity=gravest(finding.severity for finding in (first, *symptoms)),
        explains=sum(len(symptom.places) for symptom in symptoms),
        symptoms=[symptom.id for symptom in symptoms],
        others=[other.id for other in in_turn(alike[1:], lambda finding: finding.namespace)],
        replicas=_replicas([*alike, *symptoms]),
        chains=chains(alike, symptoms),
    )


def _replicas(findings: Iterable[ReportedFinding]) -> Replicas | None:
    counts = [finding.replicas for finding in findings if finding.replicas]
    return Replicas(sum(c.missing for c in counts), sum(c.of for c in counts)) if counts else None
