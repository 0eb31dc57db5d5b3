"""The result of a run as one report, and the formats that programs read."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from shutil import which

import msgspec
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as prometheus_families

from kubevitals.diagnosis.result import Report, json_schema
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import NotObserved
from kubevitals.findings.finding import Severity
from kubevitals.reports import atomic_file
from kubevitals.reports.github import annotations
from kubevitals.reports.metrics import SHOWN, openmetrics
from kubevitals.reports.wording import heading
from tests.fakes import NOW
from tests.findings import ACCEPTED, NODES_EXPLAIN, finding, replicas, report_of, verdict

HOSTILE = 'Pod/shop/"><img src=x onerror=alert(1)>|[x](http://evil)`::error::%0A\\'


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
    assert heading(blind) == "No fault in what was observed: 1 of 2 checks could not see everything"
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
    down = {"cause": "node", "variant": "down", "known": "false"}
    assert (down | {"severity": "warning"}, 0) in read["kubevitals_findings"]
    assert (net | {"severity": "warning"}, 0) not in read["kubevitals_findings"]
    (root,) = report.roots
    about = {"id": root.id, "namespace": "", "object": "Node/a", "severity": "error"}
    assert read["kubevitals_root_info"] == [(down | about, 1)]
    assert ({"severity": "error", "known": "false"}, 1) in read["kubevitals_roots"]
    unseen = {"cause": "net", "variant": "gone", "right": "list pods", "asked": "false"}
    assert read["kubevitals_not_observed"] == [(unseen, 1)]
    assert read["kubevitals_period_seconds"] == [({}, 3600)]
    assert read["kubevitals_state_timestamp_seconds"] == [({}, NOW.timestamp())]
    assert read["kubevitals_run_duration_seconds"] == [({}, report.seconds)]
    assert read["kubevitals_run_timestamp_seconds"] == [({}, report.finished.timestamp())]


@pytest.mark.skipif(not which("promtool"), reason="promtool is a part of Prometheus")
def test_prometheus_own_tool_accepts_the_metrics() -> None:
    text = openmetrics(report_of(verdict("net[gone]", finding(HOSTILE)), verdict("risk[near]")))
    assert subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=False).returncode == 0


def test_what_was_not_observed_has_no_series_and_so_is_not_read_as_healthy() -> None:
    read = families(report_of(verdict("net[gone]", unseen=NotObserved("no"))))
    assert read["kubevitals_findings"] == read["kubevitals_roots"] == []


def test_roots_have_their_owner_and_not_more_than_so_many_series() -> None:
    report = report_of(*(verdict(f"cause-{n}[gone]", *replicas("a")) for n in range(SHOWN + 1)))
    infos = families(report)["kubevitals_root_info"]
    assert len(infos) == SHOWN
    assert {labels["object"] for labels, _ in infos} == {report.findings[0].owner}


def test_hostile_labels_are_read_back_as_they_are() -> None:
    report = report_of(verdict("net[gone]", unseen=NotObserved("no", HOSTILE)))
    assert families(report)["kubevitals_not_observed"][0][0]["right"] == HOSTILE


# --- annotations ---


def test_annotations_are_of_roots_and_cannot_be_forged() -> None:
    report = report_of(
        verdict("node[down]", finding("Node/a")),
        verdict("net[gone]", *replicas("a"), finding(HOSTILE)),
        verdict("risk[near]", finding("Node/b", severity=Severity.WARNING)),
        rules=NODES_EXPLAIN,
    )
    lines = list(annotations(report))
    assert lines[0] == "::error title=node[down]::Node/a: is broken (explains 1 symptom)"
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
