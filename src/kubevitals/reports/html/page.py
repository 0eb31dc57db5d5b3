"""Renders a result as HTML that can be read without scripts. The templates escape every text."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from kubevitals.diagnosis.result import Item, Report, ReportedFinding, Root
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.reports import wording
from kubevitals.reports.html import heat_map

CARDS, SYMPTOMS, CHAINS, PLACES, CONCERNS, LINES = 200, 25, 5, 10, 50, 100
"""How many roots are shown, symptoms and chains of one root, objects of one finding, objects it concerns, and lines of
a list."""

EVIDENCE = 1_000_000
"""How many characters of evidence are shown; later findings refer to the findings file instead."""

SIGNS = {
    Outcome.HEALTHY: "✓",
    Outcome.BROKEN: "✗",
    Outcome.WARNED: "!",
    Outcome.KNOWN: "≈",
    Outcome.NOT_OBSERVED: "?",
    Outcome.NOT_APPLICABLE: "·",
}

_FOLDER = files("kubevitals.reports.html") / "templates"
STYLE = (_FOLDER / "style.css").read_text("utf-8")
SCRIPT = (_FOLDER / "script.js").read_text("utf-8")

_TEMPLATES = Environment(
    loader=PackageLoader("kubevitals.reports.html"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


class Card(NamedTuple):
    """A root as it is shown.

    Attributes:
        finding: the first finding of the root.
        others: findings that say the same about other objects.
        symptoms: findings that the root explains.
    """

    root: Root
    finding: ReportedFinding
    others: list[ReportedFinding]
    symptoms: list[ReportedFinding]


def _card(root: Root, by_id: Mapping[str, ReportedFinding]) -> Card:
    others, symptoms = root.others[:LINES], root.symptoms[:SYMPTOMS]
    return Card(root, by_id[root.id], [by_id[other] for other in others], [by_id[symptom] for symptom in symptoms])


def render(report: Report) -> str:
    """Return the result as HTML that is part of a page."""
    by_id = {finding.id: finding for finding in report.findings}
    cards = [_card(root, by_id) for root in report.roots[:CARDS]]
    detailed = [finding for card in cards for finding in (card.finding, *card.symptoms)]
    shown = [*detailed, *(other for card in cards for other in card.others)]
    return _TEMPLATES.get_template("report.html").render(
        report=report,
        cards=cards,
        linked={finding.id for finding in shown},
        namespaces=sorted({finding.namespace for finding in shown if finding.namespace}),
        chapters=[(key, list(items)) for key, items in groupby(sorted(report.items, key=_chapter), key=_chapter)],
        known=[finding for finding in report.findings if finding.known],
        not_observed=wording.not_observed(report),
        evidence=_budget(detailed),
        style=STYLE,
        script=SCRIPT,
        map=heat_map.heat_map(report),
        size=heat_map.CELL,
        head=heat_map.HEAD,
        **_WORDING,
    )


def row(verdict: Verdict) -> str:
    """Return a verdict as HTML for a row of pytest-html's table."""
    return _TEMPLATES.get_template("row.html").render(verdict=verdict, shown=PLACES)


_WORDING: dict[str, object] = {
    "outcomes": list(Outcome),
    "signs": SIGNS,
    "heading": wording.heading,
    "start_with": wording.start_with,
    "changes": wording.changes,
    "why_blind": wording.why_blind,
    "since": wording.since,
    "replicas": wording.replicas_line,
    "chain": wording.chain_line,
    "shown_chains": CHAINS,
    "names": partial(wording.place_names, shown=PLACES),
    "moment": wording.moment,
    "cluster_line": wording.cluster_line,
    "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
    "variant": lambda item: variant_in(item.check),
    "shown_concerns": CONCERNS,
    "shown_lines": LINES,
}


def _chapter(item: Item) -> tuple[str, str]:
    return item.chapter, cause_in(item.check)


def _budget(findings: Iterable[ReportedFinding]) -> Callable[[ReportedFinding], list[str]]:
    """Return a function that returns the evidence of a finding, or nothing once `EVIDENCE` is used up."""
    evidence: dict[str, list[str]] = defaultdict(list)
    left = EVIDENCE
    for finding in findings:
        left -= sum(map(len, finding.evidence))
        if left < 0:
            break
        evidence[finding.id] = finding.evidence
    return lambda finding: evidence[finding.id]
