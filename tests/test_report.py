"""The result of a run as one report, and the formats that programs read."""

import json
import re
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as prometheus_families

from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.diagnosis.result import Report, json_schema
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import NotObserved
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from kubevitals.reports import atomic_file
from kubevitals.reports.github import annotations
from kubevitals.reports.markdown import markdown
from kubevitals.reports.metrics import openmetrics
from kubevitals.reports.wording import heading
from tests.fakes import NOW
from tests.findings import finding, report_of, verdict

WEB = Ref("Deployment", "shop", "web")
NODES_EXPLAIN = [Explains(("node",), SAME_NODE, ("net",))]
ACCEPTED = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))
HOSTILE = 'Pod/shop/"><img src=x onerror=alert(1)>|[x](http://evil)`::error::%0A\\'


def replicas(node: str, count: int = 2) -> list[Finding]:
    return [finding(f"Pod/shop/web-{node}-{n}", owner=WEB, node=node) for n in range(count)]


# --- findings ---


def test_replicas_are_one_finding_with_all_its_objects() -> None:
    (found,) = report_of(verdict("net[gone]", *replicas("a"), *replicas("b"))).findings
    assert [place.object for place in found.places] == [f"Pod/shop/web-{node}-{n}" for node in "ab" for n in range(2)]
    assert {place.node for place in found.places} == {"a", "b"}
    assert found.owner == "Deployment/shop/web"


def test_replicas_with_different_roots_are_told_apart() -> None:
    report = report_of(
        verdict("net[gone]", finding("Pod/legacy/old"), known=[ACCEPTED]),
        verdict("net[near]", finding("Pod/shop/web", severity=Severity.WARNING)),
    )
    assert [root.objects for root in report.roots] == ["Pod/shop/web", "Pod/legacy/old"]
    assert report.findings[1].known
    assert report.findings[1].known.reason == "kept for the auditors"


def test_items_have_their_outcome_their_findings_and_the_missing_right() -> None:
    unseen = NotObserved("forbidden: no", "list pods")
    report = report_of(verdict("net[gone]", finding("Pod/shop/web"), unseen=unseen), verdict("node[down]"))
    net, node = report.items
    assert (net.check, net.outcome, net.unseen, net.right) == ("net[gone]", "broken", "forbidden: no", "list pods")
    assert net.findings == [report.findings[0].id]
    assert node.outcome == "healthy"
    assert report.counts == {Outcome.BROKEN: 1, Outcome.HEALTHY: 1}


def test_a_time_that_cannot_be_is_left_out() -> None:
    past, future = int(NOW.timestamp()) - 60, 2**62
    report = report_of(verdict("net[gone]", finding("Node/a", since=past), finding("Node/b", since=future)))
    assert [found.since for found in report.findings] == [datetime.fromtimestamp(past, UTC), None]


# --- the run's outcome ---

OUTCOMES = {
    "broken": (verdict("a[b]", finding("Node/a")), verdict("c[d]", unseen=NotObserved("no"))),
    "not observed": (verdict("a[b]", unseen=NotObserved("no")),),
    "warned": (verdict("a[b]", finding("Node/a", severity=Severity.WARNING)), verdict("c[d]")),
    "known": (verdict("net[gone]", finding("Pod/legacy/x"), known=[ACCEPTED]), verdict("c[d]")),
    "healthy": (verdict("a[b]"), verdict("c[d]", unseen=NotObserved("no"))),
}


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_the_outcome_is_that_of_the_worst_item(outcome: str) -> None:
    assert report_of(*OUTCOMES[outcome]).outcome == outcome


def test_nothing_found_is_no_clean_bill_where_not_all_was_seen() -> None:
    blind = report_of(verdict("a[b]"), verdict("c[d]", unseen=NotObserved("no")))
    assert heading(blind) == "No fault in what was observed: 1 of 2 checks could not see everything they need"
    assert heading(report_of(verdict("a[b]"))) == "Healthy: nothing found"


# --- JSON ---


def test_the_schema_in_docs_is_that_of_the_types() -> None:
    schema = Path(__file__).parents[1] / "docs" / "findings.schema.json"
    assert schema.read_text() == json_schema(), "run: tools/schema > docs/findings.schema.json"


def test_the_schema_describes_every_attribute_that_a_docstring_tells_of() -> None:
    schema = json.loads(json_schema())["$defs"]
    assert "Attributes:" not in json.dumps(schema)
    assert schema["ReportedFinding"]["properties"]["look"]["description"] == "the kubectl command that shows more."


