"""The root causes of a fleet: the same one in many clusters is one fault."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from kubevitals.findings.finding import gravest, rank
from kubevitals.fleet.clusters import Seen
from kubevitals.fleet.compare import Earlier
from kubevitals.fleet.findings_file import SeenRoot
from kubevitals.fleet.result import Fault, FleetCluster


class _Root(NamedTuple):
    cluster: FleetCluster
    root: SeenRoot


def faults(seen: Iterable[Seen], earlier: Earlier) -> list[Fault]:
    """Return all faults: what is broken before warnings, then what most clusters have; known ones are last."""
    roots: dict[str, list[_Root]] = defaultdict(list)
    for each in seen:
        for root in each.roots:
            roots[root.fault].append(_Root(each.cluster, root))
    found = [_fault(id_, of_fault, earlier) for id_, of_fault in roots.items()]
    return sorted(found, key=lambda f: (f.known, rank(f.severity), -len(f.clusters), f.checks, f.objects))


def _fault(id_: str, roots: Sequence[_Root], earlier: Earlier) -> Fault:
    words = Counter(root.words for _, root in roots).most_common(1)[0][0]
    clusters = list(dict.fromkeys(cluster.id for cluster, _ in roots))
    new_in = earlier.new_in(id_, (cluster for cluster, _ in roots))
    return Fault(
        id=id_,
        checks=sorted({root.words.check for _, root in roots}),
        objects=words.objects,
        says=words.says,
        remedy=words.remedy,
        severity=gravest({root.severity for _, root in roots}),
        known=all(root.known for _, root in roots),
        clusters=clusters,
        since=_began(roots),
        status=earlier.status(new_in, len(clusters)),
        new_in=new_in,
    )


def _began(roots: Iterable[_Root]) -> datetime:
    return min(root.began for _, root in roots)


def found_by(faults: Iterable[Fault]) -> Mapping[str, list[Fault]]:
    """Return the faults of each cluster, by its id."""
    found = defaultdict(list)
    for fault in faults:
        for cluster in fault.clusters:
            found[cluster].append(fault)
    return found
