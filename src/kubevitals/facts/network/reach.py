"""Who reaches whom between nodes, and which end is to blame where somebody does not."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from enum import Enum
from typing import NamedTuple

from kubevitals.errors import NotObserved
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import ProbeNetwork, ProbeReport, Reach, Target
from kubevitals.text import plural

PAIRS_SHOWN = 6
"""Pairs that stand in a finding's evidence."""


class Pair(NamedTuple):
    """One node's attempt to reach another."""

    source: str
    target: str
    reach: Reach

    @property
    def ok(self) -> bool:
        """Whether the right answer came at least once."""
        return self.reach.ok

    def __str__(self) -> str:
        return f"{self.source} → {self.target} ({self.reach.address}): {told(self.reach)}"


class Way(Enum):
    """Which traffic of a node is lost."""

    BOTH = "to and from all nodes"
    OUT = "to all nodes"
    IN = "from all nodes"
    PAIR = "to and from single nodes"
    PAIR_OUT = "to single nodes"


class Blame(NamedTuple):
    """Traffic that is lost, and the node that it is laid at.

    Attributes:
        peers: the other ends.
        pairs: the attempts that failed.
        family: the address family that alone is lost; nothing where there is no other one, or that is lost, too.
    """

    node: str
    way: Way
    peers: tuple[str, ...]
    pairs: tuple[Pair, ...]
    family: str = ""

    @property
    def lines(self) -> list[str]:
        """The attempts that failed, as evidence."""
        more = len(self.pairs) - PAIRS_SHOWN
        return [str(pair) for pair in self.pairs[:PAIRS_SHOWN]] + [f"and {plural(more, 'more attempt')}"] * (more > 0)


def told(reach: Reach) -> str:
    """Return how an address answered."""
    if reach.ok:
        return f"answered {reach.answered} of {reach.tries} times"
    return f"{reach.said or 'no answer'} ({reach.tries} tries)"


def is_ipv6(address: str) -> bool:
    """Return whether an address of a `Reach` is of IPv6."""
    return address.startswith("[")


def reached(report: ProbeReport | None, kind: Target) -> list[Reach]:
    """Return what one report tells of one kind of address."""
    return [reach for reach in report.reached if reach.kind is kind] if report else []


def own(report: ProbeReport) -> list[Reach]:
    """Return the attempts to reach a probe pod on the report's own node."""
    return [reach for reach in reached(report, Target.PEER) if reach.node == report.node]


def pairs(reports: Iterable[ProbeReport], kind: Target) -> list[Pair]:
    """Return the attempts of each report to reach probe pods on other nodes."""
    return [
        Pair(report.node, reach.node, reach)
        for report in reports
        for reach in reached(report, kind)
        if reach.node not in ("", report.node)
    ]


def blame(every: Collection[Pair]) -> Iterator[Blame]:
    """Yield who is to blame for the pairs that fail: one finding for each node at fault, none for its peers.

    A node that fails with two peers or more and succeeds with none is to blame, first for both directions, then for
    one; what is left are single pairs. Address families are judged apart: the one may work where the other does not.
    Nothing is said where no pair at all succeeds: see `lost_wholly`.
    """
    apart = _families(every)
    found: dict[tuple[str, Way, tuple[str, ...]], dict[str, tuple[Pair, ...]]] = defaultdict(dict)
    for family, left in apart.items():
        for fault in () if nothing_passes(left) else _blame_family(left):
            found[fault.node, fault.way, fault.peers][family] = fault.pairs
    for key, failing in found.items():
        family = next(iter(failing)) if len(failing) < len(apart) else ""
        yield Blame(*key, tuple(pair for own_pairs in failing.values() for pair in own_pairs), family)


def _families(every: Iterable[Pair]) -> Mapping[str, list[Pair]]:
    """Return pairs by the name of their address family."""
    found: dict[str, list[Pair]] = defaultdict(list)
    for pair in every:
        found["IPv6" if is_ipv6(pair.reach.address) else "IPv4"].append(pair)
    return found


def _blame_family(left: list[Pair]) -> Iterator[Blame]:
    for way in (Way.BOTH, Way.OUT, Way.IN):
        yield from _blame_nodes(left, way)
    yield from _blame_pairs([pair for pair in left if not pair.ok])


