"""A short report of a fleet in Markdown, for example for the summary of a CI job."""

from collections.abc import Iterator

from kubevitals.fleet import wording
from kubevitals.fleet.result import Rollup
from kubevitals.reports.markdown import SHOWN, escape
from kubevitals.reports.wording import SIGNS, moment
from kubevitals.text import plural


def markdown(rollup: Rollup) -> str:
    """Return the report. Texts of files are escaped, so that they cannot act as Markdown or HTML."""
    return "\n".join(_lines(rollup)) + "\n"


def _lines(rollup: Rollup) -> Iterator[str]:
    yield f"## {escape(wording.heading(rollup))}\n"
    yield f"{plural(len(rollup.clusters), 'cluster')}, as of {escape(moment(rollup.taken))}\n"
    if line := wording.changes(rollup):
        yield f"{escape(line)}\n"
    yield from (f"{escape(line)}\n" for line in rollup.remarks[:SHOWN])
    yield from _faults(rollup)
    if unseen := list(wording.unseen(rollup)):
        yield "### Not looked at\n"
        yield from (f"- {escape(wording.cluster_line(cluster))}" for cluster in unseen[:SHOWN])
        yield f"\nand {plural(len(unseen) - SHOWN, 'more cluster')}\n" if len(unseen) > SHOWN else ""
    for part in rollup.owners:
        states = ", ".join(f"{count:,} {state}" for state, count in part.states.items())
        yield f"- owner {escape(part.name)}: {states}"


def _faults(rollup: Rollup) -> Iterator[str]:
    if not rollup.faults:
        return
    clusters = wording.by_id(rollup)
    yield "### Root causes\n"
    for number, fault in enumerate(rollup.faults[:SHOWN], 1):
        change = f"**{fault.status}** " if fault.status in ("new", "spread") else ""
        line, remedy = escape(wording.fault_line(fault, clusters)), escape(fault.remedy)
        yield f"{number}. {SIGNS[fault.severity]} {change}{line}<br>remedy: {remedy}"
    yield ""
    if len(rollup.faults) > SHOWN:
        yield f"and {plural(len(rollup.faults) - SHOWN, 'more root cause')}\n"
