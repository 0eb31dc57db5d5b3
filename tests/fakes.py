"""Fake clusters: a source in memory, and the bytes with which an API server answers."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import MAGIC
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.completeness import ROOT_CA
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.request import PROBE_HINT, Answer, Request, answered

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def ago(seconds: int) -> pb.Time:
    """Return the time that many seconds before NOW."""
    return pb.Time(seconds=int(NOW.timestamp()) - seconds)


CREATED = ago(86400)


def envelope(raw: bytes) -> bytes:
    """Return an answer in Kubernetes' protobuf encoding."""
    return MAGIC + pb.Envelope(raw=raw).SerializeToString()


def item_bytes(raw: bytes) -> bytes:
    """Return an item of a list, from the encoded message."""
    return proto_field(2, raw)


def proto_field(number: int, raw: bytes) -> bytes:
    """Return a length-delimited protobuf field."""
    return proto_head(number, len(raw)) + raw


def proto_head(number: int, size: int) -> bytes:
    """Return what announces a length-delimited protobuf field of so many bytes."""
    length = b""
    while size > 0x7F:
        length += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + length + bytes([size])


def list_bytes(items: Iterable[Message] = (), token: str = "") -> bytes:
    """Return a list as the API server sends it."""
    fields = [proto_field(1, list_meta(token).SerializeToString()), *(item_bytes(i.SerializeToString()) for i in items)]
    return envelope(b"".join(fields))


def list_meta(token: str) -> pb.ListMeta:
    """Return the metadata of a list; `continue` is a keyword of Python, hence setattr."""
    metadata = pb.ListMeta(resourceVersion="1")
    setattr(metadata, "continue", token)
    return metadata


def status_bytes(message: str) -> bytes:
    """Return a refusal in protobuf."""
    return envelope(pb.Status(message=message).SerializeToString())


def status_json(message: str) -> bytes:
    """Return a refusal in JSON."""
    return json.dumps({"kind": "Status", "status": "Failure", "message": message}).encode()


ABSENT = "/apis/gateway.networking.k8s.io/"
"""Kinds that fake clusters do not have, unless a test says otherwise."""

Said = Answer | str | Callable[[Request], Answer]
"""The answer to a path; a text is the reason of NotObserved."""

Answers = Mapping[str, Said]


class FakeSource:
    """Answers from a table of paths without queries; every other path is an empty list."""

    def __init__(self, answers: Answers | None = None) -> None:
        self.answers = {"/version": Answer(200, b'{"gitVersion": "v1.34.4"}')} | dict(answers or {})
        self.requests: list[Request] = []
        self.context, self.waits, self.now, self.closed, self.clock = "fake", False, NOW, False, ""

    def get(self, request: Request) -> Answer:
        """Return the answer."""
        self.requests.append(request)
        empty = Answer(404) if request.path.startswith(ABSENT) else Answer(200, list_bytes() if request.schema else b"")
        answer = self.answers.get(urlsplit(request.path).path, empty)
        if isinstance(answer, str):
            raise NotObserved(answer)
        said = answer(request) if callable(answer) else answer
        return answered(request, said.status, [said.body], recorded=True)

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Return the answer for the probe in the table."""
        if plan is None or "probe" not in self.answers:
            raise NotObserved(f"no probe ({PROBE_HINT})", unasked=True)
        return self.get(Request("probe")).body

    def close(self) -> None:
        """Remember that the source was closed."""
        self.closed = True


def cluster_of(answers: Answers | None = None, /, **lists: Sequence[Message]) -> Cluster:
    """Return a cluster with these objects (``cluster_of(pods=[…])``) and these answers to other paths.

    It serves the API groups of these paths.
    """
    lists["config_maps"] = [*lists.get("config_maps", ()), *_root_cas(lists)]
    lists["api_services"] = [*lists.get("api_services", ()), *_api_services(answers or {})]
    served = {getattr(_Paths, name): Answer(200, list_bytes(items)) for name, items in lists.items()}
    return Cluster(FakeSource(served | dict(answers or {})))


def _root_cas(lists: Mapping[str, Sequence[Any]]) -> Iterator[pb.ConfigMap]:
    """Yield the ConfigMap that every namespace has: without it lists count as incomplete."""
    namespaces = {getattr(obj.metadata, "namespace", "") for objects in lists.values() for obj in objects}
    for namespace in sorted(namespaces - {""} | {"kube-system"}):
        yield pb.ConfigMap(metadata=pb.ObjectMeta(name=ROOT_CA, namespace=namespace))


def _api_services(answers: Answers) -> Iterator[pb.APIService]:
    for group, version in sorted({tuple(path.split("/")[2:4]) for path in answers if path.startswith("/apis/")}):
        yield pb.APIService(
            metadata=pb.ObjectMeta(name=f"{version}.{group}"), spec=pb.APIServiceSpec(group=group, version=version)
        )


_Paths = type("_Paths", (), {listing.name: listing.path for listing in Cluster.listings()})
