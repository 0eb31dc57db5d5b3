"""A fake API server, which answers as tests tell it, and kubeconfigs for it."""

import json
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import MAGIC
from kubevitals.inventory.cluster import Cluster
from tests.fakes import ABSENT, NOW, list_bytes, proto_field

UNTYPED = MAGIC + b"\x12"
"""How an answer begins whose envelope has only its content."""


def said_type(path: str) -> pb.TypeMeta:
    """Return what the API server says of the list with this path: its apiVersion and its kind."""
    _, root, *rest = urlsplit(path).path.split("/")
    version = rest[0] if root == "api" else "/".join(rest[:2])
    if rest[-1] in ("configmaps", "secrets"):
        return pb.TypeMeta(apiVersion="meta.k8s.io/v1", kind="PartialObjectMetadataList")
    kind = _KINDS.get(rest[-1], "")
    return pb.TypeMeta(apiVersion=version, kind=f"{kind}List")


_KINDS = {listing.path.rpartition("/")[2]: listing.schema.__name__ for listing in Cluster.listings()}


def typed(path: str, body: bytes) -> bytes:
    """Return an answer whose envelope also says what it is, as every answer of the API server does."""
    return MAGIC + proto_field(1, said_type(path).SerializeToString()) + body[len(MAGIC) :]


class Reply(NamedTuple):
    """A response of the fake API server."""

    body: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = {}


class Handler(BaseHTTPRequestHandler):
    """Handles one request; `content` is its body."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    content = b""

    def send(self, reply: Reply) -> None:
        """Send a reply; a list in protobuf says what it is a list of, unless it says so already."""
        if self.path.startswith(("/api/", "/apis/")) and reply.body.startswith(UNTYPED):
            reply = reply._replace(body=typed(self.path, reply.body))
        self.send_response_only(reply.status)
        headers = {"Date": format_datetime(NOW, usegmt=True), "Content-Length": str(len(reply.body))}
        for name, value in (headers | dict(reply.headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of clients that do not wait for an answer."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


Behaviour = Reply | Callable[[Handler], None]


EMPTY = Reply(list_bytes())
"""An empty list."""

SYSTEM = pb.Namespace(metadata=pb.ObjectMeta(name="kube-system"))
"""A namespace that every cluster has."""


class ApiServer:
    """An API server on 127.0.0.1. `script` sets the responses of a path; every other path is an empty list.

    Attributes:
        otherwise: the response of every other path.
        requests: the requested paths, including their queries, and the request headers.
    """

    def __init__(self, certificate: Path | None = None, key: Path | None = None) -> None:
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopped = Event()
        self.otherwise: Behaviour = EMPTY
        self._scripts: dict[str, list[Behaviour]] = {
            "/version": [Reply(b'{"gitVersion": "v1.34.4"}')],
            "/readyz": [Reply(b"ok")],
        }
        self._server = _Server(("127.0.0.1", 0), _handler(self))
        self.port = self._server.server_port
        self.address = f"{'https' if certificate else 'http'}://127.0.0.1:{self.port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, key)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def script(self, path: str, *behaviours: Behaviour) -> None:
        """Set the responses of a path without its query; the last one repeats."""
        self._scripts[path] = list(behaviours)

    def serve(self, path: str, *items: Message) -> None:
        """Let a path answer with a list."""
        self.script(path, Reply(list_bytes(items)))

    def asked(self, path: str) -> int:
        """Return how often a path was requested, with any query."""
        return sum(urlsplit(requested).path == path for requested, _ in self.requests)

    def behaviour(self, path: str) -> Behaviour:
        """Return the next response of a path."""
        lacks = self.otherwise is EMPTY and path.startswith(ABSENT)
        script = self._scripts.get(path, [Reply(status=404) if lacks else self.otherwise])
        if self.otherwise is EMPTY and path == Cluster.namespaces.path:
            script = self._scripts.get(path, [Reply(list_bytes([SYSTEM]))])
        return script.pop(0) if len(script) > 1 else script[0]

    def hang(self, handler: Handler) -> None:
        """Accept a request and never answer it."""
        self.stopped.wait()

    def start(self) -> None:
        """Serve in the background."""
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """Release all waiting requests and the port."""
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()


def break_off(handler: Handler) -> None:
    """Announce a long response and close the connection in the middle of it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(typed(handler.path, list_bytes([pb.Pod(metadata=pb.ObjectMeta(name="web-0"))]))[:-1])
    handler.close_connection = True


def _handler(server: ApiServer) -> type[Handler]:
    class Answering(Handler):
        def do_GET(self) -> None:
            server.requests.append((self.path, dict(self.headers)))
            self.content = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            behaviour = server.behaviour(urlsplit(self.path).path)
            if isinstance(behaviour, Reply):
                self.send(behaviour)
            else:
                behaviour(self)

        do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    return Answering


@contextmanager
def api_server(certificate: Path | None = None, key: Path | None = None) -> Iterator[ApiServer]:
    """Run a fake API server; with TLS if a certificate is given."""
    server = ApiServer(certificate, key)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def self_signed(folder: Path) -> tuple[Path, Path]:
    """Create a self-signed certificate and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=fake"
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    return certificate, key


def write_kubeconfig(path: Path, address: str, name: str = "fake", **user: object) -> Path:
    """Write a kubeconfig with one context, as JSON, which is valid YAML."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "clusters": [{"name": name, "cluster": {"server": address}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": user or {"token": "the-user-token"}}],
    }
    path.write_text(json.dumps(config))
    return path
