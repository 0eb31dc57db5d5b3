"""The root causes of a page: one line each, which opens a card with all that is known, as long as there is room."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from markupsafe import Markup

from kubevitals.diagnosis.result import Link, Report, ReportedFinding, Root
from kubevitals.findings.check_names import cause_in

ROWS = 2_350_000
"""How many bytes the lines of all root causes may have: enough for 5,000 of them."""

EVIDENCE = 100_000
"""How many characters of evidence one card shows."""

SYMPTOMS, LINES, PLACES = 25, 100, 500
"""How many symptoms and further objects a card shows, and by how many namespaces and nodes a root can be found."""

STATES = ("error", "warning", "new", "worse", "known")
"""By what roots are counted and filtered."""


class Marks(NamedTuple):
    """What a line is filtered and grouped by.

    Attributes:
        states: its severity, or that it is known; and what has changed.
        more: how many objects it has besides the first one.
    """

    states: list[str]
    causes: list[str]
    namespaces: list[str]
    nodes: list[str]
    more: int


class Card(NamedTuple):
    """What is shown of a root that is open.

    Attributes:
        finding: the first finding of the root.
        others: findings that say the same about other objects.
        symptoms: what it explains, each after what explains it directly, with the number of steps from the root.
        missing: the object that does not exist, from which all of this follows.
    """

    root: Root
    finding: ReportedFinding
    others: list[ReportedFinding]
    symptoms: list[tuple[int, ReportedFinding]]
    missing: Link | None

    @property
    def shown(self) -> Iterator[str]:
        """The ids of the findings on this card."""
        return (finding.id for finding in (self.finding, *self.others, *(symptom for _, symptom in self.symptoms)))


class Drawn(NamedTuple):
    """The root causes as HTML.

    Attributes:
        states: how many roots there are of each state.
        linked: the ids of the findings that have a place on the page.
    """

    rows: list[Markup]
    states: dict[str, int]
    linked: set[str]


def drawn(report: Report, templates: Any, room: int) -> Drawn:
    """Draw all roots that fit; cards are left out once `room` is used up.

    Args:
        report: the result.
        templates: the macros of card.html.
        room: how many bytes lines and cards may have together.
    """
    by_id = {finding.id: finding for finding in report.findings}
    marks = [_marks(root, by_id) for root in report.roots]
    counts = Counter(state for mark in marks for state in mark.states)
    lines = list(_fitting((templates.row(r, by_id[r.id], m) for r, m in zip(report.roots, marks, strict=True)), ROWS))
    left = room - sum(map(_size, lines))
    rows, linked = [], {root.id for root in report.roots[: len(lines)]}
    for root, line in zip(report.roots, lines, strict=False):
        content = Markup()
        if left > 0:
            card = _card(root, by_id)
            content = templates.content(card, _evidence())
            linked.update(card.shown)
            left -= _size(content)
        rows.append(line + content + Markup("</details>\n"))
    return Drawn(rows, {state: counts[state] for state in STATES if counts[state]}, linked)


def _size(html: str) -> int:
    return len(html.encode())


def _fitting(lines: Iterable[Markup], room: int) -> Iterator[Markup]:
    for line in lines:
        room -= _size(line)
        if room < 0:
            return
        yield line


def _marks(root: Root, by_id: Mapping[str, ReportedFinding]) -> Marks:
    first = by_id[root.id]
    alike = [first, *(by_id[id_] for id_ in root.others)]
    findings = [*alike, *(by_id[id_] for id_ in root.symptoms)]
    changed = [str(first.status)] if first.status in STATES else []
    return Marks(
        ["known" if root.known else str(root.severity), *changed],
        _different(cause_in(finding.check) for finding in findings),
        _different(finding.namespace for finding in findings),
        _different(place.node for finding in findings for place in finding.places),
        sum(len(finding.places) for finding in alike) - 1,
    )


def _different(names: Iterable[str]) -> list[str]:
    return list(islice(dict.fromkeys(filter(None, names)), PLACES))


def _card(root: Root, by_id: Mapping[str, ReportedFinding]) -> Card:
    others = [by_id[id_] for id_ in root.others[:LINES]]
    missing = next((links[-1] for links in root.chains if not links[-1].finding), None)
    return Card(root, by_id[root.id], others, list(islice(_spread(root, by_id), SYMPTOMS)), missing)


def _spread(root: Root, by_id: Mapping[str, ReportedFinding]) -> Iterator[tuple[int, ReportedFinding]]:
    """Yield the symptoms of a root, each after what explains it directly, with the number of steps from the root."""
    explained: dict[str, list[ReportedFinding]] = defaultdict(list)
    for symptom in (by_id[id_] for id_ in root.symptoms):
        explained[symptom.cause if symptom.cause in root.symptoms else ""].append(symptom)
    pending = [(1, symptom) for symptom in reversed(explained[""])]
    while pending:
        depth, symptom = pending.pop()
        yield depth, symptom
        pending += [(depth + 1, next_) for next_ in reversed(explained.pop(symptom.id, []))]


def _evidence() -> Callable[[ReportedFinding], list[str]]:
    """Return a function that returns the evidence of a finding, or nothing once `EVIDENCE` is used up."""
    left = EVIDENCE

    def evidence(finding: ReportedFinding) -> list[str]:
        nonlocal left
        left -= sum(map(len, finding.evidence))
        return finding.evidence if left >= 0 else []

    return evidence
