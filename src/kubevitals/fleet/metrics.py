"""The metrics of a fleet, for example for node exporter's textfile collector."""

from collections import Counter
from collections.abc import Iterator

from kubevitals.findings.finding import Severity
from kubevitals.fleet.result import SEEN, Fault, FleetCluster, Rollup, State
from kubevitals.reports.metrics import SHOWN, Samples, flag, gauge


def openmetrics(rollup: Rollup) -> str:
    """Return the metrics in OpenMetrics' text format."""
    return "".join(line + "\n" for line in _lines(rollup)) + "# EOF\n"


def _lines(rollup: Rollup) -> Iterator[str]:
    states = [({"state": str(state)}, rollup.states.get(state, 0)) for state in State]
    yield from gauge("fleet_clusters", "Number of clusters in a state.", states)
    of_clusters = [(_labels(each) | {"state": str(each.state)}, 1) for each in rollup.clusters]
    yield from gauge("fleet_cluster_info", "1 for each cluster, with its state.", of_clusters)
    yield from gauge("fleet_cluster_roots", "Number of root causes of a cluster that was looked at.", _roots(rollup))
    times = [({"cluster": c.name, "cluster_uid": c.uid}, c.taken.timestamp()) for c in rollup.clusters if c.taken]
    yield from gauge("fleet_cluster_state_timestamp_seconds", "The time of a cluster's state.", times)
    shared = [(_of_fault(fault), len(fault.clusters)) for fault in rollup.faults[:SHOWN]]
    yield from gauge("fleet_root_clusters", f"Number of clusters with one of the first {SHOWN} root causes.", shared)
    yield from gauge("fleet_timestamp_seconds", "The time of the roll-up.", [({}, rollup.taken.timestamp())])


def _labels(cluster: FleetCluster) -> dict[str, str]:
    return {"cluster": cluster.name, "cluster_uid": cluster.uid, "group": cluster.group, "owner": cluster.owner}


def _roots(rollup: Rollup) -> Samples:
    for cluster in rollup.clusters:
        counts = Counter[Severity]()
        for count in cluster.causes.values():
            counts[Severity.ERROR] += count.errors
            counts[Severity.WARNING] += count.warnings
        for severity in Severity if cluster.state in SEEN else ():
            about = {"cluster": cluster.name, "cluster_uid": cluster.uid, "severity": str(severity)}
            yield about, counts[severity]


def _of_fault(fault: Fault) -> dict[str, str]:
    return {
        "id": fault.id,
        "check": fault.checks[0],
        "object": fault.objects,
        "severity": fault.severity,
        "known": flag(fault.known),
    }
