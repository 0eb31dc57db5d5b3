"""The page of a fleet: one HTML file that loads nothing and has no scripts. Its templates escape every text."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from typing import Any, NamedTuple

from markupsafe import Markup

from kubevitals.fleet import wording
from kubevitals.fleet.result import Count, Fault, FleetCluster, Rollup, State
from kubevitals.reports.html.adapter import policy
from kubevitals.reports.html.page import SIGNS, STYLE, templates
from kubevitals.reports.wording import moment
from kubevitals.text import duration, plural

FAULTS, CLUSTERS = 1_500_000, 2_500_000
"""How many bytes the root causes and the table of clusters may have."""

SHOWN = 200
"""How many clusters a root cause names, and how many lines a list has."""

_STYLE = STYLE + (files("kubevitals.fleet") / "templates" / "fleet.css").read_text("utf-8")
_TEMPLATES = templates("kubevitals.fleet")

_OF_OUTCOMES = {str(outcome): sign for outcome, sign in SIGNS.items()}
_SIGNS = {state: _OF_OUTCOMES.get(state, "?") for state in State}


class Row(NamedTuple):
    """A line of the table of clusters.

    Attributes:
        cells: the counts of the causes, in the order of the columns, as far as the last one that the cluster has.
        first: whether it is the first of its state.
    """

    cluster: FleetCluster
    cells: list[Count | None]
    first: bool


def page(rollup: Rollup) -> str:
    """Return the page."""
    used = {**_WORDING, "rollup": rollup, "clusters": wording.by_id(rollup)}
    parts: Any = _TEMPLATES.get_template("parts.html").make_module(used)
    causes = _causes(rollup)
    faults = list(_fitting(map(parts.fault, rollup.faults), FAULTS))
    rows = list(_fitting(map(parts.row, _rows(rollup.clusters, causes)), CLUSTERS))
    return _TEMPLATES.get_template(
        "fleet.html"
    ).render(
        used,
        policy=policy(),
        style=Markup(_STYLE),  # noqa: S704
        causes=causes,
        faults=faults,
        rows=rows,
        of_owner=_in_need(rollup.clusters),
        linked={fault.id for fault in rollup.faults[: len(faults)]},
    )


def _causes(rollup: Rollup) -> list[str]:
    """Return the causes that were found: first those of most clusters."""
    counts: dict[str, int] = {}
    for cluster in rollup.clusters:
        for cause in cluster.causes:
            counts[cause] = counts.get(cause, 0) + 1
    return sorted(counts, key=lambda cause: (-counts[cause], cause))


def _rows(clusters: Iterable[FleetCluster], causes: Iterable[str]) -> Iterator[Row]:
    columns, before = list(causes), None
    for cluster in clusters:
        last = max((columns.index(cause) for cause in cluster.causes), default=-1)
        yield Row(cluster, [cluster.causes.get(cause) for cause in columns[: last + 1]], cluster.state is not before)
        before = cluster.state


def _in_need(clusters: Iterable[FleetCluster]) -> Mapping[str, list[FleetCluster]]:
    """Return the clusters of each owner that are not healthy."""
    owned: dict[str, list[FleetCluster]] = defaultdict(list)
    for cluster in clusters:
        if cluster.state is not State.HEALTHY:
            owned[cluster.owner].append(cluster)
    return owned


def _fitting(lines: Iterable[Markup], room: int) -> Iterator[Markup]:
    for line in lines:
        room -= len(line.encode())
        if room < 0:
            return
        yield line


def _age(cluster: FleetCluster, rollup: Rollup) -> str:
    return duration((rollup.taken - cluster.taken).total_seconds()) if cluster.taken else ""


def _named(ids: Iterable[str], clusters: Mapping[str, FleetCluster]) -> list[FleetCluster]:
    """Return the first of these clusters; one that is not there any more by its id."""
    missing = (FleetCluster(id=id_, name=id_, state=State.NO_REPORT) for id_ in ids if id_ not in clusters)
    known = [clusters[id_] for id_ in ids if id_ in clusters]
    return [*known, *missing][:SHOWN]


def _state(fault: Fault) -> str:
    return "known" if fault.known else str(fault.severity)


_WORDING: dict[str, object] = {
    "heading": wording.heading,
    "changes": wording.changes,
    "difference_line": wording.difference_line,
    "fault_age": wording.age,
    "age": _age,
    "named": _named,
    "state_of": _state,
    "moment": moment,
    "plural": plural,
    "signs": _SIGNS,
    "shown": SHOWN,
    "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
}
