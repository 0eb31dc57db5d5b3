"""What is told about a roll-up: as JSON, to Slack and to Alertmanager."""

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from kubevitals.diagnosis.verdict import Outcome
from kubevitals.fleet import compare
from kubevitals.fleet.notification import alerts, told
from kubevitals.fleet.result import Rollup
from kubevitals.plugin import command
from kubevitals.reports.delivery.slack import message
from kubevitals.reports.wording import moment
from tests.fake_server import ApiServer, Handler, Reply
from tests.fakes import NOW
from tests.findings import finding, verdict
from tests.fleets import CRASH, PREMIUM, report, rolled_up, write

pytest_plugins = ["pytester"]

UNREACHABLE = verdict("api-server[unreachable]", finding("APIServer/kube-apiserver", says="does not answer"))
OLD = NOW - timedelta(days=3)
DOCS = "https://docs.example/causes"
HOUR = 3600


@pytest.fixture
def before(tmp_path: Path) -> Rollup:
    """A cluster that is broken, one that is healthy, and one whose findings are old."""
    write(tmp_path, "a.json", report(PREMIUM, CRASH, context="a", uid="ua"))
    write(tmp_path, "b.json", report(context="b", uid="ub"))
    write(tmp_path, "c.json", report(context="c", uid="uc", taken=OLD))
    return rolled_up(tmp_path)


@pytest.fixture
def after(before: Rollup, tmp_path: Path) -> Rollup:
    """The next roll-up: one fault is gone, one has spread, one cluster cannot be reached, and another has no file."""
    saved = tmp_path.parent / "earlier.json"
    saved.write_bytes(msgspec.json.encode(before))
    write(tmp_path, "a.json", report(PREMIUM, context="a", uid="ua"))
    (tmp_path / "b.json").unlink()
    write(tmp_path, "c.json", report(PREMIUM, context="c", uid="uc"))
    write(tmp_path, "d.json", report(UNREACHABLE, context="d"))
    return rolled_up(tmp_path, earlier=compare.load(saved))


def test_the_first_roll_up_tells_all(before: Rollup) -> None:
    news = told(before, DOCS)
    assert (news.cluster, news.outcome, news.compared) == ("fleet", Outcome.BROKEN, None)
    assert {(c.change, c.check, c.object, c.says) for c in news.changes} == {
        ("new", "volume-claim[unbound]", "StorageClass/premium", "does not exist: 1 cluster (a)"),
        ("new", "startup-error[app-exit]", "Pod/shop/web-0", "exits: 1 cluster (a)"),
        ("new", "cluster[stale]", "c", "stale: its findings are 3d old, and its period is 1d2h"),
    }
    assert next(c.link for c in news.changes if c.check.startswith("volume")) == f"{DOCS}/volume-claim/"


def test_the_next_one_tells_what_has_changed(after: Rollup) -> None:
    news = told(after, "")
    assert {(c.change, c.object, c.says) for c in news.changes} == {
        ("worse", "StorageClass/premium", "does not exist: 2 clusters (a, c)"),
        ("new", "APIServer/kube-apiserver", "does not answer: 1 cluster (d)"),
        ("new", "b", f"no report: was in the roll-up of {moment(NOW)}, and has no findings file now"),
        ("resolved", "Pod/shop/web-0", "exits: 1 cluster (a)"),
    }
    assert all(block["elements"][0]["text"] for block in message(news)["blocks"] if block["type"] == "context")


def test_alerts_go_on_or_end(after: Rollup) -> None:
    later = after.taken + timedelta(hours=2)
    active = {(a.labels["alertname"], a.labels["cluster"]) for a in alerts(after, "", HOUR) if a.ends_at == later}
    ended = {(a.labels["alertname"], a.labels["cluster"]) for a in alerts(after, "", HOUR) if a.ends_at == after.taken}
    assert active == {
        ("volume-claim[unbound]", "fleet"),
        ("api-server[unreachable]", "fleet"),
        ("cluster-not-observed", "b"),
    }
    assert ended >= {("startup-error[app-exit]", "fleet"), ("cluster-not-observed", "c")}


def test_what_was_not_checked_again_goes_on_with_its_severity_alone(before: Rollup, tmp_path: Path) -> None:
    saved = tmp_path.parent / "earlier.json"
    saved.write_bytes(msgspec.json.encode(before))
    (tmp_path / "a.json").unlink()
    result = rolled_up(tmp_path, earlier=compare.load(saved))
    active = [a.labels for a in alerts(result, "", HOUR) if a.ends_at > result.taken and a.labels["cluster"] == "fleet"]
    assert [(labels["alertname"], labels["severity"]) for labels in active] == [
        ("startup-error[app-exit]", "error"),
        ("volume-claim[unbound]", "error"),
    ]


def test_a_roll_up_posts_once_its_files_are_written(
    before: Rollup, server: ApiServer, tmp_path: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    bodies: list[bytes] = []

    def accept(handler: Handler) -> None:
        bodies.append(handler.content)
        handler.send(Reply(b"no" if len(bodies) > 1 else b"ok", status=500 if len(bodies) > 1 else 200))

    server.otherwise = accept
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("KUBEVITALS_NOTIFY_URL", f"{server.address}/secret")
    options = (*command.OF_FLEET, f"--findings-dir={tmp_path}", f"--now={NOW.isoformat()}")
    first = pytester.runpytest_inprocess(*options, "--notify=json")
    assert len(json.loads(bodies[0])["changes"]) == len(told(before, "").changes)
    second = pytester.runpytest_inprocess(*options, "--notify=slack")
    assert (first.ret, second.ret) == (1, 1)
    assert "--notify slack: not delivered: the server answers HTTP 500 (Internal Server Error)" in second.outlines
    third = pytester.runpytest_inprocess(*options, "--push")
    assert "ERROR: a roll-up pushes no metrics: omit --push, and give --metrics PATH" in third.errlines