def lost_wholly(every: Collection[Pair]) -> Mapping[str, Collection[Pair]]:
    """Return the pairs of each address family of which none succeeds; under no name all of them, where none does."""
    if nothing_passes(every):
        return {"": every}
    return {family: own_pairs for family, own_pairs in _families(every).items() if nothing_passes(own_pairs)}


class Lost(NamedTuple):
    """Traffic between nodes that is known to be lost, so that nothing else need be blamed for it.

    Attributes:
        nodes: nodes that are to blame; `pairs` single pairs, by source and target.
        everything: whether nothing passes between any nodes.
    """

    nodes: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    everything: bool

    def between(self, source: str, target: str) -> bool:
        """Return whether what a node's pods send to another node's, or the answer, is known to be lost.

        Of a node that is to blame nothing is known to pass, not even within it.
        """
        if source == target:
            return source in self.nodes
        whole = self.everything or source in self.nodes or target in self.nodes
        return whole or (source, target) in self.pairs or (target, source) in self.pairs


def lost(reports: Iterable[ProbeReport]) -> Lost:
    """Return what is lost between nodes in the pod network."""
    every = pairs(reports, Target.PEER)
    whole = frozenset(fault.node for fault in blame(every) if fault.way in _ENDS)
    failing = frozenset((pair.source, pair.target) for pair in every if not pair.ok)
    return Lost(whole, failing, nothing_passes(every))


def nothing_passes(every: Collection[Pair]) -> bool:
    """Return whether there are pairs and all of them fail."""
    return bool(every) and not any(pair.ok for pair in every)


_ENDS: Mapping[Way, Callable[[Pair], tuple[str, ...]]] = {
    Way.BOTH: lambda pair: (pair.source, pair.target),
    Way.OUT: lambda pair: (pair.source,),
    Way.IN: lambda pair: (pair.target,),
}


def _blame_nodes(left: list[Pair], way: Way) -> Iterator[Blame]:
    """Yield the nodes with which nothing succeeds this way, the worst first, and take their failures out of `left`."""
    ends, failing, fine = _ENDS[way], defaultdict(list), set()
    for pair in left:
        for end in ends(pair):
            if pair.ok:
                fine.add(end)
            else:
                failing[end].append(pair)
    blamed: set[str] = set()
    for node in sorted(failing.keys() - fine, key=lambda node: (-len(failing[node]), node)):
        own_pairs = [pair for pair in failing[node] if not blamed & set(ends(pair))]
        peers = {_other(pair, node) for pair in own_pairs}
        if len(peers) > 1:
            blamed.add(node)
            yield Blame(node, way, tuple(sorted(peers)), tuple(own_pairs))
    left[:] = [pair for pair in left if pair.ok or not blamed & set(ends(pair))]


def _blame_pairs(failing: list[Pair]) -> Iterator[Blame]:
    """Yield single pairs, grouped by their source; a pair that fails both ways once, at its first source."""
    ways: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in failing:
        ways[pair.source, pair.target].append(pair)
    groups: dict[tuple[str, Way], list[Pair]] = defaultdict(list)
    for (source, target), own_pairs in ways.items():
        back = ways.get((target, source), [])
        if not back:
            groups[source, Way.PAIR_OUT] += own_pairs
        elif source < target:
            groups[source, Way.PAIR] += [*own_pairs, *back]
    for (node, way), found in groups.items():
        yield Blame(node, way, tuple(sorted({_other(pair, node) for pair in found})), tuple(found))


def _other(pair: Pair, node: str) -> str:
    return pair.target if pair.source == node else pair.source


def require_all(found: ProbeResults, network: ProbeNetwork, explained: Collection[str] = ()) -> None:
    """Raise where the probe told nothing of a node, unless a finding explains that.

    Raises:
        NotObserved: a probe pod in this network told nothing, or not all.
    """
    silent = [s for s in found.missing if s.network == network and s.node not in explained]
    if silent:
        raise NotObserved(f"the probe told nothing on {node_names(s.node for s in silent)}: {silent[0].reason}")
    if broken := [r.node for r in found.of(network) if not r.whole and r.node not in explained]:
        raise NotObserved(f"the probe did not come to its end on {node_names(broken)}")


def node_names(nodes: Iterable[str]) -> str:
    """Return the names of nodes: all of a few, the first ones of many."""
    names = sorted(nodes)
    more = f" and {plural(len(names) - 3, 'more node')}" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
