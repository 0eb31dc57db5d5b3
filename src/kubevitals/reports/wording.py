"""Sentences that all reports share: about the verdict, the cluster, the time since when, and what has changed."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import NamedTuple

from kubevitals.diagnosis.result import ClusterInfo, Item, Link, Past, Replicas, Report, ReportedFinding, Root
from kubevitals.diagnosis.turns import some
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.check_names import cause_in, check_name, variant_in
from kubevitals.findings.severity import Severity
from kubevitals.text import duration, plural

SHORT = 45
"""How long the words of a link are, in characters, where a chain shows them."""

SUPPORTED_MINORS = range(33, 38)
"""The minor versions of Kubernetes 1 that are supported: the five newest."""


def heading(report: Report) -> str:
    """Return the verdict in one line, and whether it is partial.

    For example ``Broken: 3 root causes (2 errors, 1 warning), with 7 symptoms``.
    """
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
            if not unseen:
                return "Healthy: nothing found"
            blind = f"{unseen} of {plural(len(report.items), 'check')} could not see everything"
            return f"No fault in what was observed: {blind}"
    symptoms = sum(len(root.symptoms) for root in report.roots)
    more = f", with {plural(symptoms, 'symptom')}" if symptoms else ""
    return f"{str(report.outcome).capitalize()}: {plural(len(report.roots), 'root cause')}{_of_which(report)}{more}"


def _of_which(report: Report) -> str:
    """Return how many roots are errors, warnings and known, if they are not all the same."""
    counts = Counter("known" if root.known else str(root.severity) for root in report.roots)
    told = [plural(counts[each], each) for each in ("error", "warning") if counts[each]]
    told += [f"{counts['known']:,} known"] if counts["known"] else []
    return f" ({', '.join(told)})" if len(told) > 1 else ""


def start_with(report: Report) -> Root | None:
    """Return the root to start with: the first one, unless all are known."""
    return next((root for root in report.roots[:1] if not root.known), None)


def cluster_line(cluster: ClusterInfo, taken: datetime) -> str:
    """Return the name, the version, the size and the time of the cluster."""
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
    """Return a time as reports show it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def since(finding: ReportedFinding, report: Report) -> str:
    """Return since when a finding is known to exist; nothing if that is only known from this run."""
    ago = age(finding, report)
    return f"{finding.began:%Y-%m-%d %H:%M} UTC ({ago})" if ago else ""


def age(finding: ReportedFinding, report: Report) -> str:
    """Return for how long a finding is known to exist; nothing if that is only known from this run."""
    if not finding.since and finding.first_seen >= report.taken:
        return ""
    return duration((report.taken - finding.began).total_seconds())


def changes(report: Report) -> str:
    """Return what has changed since the earlier run; nothing if there is no such run."""
    if not (comparison := report.comparison):
        return ""
    counts = [f"{comparison.new} new"]
    counts += [f"{comparison.worse} worse"] if comparison.worse else []
    counts += [f"{comparison.ongoing} ongoing", f"{len(comparison.resolved)} resolved"]
    counts += [f"{len(comparison.unconfirmed)} not checked again"] if comparison.unconfirmed else []
    return f"since {moment(comparison.taken)}: {', '.join(counts)}"


SIGNS = {Severity.ERROR: "🔴", Severity.WARNING: "🟡"}
"""What a line begins with where there are no colours."""

BARS = "▁▂▃▄▅▆▇█"
"""A small chart in the terminal: the higher, the more root causes."""

FLAPS = 2
"""A finding that came back so often within the last runs is flapping."""


def trend(report: Report) -> str:
    """Return how many root causes the last runs had; nothing without --history or at the first run."""
    if len(report.runs) < 2:
        return ""
    counts = [run.roots for run in report.runs if run.outcome is not Outcome.NOT_OBSERVED]
    return f"root causes in the last {len(report.runs)} runs: {min(counts, default=0)} to {max(counts, default=0)}"


