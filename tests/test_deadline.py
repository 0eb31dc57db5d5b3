"""What says a little again and again is waited for no longer than what falls silent."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from threading import Event, Thread

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source import deadlines, live, response
from kubevitals.source.live import Live
from kubevitals.source.request import PROTOBUF, Request
from tests.fake_server import Handler, api_server, self_signed, write_kubeconfig

PODS = Request("/api/v1/pods", pb.Pod, PROTOBUF)
needs_openssl = pytest.mark.skipif(not which("openssl"), reason="openssl makes the certificate")

OK = b"HTTP/1.1 200 OK\r\n"


@pytest.mark.parametrize(
    ("begins", "goes_on"),
    [
        (OK, b"X: y\r\n"),
        (OK + b"X: ", b"y"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X: y\r\n"),
    ],
    ids=["headers", "a header", "interim answers", "trailers"],
)
@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
@pytest.mark.parametrize("tls", [False, pytest.param(True, marks=needs_openssl)], ids=["plain", "TLS"])
def test_what_trickles_in_around_an_answer_is_given_up(
    begins: bytes, goes_on: bytes, tls: bool, kubeconfig: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "ANSWER_TIMEOUT", 0.8)
    monkeypatch.setattr(deadlines, "HEAD_TIMEOUT", 0.4)
    with api_server(*self_signed(tmp_path) if tls else ()) as server:

        def trickle(handler: Handler) -> None:
            handler.close_connection = True
            with suppress(OSError):
                handler.wfile.write(begins)
                while not server.stopped.wait(0.02):
                    handler.wfile.write(goes_on[:1])
                    handler.wfile.write(goes_on[1:])

        server.script("/api/v1/pods", trickle)
        config = write_kubeconfig(kubeconfig, server.address)
        config.write_text(config.read_text().replace('"server"', '"insecure-skip-tls-verify": true, "server"'))
        with pytest.raises(NotObserved, match="not complete"):
            Live(kubeconfig=str(config), read_timeout=0.6).get(PODS)
        assert server.asked("/api/v1/pods") == 1


@contextmanager
def trickling(begins: bytes, goes_on: bytes) -> Iterator[str]:
    """Run a server that says a little again and again, whatever it is asked; return its address."""
    ended = Event()

    def trickle(connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(begins)
            while not ended.wait(0.02):
                connection.sendall(goes_on)

    def accept(listening: socket.socket) -> None:
        with suppress(OSError):
            while True:
                Thread(target=trickle, args=[listening.accept()[0]], daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        Thread(target=accept, args=[listening], daemon=True).start()
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        ended.set()
        listening.shutdown(socket.SHUT_RDWR)


def test_a_proxy_that_trickles_its_answer_is_given_up(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadlines, "HEAD_TIMEOUT", 0.2)
    monkeypatch.setattr(live, "CONNECT_TIMEOUT", 0.1)
    with trickling(b"HTTP/1.1 200 Connection established\r\nX: ", b"y") as address:
        config = write_kubeconfig(kubeconfig, "https://127.0.0.1:6443")
        config.write_text(config.read_text().replace('"server"', f'"proxy-url": "http://{address}", "server"'))
        with pytest.raises(NotObserved, match="the answer of the proxy was not complete in time"):
            Live(kubeconfig=str(config)).get(PODS)


@pytest.mark.parametrize("error", [OSError, ValueError, RuntimeError])
def test_a_deadline_that_fires_when_its_connection_is_gone_says_nothing(error: type[Exception]) -> None:
    fired = Event()

    def shut() -> None:
        fired.set()
        raise error

    with deadlines.Deadline(0, shut) as deadline:
        assert fired.wait(10)
    assert deadline.over


def test_a_deadline_that_fires_before_there_is_a_connection_says_nothing() -> None:
    deadlines._Http("127.0.0.1")._shut()
