"""What is delivered to servers once a run is over, and that none of their URLs is in any text."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import urllib3
from prometheus_client.parser import text_string_to_metric_families as families

from kubevitals.diagnosis.result import Report
from kubevitals.errors import Unusable
from kubevitals.plugin import delivery_settings
from kubevitals.plugin.delivery_settings import deliveries
from kubevitals.redaction import redact
from kubevitals.reports.delivery import post, push
from kubevitals.reports.delivery.deliveries import Deliveries, Delivery
from kubevitals.reports.delivery.notification import Notification
from kubevitals.reports.delivery.post import Address, Undelivered, send
from kubevitals.reports.metrics import openmetrics
from tests.delivered import SECRET, changed
from tests.fake_server import ApiServer, Behaviour, Handler, Reply, break_off, self_signed
from tests.findings import report_of, run_of, verdict
from tests.runs import Run

pytest_plugins = ["pytester"]


@pytest.fixture(scope="module")
def report() -> Report:
    return changed()


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
        delivery_settings.period(Config(period="5s"))  # type: ignore[arg-type]


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
