"""The connection tracking table of a node is full or nearly full, or its settings differ from other nodes.

Meaning:
    The kernel keeps one entry for every connection, including each DNS lookup over UDP, in a table of limited size.
    When the table is full, the kernel drops packets of new connections; before that, it evicts entries of half-open
    ones. A node with shorter time-outs or stricter settings than the others forgets connections that are still open.

Impact:
    New connections to and from the node time out at random, for every application; existing ones continue. DNS
    suffers first. No Kubernetes object shows this. A connection that was forgotten while it was idle hangs or is reset
    when it is used again: database pools and message queues fail on this node only.

Diagnosis:
    On the node, in its own network namespace: `sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max`,
    `conntrack -S` (drop, insert_failed, early_drop), `dmesg | grep nf_conntrack`, and `conntrack -L` to see which
    clients hold the entries. A pod's network namespace has its own count, which says nothing about the node.

Mitigation:
    Raise `nf_conntrack_max` (kube-proxy sets it from `conntrack.maxPerCore` and `conntrack.min`), shorten the time-outs
    of closed connections, find the client that keeps opening connections, reuse connections, cache lookups on the node.
    Set the same time-outs on all nodes (kube-proxy's `conntrack.tcpEstablishedTimeout` and `tcpCloseWaitTimeout`), and
    find out what changed them: a file in /etc/sysctl.d, or a tuning daemon.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.kube_proxy import runs_on
from kubevitals.facts.network.kube_proxy_config import asked_of_nodes
from kubevitals.facts.network.reach import node_names, require_all
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory import node_exporter
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import probed
from kubevitals.objects import Ref
from kubevitals.probe.report import Conntrack, Tracking
from kubevitals.text import duration
from kubevitals.threshold import Threshold

WARNING = Threshold(
    "conntrack.warning", 75, "percent of the table in use (NodeHighNumberConntrackEntriesUsed of node_exporter's mixin)"
)
ERROR = Threshold(
    "conntrack.error", 90, "percent of the table in use (config/plugin/network_problem.sh of node-problem-detector)"
)
LOST = Threshold("conntrack.lost", 1, "drops, failed inserts or evictions between two readings some seconds apart")

SHORTER = Threshold(
    "conntrack.shorter",
    50,
    "percent of the other nodes' time-out from which on a node's own one is reported as shorter",
)

KUBE_PROXY = Tracking(established=86400, close_wait=3600, loose=1, liberal=0)
"""What kube-proxy sets by default (kubernetes/kubernetes pkg/proxy/apis/config/v1alpha1/defaults.go), and the kernel's
defaults of the others: they decide where no setting is that of most nodes."""

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


def settings_differ(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that forget connections earlier, or treat them more strictly, than kube-proxy's configuration asks.

    What it does not set is compared with most nodes. If no value is that of most nodes, kube-proxy's default counts.
    Longer time-outs only cost entries of the table. If the configuration cannot be read, nodes are compared with each
    other only.
    """
    results = probed(cluster)
    settings = {report.node: report.tracking for report in results.of("host") if report.tracking}
    usual = Tracking(*(_usual(list(settings.values()), name) for name in Tracking.__struct_fields__))
    asked = _asked_by_node(cluster) if settings else {}
    for node, own in settings.items():
        if differences := list(_differences(own, usual, asked.get(node, Tracking()), cluster)):
            yield Finding(
                Ref("Node", "", node),
                says="; ".join(says for says, _ in differences),
                remedy="set it as kube-proxy's conntrack settings or the other nodes have it: find what overrides them "
                "in /etc/sysctl.d, and restart kube-proxy on the node",
                evidence=[line for _, line in differences],
                severity=Severity.WARNING,
            )
    if unread := [report.node for report in results.of("host") if not report.tracking]:
        raise NotObserved(f"the probe could not read the settings of connection tracking on {node_names(unread)}")
    require_all(results, "host")


def _asked_by_node(cluster: Cluster) -> Mapping[str, Tracking]:
    """Return what kube-proxy's configuration sets, for the nodes where kube-proxy runs."""
    try:
        nodes = runs_on(cluster)
    except (NotApplicable, NotObserved):
        return {}
    asked = asked_of_nodes(cluster)
    if asked.unseen:
        cluster.remarks.append(f"kube-proxy's configuration of connection tracking is not compared: {asked.unseen}")
    return {node.metadata.name: asked.tracking for node in nodes}


def _usual(settings: list[Tracking], name: str) -> int | None:
    """Return the value of most nodes, or else kube-proxy's default if some node has it."""
    values: list[int | None] = [getattr(one, name) for one in settings]
    value, count = Counter(values).most_common(1)[0] if values else (None, 0)
    default: int | None = getattr(KUBE_PROXY, name)
    if count * 2 > len(values):
        return value
    return default if default in values else None


def _differences(own: Tracking, usual: Tracking, asked: Tracking, cluster: Cluster) -> Iterator[tuple[str, str]]:
    """Yield what a node does differently, and the values."""
    for name, what in (("established", "idle"), ("close_wait", "half-closed")):
        value, set_to = getattr(own, name), getattr(asked, name)
        expected = set_to or getattr(usual, name)
        if value is not None and expected and 100 * value <= cluster.limit(SHORTER) * expected:
            whose = "kube-proxy's configuration asks for" if set_to else "the other nodes after"
            says = f"forgets {what} connections after {duration(value)}, {whose} {duration(expected)}"
            place = "kube-proxy's configuration" if set_to else "on other nodes"
            yield says, f"nf_conntrack_tcp_timeout_{name}: {value} s; {place}: {expected} s"
    if own.loose == 0 and usual.loose:
        yield "does not pick up connections that it has forgotten, as other nodes do", "nf_conntrack_tcp_loose: 0"
    if own.liberal == 0 and (asked.liberal or usual.liberal):
        whose = "which kube-proxy's configuration forbids" if asked.liberal else "other nodes do not"
        yield f"drops packets outside of the TCP window, {whose}", "nf_conntrack_tcp_be_liberal: 0"


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


@check(table_full, entries_lost, settings_differ, chapter="4.3")
def test_connections_are_tracked() -> None:
    """Every node has room for new connections in its tracking table, and keeps them as long as other nodes."""
