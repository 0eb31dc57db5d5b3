"""The alerting rules and the dashboard: they ask for metrics that are written, and alerts fire and clear."""

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from shutil import which
from typing import Any

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families as families

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.diagnosis.result import Report
from kubevitals.errors import NotObserved
from kubevitals.reports.metrics import openmetrics
from scenarios.rights import DEPLOY, objects
from tests.findings import finding, report_of, verdict

STEP = 5
"""Minutes from one sample to the next: Prometheus takes a series as gone after that time."""

HOUR = 60 // STEP

BY_PUSHING = {"job": "kubevitals", "cluster": "prod"}
BY_TEXTFILE = {"job": "node", "instance": "worker:9100"}
ACCEPTED = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))

(RULES,) = objects(DEPLOY / "monitoring" / "rules.yaml")
DASHBOARD = json.loads((DEPLOY / "monitoring" / "dashboard.json").read_text())
ALERTS = [rule for group in RULES["spec"]["groups"] for rule in group["rules"]]

HEALTHY = report_of(verdict("net[gone]", finding("Pod/legacy/old"), known=[ACCEPTED]))
BROKEN = report_of(verdict("net[gone]", finding("Pod/shop/web")))
REFUSED = NotObserved("forbidden", "list pods", asked=True)
BLIND = report_of(verdict("net[gone]", unseen=NotObserved("no")))
PARTLY_BLIND = report_of(verdict("net[gone]"), verdict("node[down]", unseen=REFUSED))

Series = dict[tuple[tuple[str, str], ...], float]
"""The value of each series, by its labels and its name."""


def series(report: Report, run_at: int, labels: dict[str, str]) -> Series:
    """Return what Prometheus has of a run that ended at this step."""
    finished = datetime.fromtimestamp(run_at * STEP * 60, UTC)
    text = openmetrics(msgspec.structs.replace(report, finished=finished))
    return {
        tuple(sorted((sample.labels | labels | {"__name__": sample.name}).items())): sample.value
        for family in families(text)
        for sample in family.samples
        if any(sample.name in rule["expr"] for rule in ALERTS)
    }


def samples(runs: Mapping[int, Report], until: int, labels: dict[str, str]) -> Iterator[dict[str, str]]:
    """Yield the series of one cluster as promtool reads them: a run's metrics stay until the next run replaces them."""
    values: dict[tuple[tuple[str, str], ...], list[str]] = defaultdict(list)
    now: Series = {}
    for step in range(until):
        now = series(runs[step], step, labels) if step in runs else now
        for key in values.keys() | now.keys():
            past = values[key]
            past += ["_"] * (step - len(past))
            gone = "stale" if past and past[-1] not in ("stale", "_") else "_"
            past.append(f"{now[key]:.10g}" if key in now else gone)
    for key, past in values.items():
        matchers = ",".join(f"{name}={json.dumps(value)}" for name, value in key if name != "__name__")
        yield {"series": f"{dict(key)['__name__']}{{{matchers}}}", "values": " ".join(past)}


def firing(step: int, *alerts: str) -> dict[str, Any]:
    """Return the test that exactly these alerts fire for the cluster at a step."""
    return {
        "expr": 'count by (alertname) (ALERTS{alertstate="firing", instance=""})',
        "eval_time": f"{step * STEP}m",
        "exp_samples": [{"labels": f'{{alertname="{alert}"}}', "value": 1} for alert in alerts],
    }


ROOT, STILL, UNSEEN, NO_RUN = (f"Kubevitals{name}" for name in ("RootCause", "StillBroken", "NotObserved", "NoRun"))

DAY = 24 * HOUR
RUNS = dict.fromkeys(range(0, DAY + 3 * HOUR, HOUR), BROKEN) | {
    0: HEALTHY,
    DAY + 3 * HOUR: HEALTHY,
    DAY + 4 * HOUR: BLIND,
    DAY + 5 * HOUR: PARTLY_BLIND,
    DAY + 6 * HOUR: HEALTHY,
}
END = DAY + 10 * HOUR

