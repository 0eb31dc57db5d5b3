"""The clusters by group and by owner, and what differs between the clusters of a group."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from kubevitals.fleet.clusters import Seen
from kubevitals.fleet.faults import found_by
from kubevitals.fleet.result import Difference, Fault, FleetCluster, Part

SHOWN = 200
"""How many differences are kept of a group. The faults have all of them."""


def parts(seen: Sequence[Seen], faults: Sequence[Fault], name: Callable[[FleetCluster], str]) -> list[Part]:
    """Return the clusters by the name of their group or owner; those without one are left out."""
    members: dict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        members[name(each.cluster)].append(each)
    found = found_by(faults)
    return [_part(part, members[part], found) for part in sorted(members) if part]


def _part(name: str, members: Sequence[Seen], found: Mapping[str, list[Fault]]) -> Part:
    states = Counter(each.cluster.state for each in members)
    faults = {fault.id for each in members for fault in found.get(each.cluster.id, ())}
    return Part(name=name, states=dict(states), faults=len(faults))


def groups(seen: Sequence[Seen], faults: Sequence[Fault]) -> list[Part]:
    """Return the groups, each with what differs between its clusters."""
    found, made = found_by(faults), parts(seen, faults, lambda cluster: cluster.group)
    members: dict[str, list[Seen]] = defaultdict(list)
    for each in seen:
        if each.is_current:
            members[each.cluster.group].append(each)
    for part in made:
        differences = _differences(members[part.name], found)
        part.differences, part.more = differences[:SHOWN], max(0, len(differences) - SHOWN)
    return made


def _differences(members: Sequence[Seen], found: Mapping[str, list[Fault]]) -> list[Difference]:
    """Return what some clusters have and others do not: first what the fewest differ by."""
    differences = [*_of_versions(members), *_of_faults(members, found)]
    return sorted(differences, key=lambda difference: len(difference.clusters))


def _of_versions(members: Sequence[Seen]) -> Iterator[Difference]:
    versions: dict[str, list[str]] = defaultdict(list)
    for each in members:
        if each.cluster.version:
            versions[each.cluster.version].append(each.cluster.id)
    usual = max(versions, key=lambda version: len(versions[version]), default="")
    for version, clusters in versions.items():
        if version != usual:
            yield Difference(f"Kubernetes {version}", clusters, len(versions[usual]), have_it=True)


def _of_faults(members: Sequence[Seen], found: Mapping[str, list[Fault]]) -> Iterator[Difference]:
    """Yield the faults that only some of the clusters have, whose checks judged the others, too."""
    having: dict[str, list[str]] = defaultdict(list)
    by_id: dict[str, Fault] = {}
    for each in members:
        for fault in found.get(each.cluster.id, ()):
            having[fault.id].append(each.cluster.id)
            by_id[fault.id] = fault
    judged = _Judged(members)
    for id_, having_it in having.items():
        fault = by_id[id_]
        others = judged.by(fault.checks)
        without = len(others) - sum(cluster in others for cluster in having_it)
        if without and len(having_it) <= without:
            yield Difference(str(fault), having_it, without, have_it=True, fault=id_)
        elif without:
            odd = sorted(others.difference(having_it))
            yield Difference(str(fault), odd, len(having_it), have_it=False, fault=id_)


class _Judged:
    """Which clusters some checks judged completely, computed once for the same checks."""

    def __init__(self, members: Sequence[Seen]) -> None:
        self._members = members
        self._by: dict[tuple[str, ...], frozenset[str]] = {}

    def by(self, checks: Iterable[str]) -> frozenset[str]:
        """Return the ids of the clusters that all of these checks judged."""
        key = tuple(checks)
        if key not in self._by:
            looked = ((each.cluster.id, each.looked) for each in self._members)
            self._by[key] = frozenset(id_ for id_, seen in looked if seen and seen.judged.issuperset(key))
        return self._by[key]
