"""What is read is bounded by what comes: of lists, of refusals and of logs."""

import gzip

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory import bounds
from kubevitals.inventory.bounds import Account, Bounds
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import PROTOBUF, Answer, Request
from kubevitals.source.response import ERROR_LIMIT
from tests.fake_server import ApiServer, Reply, typed
from tests.fakes import FakeSource, list_bytes
from tests.runs import Connect

NODES = Request("/api/v1/nodes", pb.Node, PROTOBUF)


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ((4, 1, 0.0), "the list of pods: more than 10 objects, which is the limit"),
        ((1, 400, 0.0), "the list of pods: more than 1,000 bytes, which is the limit"),
        ((1, 1, 2.0), "the list of pods: more than 5 seconds, which is the limit"),
    ],
)
def test_pages_without_end(page: tuple[int, int, float], words: str) -> None:
    account = Account("the list of pods", Bounds(10, 1_000, 5))
    account.add(*page)
    account.add(*page)
    with pytest.raises(NotObserved, match=words):
        account.add(*page)


def test_all_lists_of_a_run_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "RUN", Bounds(3, 1_000, 5))
    pods = [pb.Pod(metadata=pb.ObjectMeta(name=f"web-{number}")) for number in range(2)]
    cluster = Cluster(FakeSource({"/api/v1/pods": Answer(200, list_bytes(pods)), "/api/v1/nodes": NODE}))
    assert len(cluster.pods) == 2
    with pytest.raises(NotObserved, match="all lists of this run: more than 3 objects"):
        _ = cluster.nodes
    assert len(cluster.pods) == 2


NODE = Answer(200, list_bytes([pb.Node(metadata=pb.ObjectMeta(name=f"worker-{number}")) for number in range(2)]))


def test_the_bytes_of_a_list_are_counted_unpacked(server: ApiServer, connect: Connect) -> None:
    body = typed(NODES.path, list_bytes([pb.Node(metadata=pb.ObjectMeta(name="x" * 100_000))]))
    server.script("/api/v1/nodes", Reply(gzip.compress(body), headers={"Content-Encoding": "gzip"}))
    assert connect().get(NODES).size == len(body)


@pytest.mark.parametrize("status", [302, 403, 418, 503])
def test_of_a_refusal_only_the_beginning_is_read(server: ApiServer, connect: Connect, status: int) -> None:
    bomb = gzip.compress(b"forbidden " * 1_000_000)
    server.script("/api/v1/nodes", Reply(bomb, status, {"Content-Encoding": "gzip"}))
    answer = connect().get(NODES)
    assert (answer.status, len(answer.body)) == (status, ERROR_LIMIT)
    server.serve("/api/v1/nodes")
    assert connect().get(NODES).status == 200


def test_of_a_log_only_what_was_asked_for_is_read(server: ApiServer, connect: Connect) -> None:
    server.script("/log", Reply(b"x" * 10_000_000))
    answer = connect().get(Request("/log", limit=4096))
    assert answer.body == b"x" * 4096
