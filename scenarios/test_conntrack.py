"""A node's connection tracking table, filling and full."""

from scenarios.faults_network import conntrack_filled
from scenarios.harness import Seen, scenario


@scenario(
    on_demand=True,
    fault=conntrack_filled("worker2", 80),
    probe=True,
    finds=["conntrack[table-full] Node/worker2 (warning)"],
)
def test_conntrack_filling(seen: Seen) -> None:
    """Four fifths are in use: nothing is lost yet."""
    assert seen.says("of 262,144 entries")


@scenario(
    fault=conntrack_filled("worker2", 100),
    probe=True,
    finds=["conntrack[table-full] Node/worker2", "conntrack[entries-lost] Node/worker2"],
)
def test_conntrack_full(seen: Seen) -> None:
    """The kernel throws out entries that were never answered, to make room: what asks goes on, by luck."""
    assert seen.says("entries thrown out to make room")