EXPECTED = [
    firing(HOUR - 1),
    firing(HOUR + 1, ROOT),
    firing(DAY, ROOT),
    firing(DAY + HOUR + 1, ROOT, STILL),
    firing(DAY + 3 * HOUR + 1),
    firing(DAY + 4 * HOUR + 1, UNSEEN),
    firing(DAY + 5 * HOUR + 1, UNSEEN),
    firing(DAY + 6 * HOUR + 1),
    firing(DAY + 8 * HOUR - 1),
    firing(DAY + 8 * HOUR + 1, NO_RUN),
]
"""A cluster that breaks after an hour, is healthy again after a day and three hours, cannot be seen for two hours, and
has no run any more after the seventh hour.
"""


@pytest.mark.skipif(not which("promtool"), reason="promtool is a part of Prometheus")
def test_alerts_fire_and_clear_by_themselves(tmp_path: Path) -> None:
    """Another cluster, which has a healthy run each hour, has no alert and hides none."""
    other = dict.fromkeys(range(0, END, HOUR), HEALTHY)
    pushed = [*samples(RUNS, END, BY_PUSHING), *samples(other, END, BY_TEXTFILE)]
    tests = [
        {"interval": f"{STEP}m", "input_series": pushed, "promql_expr_test": EXPECTED},
        {"interval": f"{STEP}m", "input_series": [], "promql_expr_test": [firing(HOUR, NO_RUN)]},
    ]
    (tmp_path / "rules.json").write_text(json.dumps(RULES["spec"]))
    file = tmp_path / "test.json"
    file.write_text(json.dumps({"rule_files": ["rules.json"], "evaluation_interval": f"{STEP}m", "tests": tests}))
    tested = subprocess.run(["promtool", "test", "rules", file], capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.skipif(not which("promtool"), reason="promtool is a part of Prometheus")
def test_prometheus_can_read_every_query_of_the_dashboard(tmp_path: Path) -> None:
    asked = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    rules = [{"record": f"panel_{number}", "expr": query} for number, query in enumerate(asked)]
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    checked = subprocess.run(["promtool", "check", "rules", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def written() -> dict[str, set[str]]:
    """Return the labels of every metric that is written, with those that Prometheus and a push add."""
    report = report_of(
        verdict("net[gone]", finding("Pod/shop/web")),
        verdict("node[down]", unseen=REFUSED),
        history=History(BROKEN),
    )
    labels: dict[str, set[str]] = defaultdict(lambda: {*BY_PUSHING, *BY_TEXTFILE})
    for family in families(openmetrics(report)):
        for sample in family.samples:
            labels[sample.name] |= sample.labels.keys()
    return labels


def queries() -> Iterator[str]:
    """Yield all queries of the rules and the dashboard."""
    yield from (rule["expr"] for rule in ALERTS)
    yield from (target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    yield from (var["definition"] for var in DASHBOARD["templating"]["list"] if var["type"] == "query")


@pytest.mark.parametrize("query", [*queries()])
def test_a_query_has_only_metrics_and_labels_that_are_written(query: str) -> None:
    metrics = written()
    names = re.findall(r"kubevitals_\w+", query)
    assert names
    assert set(names) <= metrics.keys()
    for name, matchers in re.findall(r"(kubevitals_\w+)\{([^}]*)\}", query):
        assert set(re.findall(r"(\w+)(?:=~|!=|=)", matchers)) <= metrics[name]
    grouped = {
        label for group in re.findall(r"(?:by|without|ignoring) \(([^)]*)\)", query) for label in group.split(", ")
    }
    assert grouped <= set().union(*(metrics[name] for name in names))


def test_every_alert_says_what_to_do_with_labels_that_it_has() -> None:
    metrics = written()
    for rule in ALERTS:
        text = " ".join(rule["annotations"].values())
        assert rule["annotations"].keys() == {"summary", "description"}
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= metrics[re.findall(r"kubevitals_\w+", rule["expr"])[0]]
        assert "severity" in rule.get("labels", ()) or "kubevitals_root_info" in rule["expr"]


def test_the_dashboard_is_one_that_grafana_imports() -> None:
    panels = DASHBOARD["panels"]
    assert {"uid", "title", "schemaVersion", "templating", "time"} <= DASHBOARD.keys()
    assert len({panel["id"] for panel in panels}) == len(panels)
    variables = {var["name"] for var in DASHBOARD["templating"]["list"]}
    assert set(re.findall(r"\$\{?(\w+)", json.dumps(DASHBOARD))) <= variables | {"__all"}
    taken = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(set(taken)) == len(taken)
    assert max(x for x, _ in taken) < 24
    assert all(panel["title"] and panel["description"] and panel["targets"] for panel in panels)
