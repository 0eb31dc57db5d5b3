"""What says a little again and again is waited for no longer than what falls silent."""

from contextlib import suppress
from pathlib import Path
from shutil import which

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source import deadlines, response
from kubevitals.source.live import Live
from kubevitals.source.request import PROTOBUF, Request
from tests.fakes import Handler, api_server, self_signed, write_kubeconfig

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
