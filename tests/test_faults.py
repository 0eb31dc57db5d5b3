"""All checks against an API server that misbehaves on every list: each run ends soon and sees no health."""

import gzip
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from time import perf_counter, sleep

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.encoding import protobuf
from kubevitals.encoding.protobuf import MAGIC
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.inventory import listing
from kubevitals.inventory.cluster import Cluster
from kubevitals.source import deadlines, response
from scenarios.harness import verdicts
from tests.fake_server import ApiServer, Behaviour, Handler, Reply, break_off, typed
from tests.fakes import envelope, item_bytes, list_bytes, proto_field, proto_head, status_json
from tests.runs import Connect, Run

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
    sleep(0.3)
    handler.send(Reply(WHOLE))


def trickling(handler: Handler) -> None:
    """Send the right list a byte at a time, each soon enough."""
    handler.send_response_only(200)
    whole = typed(handler.path, WHOLE)
    handler.send_header("Content-Length", str(len(whole)))
    handler.end_headers()
    with suppress(OSError):
        for byte in whole:
            handler.wfile.write(bytes([byte]))
            sleep(0.02)


def endless(handler: Handler) -> None:
    """Send objects until nobody listens."""
    handler.send_response_only(200)
    handler.end_headers()
    handler.close_connection = True
    with suppress(OSError):
        handler.wfile.write(typed(handler.path, MAGIC + b"\x12" + b"\xff" * 8 + b"\x01"))
        while True:
            handler.wfile.write(LARGE)


def another_page(handler: Handler) -> None:
    """Send a page, and a new token for one more."""
    handler.send(Reply(list_bytes([POD], token=token_hex(8))))


BOMB = gzip.compress(envelope(LARGE * 50))
HUGE = Reply(MAGIC + proto_head(2, 100_000_010) + proto_head(2, 100_000_000) + b"x" * 1000)
MANY = Reply(envelope(item_bytes(b"") * 101))


def saying(kind: str, version: str, raw: bytes = b"") -> Reply:
    """Return an answer whose envelope says that it is of another kind or version."""
    said = pb.TypeMeta(apiVersion=version, kind=kind).SerializeToString()
    return Reply(MAGIC + proto_field(1, said) + proto_field(2, raw))


def untyped(handler: Handler) -> None:
    """Send an envelope without a word about what is in it."""
    handler.send(Reply(MAGIC + proto_field(3, b"") + proto_field(2, b"")))


LEFT = envelope(proto_field(1, pb.ListMeta(resourceVersion="1", remainingItemCount=500).SerializeToString()))

FAULTS: dict[str, tuple[Behaviour, str]] = {
    "too many requests": (Reply(status_json("slow down"), 429, {"Retry-After": "3600"}), "HTTP 429: slow down"),
    "internal error": (Reply(status_json("etcd is gone"), 500), "HTTP 500: etcd is gone"),
    "unavailable": (Reply(b"no healthy upstream", 503), "HTTP 503"),
    "gone": (Reply(status_json("too old resource version"), 410), "HTTP 410: too old"),
    "cut": (break_off, "cannot be reached"),
    "truncated": (truncated, "not a list of"),
    "empty": (Reply(b""), "not a list of"),
    "a sign-in page": (Reply(b"<html><form>Sign in</form></html>"), "it starts with b'<html>"),
    "JSON": (Reply(b'{"kind": "Table", "rows": []}'), "not a list of"),
    "garbage in protobuf": (Reply(envelope(b"\xff" * 1000)), "not a list of"),
    "no envelope": (Reply(MAGIC + b"\x07\x07\x07"), "not a list of"),
    "late": (late, "did not answer within 0.1 s"),
    "trickling": (trickling, "not complete after 0.2 s"),
    "endless": (endless, "is larger than 1,000,000 bytes"),
    "a bomb": (Reply(BOMB, 200, {"Content-Encoding": "gzip"}), "is larger than 1,000,000 bytes"),
    "an object of 100 MB": (HUGE, "an object has 100,0"),
    "too many objects": (MANY, "more than 100 objects"),
    "page after page": (another_page, "does not end after 5 pages"),
    "nothing at all": (Reply(MAGIC), "not a list of"),
    "an empty envelope": (untyped, "it is of no kind"),
    "a Status with 200": (
        saying("Status", "v1", pb.Status(message="Failure").SerializeToString()),
        "it is a Status of",
    ),
    "a list of something else": (saying("FooList", "v1"), "it is a FooList of v1"),
    "a list of another version": (saying("PodList", "v2"), "it is a PodList of v2"),
    "JSON of another version": (Reply(b'{"kind": "PodList", "apiVersion": "v2", "items": []}'), "PodList of v2"),
    "a rest without a token": (Reply(LEFT), "ends, and 500 of its objects remain"),
    "a token that repeats": (Reply(list_bytes([POD], "again")), "continue token"),
}


