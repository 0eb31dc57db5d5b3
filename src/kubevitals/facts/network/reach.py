"""Which nodes reach which others over the pod network, and which node is at fault where traffic is lost."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import NamedTuple

from kubevitals.errors import NotObserved
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import ProbeNetwork, ProbeReport, Reach, Target
from kubevitals.text import plural

PAIRS_SHOWN = 6
"""How many failed attempts a finding shows as evidence."""

LUCK = 1e-4
"""From which probability on several failed attempts may be chance."""


class Pair(NamedTuple):
    """One node's attempt to reach another node."""

    source: str
    target: str
    reach: Reach

    @property
    def ok(self) -> bool:
        """Whether the right answer came at least once."""
        return self.reach.ok

    def __str__(self) -> str:
        return f"{self.source} → {self.target} ({self.reach.address}): {result(self.reach)}"


class Way(Enum):
    """Which traffic of a node is lost."""

    BOTH = "to and from all nodes"
    OUT = "to all nodes"
    IN = "from all nodes"
    PAIR = "to and from single nodes"
    PAIR_OUT = "to single nodes"


class Blame(NamedTuple):
    """Lost traffic, and the node that is blamed for it.

    Attributes:
        peers: the nodes at the other ends.
        pairs: the failed attempts.
        family: the address family, if traffic of only one is lost and the other works; else empty.
    """

    node: str
    way: Way
    peers: tuple[str, ...]
    pairs: tuple[Pair, ...]
    family: str = ""

    @property
    def lines(self) -> list[str]:
        """The failed attempts, as evidence."""
        lines = [str(pair) for pair in self.pairs[:PAIRS_SHOWN]]
        more = len(self.pairs) - PAIRS_SHOWN
        return [*lines, f"and {plural(more, 'more attempt')}"] if more > 0 else lines


def result(reach: Reach) -> str:
    """Return what came of the attempts to reach an address."""
    if reach.ok:
        return f"answered {reach.answered} of {reach.tries} times"
    return f"{reach.said or 'no answer'} ({reach.tries} tries)"


def is_ipv6(address: str) -> bool:
    """Return whether the address of a `Reach` is an IPv6 address."""
    return address.startswith("[")


def reached(report: ProbeReport | None, target: Target) -> list[Reach]:
    """Return one probe pod's attempts to reach addresses of one kind."""
    return [reach for reach in report.reached if reach.kind is target] if report else []


def within_node(report: ProbeReport) -> list[Reach]:
    """Return the attempts to reach a probe pod on the report's own node."""
    return [reach for reach in reached(report, Target.PEER) if reach.node == report.node]


def pairs(reports: Iterable[ProbeReport], target: Target) -> list[Pair]:
    """Return the attempts of each report to reach probe pods on other nodes."""
    return [
        Pair(report.node, reach.node, reach)
        for report in reports
        for reach in reached(report, target)
        if reach.node not in ("", report.node)
    ]


def blame(attempts: Collection[Pair]) -> list[Blame]:
    """Return which node is at fault for the attempts that fail: one entry for each such node, none for its peers.

    A node is blamed if it fails with two peers or more and succeeds with none: first for both directions, then for
    one. The failures that remain are blamed on single pairs. Each address family is judged by itself.
    Where no attempt of a family succeeds, no node is blamed: see `lost_wholly`.
    """
    by_family = _by_family(attempts)
    faults: dict[tuple[str, Way, tuple[str, ...]], dict[str, tuple[Pair, ...]]] = defaultdict(dict)
    for family, family_pairs in by_family.items():
        if not nothing_passes(family_pairs):
            for fault in _blame_family(family_pairs):
                faults[fault.node, fault.way, fault.peers][family] = fault.pairs
    return [
        Blame(
            *key,
            pairs=tuple(pair for family_pairs in failing.values() for pair in family_pairs),
            family=next(iter(failing)) if len(failing) < len(by_family) else "",
        )
        for key, failing in faults.items()
    ]


def _by_family(attempts: Iterable[Pair]) -> Mapping[str, list[Pair]]:
    """Return attempts by the name of their address family."""
    by_family: dict[str, list[Pair]] = defaultdict(list)
    for pair in attempts:
        by_family["IPv6" if is_ipv6(pair.reach.address) else "IPv4"].append(pair)
    return by_family


def _blame_family(attempts: Collection[Pair]) -> list[Blame]:
    blames: list[Blame] = []
    rest = attempts
    for way in (Way.BOTH, Way.OUT, Way.IN):
        nodes_at_fault, rest = _blame_nodes(rest, way)
        blames += nodes_at_fault
    return blames + _blame_pairs([pair for pair in rest if not pair.ok])


def lost_wholly(attempts: Collection[Pair]) -> Mapping[str, Collection[Pair]]:
    """Return the attempts of the address families in which none succeeds, by family; under "" if that is all."""
    if nothing_passes(attempts):
        return {"": attempts}
    by_family = _by_family(attempts)
    return {family: family_pairs for family, family_pairs in by_family.items() if nothing_passes(family_pairs)}


