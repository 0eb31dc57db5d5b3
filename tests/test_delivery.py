"""What is delivered to servers once a run is over, and that none of their URLs is in any text."""

import json
import socket
import subprocess
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import msgspec
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families as families

from kubevitals.diagnosis.history import History
from kubevitals.diagnosis.known_issues import KnownIssue
from kubevitals.diagnosis.result import ClusterInfo, Report, json_schema
from kubevitals.errors import NotObserved, Unusable
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Replicas, Severity
from kubevitals.plugin import delivery_options
from kubevitals.plugin.delivery_options import deliveries
from kubevitals.redaction import redact
from kubevitals.reports.delivery import post, push
from kubevitals.reports.delivery.alertmanager import PATH, alerts
from kubevitals.reports.delivery.deliveries import Deliveries, Delivery, notify
from kubevitals.reports.delivery.notification import SHOWN, Notification
from kubevitals.reports.delivery.post import Address, Undelivered, send
from kubevitals.reports.delivery.slack import message
from kubevitals.reports.metrics import openmetrics
from tests.fakes import NOW, ApiServer, Behaviour, Handler, Reply, break_off, self_signed
from tests.findings import finding, report_of, run_of, verdict
from tests.runs import Run

pytest_plugins = ["pytester"]

DOCS = "https://docs.example/causes"
SECRET = "T0S3CRET"
HOSTILE = "<!channel> *a* <@U1> & `b` <http://evil|c>"
ACCEPTED = KnownIssue("net[gone]", "Pod/legacy/*", "kept for the auditors", date(9999, 1, 1))
HOUR = timedelta(hours=1)
ALERTMANAGER = which("prometheus-alertmanager") or which("alertmanager")
"""The program, whose name in Debian differs from that of its makers."""


def at_noon(report: Report) -> Report:
    """Return a report that ended when the tests' cluster was looked at."""
    return msgspec.structs.replace(report, finished=NOW, cluster=ClusterInfo("prod", "uid-1"), kubevitals="1.2.3")


def changed() -> Report:
    """Return a run after which one root is new, with a symptom, one is worse, and one of each other kind is there."""
    warning = {"severity": Severity.WARNING}
    before = report_of(
        verdict("pod[down]", finding("Pod/shop/worse", **warning), finding("Pod/shop/same"), finding("Pod/shop/gone")),
        verdict("node[down]", finding("Node/unseen")),
        verdict("net[gone]", finding("Pod/legacy/gone"), known=[ACCEPTED]),
    )
    now = report_of(
        verdict("pod[down]", finding("Pod/shop/worse"), finding("Pod/shop/same", says="is down")),
        verdict("node[down]", unseen=NotObserved("no")),
        verdict("disk[full]", finding("Node/a", says=HOSTILE, remedy="clean it", replicas=Replicas(1, 2))),
        verdict("net[gone]", finding("Pod/legacy/old"), finding("Pod/shop/web", node="a"), known=[ACCEPTED]),
        rules=[Explains(("disk",), SAME_NODE, ("net",))],
        history=History(before),
    )
    return at_noon(now)


@pytest.fixture(scope="module")
def report() -> Report:
    return changed()


@pytest.fixture
def received(server: ApiServer) -> list[tuple[str, str, dict[str, str], bytes]]:
    """What the server receives: method, path, headers and body."""
    seen: list[tuple[str, str, dict[str, str], bytes]] = []

    def accept(handler: Handler) -> None:
        seen.append((handler.command, handler.path, dict(handler.headers), handler.content))
        handler.send(Reply(b"ok"))

    server.otherwise = accept
    return seen