@pytest.fixture
def judged(connect: Connect, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Verdict]]:
    """Applies all rules, trying again at once, with low limits."""
    monkeypatch.setattr(response, "BODY_LIMIT", 1_000_000)
    monkeypatch.setattr(listing, "PAGES", 5)
    monkeypatch.setattr(protobuf, "OBJECTS", 100)

    def judged(timeout: float = 10) -> list[Verdict]:
        started = perf_counter()
        cluster = Cluster(connect(read_timeout=timeout))
        wait(cluster.prefetch())
        found = verdicts(cluster)
        assert perf_counter() - started < DEADLINE
        return found

    return judged


@pytest.fixture
def report(run: Run) -> Callable[..., Report]:
    """Runs checks, and returns what they say."""

    def report(*checks: str) -> Report:
        result = run(checks=checks)
        assert result.ret in (0, 1, EXIT_NOT_OBSERVED), result.stdout.str()
        assert "Traceback" not in result.stdout.str()
        found = read(Path("findings.json"))
        assert found.unjudged == []
        return found

    return report


@pytest.mark.parametrize(("fault", "words"), FAULTS.values(), ids=FAULTS)
def test_what_is_no_list_is_neither_healthy_nor_broken(
    server: ApiServer,
    judged: Callable[..., list[Verdict]],
    fault: Behaviour,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.otherwise = fault
    if fault is trickling:
        monkeypatch.setattr(response, "ANSWER_TIMEOUT", 0.2)
    found = judged(timeout=0.1 if fault is late else 10)
    seen = {verdict.check: verdict.outcome for verdict in found}
    assert seen.pop("api-server[unreachable]") is Outcome.HEALTHY
    assert seen.pop("api-server[not-ready]") is Outcome.HEALTHY
    assert set(seen.values()) == {Outcome.NOT_OBSERVED}
    assert not any(verdict.all_findings for verdict in found)
    assert any(words in str(verdict.unseen) for verdict in found), {str(verdict.unseen) for verdict in found}


def test_one_list_that_fails_leaves_what_others_tell(
    healthy: ApiServer,
    report: Callable[..., Report],
) -> None:
    healthy.script("/api/v1/events", truncated)
    outcomes = {item.check: item.outcome for item in report("node-ready", "memory-limit").items}
    assert outcomes["node-ready[not-ready]"] is Outcome.HEALTHY
    assert outcomes["memory-limit[node-oom]"] is Outcome.NOT_OBSERVED


def test_a_token_that_repeats_is_noticed_at_once(server: ApiServer, judged: Callable[..., list[Verdict]]) -> None:
    server.script(
        "/api/v1/pods", Reply(list_bytes([POD], "a")), Reply(list_bytes([POD], "b")), Reply(list_bytes([POD], "a"))
    )
    judged()
    assert server.asked("/api/v1/pods") == 3


def test_a_large_object_is_bounded_in_every_report(healthy: ApiServer, report: Callable[..., Report]) -> None:
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
    server: ApiServer, judged: Callable[..., list[Verdict]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: Handler) -> None:
        with suppress(OSError):
            while not server.stopped.wait(0.01):
                handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    monkeypatch.setattr(deadlines, "HEAD_TIMEOUT", 0.05)
    for path in ("/version", "/readyz"):
        server.script(path, trickle)
    server.otherwise = trickle
    outcomes = {verdict.check: verdict.outcome for verdict in judged(timeout=0.1)}
    assert outcomes["api-server[unreachable]"] is Outcome.BROKEN
    assert outcomes["node-ready[silent]"] is Outcome.NOT_OBSERVED
