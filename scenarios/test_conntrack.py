"""The connection tracking table of a node, filling up and full."""

from scenarios.faults_network import conntrack_filled, idle_connections_forgotten
from scenarios.harness import Seen, scenario


@scenario(
    on_demand=True,
    fault=conntrack_filled("worker2", 80),
    probe=True,
    finds=["conntrack[table-full] Node/worker2 (warning)"],
)
def test_conntrack_filling(seen: Seen) -> None:
    """80 % of the entries are in use: nothing is lost yet."""
    assert seen.says("of 262,144 entries")


@scenario(
    fault=conntrack_filled("worker2", 100),
    probe=True,
    finds=["conntrack[table-full] Node/worker2", "conntrack[entries-lost] Node/worker2"],
)
def test_conntrack_full(seen: Seen) -> None:
    """The kernel evicts unanswered entries to make room, so that some new connections still work."""
    assert seen.says("entries evicted to make room")


@scenario(
    on_demand=True,
    fault=idle_connections_forgotten("worker2"),
    probe=True,
    finds=["conntrack[settings-differ] Node/worker2 (warning)"],
)
def test_idle_connections_forgotten(seen: Seen) -> None:
    """Connections that are idle for longer hang on this node only."""
    assert seen.says("forgets idle connections after 12s, the other nodes after 1d")
    assert seen.says("does not pick up connections")