class Lost(NamedTuple):
    """Traffic between nodes that is known to be lost, so that no other component is blamed for it.

    Attributes:
        nodes: the nodes that are at fault.
        pairs: the pairs of nodes between which an attempt failed, as (source, target).
        everything: whether no traffic passes between any two nodes.
    """

    nodes: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    everything: bool

    def between(self, source: str, target: str) -> bool:
        """Return whether traffic from one node's pods to another's, or the answer to it, is known to be lost.

        On a node that is at fault, traffic from pod to pod of that node may be lost as well.
        """
        if source == target:
            return source in self.nodes
        whole = self.everything or source in self.nodes or target in self.nodes
        return whole or (source, target) in self.pairs or (target, source) in self.pairs


def may_be_luck(reach: Reach, source: str, endpoints: Collection[str], traffic: Lost) -> bool:
    """Return whether a Service may not have answered because each try was sent to an endpoint that cannot be reached.

    Args:
        reach: the attempts that failed.
        source: the node that forwards the Service's traffic.
        endpoints: the nodes of the Service's endpoints, between which its traffic is spread at random.
        traffic: the traffic that is lost.
    """
    unreachable = sum(traffic.between(source, node) for node in endpoints)
    return bool(unreachable) and (unreachable / len(endpoints)) ** reach.tries > LUCK


def lost(reports: Iterable[ProbeReport]) -> Lost:
    """Return which traffic between nodes is lost in the pod network."""
    attempts = pairs(reports, Target.PEER)
    nodes_at_fault = frozenset(fault.node for fault in blame(attempts) if fault.way in _ENDS)
    failing = frozenset((pair.source, pair.target) for pair in attempts if not pair.ok)
    return Lost(nodes_at_fault, failing, nothing_passes(attempts))


def nothing_passes(attempts: Collection[Pair]) -> bool:
    """Return whether there are attempts and all of them fail."""
    return bool(attempts) and not any(pair.ok for pair in attempts)


_ENDS: Mapping[Way, Callable[[Pair], tuple[str, ...]]] = {
    Way.BOTH: lambda pair: (pair.source, pair.target),
    Way.OUT: lambda pair: (pair.source,),
    Way.IN: lambda pair: (pair.target,),
}


def _blame_nodes(attempts: Collection[Pair], way: Way) -> tuple[list[Blame], list[Pair]]:
    """Return the nodes with which nothing succeeds this way, the worst first, and the attempts that remain."""
    ends = _ENDS[way]
    passing = {node for pair in attempts if pair.ok for node in ends(pair)}
    failing: dict[str, list[Pair]] = defaultdict(list)
    for pair in attempts:
        if not pair.ok:
            for node in ends(pair):
                failing[node].append(pair)
    blames: list[Blame] = []
    blamed: set[str] = set()
    for node in sorted(failing.keys() - passing, key=lambda node: (-len(failing[node]), node)):
        node_pairs = [pair for pair in failing[node] if blamed.isdisjoint(ends(pair))]
        peers = {_other(pair, node) for pair in node_pairs}
        if len(peers) > 1:
            blamed.add(node)
            blames.append(Blame(node, way, tuple(sorted(peers)), tuple(node_pairs)))
    rest = [pair for pair in attempts if pair.ok or blamed.isdisjoint(ends(pair))]
    return blames, rest


def _blame_pairs(failing: Iterable[Pair]) -> list[Blame]:
    """Return single pairs by their source; a pair that fails in both directions only once, at its first source."""
    by_ends: dict[tuple[str, str], list[Pair]] = defaultdict(list)
    for pair in failing:
        by_ends[pair.source, pair.target].append(pair)
    by_source: dict[tuple[str, Way], list[Pair]] = defaultdict(list)
    for (source, target), there in by_ends.items():
        back = by_ends.get((target, source), [])
        if not back:
            by_source[source, Way.PAIR_OUT] += there
        elif source < target:
            by_source[source, Way.PAIR] += [*there, *back]
    return [
        Blame(node, way, tuple(sorted({_other(pair, node) for pair in node_pairs})), tuple(node_pairs))
        for (node, way), node_pairs in by_source.items()
    ]


def _other(pair: Pair, node: str) -> str:
    return pair.target if pair.source == node else pair.source


def require_all(results: ProbeResults, network: ProbeNetwork, explained: Collection[str] = ()) -> None:
    """Raise if the probe has no complete result from a node, unless another finding explains that.

    Raises:
        NotObserved: a probe pod in this network reported nothing, or only a part.
    """
    silent = [pod for pod in results.missing if pod.network == network and pod.node not in explained]
    if silent:
        nodes = node_names(pod.node for pod in silent)
        raise NotObserved(f"the probe has no result from {nodes}: {silent[0].reason}")
    unread = [report for report in results.of(network) if report.unread and report.node not in explained]
    if unread:
        nodes = node_names(report.node for report in unread)
        raise NotObserved(f"the probe's log on {nodes} cannot be read, only its vital readings: {unread[0].unread}")
    partial = [report.node for report in results.of(network) if not report.whole and report.node not in explained]
    if partial:
        raise NotObserved(f"the probe did not finish on {node_names(partial)}")


def node_names(nodes: Iterable[str]) -> str:
    """Return the names of the first three nodes, and how many more there are."""
    names = sorted(nodes)
    more = f" and {plural(len(names) - 3, 'more node')}" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
