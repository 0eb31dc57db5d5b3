"""Whole runs against an API server that misbehaves on every list: each ends soon and sees no health."""

import gzip
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import perf_counter, sleep

import pytest
from kubernetes.utils.retry import Backoff  # type: ignore[attr-defined]

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.encoding import protobuf
from kubevitals.encoding.protobuf import MAGIC
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.inventory import listing
from kubevitals.source import deadlines, live, response
from tests.fakes import (
    ApiServer,
    Behaviour,
    Handler,
    Reply,
    break_off,
    envelope,
    item_bytes,
    list_bytes,
    proto_field,
    status_json,
)
from tests.runs import Run

pytest_plugins = ["pytester"]

DEADLINE = 60
"""Seconds: ten times what such a run takes on a machine that is busy."""

POD = pb.Pod(metadata=pb.ObjectMeta(name="web-0", namespace="shop"))
WHOLE = list_bytes([POD] * 100)
LARGE = item_bytes(pb.Pod(metadata=pb.ObjectMeta(name="x" * 100_000)).SerializeToString())


def truncated(handler: Handler) -> None:
    """Send a list that ends in the middle of an object, as a broken proxy would: with a length that is right."""
    handler.send(Reply(WHOLE[: len(WHOLE) // 2 + 3]))


def late(handler: Handler) -> None:
    """Send the right list, too late."""
    sleep(1)
    handler.send(Reply(WHOLE))


def trickling(handler: Handler) -> None:
    """Send the right list a byte at a time, each soon enough."""
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(len(WHOLE)))
    handler.end_headers()
    with suppress(OSError):
        for byte in WHOLE:
            handler.wfile.write(bytes([byte]))
            sleep(0.05)


def endless(handler: Handler) -> None:
    """Send objects until nobody listens."""
    handler.send_response_only(200)
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        handler.wfile.write(MAGIC + b"\x12" + b"\xff" * 8 + b"\x01")
        while True:
            handler.wfile.write(LARGE)


def another_page(handler: Handler) -> None:
    """Send a page, and a new token for one more."""
    handler.send(Reply(list_bytes([POD], token=token_hex(8))))


BOMB = gzip.compress(envelope(LARGE * 500))
HUGE = Reply(envelope(item_bytes(proto_field(1, proto_field(1, b"x" * 100_000_000)))))
MANY = Reply(envelope(item_bytes(b"") * 1001))

FAULTS: dict[str, tuple[Behaviour, str]] = {
    "too many requests": (Reply(status_json("slow down"), 429, {"Retry-After": "3600"}), "HTTP 429: slow down"),
    "internal error": (Reply(status_json("etcd is gone"), 500), "HTTP 500: etcd is gone"),
    "unavailable": (Reply(b"no healthy upstream", 503), "HTTP 503"),
    "gone": (Reply(status_json("too old resource version"), 410), "HTTP 410: too old"),
    "cut": (break_off, "cannot be reached"),
    "truncated": (truncated, "not a list of"),
    "empty": (Reply(b""), "not a list of"),
    "a sign-in page": (Reply(b"<html><form>Sign in</form></html>"), "it starts with b'<html>"),
    "JSON": (Reply(b'{"kind": "List", "items": []}'), "not a list of"),
    "garbage in protobuf": (Reply(envelope(b"\xff" * 1000)), "not a list of"),
    "no envelope": (Reply(MAGIC + b"\x07\x07\x07"), "not a list of"),
    "late": (late, "did not answer within 0.5 s"),
    "trickling": (trickling, "not complete after 1 s"),
    "endless": (endless, "is larger than 5,000,000 bytes"),
    "a bomb": (Reply(BOMB, 200, {"Content-Encoding": "gzip"}), "is larger than 5,000,000 bytes"),
    "an object of 100 MB": (HUGE, "an object has 100,0"),
    "too many objects": (MANY, "more than 1,000 objects"),
    "page after page": (another_page, "does not end after 20 pages"),
    "a token that repeats": (Reply(list_bytes([POD], "again")), "continue token"),
}


@pytest.fixture
def report(run: Run, server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Report]:
    """Runs all checks, trying again at once, and returns what they say."""
    monkeypatch.setattr(live, "_BACKOFF", Backoff(steps=4, duration=0.001, factor=2.0, jitter=0.1))
    monkeypatch.setattr(response, "ANSWER_TIMEOUT", 1)
    monkeypatch.setattr(response, "BODY_LIMIT", 5_000_000)
    monkeypatch.setattr(listing, "PAGES", 20)
    monkeypatch.setattr(protobuf, "OBJECTS", 1000)

    def report() -> Report:
        started = perf_counter()
        result = run("--request-timeout=0.5")
        assert perf_counter() - started < DEADLINE
        assert result.ret in (0, 1, EXIT_NOT_OBSERVED), result.stdout.str()
        assert "Traceback" not in result.stdout.str()
        found = read(Path("findings.json"))
        assert found.unjudged == []
        return found

    return report


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_list_is_neither_healthy_nor_broken(
    server: ApiServer, report: Callable[[], Report], fault: Behaviour, words: str
) -> None:
    server.otherwise = fault
    found = report()
    seen = {item.check: item.outcome for item in found.items}
    assert seen.pop("api-server[unreachable]") is Outcome.HEALTHY
    assert seen.pop("api-server[not-ready]") is Outcome.HEALTHY
    if fault is FAULTS["JSON"][0]:  # some lists come as JSON
        seen = {
            check: outcome for check, outcome in seen.items() if check not in ("ingress[gateway]", "ingress[route]")
        }
    assert set(seen.values()) == {Outcome.NOT_OBSERVED}
    assert found.findings == []
    assert any(words in item.unseen for item in found.items), {item.unseen for item in found.items}


def test_one_list_that_fails_leaves_what_others_tell(
    healthy: ApiServer,
    report: Callable[[], Report],
) -> None:
    healthy.script("/api/v1/events", truncated)
    outcomes = {item.check: item.outcome for item in report().items}
    assert outcomes["node-ready[not-ready]"] is Outcome.HEALTHY
    assert outcomes["memory-limit[node-oom]"] is Outcome.NOT_OBSERVED


def test_a_token_that_repeats_is_noticed_at_once(server: ApiServer, report: Callable[[], Report]) -> None:
    server.script(
        "/api/v1/pods", Reply(list_bytes([POD], "a")), Reply(list_bytes([POD], "b")), Reply(list_bytes([POD], "a"))
    )
    report()
    assert server.asked("/api/v1/pods") == 3


def test_a_large_object_is_bounded_in_every_report(healthy: ApiServer, report: Callable[[], Report]) -> None:
    """An object of 4 MB, all of it in fields that checks read."""
    half = b"x" * 2_000_000
    metadata = proto_field(1, proto_field(1, half) + proto_field(3, b"shop"))
    waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="CrashLoopBackOff", message=half.decode()))
    status = pb.PodStatus(
        phase="Running", containerStatuses=[pb.ContainerStatus(name="app", restartCount=9, state=waiting)]
    )
    pod = metadata + proto_field(3, status.SerializeToString())
    healthy.script("/api/v1/pods", Reply(envelope(item_bytes(pod))))
    found = report()
    assert any(item.outcome is Outcome.BROKEN for item in found.items)
    for path in ("findings.json", "junit.xml", "reports/health.html"):
        assert Path(path).stat().st_size < 2_000_000, path


@pytest.mark.parametrize(
    "answer",
    [Reply(b"<html>Sign in</html>"), Reply(status_json("Unauthorized"), 401)],
    ids=["a sign-in page", "credentials are refused"],
)
def test_where_somebody_else_answers_or_credentials_have_expired_the_run_fails(
    run: Run, server: ApiServer, answer: Reply
) -> None:
    for path in ("/version", "/readyz"):
        server.script(path, answer)
    server.otherwise = answer
    assert run().ret == EXIT_NOT_OBSERVED
    assert {item.outcome for item in read(Path("findings.json")).items} == {Outcome.NOT_OBSERVED}


def test_where_every_head_trickles_in_the_server_counts_as_unreachable(
    server: ApiServer, report: Callable[[], Report], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: Handler) -> None:
        with suppress(OSError):
            while not server.stopped.wait(0.05):
                handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr(deadlines, "HEAD_TIMEOUT", 0.1)
    for path in ("/version", "/readyz"):
        server.script(path, trickle)
    server.otherwise = trickle
    outcomes = {item.check: item.outcome for item in report().items}
    assert outcomes["api-server[unreachable]"] is Outcome.BROKEN
    assert outcomes["node-ready[silent]"] is Outcome.NOT_OBSERVED
