"""The geometry of the heat map: an SVG that shows which node has which faults."""

from dataclasses import dataclass

from kubevitals.diagnosis.result import Report, ReportedFinding
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.finding import Severity
from kubevitals.text import plural

ALL_NODES = 100
"""If there are more nodes than this, only those with findings are drawn."""

ROWS = 200
"""The maximum number of nodes that are drawn."""

CELL, HEAD, LETTER = 26, 110, 7
"""Pixels: the side of a cell, the height of the column headings, the width of a letter."""

NAME = 34
"""How many letters of a node's name are drawn: the last ones, which differ most."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The findings of one cause on one node."""

    x: int
    y: int
    node: str
    cause: str
    severity: Severity
    count: int
    says: str


@dataclass(frozen=True, slots=True)
class Row:
    """A node."""

    y: int
    name: str

    @property
    def short(self) -> str:
        """The part of the name that is drawn."""
        return self.name if len(self.name) <= NAME else f"…{self.name[1 - NAME :]}"


@dataclass(frozen=True, slots=True)
class Column:
    """A cause; its name has a question mark if not all of it was observed."""

    x: int
    cause: str
    name: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The drawing.

    Attributes:
        label: the width of the nodes' names, in pixels.
        left_out: which nodes are not drawn; empty if all are.
    """

    rows: list[Row]
    columns: list[Column]
    cells: list[Cell]
    label: int
    left_out: str

    @property
    def right(self) -> int:
        """The right edge of the last column, in pixels."""
        return self.label + CELL * len(self.columns)

    @property
    def width(self) -> int:
        """The width, in pixels."""
        return self.right + HEAD

    @property
    def height(self) -> int:
        """The height, in pixels."""
        return HEAD + CELL * len(self.rows)


def heat_map(report: Report) -> HeatMap | None:
    """Return the drawing; nothing if no node is known."""
    findings = _by_node_and_cause(report)
    with_findings = {node for node, _ in findings}
    nodes = sorted({*(report.cluster.nodes or ()), *with_findings})
    if not nodes:
        return None
    drawn = [node for node in nodes if len(nodes) <= ALL_NODES or node in with_findings][:ROWS]
    rows = {node: Row(HEAD + CELL * position, node) for position, node in enumerate(drawn)}
    label = LETTER * (max((len(row.short) for row in rows.values()), default=0) + 2)
    columns = _columns(report, label)
    cells = [_cell(columns[cause], rows[node], some) for (node, cause), some in findings.items() if node in rows]
    left_out = _left_out(len(nodes), len(with_findings), len(drawn))
    return HeatMap(list(rows.values()), list(columns.values()), cells, label, left_out)


def _columns(report: Report, label: int) -> dict[str, Column]:
    causes = dict.fromkeys(cause for _, cause in sorted((item.chapter, cause_in(item.check)) for item in report.items))
    unseen = {cause_in(item.check) for item in report.items if item.unseen}
    return {
        cause: Column(label + CELL * position, cause, f"{cause} ?" if cause in unseen else cause)
        for position, cause in enumerate(causes)
    }


def _by_node_and_cause(report: Report) -> dict[tuple[str, str], list[ReportedFinding]]:
    findings: dict[tuple[str, str], list[ReportedFinding]] = {}
    for finding in report.findings:
        for node in dict.fromkeys(place.node for place in finding.places if place.node):
            findings.setdefault((node, cause_in(finding.check)), []).append(finding)
    return findings


def _cell(column: Column, row: Row, findings: list[ReportedFinding]) -> Cell:
    count = sum(place.node == row.name for finding in findings for place in finding.places)
    worst = Severity.ERROR if any(f.severity is Severity.ERROR for f in findings) else Severity.WARNING
    cause = cause_in(findings[0].check)
    says = f"{row.name}, {cause}: {plural(count, 'finding')}: {findings[0].says}"
    return Cell(column.x, row.y, row.name, cause, worst, count, says)


def _left_out(nodes: int, with_findings: int, drawn: int) -> str:
    if nodes == drawn:
        return ""
    without, more = nodes - with_findings, with_findings - drawn
    parts = [f"{plural(without, 'node')} without findings"] if without else []
    parts += [f"{more:,} more with findings"] if more else []
    return " and ".join(parts)
