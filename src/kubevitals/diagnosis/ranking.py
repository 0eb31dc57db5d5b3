"""Which roots there are, and in which order every report shows them: by what they cost."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

from kubevitals.diagnosis.chains import chains
from kubevitals.diagnosis.result import Replicas, ReportedFinding, Root
from kubevitals.diagnosis.turns import counted, in_turn, some
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.finding import gravest, in_pieces, rank

FRONT = 5
"""How many roots of one namespace come before others that reach as far, so that none are hidden."""


class Reach(IntEnum):
    """How much of the cluster a fault can affect; a smaller one reaches further."""

    API_SERVER = 0
    NODE = 1
    DNS = 2
    NETWORK = 3
    STORAGE = 4
    API_EXTENSION = 5
    WORKLOAD = 6


_OF_CAUSES = {
    "api-server": Reach.API_SERVER,
    "control-plane": Reach.API_SERVER,
    "cluster-dns": Reach.DNS,
    "cni-daemonset": Reach.NETWORK,
    "conntrack": Reach.NETWORK,
    "kube-proxy": Reach.NETWORK,
}
_OF_KINDS = {
    "APIServer": Reach.API_SERVER,
    "APIService": Reach.API_EXTENSION,
    "MutatingWebhookConfiguration": Reach.API_EXTENSION,
    "ValidatingWebhookConfiguration": Reach.API_EXTENSION,
    "Node": Reach.NODE,
    "PodNetwork": Reach.NETWORK,
    "CSIDriver": Reach.STORAGE,
    "StorageClass": Reach.STORAGE,
}


class _Ranked(NamedTuple):
    """A root with what its place in the order depends on: what it costs. A smaller tuple comes first.

    Attributes:
        severity: what is broken comes before a risk.
        is_old: whether the earlier run had it as well, and just as bad.
        missing: how many replicas are not available, as a negative number, like `explains` and `since`.
        since: seconds since 1970; 0 if the cluster does not say when the state began.
    """

    is_known: bool
    severity: int
    is_old: bool
    reach: Reach
    missing: int
    explains: int
    since: float
    check: str
    objects: str
    namespace: str
    root: Root

    def turn(self, before: int) -> tuple[object, ...]:
        """Return the order once it is known how many roots of the same namespace come before this one."""
        return self.is_known, self.severity, self.is_old, self.reach, bool(self.namespace) and before >= FRONT


def ranked_roots(findings: Sequence[ReportedFinding]) -> list[Root]:
    """Return the roots in the order of every report: by what they cost, the known ones last."""
    by_id = {finding.id: finding for finding in findings}
    ranked = sorted((_ranked(root, by_id) for root in _roots(findings)), key=lambda ranked: ranked[:-1])
    turns = counted(ranked, lambda ranked: ranked.namespace)
    return [ranked.root for _, ranked in sorted(turns, key=lambda pair: pair[1].turn(pair[0]))]


def _ranked(root: Root, by_id: Mapping[str, ReportedFinding]) -> _Ranked:
    first = by_id[root.id]
    return _Ranked(
        root.known,
        rank(root.severity),
        first.status == "ongoing",
        min(_reach(by_id[id_]) for id_ in (root.id, *root.symptoms)),
        -root.replicas.missing if root.replicas else 0,
        -len(root.symptoms),
        -first.since.timestamp() if first.since else 0,
        root.check,
        root.objects,
        first.namespace,
        root,
    )


def _reach(finding: ReportedFinding) -> Reach:
    kind = finding.places[0].object.partition("/")[0]
    return _OF_CAUSES.get(cause_in(finding.check), _OF_KINDS.get(kind, Reach.WORKLOAD))


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
        symptoms=[symptom.id for symptom in symptoms],
        others=[other.id for other in in_turn(alike[1:], lambda finding: finding.namespace)],
        known=first.known is not None,
        replicas=_replicas([*alike, *symptoms]),
        chains=chains(alike, symptoms),
    )


def _replicas(findings: Iterable[ReportedFinding]) -> Replicas | None:
    counts = [finding.replicas for finding in findings if finding.replicas]
    return Replicas(sum(c.missing for c in counts), sum(c.of for c in counts)) if counts else None