def test_a_report_survives_being_written_and_read() -> None:
    report = report_of(verdict("net[gone]", *replicas("a"), known=[ACCEPTED]), verdict("a[b]", finding("Node/a")))
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report


# --- the order of roots ---


def test_roots_come_worst_first_then_by_what_they_explain() -> None:
    on_a = [finding(f"Pod/shop/a-{n}", node="a") for n in range(2)]
    on_b = [finding(f"Pod/shop/b-{n}", node="b") for n in range(3)]
    report = report_of(
        verdict("image[pull]", finding("Pod/shop/alone")),
        verdict("risk[near]", finding("Pod/shop/risk", severity=Severity.WARNING)),
        verdict("node[down]", finding("Node/a"), finding("Node/b")),
        verdict("net[gone]", *on_a, *on_b),
        rules=NODES_EXPLAIN,
    )
    assert [(root.objects, root.explains) for root in report.roots] == [
        ("Node/b", 3),
        ("Node/a", 2),
        ("Pod/shop/alone", 0),
        ("Pod/shop/risk", 0),
    ]
    order = [found.root or found.id for found in report.findings]
    assert sum(before != after for before, after in pairwise(order)) == len(report.roots) - 1


def test_a_warning_that_explains_an_error_is_as_bad() -> None:
    report = report_of(
        verdict("pool[tight]", finding("Node/a", severity=Severity.WARNING)),
        verdict("pool[empty]", finding("Pod/shop/web", node="a")),
        rules=[Explains(("pool[tight]",), SAME_NODE, ("pool[empty]",))],
    )
    assert [(root.check, root.severity) for root in report.roots] == [("pool[tight]", Severity.ERROR)]


# --- metrics ---


def families(report: Report) -> dict[str, list[tuple[dict[str, str], float]]]:
    text = openmetrics(report)
    read = {f.name: [(s.labels, s.value) for s in f.samples] for f in openmetrics_families(text)}
    assert read == {f.name: [(s.labels, s.value) for s in f.samples] for f in prometheus_families(text)}
    return read


def test_metrics_count_findings_roots_and_what_was_not_observed() -> None:
    report = report_of(
        verdict("node[down]", finding("Node/a")),
        verdict("net[gone]", *replicas("a"), unseen=NotObserved("no", "list pods")),
        rules=NODES_EXPLAIN,
    )
    read = families(report)
    net = {"cause": "net", "variant": "gone", "known": "false"}
    assert (net | {"severity": "error"}, 2) in read["kubevitals_findings"]
    assert (net | {"severity": "warning"}, 0) in read["kubevitals_findings"]
    assert ({"severity": "error"}, 1) in read["kubevitals_roots"]
    assert read["kubevitals_not_observed"] == [({"cause": "net", "variant": "gone", "right": "list pods"}, 1)]
    assert read["kubevitals_state_timestamp_seconds"] == [({}, NOW.timestamp())]
    assert read["kubevitals_run_duration_seconds"] == [({}, report.seconds)]


def test_hostile_labels_are_read_back_as_they_are() -> None:
    report = report_of(verdict("net[gone]", unseen=NotObserved("no", HOSTILE)))
    assert families(report)["kubevitals_not_observed"][0][0]["right"] == HOSTILE


# --- Markdown and annotations ---


def test_markdown_names_the_roots_and_nothing_acts() -> None:
    text = markdown(report_of(verdict("net[gone]", finding(HOSTILE, says="is <b>broken</b> | @all"))))
    assert "Broken" in text
    row = next(line for line in text.splitlines() if "shop" in line)
    assert re.search(r"(?<!\\)[<>`\[@]", row) is None
    assert len(re.findall(r"(?<!\\)\|", row)) == 8


def test_annotations_are_of_roots_and_cannot_be_forged() -> None:
    report = report_of(
        verdict("node[down]", finding("Node/a")),
        verdict("net[gone]", *replicas("a"), finding(HOSTILE)),
        verdict("risk[near]", finding("Node/b", severity=Severity.WARNING)),
        rules=NODES_EXPLAIN,
    )
    lines = list(annotations(report))
    assert lines[0] == "::error title=node[down]::Node/a: is broken (explains 2 symptoms)"
    assert lines[-1] == "::warning title=risk[near]::Node/b: is broken"
    assert len(lines) == 3
    assert "%250A" in lines[1]


# --- files ---


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "findings.json"
    atomic_file.write(path, "old")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        atomic_file.write(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
