"""A node's connection tracking table is full, or about to be.

Meaning:
    The kernel keeps an entry for every connection, lookups by UDP included, in a table of limited size. When it is
    full, packets of new connections are dropped; before that, entries of half-open ones are thrown out.

Impact:
    New connections to and from the node time out at random, whatever the application; those that stand go on. DNS
    suffers first. Nothing in Kubernetes' objects tells of it.

Diagnosis:
    On the node, in its own network: `sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max`,
    `conntrack -S` (drop, insert_failed, early_drop), `dmesg | grep nf_conntrack`, and `conntrack -L` for who holds the
    entries. A pod's own network namespace has a count of its own: figures from there say nothing.

Mitigation:
    Raise `nf_conntrack_max` (kube-proxy's `conntrack.maxPerCore` and `min` set it), shorten the time-outs of closed
    connections, find the client that opens connections without end, reuse connections, cache lookups on the node.
"""

from collections.abc import Iterator

from kubevitals.errors import NotObserved
from kubevitals.facts.network.reach import require_all
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

REMEDY = "raise nf_conntrack_max (kube-proxy's conntrack settings), and find out who opens so many connections"


EXPLAINS = (Explains(("conntrack",), SAME_NODE, ("cluster-dns[service-unreachable]", "kube-proxy[rules-wrong]")),)


def table_full(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose table is full by `conntrack.error` percent, or by `conntrack.warning`: read by the probe.

    Without the probe node exporters are asked, through the API server, where the user may do that.
    """
    for node, reading in _readings(cluster):
        percent = 100 * reading.count / reading.maximum if reading.maximum else 0
        if percent >= min(cluster.limit(WARNING), cluster.limit(ERROR)):
            full = percent >= cluster.limit(ERROR)
            yield Finding(
                Ref("Node", "", node),
                says=f"has a connection tracking table that is {'all but full' if full else 'filling up'}",
                remedy=REMEDY,
                evidence=[f"{reading.count:,} of {reading.maximum:,} entries, {percent:.0f} %"],
                severity=Severity.ERROR if full else Severity.WARNING,
            )


def entries_lost(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that lose connections now: what was dropped or thrown out grew between the probe's two readings."""
    found = probed(cluster)
    for report in found.of("host"):
        if len(report.conntrack) > 1 and (lost := list(_grown(report.conntrack[0], report.conntrack[-1], cluster))):
            yield Finding(
                Ref("Node", "", report.node),
                says="loses connections: its tracking table takes no more entries",
                remedy=REMEDY,
                evidence=lost,
            )
    require_all(found, "host")


def _readings(cluster: Cluster) -> Iterator[tuple[str, Conntrack]]:
    """Yield each node's last reading, of the probe or else of its node exporter."""
    try:
        found = probed(cluster)
    except NotObserved as error:
        yield from node_exporter.conntracks(cluster, error)
        return
    for report in found.of("host"):
        if report.conntrack:
            yield report.node, report.conntrack[-1]
    if unread := [report.node for report in found.of("host") if not report.conntrack]:
        raise NotObserved(f"the probe could not read connection tracking on {', '.join(unread[:3])}")
    require_all(found, "host")


def _grown(first: Conntrack, last: Conntrack, cluster: Cluster) -> Iterator[str]:
    for what, before, now in (
        ("packets dropped for want of an entry", first.dropped, last.dropped),
        ("entries that could not be inserted", first.failed, last.failed),
        ("entries thrown out to make room", first.evicted, last.evicted),
    ):
        if now - before >= cluster.limit(LOST):
            yield f"{what}: {now - before:,} between two readings, {now:,} since the boot"


@check(table_full, entries_lost, chapter="4.3")
def test_connections_are_tracked() -> None:
    """Every node has room for new connections."""
