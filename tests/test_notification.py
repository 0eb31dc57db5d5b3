"""What is told about a run, as JSON and to Slack."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from kubevitals.diagnosis.result import ClusterInfo, Report, json_schema
from kubevitals.errors import NotObserved
from kubevitals.reports.delivery.deliveries import notify
from kubevitals.reports.delivery.notification import SHOWN, Notification
from kubevitals.reports.delivery.post import Address
from kubevitals.reports.delivery.slack import message
from tests.delivered import ACCEPTED, DOCS, HOSTILE, SECRET, changed
from tests.fake_server import ApiServer
from tests.findings import finding, report_of, verdict

NOON = "2026-03-01T12:00:00Z"


@pytest.fixture(scope="module")
def report() -> Report:
    return changed()


def expected_changes(report: Report) -> list[dict[str, Any]]:
    """Return the changes that are told of the run."""
    ids = {found.places[0].object: found.id for found in report.findings}
    assert report.comparison
    (gone,) = [past for past in report.comparison.resolved if past.object == "Pod/shop/gone"]
    pod = {"check": "pod[down]", "namespace": "shop", "severity": "error", "says": "is broken", "since": NOON}
    alone = {"link": f"{DOCS}/pod/", "symptoms": 0, "replicas": None}
    return [
        {
            "change": "new",
            "id": ids["Node/a"],
            "check": "disk[full]",
            "severity": "error",
            "namespace": "",
            "object": "Node/a",
            "says": HOSTILE,
            "since": NOON,
            "remedy": "clean it",
            "look": report.findings[0].look,
            "link": f"{DOCS}/disk/",
            "symptoms": 1,
            "replicas": {"missing": 1, "of": 2},
        },
        {
            "change": "worse",
            "id": ids["Pod/shop/worse"],
            "object": "Pod/shop/worse",
            "remedy": "fix it",
            "look": next(found.look for found in report.findings if found.id == ids["Pod/shop/worse"]),
            **pod,
            **alone,
        },
        {"change": "resolved", "id": gone.id, "object": "Pod/shop/gone", "remedy": "", "look": "", **pod, **alone},
    ]


def test_the_json_has_what_is_new_worse_and_resolved(report: Report, server: ApiServer, received: list[Any]) -> None:
    notify(report, "json", Address.of(f"{server.address}/hook?key={SECRET}"), DOCS)
    ((method, path, headers, body),) = received
    assert (method, path, headers["Content-Type"]) == ("POST", f"/hook?key={SECRET}", "application/json")
    told = json.loads(body)
    assert told.pop("changes") == expected_changes(report)
    assert told == {
        "schema": 1,
        "kubevitals": "1.2.3",
        "cluster": "prod",
        "cluster_uid": "uid-1",
        "taken": NOON,
        "outcome": "broken",
        "verdict": "Broken: 4 root causes (3 errors, 1 known), with 1 symptom",
        "compared": NOON,
        "left_out": 0,
    }


def test_without_an_earlier_run_all_roots_are_new_and_there_are_only_so_many() -> None:
    crowd = report_of(verdict("net[gone]", *(finding(f"Pod/shop/{n}", says=f"is {n}") for n in range(SHOWN + 5))))
    told = Notification.of(crowd, "")
    assert {change.change for change in told.changes} == {"new"}
    assert (len(told.changes), told.left_out, told.changes[0].link) == (SHOWN, 5, "")


def test_a_run_without_news_posts_nothing_and_one_that_saw_nothing_says_so(
    server: ApiServer, received: list[Any]
) -> None:
    address = Address.of(server.address)
    for form in ("json", "slack"):
        notify(report_of(verdict("net[gone]")), form, address, "")
        notify(report_of(verdict("net[gone]", finding("Pod/legacy/x"), known=[ACCEPTED])), form, address, "")
        assert not received
        notify(report_of(verdict("net[gone]", unseen=NotObserved("no rights"))), form, address, "")
        assert b"this run says nothing about the cluster: no rights" in received.pop()[3]


def test_the_schema_in_docs_is_that_of_the_json() -> None:
    schema = Path(__file__).parents[1] / "docs" / "notification.schema.json"
    assert schema.read_text() == json_schema(Notification), (
        "run: tools/schema notification > docs/notification.schema.json"
    )


# --- Slack ---


def test_a_message_for_slack_has_no_mention_and_no_markup_of_the_cluster(report: Report) -> None:
    sent = message(Notification.of(report, DOCS))
    title = "prod: Broken: 4 root causes (3 errors, 1 known), with 1 symptom"
    assert sent["text"] == title
    header, section, facts, *rest = sent["blocks"]
    assert header == {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    safe = "&lt;!channel&gt; *a* &lt;@U1&gt; &amp; `b` &lt;http://evil|c&gt;"
    lines = ["🔴 new: Node/a: " + safe, "remedy: clean it", f"look: {report.findings[0].look}"]
    assert section == {"type": "section", "text": {"type": "plain_text", "text": "\n".join(lines), "emoji": False}}
    linked = f"<{DOCS}/disk/|disk[full]>, 1 of 2 replicas missing, 1 symptom"
    assert facts == {"type": "context", "elements": [{"type": "mrkdwn", "text": linked, "verbatim": True}]}
    assert [block["text"]["text"].splitlines()[0] for block in rest if block["type"] == "section"] == [
        "🔴 worse: Pod/shop/worse: is broken",
        "✅ resolved: Pod/shop/gone: is broken",
    ]


def test_a_message_for_slack_stays_within_slacks_limits() -> None:
    crowd = [finding(f"Pod/shop/{n}", says=f"{n}{'<&>' * 400}", remedy="&" * 999) for n in range(60)]
    report = msgspec.structs.replace(report_of(verdict("net[gone]", *crowd)), cluster=ClusterInfo("&" * 200))
    sent = message(Notification.of(report, DOCS))
    texts = [
        text["text"] for block in sent["blocks"] for text in (block.get("text"), *block.get("elements", ())) if text
    ]
    assert len(sent["blocks"]) <= 50
    assert max(map(len, texts)) <= 3000
    assert len(texts[0]) <= 150
    assert texts[0].endswith("&amp;…")
    assert texts[-1] == "and 40 more changes"
