"""What every report tells in the same words: the verdict, the cluster, how long it has been so, what is new."""

import re
from collections import Counter, defaultdict
from datetime import datetime

from kubevitals.diagnosis.result import ClusterInfo, Found, Item, Past, Report
from kubevitals.diagnosis.turns import some
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.check_names import cause_in, check_name, variant_in
from kubevitals.text import duration, plural

SUPPORTED_MINORS = range(33, 38)
"""The minor versions of Kubernetes 1 that are supported: the five newest."""


def heading(report: Report) -> str:
    """Return the verdict in a line: ``Broken: 2 root causes, with 7 symptoms``; of a partial report it says so."""
    if not report.unjudged:
        return _verdict(report)
    judged = len(report.items)
    so_far = _verdict(report) if report.outcome is Outcome.BROKEN else "Nothing broken so far"
    return f"Partial: {judged} of {plural(judged + len(report.unjudged), 'check')} judged. {so_far}"


def _verdict(report: Report) -> str:
    match report.outcome:
        case Outcome.NOT_OBSERVED:
            return "Not observed: this run says nothing about the cluster"
        case Outcome.HEALTHY:
            unseen = sum(item.unseen != "" for item in report.items)
            blind = f", but {unseen} of {plural(len(report.items), 'check')} could not see all they need"
            return f"Healthy: nothing found{blind if unseen else ''}"
    roots = [root for root in report.roots if root.severity == "error"] or report.roots
    explained = sum(root.explains for root in report.roots)
    more = f", with {plural(explained, 'symptom')}" if explained else ""
    return f"{str(report.outcome).capitalize()}: {plural(len(roots), 'root cause')}{more}"


def calls_first(report: Report) -> str:
    """Return what the first root is called: the most probable one where it explains others or stands alone."""
    first = report.roots[0]
    return "most probable root" if first.explains or len(report.roots) == 1 else "to begin with"


def cluster_line(cluster: ClusterInfo, taken: datetime) -> str:
    """Return which cluster is looked at, as it was when."""
    sizes = (
        ("node", None if cluster.nodes is None else len(cluster.nodes)),
        ("namespace", cluster.namespaces),
        ("pod", cluster.pods),
    )
    counts = (f"{noun}s not observed" if count is None else plural(count, noun) for noun, count in sizes)
    return ", ".join([cluster.context, _version(cluster.version), *counts, f"as of {moment(taken)}"])


def _version(version: str) -> str:
    if not version:
        return "version not observed"
    match = re.match(r"v1\.(\d+)\.", version)
    supported = match and int(match[1]) in SUPPORTED_MINORS
    bounds = f"1.{SUPPORTED_MINORS[0]} to 1.{SUPPORTED_MINORS[-1]}"
    return f"Kubernetes {version}" + (
        "" if supported else f" (outside the supported {bounds}: findings may be wrong or missing)"
    )


def moment(time: datetime) -> str:
    """Return a time as reports write it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def since(found: Found, report: Report) -> str:
    """Return since when a finding is known to be so; nothing where only this run knows of it."""
    if not found.since and found.first_seen >= report.taken:
        return ""
    ago = duration((report.taken - found.began).total_seconds())
    return f"{found.began:%Y-%m-%d %H:%M} UTC ({ago})"


def changes(report: Report) -> str:
    """Return what changed since the run compared with, or nothing."""
    if not (told := report.comparison):
        return ""
    counts = [f"{told.new} new"]
    counts += [f"{told.worse} worse"] if told.worse else []
    counts += [f"{told.ongoing} ongoing", f"{len(told.resolved)} resolved"]
    counts += [f"{len(told.unconfirmed)} not looked at again"] if told.unconfirmed else []
    return f"since {moment(told.taken)}: {', '.join(counts)}"


def place_names(found: Found, shown: int = 3) -> str:
    """Return the objects of a finding: all of a few, the first ones of many."""
    return some((place.object for place in found.places), shown)


def past_line(past: Past) -> str:
    """Return a finding of an earlier run in a line."""
    return f"{past.object} {past.says}  [{past.check}]"


def why_blind(report: Report) -> str:
    """Return what kept most checks of a whole run that observed nothing from seeing what they need; else nothing."""
    if report.outcome is not Outcome.NOT_OBSERVED or report.unjudged:
        return ""
    reasons = Counter(_reason(item) for item in report.items if item.unseen)
    return reasons.most_common(1)[0][0] if reasons else ""


def _reason(item: Item) -> str:
    return f"{item.unseen} (missing right: {item.right})" if item.right else item.unseen


def not_observed(report: Report) -> dict[str, list[str]]:
    """Return what could not be seen: the reasons, each with the checks that it affects, by cause."""
    variants: dict[str, list[str]] = defaultdict(list)
    reasons: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for item in sorted(report.items, key=lambda item: item.unseen):
        cause, variant = cause_in(item.check), variant_in(item.check)
        variants[cause].append(variant)
        if item.unseen:
            reasons[_reason(item)][cause].append(variant)
    return {
        reason: [_affected(cause, blind, variants[cause]) for cause, blind in causes.items()]
        for reason, causes in reasons.items()
    }


def _affected(cause: str, variants: list[str], every: list[str]) -> str:
    """Return the variants of a cause, or the cause alone where they are all that it has in this run."""
    return cause if len(variants) == len(every) > 1 else check_name(cause, ", ".join(variants))