def chart(report: Report) -> str:
    """Return the number of root causes of the last runs as a row of bars; a run that observed nothing is a ``?``."""
    most = max((run.roots for run in report.runs), default=0) or 1
    return "".join(
        "?" if run.outcome is Outcome.NOT_OBSERVED else BARS[-(-run.roots * (len(BARS) - 1) // most)]
        for run in report.runs
    )


def is_flapping(finding: ReportedFinding) -> bool:
    """Return whether a finding comes and goes."""
    return finding.occurrences is not None and finding.occurrences.returned >= FLAPS


def often(finding: ReportedFinding) -> str:
    """Return how often the last runs found it; nothing without --history or if no other run could have found it."""
    if not (seen := finding.occurrences) or seen.of < 2:
        return ""
    back = f", came back {plural(seen.returned, 'time')}" if seen.returned else ""
    return f"found in {seen.found} of {seen.of} runs, first {moment(seen.first)}{back}"


def place_names(finding: ReportedFinding, shown: int = 3) -> str:
    """Return the objects of a finding as a text; if there are many, the first ones."""
    return some((place.object for place in finding.places), shown)


def replicas_line(replicas: Replicas | None) -> str:
    """Return how many replicas are not available, such as ``3 of 4 replicas missing``; nothing without a workload."""
    return f"{replicas.missing:,} of {plural(replicas.of, 'replica')} missing" if replicas else ""


def chain_line(links: Iterable[Link]) -> str:
    """Return a chain from the last symptom to the root, in the words of its links where these are short.

    Kinds and names are enough within one namespace, that of the first link that has one.
    """
    told, home = [], ""
    for link in links:
        kind, _, name = link.object.partition("/")
        namespace, _, own = name.rpartition("/")
        home = home or namespace
        place = f" of namespace {namespace}" if namespace not in ("", home) else ""
        words = f" {link.says}" if len(link.says) <= SHORT else ""
        told.append(f"{kind} {own}{place}{words}")
    return " ← ".join(told)


def past_line(past: Past) -> str:
    """Return a finding of an earlier run in one line."""
    return f"{past.object}: {past.says}  [{past.check}]" if past.says else f"{past.object}  [{past.check}]"


def why_blind(report: Report) -> str:
    """Return the most common reason why checks observed nothing, if the whole run observed nothing."""
    if report.outcome is not Outcome.NOT_OBSERVED or report.unjudged:
        return ""
    reasons = Counter(_reason(item) for item in report.items if item.unseen)
    return reasons.most_common(1)[0][0] if reasons else ""


def _reason(item: Item) -> str:
    return f"{item.unseen} (missing right: {item.right})" if item.right else item.unseen


class Unseen(NamedTuple):
    """A reason why something was not observed.

    Attributes:
        checks: how many checks could not see everything they need because of it.
        affected: these checks, by cause.
        asked: whether an option of this run asks for just this.
    """

    reason: str
    checks: int
    affected: list[str]
    asked: bool


def not_observed(report: Report) -> list[Unseen]:
    """Return the reasons why something was not observed: first what was asked for, then what affects most checks."""
    variants: dict[str, list[str]] = defaultdict(list)
    items: dict[str, list[Item]] = defaultdict(list)
    for item in report.items:
        variants[cause_in(item.check)].append(variant_in(item.check))
        if item.unseen:
            items[_reason(item)].append(item)
    reasons = [
        Unseen(reason, len(unseen), _affected(unseen, variants), any(item.asked for item in unseen))
        for reason, unseen in items.items()
    ]
    return sorted(reasons, key=lambda unseen: (not unseen.asked, -unseen.checks, unseen.reason))


def _affected(items: Iterable[Item], variants: Mapping[str, list[str]]) -> list[str]:
    """Return the names of checks; only the cause if all its variants in this run are among them."""
    unseen: dict[str, list[str]] = defaultdict(list)
    for item in items:
        unseen[cause_in(item.check)].append(variant_in(item.check))
    return [
        cause if len(names) == len(variants[cause]) > 1 else check_name(cause, ", ".join(names))
        for cause, names in unseen.items()
    ]


def root_line(root: Root, by_id: Mapping[str, ReportedFinding]) -> str:
    """Return a root in one line, such as ``error, new: Deployment/shop/cart (2 pods): is not ready``."""
    first = by_id[root.id]
    changed = first.status if first.status in ("new", "worse") else ""
    flaps = "flapping" if is_flapping(first) else ""
    kind = "known" if root.known else ", ".join(filter(None, (root.severity, changed, flaps)))
    places = [place.object for id_ in (root.id, *root.others) for place in by_id[id_].places]
    name = some(places, 1)
    if len(places) > 1 and first.owner and not root.others:
        name = f"{first.owner} ({plural(len(places), places[0].partition('/')[0].lower())})"
    return f"{kind}: {name}: {first.says}"
