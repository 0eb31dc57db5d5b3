"""An API server that answers, misbehaves, or does not answer at all."""

import gc
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from socket import create_server
from time import perf_counter

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.source import response
from kubevitals.source.request import PROTOBUF, Request
from tests.fake_server import ApiServer, Handler, Reply, break_off
from tests.fakes import NOW, list_bytes, status_bytes, status_json
from tests.runs import Connect

PODS = Request("/api/v1/pods?limit=1000&resourceVersion=0", pb.Pod, PROTOBUF)
WEB = pb.Pod(metadata=pb.ObjectMeta(name="web-0", namespace="shop"))
GOOD = Reply(list_bytes([WEB]))
BUSY = Reply(b"too many requests", 429)


def test_a_list_is_asked_for_in_protobuf_with_the_users_token(server: ApiServer, connect: Connect) -> None:
    server.script("/api/v1/pods", GOOD)
    assert connect().get(PODS).page.items == [WEB]
    ((path, headers),) = server.requests
    assert path == PODS.path
    assert headers["Accept"] == PROTOBUF
    assert headers["authorization"] == "Bearer the-user-token"


# --- time ---


def test_now_is_the_servers_time_when_first_asked(server: ApiServer, connect: Connect) -> None:
    source = connect()
    assert [source.now, source.now] == [NOW, NOW]
    assert server.asked("/version") == 1


def test_a_path_that_no_name_can_lead_to_is_not_requested(server: ApiServer, connect: Connect) -> None:
    with pytest.raises(NotObserved, match="the path has 300,020 characters"):
        connect().get(Request(f"/api/v1/namespaces/{'x' * 300_001}"))
    assert server.requests == []


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 01 Mar 2026 12:00:00 -0000", NOW),
        ("Sun, 01 Mar 2026 12:00:00 GMT", NOW),
        ("yesterday", None),
        ("", None),
        ("Sun, 99 Mar 99999 12:00:00 GMT", None),
    ],
)
def test_a_date_that_is_none_leaves_this_machines_time(
    server: ApiServer, connect: Connect, date: str, expected: datetime | None
) -> None:
    server.script("/version", Reply(headers={"Date": date}))
    now = connect().now
    assert now == (expected or NOW)


def test_a_server_that_never_answers_is_waited_for_once_and_not_for_long(server: ApiServer, connect: Connect) -> None:
    server.script("/api/v1/pods", server.hang)
    start = perf_counter()
    with pytest.raises(NotObserved, match=r"127\.0\.0\.1:\d+ did not answer within 0\.1 s"):
        connect(read_timeout=0.1).get(PODS)
    assert perf_counter() - start < 5
    assert server.asked("/api/v1/pods") == 1


