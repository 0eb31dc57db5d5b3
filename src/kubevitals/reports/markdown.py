"""A short report in Markdown, for example for the summary of a CI job (``--markdown "$GITHUB_STEP_SUMMARY"``)."""

import re
from collections.abc import Iterator

from kubevitals.diagnosis.result import Report, ReportedFinding, Root
from kubevitals.reports.wording import (
    SIGNS,
    chain_line,
    changes,
    cluster_line,
    heading,
    not_observed,
    past_line,
    replicas_line,
    since,
    why_blind,
)
from kubevitals.text import plural

SHOWN = 10
"""How many roots, and how many findings that are resolved, are shown."""

_ALWAYS = re.compile(r"[\\`*\[<|~@$]")
"""Characters that act wherever they stand: emphasis, code, links, HTML, table cells, mentions, formulas."""

_SOMETIMES = re.compile(
    r"(?<!\w)_|_(?!\w)"  # emphasis, but not within a word
    r"|&(?=#?\w+;)"  # an entity
    r"|#(?=\d|#*$)"  # the number of an issue, the end of a heading
    r"|:(?=//)|:(?=[a-z_+-][\w+-]*:)"  # an address, an emoji
    r"|(?<=\bwww)\."
)
_AT_THE_START = re.compile(r"^[-+=>#:]|(?<=^\d)[.)]|(?<=^\d\d)[.)]|(?<=^\d\d\d)[.)]")
"""What makes a line a heading, a quotation or an item of a list."""


def markdown(report: Report) -> str:
    """Return the report. Texts of the cluster are escaped, so that they cannot act as Markdown or HTML."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"## {escape(heading(report))}\n\n{escape(cluster_line(report.cluster, report.taken))}\n"
    yield ", ".join(f"**{count}** {outcome}" for outcome, count in report.counts.items() if count) + "\n"
    if reason := why_blind(report):
        yield f"**Most common reason:** {escape(reason)}\n"
    if line := changes(report):
        yield f"{escape(line)}\n"
    yield from (f"{escape(line)}\n" for line in report.remarks)
    yield from _roots(report)
    yield from _resolved(report)
    if report.unjudged:
        yield f"### Not judged\n\n{escape(', '.join(report.unjudged))}\n"
    if unseen := not_observed(report):
        yield "### Not observed\n"
        yield from (f"- {escape(each.reason)}: {escape(', '.join(each.affected))}" for each in unseen)


def _roots(report: Report) -> Iterator[str]:
    if not report.roots:
        return
    findings = {finding.id: finding for finding in report.findings}
    yield "### Root causes\n"
    for number, root in enumerate(report.roots[:SHOWN], 1):
        yield f"{number}. {'<br>'.join(_root(root, findings[root.id], report))}"
    yield ""
    if len(report.roots) > SHOWN:
        yield f"and {plural(len(report.roots) - SHOWN, 'more root cause')}\n"


def _root(root: Root, finding: ReportedFinding, report: Report) -> Iterator[str]:
    """Yield what is wrong, what to do, what else is known, and how it spreads."""
    change = f"**{finding.status}** " if finding.status in ("new", "worse") else ""
    yield f"{SIGNS[root.severity]} {change}**{escape(root.objects)}**: {escape(root.says)}"
    yield f"remedy: {escape(finding.remedy)}"
    began = since(finding, report)
    facts = (
        root.check,
        f"since {began}" if began else "",
        replicas_line(root.replicas),
        plural(len(root.symptoms), "symptom") if root.symptoms else "",
        "known" if root.known else "",
    )
    yield escape(", ".join(filter(None, facts)))
    yield from (escape(chain_line(links)) for links in root.chains[:1])


def _resolved(report: Report) -> Iterator[str]:
    resolved = report.comparison.resolved if report.comparison else []
    if resolved:
        yield "### Resolved\n"
        yield from (f"- {escape(past_line(past))}" for past in resolved[:SHOWN])
        yield f"\nand {len(resolved) - SHOWN:,} more\n" if len(resolved) > SHOWN else ""


def escape(text: str) -> str:
    """Return one line of text in which nothing acts as Markdown, with as few backslashes as that takes."""
    places = {found.start() for kind in (_ALWAYS, _SOMETIMES, _AT_THE_START) for found in kind.finditer(text)}
    return "".join(f"\\{character}" if at in places else character for at, character in enumerate(text))
