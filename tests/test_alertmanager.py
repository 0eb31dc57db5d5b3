"""Alerts of a run as Alertmanager takes them."""

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import which
from typing import Any

import msgspec
import pytest
import urllib3

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.result import Report
from kubevitals.errors import NotObserved
from kubevitals.reports.delivery.alertmanager import PATH, alerts
from kubevitals.reports.delivery.deliveries import notify
from kubevitals.reports.delivery.post import Address
from tests.delivered import DOCS, HOSTILE, HOUR, at_noon, changed
from tests.fake_server import ApiServer
from tests.fakes import NOW
from tests.findings import finding, report_of, verdict

ALERTMANAGER = which("prometheus-alertmanager") or which("alertmanager")
"""The program, whose name in Debian differs from that of its makers."""


@pytest.fixture(scope="module")
def report() -> Report:
    return changed()


def expected_alert(report: Report) -> dict[str, Any]:
    """Return the alert about the root that is new."""
    return {
        "labels": {
            "alertname": "disk[full]",
            "cluster": "prod",
            "cluster_uid": "uid-1",
            "finding": report.findings[0].id,
            "severity": "error",
        },
        "annotations": {
            "summary": f"Node/a: {HOSTILE}",
            "remedy": "clean it",
            "look": report.findings[0].look,
            "cost": "1 of 2 replicas missing, 1 symptom",
            "runbook_url": f"{DOCS}/disk/",
        },
        "startsAt": "2026-03-01T12:00:00Z",
        "endsAt": "2026-03-01T14:00:00Z",
    }


def test_alerts_have_labels_that_do_not_change_and_end_when_the_root_is_gone(
    report: Report, server: ApiServer, received: list[Any]
) -> None:
    notify(report, "alertmanager", Address.of(f"{server.address}/am/"), DOCS)
    ((method, path, _, body),) = received
    assert (method, path) == ("POST", "/am/api/v2/alerts")
    posted = json.loads(body)
    disk = [alert for alert in posted if alert["labels"]["alertname"] == "disk[full]"]
    (first,) = (alert for alert in disk if alert["labels"]["severity"] == "error")
    assert first == expected_alert(report)
    firing = [
        (alert["annotations"]["summary"], alert["labels"]["severity"])
        for alert in posted
        if alert["endsAt"] == first["endsAt"]
    ]
    over = {(alert["annotations"]["summary"], alert["labels"]["severity"]) for alert in posted} - set(firing)
    assert firing == [
        (f"Node/a: {HOSTILE}", "error"),
        ("Pod/shop/worse: is broken", "error"),
        ("Pod/shop/same: is down", "error"),
        ("Node/unseen: is broken", "error"),
    ]
    assert {("Pod/shop/worse: is broken", "warning"), ("Pod/shop/gone: is broken", "error")} <= over
    assert not [summary for summary, _ in over if "legacy" in summary]
    assert {alert["endsAt"] for alert in posted} == {first["endsAt"], "2026-03-01T12:00:00Z"}


def test_a_run_that_observed_nothing_is_an_alert_and_the_next_one_ends_it() -> None:
    blind, seen = (at_noon(report_of(verdict("net[gone]", unseen=unseen))) for unseen in (NotObserved("no"), None))
    (alert,) = alerts(msgspec.structs.replace(blind, period=60), "")
    assert (alert.labels["alertname"], alert.ends_at) == ("not-observed", NOW + timedelta(minutes=2))
    (over,) = alerts(seen, "")
    assert over.labels == alert.labels
    assert over.ends_at == NOW


def test_an_alert_never_ends_before_it_starts() -> None:
    future = int((NOW + 9 * HOUR).timestamp())
    report = report_of(verdict("net[gone]", finding("Pod/shop/web", since=future)))
    assert all(alert.starts_at <= alert.ends_at for alert in alerts(report, ""))


@pytest.fixture
def alertmanager(tmp_path: Path) -> Iterator[str]:
    """The address of an Alertmanager that runs."""
    settings = tmp_path / "alertmanager.yml"
    settings.write_text("{route: {receiver: none}, receivers: [{name: none}]}")
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    options = [f"--config.file={settings}", f"--storage.path={tmp_path}", "--cluster.listen-address="]
    command = [str(ALERTMANAGER), *options, f"--web.listen-address={address}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        yield f"http://{address}"
        process.kill()


@pytest.mark.skipif(not ALERTMANAGER, reason="Alertmanager is not installed")
def test_alertmanager_takes_alerts_and_clears_those_that_are_gone(alertmanager: str) -> None:
    ready = urllib3.Retry(200, backoff_factor=0.01, backoff_max=0.05, allowed_methods=None)
    urllib3.request("GET", f"{alertmanager}/-/ready", retries=ready)
    before = report_of(verdict("net[gone]", finding("Pod/shop/web", says=HOSTILE)), verdict("node[down]"))
    after = report_of(verdict("net[gone]"), verdict("node[down]", finding("Node/a")), history=History(before))
    for report, expected in ((before, "net[gone]"), (after, "node[down]")):
        notify(report, "alertmanager", Address.of(alertmanager), DOCS)
        active = urllib3.request("GET", f"{alertmanager}{PATH}").json()
        assert [alert["labels"]["alertname"] for alert in active] == [expected]