def test_a_server_that_falls_silent_within_an_answer_is_not_waited_for_long(
    server: ApiServer, connect: Connect
) -> None:
    def silent(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100")
        handler.end_headers()
        handler.wfile.write(b"k8s")
        server.hang(handler)

    server.script("/api/v1/pods", silent)
    with pytest.raises(NotObserved, match=r"did not answer within 0\.1 s"):
        connect(read_timeout=0.1).get(PODS)


def test_an_answer_that_trickles_in_is_given_up(
    server: ApiServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    def trickle(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000000")
        handler.end_headers()
        with suppress(OSError):
            while not server.stopped.wait(0.01):
                handler.wfile.write(b"k")

    monkeypatch.setattr(response, "ANSWER_TIMEOUT", 0.1)
    server.script("/api/v1/pods", trickle)
    with pytest.raises(NotObserved, match=r"the answer was not complete after 0\.1 s"):
        connect().get(PODS)
    assert server.asked("/api/v1/pods") == 1


@pytest.mark.parametrize("size", [0, 1, 5_000_000])
def test_an_answer_in_chunks_is_put_together(server: ApiServer, connect: Connect, size: int) -> None:
    body = bytes(range(256)) * (size // 256) + b"x" * (size % 256)

    def chunked(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, size, 70_000):
            part = body[start : start + 70_000]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    server.script("/api/v1/pods", chunked)
    source = connect()
    assert [source.get(Request(PODS.path)).body for _ in range(3)] == [body] * 3


# --- trying again ---


@pytest.mark.parametrize("trouble", [BUSY, Reply(b"", 503), Reply(b"", 500), Reply(b"", 504), break_off])
def test_a_list_is_tried_again_when_the_server_is_busy_or_breaks_off(
    server: ApiServer, connect: Connect, trouble: Reply
) -> None:
    server.script("/api/v1/pods", trouble, trouble, GOOD)
    assert connect().get(PODS).page.items == [WEB]
    assert server.asked("/api/v1/pods") == 3


def test_a_server_that_stays_busy_is_taken_at_its_word(server: ApiServer, connect: Connect) -> None:
    server.script("/api/v1/pods", BUSY)
    assert connect().get(PODS).status == 429
    assert server.asked("/api/v1/pods") == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410])
def test_a_refusal_is_an_answer_and_not_tried_again(server: ApiServer, connect: Connect, status: int) -> None:
    server.script("/api/v1/pods", Reply(b"no", status))
    assert connect().get(PODS)[:2] == (status, b"no")
    assert server.asked("/api/v1/pods") == 1


def test_what_is_no_list_is_not_tried_again_for_its_status(server: ApiServer, connect: Connect) -> None:
    server.script("/readyz", Reply(b"[-]etcd failed", 500))
    assert connect().get(Request("/readyz?verbose"))[:2] == (500, b"[-]etcd failed")
    assert server.asked("/readyz") == 1


def test_an_answer_that_is_always_cut_short_is_not_observed(server: ApiServer, connect: Connect) -> None:
    server.script("/api/v1/pods", break_off)
    with pytest.raises(NotObserved, match="cannot be reached"):
        connect().get(PODS)
    assert server.asked("/api/v1/pods") == 4


def hang_up(handler: Handler) -> None:
    handler.close_connection = True


def babble(handler: Handler) -> None:
    handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    handler.close_connection = True


def bad_chunks(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnonsense")
    handler.close_connection = True


def bad_gzip(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nk8s\x00")


def bad_length(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5, 7\r\n\r\nk8s\x00")
    handler.close_connection = True


def endless_headers(handler: Handler) -> None:
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1000 + b"\r\n")
    handler.close_connection = True


@pytest.mark.filterwarnings("ignore:.*socket:pytest.PytestUnraisableExceptionWarning")  # urllib3 leaves one to the GC
@pytest.mark.parametrize("nonsense", [hang_up, babble, bad_chunks, bad_gzip, bad_length, endless_headers])
def test_what_is_no_http_is_not_observed_in_one_line(
    server: ApiServer, connect: Connect, nonsense: Callable[[Handler], None]
) -> None:
    server.script("/api/v1/pods", nonsense)
    with pytest.raises(NotObserved, match=r"http://127\.0\.0\.1:\d+ cannot be reached: \S+") as caught:
        connect().get(PODS)
    assert str(caught.value).isprintable()
    del caught
    gc.collect()


def test_nobody_there_is_noticed_once(connect: Connect, server: ApiServer) -> None:
    source = connect()
    server.stop()
    with pytest.raises(NotObserved, match=r"cannot be reached: .*Connection refused"):
        source.get(PODS)
    with create_server(("127.0.0.1", server.port)) as listener:
        listener.setblocking(False)
        with pytest.raises(NotObserved, match="Connection refused"):
            source.get(PODS)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_an_answer_that_is_too_large_is_not_observed_and_the_next_one_is(
    server: ApiServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "TEXT_LIMIT", 1000)
    server.script("/api/v1/pods", Reply(bytes(100_000)), GOOD)
    source = connect()
    with pytest.raises(NotObserved, match="larger than 1,000 bytes"):
        source.get(Request(PODS.path))
    assert source.get(PODS).page.items == [WEB]


# --- what a cluster makes of it ---


@pytest.mark.parametrize("encode", [status_bytes, status_json])
def test_a_refused_list_names_the_missing_right(
    server: ApiServer, connect: Connect, encode: Callable[[str], bytes]
) -> None:
    server.script("/api/v1/pods", Reply(encode('User "bob" cannot list resource "pods"'), 403))
    server.script("/api/v1/nodes", Reply(encode("Unauthorized"), 401))
    cluster = Cluster(connect())
    with pytest.raises(NotObserved, match='forbidden: User "bob" cannot list') as caught:
        _ = cluster.pods
    assert caught.value.right == "list pods"
    with pytest.raises(NotObserved, match="rejects the credentials"):
        _ = cluster.nodes
    cluster.close()


def test_a_sign_in_page_is_no_list(server: ApiServer, connect: Connect) -> None:
    server.script("/api/v1/pods", Reply(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(
        NotObserved, match="not a list of Pod in Kubernetes' protobuf encoding: it starts with b'<html>"
    ):
        _ = Cluster(connect()).pods


def test_pages_that_expire_are_fetched_anew(server: ApiServer, connect: Connect) -> None:
    first, second = Reply(list_bytes([WEB], "next")), Reply(list_bytes([pb.Pod()]))
    expired = Reply(status_json("The provided continue parameter is too old"), 410)
    server.script("/api/v1/pods", first, expired, first, second)
    assert Cluster(connect()).pods == (WEB, pb.Pod())
