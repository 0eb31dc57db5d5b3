"""Nodes by causes, drawn."""

import msgspec

from kubevitals.diagnosis.result import ClusterInfo
from kubevitals.errors import NotObserved
from kubevitals.reports.html import heat_map
from tests.findings import finding, report_of, verdict


def mapped(nodes: int, ailing: int) -> heat_map.HeatMap:
    report = report_of(verdict("node-ready[silent]", *(finding(f"Node/{n:04}") for n in range(ailing))))
    names = [f"{n:04}" for n in range(nodes)]
    drawn = heat_map.heat_map(msgspec.structs.replace(report, cluster=ClusterInfo("fake", nodes=names)))
    assert drawn
    return drawn


def test_all_of_a_hundred_nodes_are_drawn_and_of_more_those_with_findings() -> None:
    assert len(mapped(100, 2).rows) == 100
    assert [row.name for row in mapped(101, 2).rows] == ["0000", "0001"]
    assert mapped(101, 2).left_out == "99 nodes without findings"
    assert len(mapped(1000, 900).rows) == heat_map.ROWS
    assert mapped(1000, 900).left_out == "100 nodes without findings and 700 more with findings"


def test_a_cell_tells_what_is_wrong_and_how_often() -> None:
    (cell,) = mapped(3, 1).cells
    assert (cell.count, cell.severity, cell.says) == (1, "error", "0000, node-ready: 1 finding: is broken")


def test_a_cause_that_was_not_all_observed_is_marked() -> None:
    report = report_of(verdict("node[down]", finding("Node/a")), verdict("net[gone]", unseen=NotObserved("no probe")))
    drawn = heat_map.heat_map(report)
    assert drawn
    assert [column.name for column in drawn.columns] == ["net ?", "node"]
