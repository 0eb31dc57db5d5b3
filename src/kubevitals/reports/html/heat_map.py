"""Which node has which fault, at a glance: nodes by causes, as the geometry of an SVG."""

from dataclasses import dataclass

from kubevitals.diagnosis.result import Found, Report
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.finding import Severity
from kubevitals.text import plural

ALL_NODES = 100
"""Above so many nodes only those with findings are drawn."""

ROWS = 200
"""Nodes that are drawn at most."""

CELL, HEAD, LETTER = 26, 110, 7
"""Pixels: a cell's side, the height of the causes' names, the width of a letter."""

NAME = 34
"""Letters of a node's name that are drawn, the last ones."""


@dataclass(frozen=True, slots=True)
class Cell:
    """A node's findings of one cause."""

    x: int
    y: int
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
        """As much of the name as is drawn."""
        return self.name if len(self.name) <= NAME else f"…{self.name[1 - NAME :]}"


@dataclass(frozen=True, slots=True)
class Column:
    """A cause, with a question mark where not all of it was observed."""

    x: int
    name: str


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The drawing.

    Attributes:
        label: pixels, the width of the nodes' names.
        left_out: what is not drawn, in words; empty if all is.
    """

    rows: list[Row]
    columns: list[Column]
    cells: list[Cell]
    label: int
    left_out: str

    @property
    def right(self) -> int:
        """Pixels: where the last column ends."""
        return self.label + CELL * len(self.columns)

    @property
    def width(self) -> int:
        """Pixels."""
        return self.right + HEAD

    @property
    def height(self) -> int:
        """Pixels."""
        return HEAD + CELL * len(self.rows)


def heat_map(report: Report) -> HeatMap | None:
    """Return the drawing, or nothing where no node is known."""
    found = _by_node_and_cause(report)
    nodes = sorted({*(report.cluster.nodes or ()), *(node for node, _ in found)})
    if not nodes:
        return None
    ailing = {node for node, _ in found}
    drawn = [node for node in nodes if len(nodes) <= ALL_NODES or node in ailing][:ROWS]
    rows = {node: Row(HEAD + CELL * place, node) for place, node in enumerate(drawn)}
    label = LETTER * (max((len(row.short) for row in rows.values()), default=0) + 2)
    causes = dict.fromkeys(cause for _, cause in sorted((i.chapter, cause_in(i.check)) for i in report.items))
    unseen = {cause_in(item.check) for item in report.items if item.unseen}
    columns = {
        cause: Column(label + CELL * place, f"{cause} ?" if cause in unseen else cause)
        for place, cause in enumerate(causes)
    }
    cells = [_cell(columns[cause], rows[node], findings) for (node, cause), findings in found.items() if node in rows]
    left_out = _left_out(len(nodes), len(ailing), len(drawn))
    return HeatMap(list(rows.values()), list(columns.values()), cells, label, left_out)


def _by_node_and_cause(report: Report) -> dict[tuple[str, str], list[Found]]:
    found: dict[tuple[str, str], list[Found]] = {}
    for each in report.findings:
        for node in dict.fromkeys(place.node for place in each.places if place.node):
            found.setdefault((node, cause_in(each.check)), []).append(each)
    return found


def _cell(column: Column, row: Row, findings: list[Found]) -> Cell:
    count = sum(place.node == row.name for found in findings for place in found.places)
    worst = Severity.ERROR if any(f.severity is Severity.ERROR for f in findings) else Severity.WARNING
    cause = cause_in(findings[0].check)
    says = f"{row.name}, {cause}: {plural(count, 'finding')}: {findings[0].says}"
    return Cell(column.x, row.y, worst, count, says)


def _left_out(all_: int, ailing: int, drawn: int) -> str:
    if all_ == drawn:
        return ""
    quiet, more = all_ - ailing, ailing - drawn
    parts = [f"{plural(quiet, 'node')} without findings"] if quiet else []
    parts += [f"{more:,} more with findings"] if more else []
    return " and ".join(parts)
