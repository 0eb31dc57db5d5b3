"""Sentences about a fleet that all its reports share."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from kubevitals.fleet.result import UNSEEN, Difference, Fault, FleetCluster, Rollup, State
from kubevitals.reports.wording import moment
from kubevitals.text import duration, plural

NAMES = 3
"""How many clusters a line names."""


def heading(rollup: Rollup) -> str:
    """Return the verdict in one line: ``Broken: 3 of 12 clusters (1 unreachable, 8 healthy)``."""
    total = plural(len(rollup.clusters), "cluster")
    counts = {state: count for state, count in rollup.states.items() if count}
    worst = next((state for state in State if state in counts), State.NO_REPORT)
    rest = ", ".join(f"{count:,} {state}" for state, count in counts.items() if state is not worst)
    if worst is State.HEALTHY:
        blind = sum(cluster.blind > 0 for cluster in rollup.clusters)
        seen = f"No fault in what was observed: in {blind:,} of {total}, some checks could not see everything"
        return seen if blind else f"Healthy: all of {total}"
    verdict = str(worst).capitalize() if worst not in UNSEEN else "Nothing broken in what was seen, but " + worst
    return f"{verdict}: {counts.get(worst, 0):,} of {total}" + (f" ({rest})" if rest else "")


def by_id(rollup: Rollup) -> Mapping[str, FleetCluster]:
    """Return the clusters by their ids."""
    return {cluster.id: cluster for cluster in rollup.clusters}


def cluster_line(cluster: FleetCluster) -> str:
    """Return a cluster in one line, such as ``prod-7: stale: its findings are 3d old``."""
    return ": ".join(filter(None, (cluster.name, cluster.state, cluster.reason)))


def names(ids: Iterable[str], clusters: Mapping[str, FleetCluster], shown: int = NAMES) -> str:
    """Return the names of clusters as one text; if there are more, the first ones."""
    listed = [clusters[id_].name if id_ in clusters else id_ for id_ in ids]
    more = f" and {len(listed) - shown:,} more" if len(listed) > shown else ""
    return ", ".join(listed[:shown]) + more


def where(ids: Sequence[str], clusters: Mapping[str, FleetCluster], more: str = "") -> str:
    """Return in how many clusters something is and in which, and what else to know of these."""
    return f"{plural(len(ids), 'cluster')} ({names(ids, clusters)}{more})"


def fault_line(fault: Fault, clusters: Mapping[str, FleetCluster]) -> str:
    """Return a fault in one line: what is wrong, in how many clusters and in which."""
    return f"{fault}: {where(fault.clusters, clusters, _stale(fault, clusters))}"


def _stale(fault: Fault, clusters: Mapping[str, FleetCluster]) -> str:
    stale = sum(clusters[id_].state is State.STALE for id_ in fault.clusters)
    return f"; {stale:,} stale" if stale else ""


def mark(fault: Fault) -> str:
    """Return the severity of a fault, and what has changed: ``error, new``."""
    changed = fault.status if fault.status in ("new", "spread") else ""
    return "known" if fault.known else ", ".join(filter(None, (fault.severity, changed)))


def difference_line(difference: Difference, clusters: Mapping[str, FleetCluster]) -> str:
    """Return in one line what some clusters of a group have and others do not."""
    some = names(difference.clusters, clusters)
    have = "only in" if difference.have_it else "everywhere but in"
    others = "not in" if difference.have_it else "in"
    return f"{difference.what}: {have} {some} ({others} {plural(difference.others, 'other')})"


def changes(rollup: Rollup) -> str:
    """Return what has changed since the earlier roll-up; nothing if there is none."""
    if not (changed := rollup.changes):
        return ""
    counts = [f"{changed.new:,} new"]
    for word, past in (("resolved", changed.resolved), ("not checked again", changed.unconfirmed)):
        if count := sum(len(fault.clusters) for fault in past):
            counts.append(f"{count:,} {word}")
    if changed.turns:
        counts.append(f"{plural(len(changed.turns), 'cluster')} in another state")
    return f"since {moment(changed.taken)}: {', '.join(counts)}"


def age(fault: Fault, rollup: Rollup) -> str:
    """Return for how long a fault is known to exist in any cluster."""
    return duration((rollup.taken - fault.since).total_seconds()) if fault.since else ""


def unseen(rollup: Rollup) -> Iterator[FleetCluster]:
    """Yield the clusters that were not looked at, or not within their period."""
    return (cluster for cluster in rollup.clusters if cluster.state in UNSEEN)
