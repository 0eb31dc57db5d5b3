"""The connection tracking table of a node is full or nearly full.

Meaning:
    The kernel keeps one entry for every connection, including each DNS lookup over UDP, in a table of limited size.
    When the table is full, the kernel drops packets of new connections; before that, it evicts entries of half-open
    ones.

Impact:
    New connections to and from the node time out at random, for every application; existing ones continue. DNS
    suffers first. No Kubernetes object shows this.

Diagnosis:
    On the node, in its own network namespace: `sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max`,
    `conntrack -S` (drop, insert_failed, early_drop), `dmesg | grep nf_conntrack`, and `conntrack -L` to see which
    clients hold the entries. A pod's network namespace has its own count, which says nothing about the node.

Mitigation:
    Raise `nf_conntrack_max` (kube-proxy sets it from `conntrack.maxPerCore` and `conntrack.min`), shorten the time-outs
    of closed connections, find the client that keeps opening connections, reuse connections, cache lookups on the node.
"""

from collections.abc import Iterator

from kubevitals.errors import NotObserved
from kubevitals.facts.network.reach import node_names, require_all
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory import node_exporter
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import probed
from kubevitals.objects import Ref
from kubevitals.probe.report import Conntrack
from kubevitals.threshold import Threshold

WARNING = Threshold(
    "conntrack.warning", 75, "percent of the table in use (NodeHighNumberConntrackEntriesUsed of node_exporter's mixin)"
)
ERROR = Threshold(
    "conntrack.error", 90, "percent of the table in use (config/plugin/network_problem.sh of node-problem-detector)"
)
LOST = Threshold("conntrack.lost", 1, "drops, failed inserts or evictions between two readings some seconds apart")

REMEDY = "raise nf_conntrack_max (kube-proxy's conntrack settings), and find the client that opens so many connections"


EXPLAINS = (Explains(("conntrack",), SAME_NODE, ("cluster-dns[service-unreachable]", "kube-proxy[rules-wrong]")),)


def table_full(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose table is at least `conntrack.error` or `conntrack.warning` percent full.

    The figures are the probe's; without the probe they come from node exporters, through the API server.
    """
    for node, reading in _readings(cluster):
        percent = 100 * reading.count / reading.maximum if reading.maximum else 0
        if percent >= min(cluster.limit(WARNING), cluster.limit(ERROR)):
            full = percent >= cluster.limit(ERROR)
            yield Finding(
                Ref("Node", "", node),
                says=f"its connection tracking table is {'full or nearly full' if full else 'filling up'}",
                remedy=REMEDY,
                evidence=[f"{reading.count:,} of {reading.maximum:,} entries, {percent:.0f} %"],
                severity=Severity.ERROR if full else Severity.WARNING,
            )


def entries_lost(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that lose connections now: drops or evictions increased between the probe's two readings."""
    results = probed(cluster)
    for report in results.of("host"):
        if len(report.conntrack) > 1 and (lost := list(_grown(report.conntrack[0], report.conntrack[-1], cluster))):
            yield Finding(
                Ref("Node", "", report.node),
                says="loses connections: its connection tracking table has no room for new entries",
                remedy=REMEDY,
                evidence=lost,
            )
    require_all(results, "host")


def _readings(cluster: Cluster) -> Iterator[tuple[str, Conntrack]]:
    """Yield the latest reading of each node, from the probe or else from its node exporter."""
    try:
        results = probed(cluster)
    except NotObserved as error:
        yield from node_exporter.conntracks(cluster, error)
        return
    for report in results.of("host"):
        if report.conntrack:
            yield report.node, report.conntrack[-1]
    if unread := [report.node for report in results.of("host") if not report.conntrack]:
        raise NotObserved(f"the probe could not read connection tracking on {node_names(unread)}")
    require_all(results, "host")


def _grown(first: Conntrack, last: Conntrack, cluster: Cluster) -> Iterator[str]:
    for counter, before, now in (
        ("packets dropped because the table was full", first.dropped, last.dropped),
        ("entries that could not be inserted", first.failed, last.failed),
        ("entries evicted to make room", first.evicted, last.evicted),
    ):
        if now - before >= cluster.limit(LOST):
            yield f"{counter}: {now - before:,} between two readings, {now:,} since boot"


@check(table_full, entries_lost, chapter="4.3")
def test_connections_are_tracked() -> None:
    """Every node has room for new connections in its connection tracking table."""
