"""The lines of a roll-up in the terminal: the faults of the fleet, then what could not be seen, then the verdict."""

from collections.abc import Iterator
from itertools import islice

from kubevitals.fleet import wording
from kubevitals.fleet.result import Rollup
from kubevitals.text import plural

SHOWN = 10
"""How many faults, clusters and remarks are shown without ``-vv``."""


def lines(rollup: Rollup, verbosity: int) -> Iterator[str]:
    """Yield the lines: with ``-qq`` the verdict, with ``-vv`` everything."""
    shown = SHOWN if verbosity < 2 else len(rollup.clusters) + len(rollup.faults) + len(rollup.remarks)
    if verbosity >= -1:
        yield from _faults(rollup, shown, verbosity)
        yield from _unseen(rollup, shown)
        yield from _some(rollup.remarks, shown, "remark")
    if verbosity >= 1:
        yield from _differences(rollup, shown)
    if line := wording.changes(rollup):
        yield line
    yield wording.heading(rollup)


def _faults(rollup: Rollup, shown: int, verbosity: int) -> Iterator[str]:
    clusters = wording.by_id(rollup)
    for fault in rollup.faults[:shown]:
        yield f"{wording.mark(fault)}: {wording.fault_line(fault, clusters)}"
        if verbosity >= 0 and fault.remedy:
            yield f"  remedy: {fault.remedy}"
    if len(rollup.faults) > shown:
        yield f"and {plural(len(rollup.faults) - shown, 'more root cause')}"


def _unseen(rollup: Rollup, shown: int) -> Iterator[str]:
    clusters = list(wording.unseen(rollup))
    yield from map(wording.cluster_line, clusters[:shown])
    if len(clusters) > shown:
        yield f"and {plural(len(clusters) - shown, 'more cluster')} that could not be looked at"


def _some(texts: list[str], shown: int, noun: str) -> Iterator[str]:
    yield from texts[:shown]
    if len(texts) > shown:
        yield f"and {plural(len(texts) - shown, f'more {noun}')}"


def _differences(rollup: Rollup, shown: int) -> Iterator[str]:
    clusters = wording.by_id(rollup)
    for group in rollup.groups:
        for difference in islice(group.differences, shown):
            yield f"group {group.name}: {wording.difference_line(difference, clusters)}"
