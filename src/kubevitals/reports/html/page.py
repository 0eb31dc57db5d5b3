"""Renders a result as one HTML file that can be read without scripts. The templates escape every text."""

import gzip
import re
from base64 import b64encode
from collections.abc import Mapping
from functools import partial
from importlib.resources import files
from itertools import groupby

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from kubevitals.diagnosis.result import Item, Report
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.documentation import Documentation, documentation
from kubevitals.reports import wording
from kubevitals.reports.html import heat_map
from kubevitals.reports.html.adapter import PytestPage, policy
from kubevitals.reports.html.cards import LINES, STATES, drawn
from kubevitals.text import plural

SIZE = 2_600_000
"""How many bytes the root causes and the run's JSON may have together."""

SAVED = 600_000
"""How many bytes the run's JSON may have in the page, compressed."""

FIRST, PLACES, CONCERNS = 40, 10, 50
"""How many root causes a browser draws at once; objects of one finding, and objects it concerns, that are named."""

SIGNS = {
    Outcome.HEALTHY: "✓",
    Outcome.BROKEN: "✗",
    Outcome.WARNED: "!",
    Outcome.KNOWN: "≈",
    Outcome.NOT_OBSERVED: "?",
    Outcome.NOT_APPLICABLE: "·",
}

_FOLDER = files("kubevitals.reports.html") / "templates"
STYLE, SCRIPT = ((_FOLDER / name).read_text("utf-8") for name in ("style.css", "script.js"))


def templates(package: str) -> Environment:
    """Return the templates of a package. They escape every text."""
    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


_TEMPLATES = templates("kubevitals.reports.html")


def _code(text: str) -> Markup:
    """Return a text of a docstring as HTML: what is between backticks is code."""
    return Markup(re.sub(r"`+([^`]+)`+", r"<code>\1</code>", str(escape(text))))  # noqa: S704


_TEMPLATES.filters["code"] = _code


def page(report: Report, pytest: PytestPage, docstrings: Mapping[str, str], docs_url: str = "") -> str:
    """Return the whole page.

    Args:
        report: the result.
        pytest: what pytest-html would write, which is shown last and closed.
        docstrings: the documentation of causes, by name.
        docs_url: where the pages of the causes are published; empty if that is not known.
    """
    return _TEMPLATES.get_template("page.html").render(
        report=report,
        content=Markup(render(report, docstrings, docs_url)),  # noqa: S704
        pytest=pytest,
        policy=policy(SCRIPT, pytest.script) if pytest.is_self_contained else "",
        heading=wording.heading,
        style=STYLE,
        script=SCRIPT,
    )


def render(report: Report, docstrings: Mapping[str, str] | None = None, docs_url: str = "") -> str:
    """Return the result as HTML that is part of a page."""
    causes = _causes(report, docstrings or {})
    used = {**_WORDING, "report": report, "documented": causes}
    saved = _saved(report)
    roots = drawn(report, _TEMPLATES.get_template("card.html").make_module(used), SIZE - len(saved))
    nodes = heat_map.heat_map(report)
    return _TEMPLATES.get_template("report.html").render(
        used,
        rows=roots.rows,
        states=roots.states,
        linked=roots.linked,
        sections=_sections(report, has_nodes=nodes is not None),
        chapters=[(key, list(items)) for key, items in groupby(sorted(report.items, key=_chapter), key=_chapter)],
        known=[finding for finding in report.findings if finding.known],
        not_observed=wording.not_observed(report),
        map=nodes,
        unsure=any(item.unseen for item in report.items),
        causes=causes,
        docs_url=docs_url,
        saved=saved,
    )


def row(verdict: Verdict) -> str:
    """Return a verdict as HTML for a row of pytest-html's table."""
    return _TEMPLATES.get_template("pytest_row.html").render(verdict=verdict, shown=PLACES)


_WORDING: dict[str, object] = {
    "signs": SIGNS,
    "state_signs": dict(zip(STATES, "✗!+↑≈", strict=True)),
    "heading": wording.heading,
    "changes": wording.changes,
    "trend": wording.trend,
    "often": wording.often,
    "is_flapping": wording.is_flapping,
    "why_blind": wording.why_blind,
    "since": wording.since,
    "age": wording.age,
    "replicas_line": wording.replicas_line,
    "names": partial(wording.place_names, shown=PLACES),
    "moment": wording.moment,
    "cluster_line": wording.cluster_line,
    "sentence": lambda text: f"{text[:1].upper()}{text[1:]}.",
    "plural": plural,
    "cause": lambda of: cause_in(of.check),
    "variant": lambda item: variant_in(item.check),
    "first": FIRST,
    "shown_concerns": CONCERNS,
    "shown_lines": LINES,
    "size": heat_map.CELL,
    "head": heat_map.HEAD,
}


def _saved(report: Report) -> str:
    """Return the run's JSON, compressed; nothing if it is too large."""
    text = b64encode(gzip.compress(msgspec.json.encode(report), 6, mtime=0)).decode()
    return text if len(text) <= SAVED else ""


def _sections(report: Report, *, has_nodes: bool) -> list[tuple[str, str]]:
    """Return the sections of the page, each with what is in it."""
    counts = ", ".join(f"{report.counts[outcome]} {outcome}" for outcome in Outcome if report.counts.get(outcome))
    known = sum(finding.known is not None for finding in report.findings) + len(report.stale)
    sections = (
        ("Changes", report.comparison, ""),
        ("Checks", True, f"({counts})"),
        ("Nodes", has_nodes, ""),
        ("Not observed", any(item.unseen for item in report.items), ""),
        ("Known issues", known, f"({known})"),
        ("Unexplained events", report.unexplained, f"({len(report.unexplained)})"),
    )
    return [(name, told) for name, is_there, told in sections if is_there]


def _chapter(item: Item) -> tuple[str, str]:
    return item.chapter, cause_in(item.check)


def _causes(report: Report, docstrings: Mapping[str, str]) -> dict[str, Documentation]:
    """Return the documentation of the causes that were found."""
    found = sorted({cause_in(finding.check) for finding in report.findings})
    return {cause: documentation(docstrings[cause]) for cause in found if docstrings.get(cause)}
