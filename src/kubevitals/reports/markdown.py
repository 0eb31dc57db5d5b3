"""A short report in Markdown, for example for the summary of a CI job (``--markdown "$GITHUB_STEP_SUMMARY"``)."""

import re
from collections.abc import Iterator

from kubevitals.diagnosis.result import Report, Root
from kubevitals.reports.wording import (
    chain_line,
    changes,
    cluster_line,
    heading,
    not_observed,
    replicas_line,
    since,
    why_blind,
)
from kubevitals.text import plural

SHOWN = 25
"""How many roots are shown."""


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
    if report.roots:
        yield "| | object | what is wrong | check | since | replicas | symptoms |"
        yield "| --- | --- | --- | --- | --- | --- | ---: |"
        yield from (_row(report, root) for root in report.roots[:SHOWN])
        yield ""
        yield from (f"- {escape(chain_line(links))}" for root in report.roots[:SHOWN] for links in root.chains[:1])
        yield ""
    if len(report.roots) > SHOWN:
        yield f"and {plural(len(report.roots) - SHOWN, 'more root cause')}\n"
    if report.unjudged:
        yield f"### Not judged\n\n{escape(', '.join(report.unjudged))}\n"
    if unseen := not_observed(report):
        yield "### Not observed\n"
        yield from (f"- {escape(each.reason)}: {escape(', '.join(each.affected))}" for each in unseen)


def _row(report: Report, root: Root) -> str:
    finding = next(finding for finding in report.findings if finding.id == root.id)
    sign = "🔴" if root.severity == "error" else "🟡"
    cells = (
        root.objects,
        root.says,
        root.check,
        since(finding, report),
        replicas_line(root.replicas),
        str(len(root.symptoms) or ""),
    )
    return f"| {sign} {root.severity} | {' | '.join(map(escape, cells))} |"


def escape(text: str) -> str:
    """Return text in which no character has a meaning in Markdown."""
    return re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text)
