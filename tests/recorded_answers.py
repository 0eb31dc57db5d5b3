"""Requests and a source whose answers are recorded."""

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer, Request, Source
from tests.fakes import FakeSource, list_bytes, status_bytes

PODS, NODES = Request("/api/v1/pods?limit=1000", pb.Pod), Request("/api/v1/nodes?limit=1000", pb.Node)


FORBIDDEN = f'pods is forbidden: User "{"x" * 300}" cannot list resource "pods"'


def source() -> FakeSource:
    return FakeSource(
        {
            "/api/v1/pods": Answer(403, status_bytes(FORBIDDEN)),
            "/api/v1/nodes": Answer(200, list_bytes([pb.Node(metadata=pb.ObjectMeta(name="worker"))])),
            "/api/v1/events": "no answer within 10 s",
            "/readyz": Answer(500, b"[+]ping ok\n[-]etcd failed\nreadyz check failed"),
        }
    )


def answer(source: Source, request: Request) -> Answer | str:
    try:
        return source.get(request)
    except NotObserved as error:
        return str(error)
