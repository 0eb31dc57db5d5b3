"""Which node is blamed for pairs that do not reach each other, over each address family."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checks.test_cni_daemonset import no_route
from kubevitals.facts.network.reach import Pair, Way, blame, lost_wholly
from kubevitals.probe.report import ProbeReport, Target
from tests.fakes import cluster_of
from tests.networks import Lost, UseProbe, judged, mesh, node, reach

NAMES = ("one", "two", "three", "four")
CLUSTER = cluster_of(nodes=[node(name) for name in NAMES])


def said() -> list[tuple[str, str]]:
    findings, unseen = judged(no_route, CLUSTER)
    assert unseen is None, unseen
    return [(str(finding.obj), finding.says) for finding in findings]


def dual(four: Lost, six: Lost, kind: Target = Target.PEER) -> list[ProbeReport]:
    """Return reports of a network of two address families, of which the one or the other is lost."""
    reports = []
    for one, two in zip(mesh(NAMES, four, (kind,)), mesh(NAMES, six, (kind,)), strict=True):
        renamed = [replace(r, address=f"[fd00::{r.address.partition(':')[0][-1]}]:80") for r in two.reached]
        reports.append(replace(one, reached=(*one.reached, *renamed)))
    return reports


def two_is_cut_off(*ends: str) -> bool:
    return "two" in ends


def never(*_: str) -> bool:
    return False


def always(*_: str) -> bool:
    return True


@pytest.mark.parametrize(
    ("four", "six", "expected"),
    [
        (two_is_cut_off, never, [("Node/two", "cannot reach each other (over IPv4 only)")]),
        (never, two_is_cut_off, [("Node/two", "cannot reach each other (over IPv6 only)")]),
        (two_is_cut_off, two_is_cut_off, [("Node/two", "cannot reach each other")]),
        (never, always, [("PodNetwork/pods", "carries no IPv6 traffic")]),
        (always, never, [("PodNetwork/pods", "carries no IPv4 traffic")]),
        (two_is_cut_off, always, [("PodNetwork/pods", "no IPv6 traffic"), ("Node/two", "(over IPv4 only)")]),
    ],
)
def test_families_are_judged_apart(use_probe: UseProbe, four: Lost, six: Lost, expected: list[tuple[str, str]]) -> None:
    use_probe(dual(four, six))
    findings = said()
    assert [obj for obj, _ in findings] == [obj for obj, _ in expected]
    assert all(
        part in says and says.count("over IPv") == part.count("over IPv")
        for (_, says), (_, part) in zip(findings, expected, strict=True)
    )


def test_large_packets_may_be_lost_over_one_family(use_probe: UseProbe) -> None:
    small, big = dual(never, never), dual(never, always, Target.LARGE)
    use_probe([replace(one, reached=one.reached + two.reached) for one, two in zip(small, big, strict=True)])
    ((obj, says),) = said()
    assert obj == "PodNetwork/pods"
    assert "large packets between all nodes over IPv6" in says


ENDS = st.tuples(st.integers(0, 8), st.integers(0, 8), st.booleans()).filter(lambda ends: ends[0] != ends[1])


@given(st.dictionaries(ENDS, st.booleans(), max_size=40))
def test_every_failure_is_blamed_on_one_node_or_pair(tried: dict[tuple[int, int, bool], bool]) -> None:
    every = [
        Pair(str(s), str(t), reach(Target.PEER, str(t), 2 * ok, address=f"[fd00::{t}]:80" if six else f"10.0.0.{t}:80"))
        for (s, t, six), ok in tried.items()
    ]
    faults = list(blame(every))
    blamed = [pair for fault in faults for pair in fault.pairs] + [
        p for failing in lost_wholly(every).values() for p in failing
    ]
    assert sorted(map(str, blamed)) == sorted(str(pair) for pair in every if not pair.ok)
    for fault in faults:
        assert all(fault.node in (pair.source, pair.target) for pair in fault.pairs)
        if fault.way is Way.BOTH and not fault.family:
            assert not any(pair.ok and fault.node in (pair.source, pair.target) for pair in every)
