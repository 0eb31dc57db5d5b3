"""What a person reads in the terminal, written through pytest's own reporter."""

import re
from collections.abc import Iterable
from concurrent.futures import wait
from itertools import groupby

import pytest
from _pytest._code.code import TerminalRepr
from _pytest._io import TerminalWriter

from kubevitals.errors import NotObserved
from kubevitals.finding import Finding, Severity, fold
from kubevitals.inventory import Cluster
from kubevitals.run import Run
from kubevitals.text import plural
from kubevitals.verdict import Outcome, Verdict

SUPPORTED_MINORS = range(33, 38)
"""The minor versions of Kubernetes 1 that are supported: the five newest."""

SHOWN_OBJECTS = 5
"""Objects that are named of findings that say the same."""


class FindingsRepr(TerminalRepr):
    """The findings of a failed item, in place of a traceback."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.reprcrash = _Line(headline(verdict))

    def toterminal(self, tw: TerminalWriter) -> None:
        """Write the findings, the expected ones, and what could not be seen."""
        for group in fold(self.verdict.findings):
            write_findings(tw, group, self.verdict.variant)
        write_known(tw, self.verdict)
        if self.verdict.unseen:
            tw.line(f"not observed: {self.verdict.unseen}", yellow=True)


class _Line:
    """What pytest's short summary shows of a failure."""

    def __init__(self, message: str) -> None:
        self.message = message


def headline(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    groups = fold(verdict.findings)
    if not groups:
        return f"not observed: {verdict.unseen}"
    first = groups[0][0]
    more = f" (and {plural(len(verdict.findings) - 1, 'more finding')})" if len(verdict.findings) > 1 else ""
    return f"{first.obj} {first.says}{more}"


def write_findings(tw: TerminalWriter, group: list[Finding], variant: str) -> None:
    """Write findings that say the same as one: objects, variant, sentence, evidence, remedy, where to look further."""
    first = group[0]
    colour = "red" if first.severity is Severity.ERROR else "yellow"
    tw.line(title(group), bold=True, **{colour: True})
    tw.line(f"  {variant}: {first.says}")
    for line in first.evidence:
        tw.line(f"    | {line}")
    tw.line(f"  remedy: {first.remedy}", green=True)
    tw.line(f"  look:   {first.look}", light=True)


def title(group: list[Finding]) -> str:
    """Return the objects of findings that say the same: all of a few, the first ones of many."""
    first = group[0]
    if len(group) == 1:
        return f"{first.obj}{f'  (of {first.owner.kind} {first.owner.name})' if first.owner else ''}"
    shown = ", ".join(str(finding.obj) for finding in group[:SHOWN_OBJECTS])
    more = f" and {len(group) - SHOWN_OBJECTS:,} more" if len(group) > SHOWN_OBJECTS else ""
    return f"{len(group):,}× {first.obj.kind} of {first.owner or first.obj}: {shown}{more}"


def write_known(tw: TerminalWriter, verdict: Verdict) -> None:
    """Write the findings that known issues expect."""
    for finding, issue in verdict.known:
        tw.line(f"known: {finding.obj} {finding.says}", blue=True)
        tw.line(f"  {issue}")


def load(cluster: Cluster, config: pytest.Config) -> list[str]:
    """Fetch all lists, show progress where somebody watches, and return which cluster is looked at."""
    futures = cluster.prefetch()
    reporter: pytest.TerminalReporter | None = config.pluginmanager.getplugin("terminalreporter")
    watched = reporter is not None and reporter.isatty and config.get_verbosity() >= 0
    shown = False
    while (state := wait(futures, timeout=1)).not_done:
        if watched and reporter:
            reporter.rewrite(f"listing the cluster: {len(state.done)} of {len(futures)} kinds", erase=True)
            shown = True
    if shown and reporter:
        reporter.rewrite("", erase=True)
    return describe(cluster)


def describe(cluster: Cluster) -> list[str]:
    """Return which cluster is looked at, as it was when."""
    return [
        f"cluster: {cluster.context}, {_version(cluster)}, {_sizes(cluster)}, as of {cluster.now:%Y-%m-%d %H:%M:%S} UTC"
    ]


def _version(cluster: Cluster) -> str:
    try:
        version = cluster.server_version
    except NotObserved:
        return "version not observed"
    match = re.match(r"v1\.(\d+)\.", version)
    supported = match and int(match[1]) in SUPPORTED_MINORS
    bounds = f"1.{SUPPORTED_MINORS[0]} to 1.{SUPPORTED_MINORS[-1]}"
    return f"Kubernetes {version}" + (
        "" if supported else f" (outside the supported {bounds}: findings may be wrong or missing)"
    )


def _sizes(cluster: Cluster) -> str:
    sizes = []
    for noun, attribute in (("node", "nodes"), ("namespace", "namespaces"), ("pod", "pods")):
        try:
            sizes.append(plural(len(getattr(cluster, attribute)), noun))
        except NotObserved:
            sizes.append(f"{attribute} not observed")
    return ", ".join(sizes)


def summarize(run: Run, reporter: pytest.TerminalReporter) -> None:
    """Write what passed with a remark, what was not observed, and the counts."""
    tw: TerminalWriter = reporter._tw  # noqa: SLF001
    if reporter.verbosity >= 0:
        _write_remarks(run, reporter, tw)
        _write_unseen(run, reporter, tw)
        _write_unexplained(run, reporter)
    for line in [*(f"known issue {line}" for line in run.stale), *run.remarks, *run.cluster.remarks]:
        reporter.write_line(line, yellow=True)
    counts = run.counts
    reporter.section("cluster health", sep="=")
    reporter.write_line(
        ", ".join(f"{counts[outcome]} {outcome}" for outcome in Outcome if counts[outcome]) or "nothing was judged"
    )
    if run.verdicts and not run.observed:
        reporter.write_line("nothing could be observed: this run says nothing about the cluster", red=True)
    if line := unprobed(run):
        reporter.write_line(line, yellow=True)


def unprobed(run: Run) -> str:
    """Return how much a probe would have shown, and what it does to the cluster; nothing where it lacked nowhere."""
    count = plural(run.unprobed, "network item")
    return f"{count} not observed: --probe creates 2 pods a node for under a minute" if run.unprobed else ""


def _write_remarks(run: Run, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    remarks = [
        v
        for v in run.verdicts
        if v.outcome in (Outcome.WARNED, Outcome.KNOWN)
        or (v.unseen and v.findings and v.outcome is Outcome.NOT_OBSERVED)
    ]
    if not remarks:
        return
    reporter.section("warned and known", sep="=")
    for verdict in remarks:
        tw.line(f"{verdict.cause}[{verdict.variant}]", bold=True)
        for group in fold(verdict.findings):
            write_findings(tw, group, verdict.variant)
        write_known(tw, verdict)


def _write_unseen(run: Run, reporter: pytest.TerminalReporter, tw: TerminalWriter) -> None:
    unseen = sorted((str(v.unseen), f"{v.cause}[{v.variant}]") for v in run.verdicts if v.unseen)
    if not unseen:
        return
    reporter.section("not observed", sep="=")
    for reason, items in groupby(unseen, key=lambda pair: pair[0]):
        tw.line(reason, yellow=True)
        tw.line(f"  affects {_names(name for _, name in items)}")


def _write_unexplained(run: Run, reporter: pytest.TerminalReporter) -> None:
    if lines := run.unexplained:
        reporter.section("warning events that no finding explains (they decide nothing)", sep="=")
        for line in lines:
            reporter.write_line(line)


def _names(names: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(names))
