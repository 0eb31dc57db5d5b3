"""Known secrets are planted wherever a cluster may hold some, and looked for in all that a run leaves behind."""

import gzip
import html
from pathlib import Path

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import read
from kubevitals.source.recording import Snapshot
from tests.fake_server import ApiServer, Reply
from tests.fakes import envelope, item_bytes, proto_field, status_json
from tests.runs import Run, crashing, log_path

pytest_plugins = ["pytester"]

SECRET = "hunter2"
TOLD = f"dial postgres://shop:{SECRET}@db failed: password={SECRET}, started with --db-password {SECRET}"

TOLD_BY = ("api-server", "startup-error", "workload-unavailable")
"""The checks that tell of the pod, its log, its events, and the refusal."""

TEXTS = ("junit.xml", "reports/health.html", "findings.json")
FILES = (*TEXTS, "metrics.prom", "summary.md")


def careless_pod() -> bytes:
    """Return a pod with the secret in its annotations, a command, an environment, and the words it died with."""
    pod = crashing("web-0", TOLD)
    pod.spec.containers[0].command.extend(["app", "--db-password", SECRET])
    pod.spec.containers[0].args.extend(
        [f"--token={SECRET}", SECRET, f"--db=postgres://shop:{SECRET}@db.shop.svc:5432/"]
    )
    variable = proto_field(7, proto_field(1, b"DB_PASSWORD") + proto_field(2, SECRET.encode()))
    container = pod.spec.containers[0].SerializeToString() + variable
    del pod.spec.containers[:]
    annotation = proto_field(1, b"last-applied-configuration") + proto_field(2, f'{{"password": "{SECRET}"}}'.encode())
    extra = proto_field(1, proto_field(12, annotation)) + proto_field(2, proto_field(2, container))
    return pod.SerializeToString() + extra


@pytest.fixture
def careless(healthy: ApiServer) -> ApiServer:
    """A cluster with the secret in a pod, a log, an event and a refusal."""
    healthy.script("/api/v1/pods", Reply(envelope(item_bytes(careless_pod()))))
    healthy.script(log_path("web-0"), Reply(TOLD.encode()))
    about = pb.ObjectReference(kind="Pod", namespace="shop", name="web-0", uid="web-0")
    healthy.serve("/api/v1/events", pb.Event(involvedObject=about, type="Warning", reason="BackOff", message=TOLD))
    healthy.script("/apis/apps/v1/deployments", Reply(status_json(TOLD), 403))
    return healthy


@pytest.mark.parametrize("record", [[], ["--record=cluster.recording"]], ids=["live", "recorded"])
@pytest.mark.parametrize("actions", ["", "true"], ids=["terminal", "workflow"])
def test_no_secret_is_in_any_output(
    run: Run, careless: ApiServer, record: list[str], actions: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    result = run("-v", "--metrics=metrics.prom", "--markdown=summary.md", *record, checks=TOLD_BY)
    assert result.ret == 1
    assert "--db-password [redacted]" in result.stdout.str()
    assert SECRET not in result.stdout.str() + result.stderr.str()
    assert [file for file in FILES if SECRET in Path(file).read_text()] == []
    recordings = list(Path().glob("*.recording"))
    assert len(recordings) == len(record)
    assert not [r for r in recordings if SECRET.encode() in gzip.decompress(r.read_bytes())]


def test_whoever_may_can_keep_them_and_every_output_says_so(run: Run, careless: ApiServer) -> None:
    files = ("--metrics=metrics.prom", "--markdown=summary.md")
    run(*files, checks=TOLD_BY)
    asked = sorted(path for path, _ in careless.requests)
    careless.requests.clear()
    result = run("--no-redact", "--record=cluster.recording", *files, checks=TOLD_BY)
    assert sorted(path for path, _ in careless.requests) == asked
    head = result.stdout.str().partition("test_api_server")[0]
    assert "nothing is redacted (--no-redact)" in head
    assert SECRET in result.stdout.str()
    assert [file for file in TEXTS if SECRET not in Path(file).read_text()] == []
    for file in ("reports/health.html", "summary.md", "junit.xml"):
        assert "nothing is redacted" in html.unescape(Path(file).read_text()).replace("\\", "")
    assert read(Path("findings.json")).redacted is False
    assert SECRET.encode() in gzip.decompress(Path("cluster.recording").read_bytes())
    assert Snapshot(Path("cluster.recording")).header.unredacted


def test_a_recording_that_was_not_redacted_is_told_of_and_judged_without_its_secrets(
    run: Run, careless: ApiServer
) -> None:
    run("--no-redact", "--record=cluster.recording", checks=TOLD_BY)
    result = run("--snapshot=cluster.recording", "--metrics=metrics.prom", "--markdown=summary.md")
    result.stdout.fnmatch_lines(["the recording was made with --no-redact: it may contain credentials"])
    assert [file for file in FILES if SECRET in Path(file).read_text()] == []
    assert SECRET not in result.stdout.str()
    assert read(Path("findings.json")).redacted


def test_what_is_kept_is_still_bounded_and_cannot_act(run: Run, careless: ApiServer) -> None:
    careless.script(log_path("web-0"), Reply(f"{TOLD}\x1b[2J<script>{'x' * 5000}".encode()))
    shown = run("--no-redact", checks=TOLD_BY).stdout.str()
    assert [line for line in shown.splitlines() if not line.isprintable() or len(line) > 2000] == []
    assert "<script>xx" not in Path("reports/health.html").read_text()