def test_the_json_has_what_is_new_worse_and_resolved(report: Report, server: ApiServer, received: list[Any]) -> None:
    notify(report, "json", Address.of(f"{server.address}/hook?key={SECRET}"), DOCS)
    ((method, path, headers, body),) = received
    assert (method, path, headers["Content-Type"]) == ("POST", f"/hook?key={SECRET}", "application/json")
    told = json.loads(body)
    ids = {found.places[0].object: found.id for found in report.findings}
    noon = "2026-03-01T12:00:00Z"
    assert report.comparison
    (gone,) = [past for past in report.comparison.resolved if past.object == "Pod/shop/gone"]
    same = {"look": "kubectl get pod worse --namespace shop -o yaml", "symptoms": 0, "replicas": None}
    page = {"since": noon, "link": f"{DOCS}/pod/", "namespace": "shop", "severity": "error", "says": "is broken"}
    assert told.pop("changes") == [
        {
            "change": "new",
            "id": ids["Node/a"],
            "check": "disk[full]",
            "severity": "error",
            "namespace": "",
            "object": "Node/a",
            "says": HOSTILE,
            "since": noon,
            "remedy": "clean it",
            "look": report.findings[0].look,
            "link": f"{DOCS}/disk/",
            "symptoms": 1,
            "replicas": {"missing": 1, "of": 2},
        },
        {
            "change": "worse",
            "id": ids["Pod/shop/worse"],
            "check": "pod[down]",
            "object": "Pod/shop/worse",
            "remedy": "fix it",
            **page,
            **same,
            "look": next(found.look for found in report.findings if found.id == ids["Pod/shop/worse"]),
        },
        {
            "change": "resolved",
            "id": gone.id,
            "check": "pod[down]",
            "object": "Pod/shop/gone",
            "remedy": "",
            **page,
            **same,
            "look": "",
        },
    ]
    assert told == {
        "schema": 1,
        "kubevitals": "1.2.3",
        "cluster": "prod",
        "cluster_uid": "uid-1",
        "taken": noon,
        "outcome": "broken",
        "verdict": "Broken: 4 root causes (3 errors, 1 known), with 1 symptom",
        "compared": noon,
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


# --- Alertmanager ---


def test_alerts_have_labels_that_do_not_change_and_end_when_the_root_is_gone(
    report: Report, server: ApiServer, received: list[Any]
) -> None:
    notify(report, "alertmanager", Address.of(f"{server.address}/am/"), DOCS)
    ((method, path, _, body),) = received
    assert (method, path) == ("POST", "/am/api/v2/alerts")
    posted = json.loads(body)
    disk = [alert for alert in posted if alert["labels"]["alertname"] == "disk[full]"]
    (first,) = (alert for alert in disk if alert["labels"]["severity"] == "error")
    assert first == {
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


# --- Pushgateway ---


def test_metrics_are_pushed_for_the_cluster(report: Report, server: ApiServer, received: list[Any]) -> None:
    push.push(report, Address.of(f"http://me:{SECRET}@127.0.0.1:{server.port}/gw"))
    ((method, path, headers, body),) = received
    assert (method, path) == ("PUT", "/gw/metrics/job/kubevitals/cluster/prod")
    assert headers["authorization"] == urllib3.util.make_headers(basic_auth=f"me:{SECRET}")["authorization"]
    pushed, written = (
        {(sample.name, *sorted(sample.labels.items())): sample.value for f in families(text) for sample in f.samples}
        for text in (body.decode(), openmetrics(report))
    )
    assert pushed == written


# --- what goes wrong ---


def redirect(handler: Handler) -> None:
    handler.send(Reply(status=302, headers={"Location": "/elsewhere"}))


FAULTS: dict[str, tuple[Behaviour, str]] = {
    "500": (Reply(b"boom at /hook/" + SECRET.encode(), 500), "the server answers HTTP 500 (Internal Server Error)"),
    "599": (Reply(status=599), "the server answers HTTP 599"),
    "redirect": (
        redirect,
        "the server answers HTTP 302, and redirects are not followed: give the URL that it leads to",
    ),
    "gone": (lambda handler: setattr(handler, "close_connection", True), "the connection broke off"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_server_that_does_not_take_it_is_said_without_its_url(fault: str, server: ApiServer) -> None:
    behaviour, why = FAULTS[fault]
    server.otherwise = behaviour
    with pytest.raises(Undelivered) as raised:
        send("POST", f"{server.address}/hook/{SECRET}", b"{}", {})
    assert str(raised.value) == why
    assert [path for path, _ in server.requests] == [f"/hook/{SECRET}"]


def test_a_server_that_never_answers_is_given_up(server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.otherwise = server.hang
    monkeypatch.setattr(post, "TIMEOUT", 0.05)
    with pytest.raises(Undelivered, match=r"^no answer within 0\.05 s$"):
        send("POST", server.address, b"{}", {})


def test_an_answer_that_is_long_is_not_read(server: ApiServer) -> None:
    server.otherwise = break_off
    send("POST", server.address, b"{}", {})


def test_no_connection_and_no_trust_are_said_without_the_url(tmp_path: Path) -> None:
    server = ApiServer(*self_signed(tmp_path))
    server.start()
    with pytest.raises(Undelivered, match=r"^TLS: self-signed certificate$"):
        send("POST", f"{server.address}/{SECRET}", b"{}", {})
    server.stop()
    with pytest.raises(Undelivered, match=r"^no connection: Connection refused$"):
        send("POST", f"{server.address}/{SECRET}", b"{}", {})


def test_the_proxy_of_the_environment_is_used(server: ApiServer, received: list[Any], monkeypatch: Any) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:{SECRET}@127.0.0.1:{server.port}")
    send("POST", "http://hooks.invalid/x", b"{}", {})
    assert received[0][1] == "http://hooks.invalid/x"
    assert "proxy-authorization" in received[0][2]


class Config:
    """Options as pytest's configuration gives them."""

    def __init__(self, **options: Any) -> None:
        self._options = options

    def getoption(self, name: str) -> Any:
        return self._options.get(name.strip("-").replace("-", "_"))


BAD_URLS = {
    "ftp://S3CRET.example/": "it does not begin with https:// or http://",
    "S3CRET": "it does not begin with https:// or http://",
    "https:///S3CRET": "it has no host",
    "https://a:S3CRET/": "its host or its port is not valid",
    "https://[S3CRET/": "its host or its port is not valid",
    "https://a/S3CRET\x1b[31m": "it has characters that a URL does not have",
    "https://a/ S3CRET": "it has characters that a URL does not have",
}


@pytest.mark.parametrize("url", BAD_URLS)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEVITALS_NOTIFY_URL", url)
    with pytest.raises(Unusable) as raised:
        deliveries(Config(notify="slack"))  # type: ignore[arg-type]
    assert str(raised.value) == f"--notify: the URL of KUBEVITALS_NOTIFY_URL cannot be used: {BAD_URLS[url]}"


def bad_options(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Yield options that cannot be used, and why."""
    (folder / "empty").write_text("\n")
    (folder / "bytes").write_bytes(b"\xff\xfe")
    alternative = "it must have the URL, or --push-url-file a file that has it"
    yield {"push": True}, f"--push: KUBEVITALS_PUSH_URL is not set: {alternative}"
    for name, why in (("gone", "cannot be read: No such file or directory"), ("bytes", "is not a text")):
        yield {"push": True, "push_url_file": folder / name}, f"--push-url-file {folder / name} {why}"
    yield {"push": True, "push_url_file": folder}, f"--push-url-file {folder} cannot be read: Is a directory"
    empty = folder / "empty"
    yield {"push": True, "push_url_file": empty}, f"--push: --push-url-file {empty} is empty: it must have the URL"
    yield {"notify_url_file": empty}, "--notify-url-file has the URL for --notify: add --notify, or omit it"
    redacts = "--notify sends texts to another server, and --no-redact keeps credentials in them: omit one"
    yield {"notify": "json", "no_redact": True}, redacts


def test_options_that_cannot_be_used_are_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for options, why in bad_options(tmp_path):
        with pytest.raises(Unusable) as raised:
            deliveries(Config(**options))  # type: ignore[arg-type]
        assert str(raised.value) == why
    monkeypatch.setattr(push, "find_spec", lambda _: None)
    with pytest.raises(Unusable, match=r"^--push needs the package prometheus-client: pip install prometheus-client$"):
        deliveries(Config(push=True))  # type: ignore[arg-type]
    with pytest.raises(Unusable, match=r"^--period: give 1m to 366d$"):
        delivery_options.period(Config(period="5s"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "url",
    [
        f"https://hooks.slack.com/services/T1/B1/{SECRET}",
        f"https://hooks.slack-gov.com/services/T1/B1/{SECRET}",
        f"https:\\/\\/hooks.slack.com\\/services\\/T1\\/B1\\/{SECRET}",
        f"hooks.slack.com%2Fservices%2FT1%2FB1%2F{SECRET}",
        f"https://hooks.slack.com/workflows/T1/A1/1/{SECRET}",
    ],
)
def test_a_webhook_of_slack_in_a_text_is_redacted(url: str) -> None:
    assert SECRET not in redact(f"cannot post to {url}: no")


# --- whole runs ---


def test_what_goes_wrong_in_one_delivery_keeps_no_other_from_its_server() -> None:
    run = run_of(verdict("net[gone]"))
    delivered: list[Report] = []
    run.report = report_of(verdict("net[gone]"))

    def fail(_: Report) -> None:
        raise ValueError(SECRET)

    Deliveries(run, [Delivery("--push", fail), Delivery("--notify json", delivered.append)]).pytest_sessionfinish()
    assert run.remarks == ["--push: not delivered: it cannot be sent (ValueError)"]
    assert delivered == [run.report]


def test_a_run_delivers_once_its_files_are_written_and_shows_no_url(
    run: Run, broken: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []

    def take(handler: Handler) -> None:
        assert all(Path(name).exists() for name in ("findings.json", "junit.xml", "reports/health.html", "m.prom"))
        taken.append(handler.content)
        handler.send(Reply())

    broken.script(f"/{SECRET}", take)
    broken.script(f"/{SECRET}/metrics/job/kubevitals/cluster/blue", Reply(status=500))
    (tmp_path / "url").write_text(f"{broken.address}/{SECRET}\n")
    monkeypatch.setenv("KUBEVITALS_PUSH_URL", f"{broken.address}/{SECRET}")
    notify = ("--notify=json", f"--notify-url-file={tmp_path / 'url'}")
    result = run("--push", *notify, "--display-name=blue", "--metrics=m.prom", checks=["startup-error"])
    assert result.ret == 1
    told = msgspec.json.decode(taken[0], type=Notification)
    assert (told.cluster, [change.object for change in told.changes]) == ("blue", ["Pod/shop/web-0"])
    refused = "--push: not delivered: the server answers HTTP 500 (Internal Server Error)"
    assert [line for line in result.outlines if "not delivered" in line] == [refused]
    assert SECRET not in result.stdout.str() + result.stderr.str()
    assert not [path for path in Path().rglob("*") if path.is_file() and SECRET in path.read_text(errors="replace")]


def test_a_run_that_cannot_notify_does_not_begin(run: Run, broken: ApiServer) -> None:
    result = run("--notify=slack", checks=["startup-error"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    why = "KUBEVITALS_NOTIFY_URL is not set: it must have the URL, or --notify-url-file a file that has it"
    assert [line for line in result.errlines if line] == [f"ERROR: --notify: {why}"]
    assert not broken.requests
