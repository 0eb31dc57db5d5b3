import gzip
from pathlib import Path

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import error_message
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer, Kubelet, Request
from tests.fakes import NOW, FakeSource, list_bytes, status_bytes
from tests.recorded_answers import FORBIDDEN, NODES, PODS, answer, source

EVENTS, READYZ = Request("/api/v1/events?limit=1000", pb.Event), Request("/readyz?verbose")


LOG, VERSION = Request("/api/v1/namespaces/shop/pods/web-0/log?container=web"), Request("/version")


def test_of_a_text_only_the_lines_that_are_read_are_kept(path: Path) -> None:
    metrics = Request("/metrics", lines="wanted_(?:a|b) ")
    text = b"# HELP wanted_a\nwanted_a 1\nother 2\nwanted_b 3 token=hunter2\nnot wanted_a 4\n\xff\n"
    running = Recording(FakeSource({"/metrics": Answer(200, text)}), path)
    assert running.get(metrics).body == b"wanted_a 1\nwanted_b 3 token=[redacted]"
    running.close()
    assert Snapshot(path).get(metrics).body == b"wanted_a 1\nwanted_b 3 token=[redacted]"


def test_a_replay_answers_what_the_run_saw(path: Path) -> None:
    running = Recording(source(), path)
    requests = [PODS, NODES, EVENTS, READYZ, VERSION, LOG]
    seen = [answer(running, request) for request in requests]
    running.close()
    replay = Snapshot(path)
    assert [answer(replay, request) for request in requests] == seen
    assert [item.status if isinstance(item, Answer) else item for item in seen] == [
        403,
        200,
        "no answer within 10 s",
        500,
        200,
        200,
    ]
    assert replay.now == NOW
    assert replay.context == "fake (recording)"


def test_refusals_and_plain_answers_keep_their_words(path: Path) -> None:
    running = Recording(source(), path)
    refusal, parts = running.get(PODS), running.get(READYZ)
    running.close()
    assert error_message(refusal.body) == FORBIDDEN
    assert parts.body.splitlines()[1] == b"[-]etcd failed"


def test_a_cluster_and_its_replay_have_the_same_lists_and_the_same_gaps(path: Path) -> None:
    for open_source in (lambda: Recording(source(), path), lambda: Snapshot(path)):
        cluster = Cluster(open_source())
        assert [node.metadata.name for node in cluster.nodes] == ["worker"]
        with pytest.raises(NotObserved, match=r"^pods is forbidden") as caught:
            _ = cluster.pods
        assert caught.value.right == "list pods"
        cluster.close()


def test_what_was_not_recorded_is_not_observed(path: Path) -> None:
    Recording(source(), path).close()
    with pytest.raises(NotObserved, match="has no answer to /version"):
        Snapshot(path).get(VERSION)


@pytest.mark.parametrize(
    ("option", "request_"),
    [
        ("--kubelet", Request(Kubelet("/api/v1/nodes/worker", "configz"))),
        ("--secret-names", Request("/api/v1/secrets?limit=1000", pb.Secret)),
    ],
)
def test_what_the_recorded_run_left_out_was_not_asked_for(path: Path, option: str, request_: Request) -> None:
    for left_out in ((), (option,)):
        Recording(source(), path, left_out=left_out).close()
        with pytest.raises(NotObserved, match="has no answer to") as caught:
            Snapshot(path).get(request_)
        assert caught.value.unasked == bool(left_out)
        assert (f"recorded without {option}" in caught.value.reason) == bool(left_out)


def test_that_the_recorded_run_had_no_probe_is_told_from_one_that_came_to_nothing(path: Path) -> None:
    for left_out in ((), ("--probe",)):
        Recording(source(), path, left_out=left_out).close()
        with pytest.raises(NotObserved, match="had no probe") as caught:
            Snapshot(path).probe(None)
        assert caught.value.unasked == bool(left_out)


def test_what_the_source_was_not_to_ask_for_is_not_asked_for_in_a_replay(path: Path) -> None:
    class Direct(FakeSource):
        def get(self, request: Request) -> Answer:
            raise NotObserved("only the API server's proxy can ask for it", unasked=True)

    running = Recording(Direct(), path)
    assert "only the API" in str(answer(running, VERSION))
    running.close()
    with pytest.raises(NotObserved, match="only the API server's proxy") as caught:
        Snapshot(path).get(VERSION)
    assert caught.value.unasked


def test_no_secret_is_in_any_byte_of_the_file(path: Path) -> None:
    told = "connect to postgres://shop:hunter2@db failed, password=hunter2 and Bearer hunter2HUNTER2"
    terminated = pb.ContainerState(terminated=pb.ContainerStateTerminated(message=told))
    pod = pb.Pod(
        metadata=pb.ObjectMeta(name="web-0"),
        status=pb.PodStatus(message=told, containerStatuses=[pb.ContainerStatus(lastState=terminated)]),
    )
    claim = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(annotations={"last-applied": told}))
    planted = FakeSource(
        {
            "/api/v1/pods": Answer(200, list_bytes([pod])),
            "/api/v1/events": Answer(200, list_bytes([pb.Event(message=told)])),
            "/claims": Answer(200, list_bytes([claim])),
            "/api/v1/nodes": Answer(403, status_bytes(told)),
            "/readyz": f"cannot be reached: {told}",
            LOG.path.partition("?")[0]: Answer(200, b"\xff line\n" + told.encode()),
        }
    )
    running = Recording(planted, path)
    for request in (PODS, EVENTS, NODES, READYZ, LOG, Request("/claims", pb.PersistentVolumeClaim)):
        answer(running, request)
    running.close()
    unpacked = gzip.decompress(path.read_bytes())
    assert b"[redacted]" in unpacked
    assert b"hunter2" not in unpacked
