"""The result as metrics in OpenMetrics format, for example for node exporter's textfile collector."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from kubevitals.diagnosis.result import Item, Report, ReportedFinding, Root
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.check_names import cause_in, variant_in
from kubevitals.findings.finding import Severity
from kubevitals.text import clean

SHOWN = 100
"""How many roots have a series of their own, so that a cluster with very many faults does not make very many series."""

Samples = Iterable[tuple[Mapping[str, str], float]]


def openmetrics(report: Report) -> str:
    """Return the metrics in OpenMetrics' text format. All are gauges, so it is also Prometheus' text format."""
    return "".join(line + "\n" for line in _lines(report)) + "# EOF\n"


def _lines(report: Report) -> Iterator[str]:
    cluster = report.cluster
    about = {"context": cluster.context, "uid": cluster.uid, "server": cluster.version, "kubevitals": report.kubevitals}
    yield from gauge("cluster", "The cluster that was checked, with its version and that of kubevitals.", [(about, 1)])
    yield from gauge("findings", "Number of objects that have a fault.", _findings(report))
    yield from gauge("roots", "Number of root causes.", _roots(report))
    yield from gauge("root_info", f"1 for each of the first {SHOWN} root causes.", _root_infos(report))
    yield from gauge("checks", "Number of checks by outcome.", _outcomes(report))
    yield from gauge("unjudged", "Number of checks that have no outcome.", [({}, len(report.unjudged))])
    yield from gauge(
        "not_observed",
        "1 for each check that could not see everything it needs; asked: whether an option of the run asks for that.",
        [(_labels(item.check) | _unseen(item), 1) for item in report.items if item.unseen],
    )
    yield from gauge(
        "check_duration_seconds",
        "How long a check took.",
        [(_labels(item.check), item.seconds) for item in report.items],
    )
    yield from gauge("run_duration_seconds", "How long the run took.", [({}, report.seconds)])
    yield from gauge("run_timestamp_seconds", "When the run ended.", [({}, report.finished.timestamp())])
    yield from gauge(
        "period_seconds", "How long it is from the start of a run to that of the next.", [({}, report.period)]
    )
    yield from gauge("state_timestamp_seconds", "The time of the cluster's state.", [({}, report.taken.timestamp())])
    if changes := report.comparison:
        counts = {"new": changes.new, "worse": changes.worse, "ongoing": changes.ongoing}
        counts |= {"resolved": len(changes.resolved), "unconfirmed": len(changes.unconfirmed)}
        samples = [({"change": change}, count) for change, count in counts.items()]
        yield from gauge("changes", "Number of findings by what has changed since an earlier run.", samples)


def _unseen(item: Item) -> dict[str, str]:
    return {"right": item.right, "asked": flag(item.asked)}


def _outcomes(report: Report) -> Samples:
    return [({"outcome": str(outcome)}, report.counts.get(outcome, 0)) for outcome in Outcome]


def _findings(report: Report) -> Samples:
    counts: Counter[tuple[str, Severity, str]] = Counter()
    for item in report.items:
        for severity in Severity if not item.unseen and not item.inapplicable else ():
            counts[item.check, severity, "false"] = 0
    for finding in report.findings:
        counts[finding.check, finding.severity, flag(finding.known is not None)] += len(finding.places)
    return [
        (_labels(check) | {"severity": str(severity), "known": known}, count)
        for (check, severity, known), count in counts.items()
    ]


def _roots(report: Report) -> Samples:
    if report.outcome is Outcome.NOT_OBSERVED:
        return []
    counts = Counter((root.severity, root.known) for root in report.roots)
    return [
        ({"severity": str(severity), "known": flag(known)}, counts[severity, known])
        for severity in Severity
        for known in (False, True)
    ]


def _root_infos(report: Report) -> Samples:
    """Return the first roots: with the object's owner, if it has one, whose name does not change with each pod."""
    by_id = {finding.id: finding for finding in report.findings}
    return [(_root_labels(root, by_id[root.id]), 1) for root in report.roots[:SHOWN]]


def _root_labels(root: Root, finding: ReportedFinding) -> dict[str, str]:
    return _labels(root.check) | {
        "id": root.id,
        "namespace": finding.namespace,
        "object": finding.owner or finding.places[0].object,
        "severity": str(root.severity),
        "known": flag(root.known),
    }


def flag(value: bool) -> str:
    """Return the value of a label that is true or false."""
    return "true" if value else "false"


def _labels(check: str) -> dict[str, str]:
    return {"cause": cause_in(check), "variant": variant_in(check)}


def gauge(name: str, description: str, samples: Samples) -> Iterator[str]:
    """Yield the lines of a metric."""
    yield f"# HELP kubevitals_{name} {description}"
    yield f"# TYPE kubevitals_{name} gauge"
    if name.endswith("_seconds"):
        yield f"# UNIT kubevitals_{name} seconds"
    for labels, value in samples:
        pairs = ",".join(f'{label}="{_escape(text)}"' for label, text in labels.items())
        yield f"kubevitals_{name}{{{pairs}}} {value}" if pairs else f"kubevitals_{name} {value}"


def _escape(text: str) -> str:
    return clean(text).replace("\\", r"\\").replace('"', r"\"")
