import gzip
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from google.protobuf import proto
from hypothesis import given
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import error_message
from kubevitals.errors import NotObserved, Unusable
from kubevitals.inventory.cluster import Cluster
from kubevitals.source import recording
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer, Kubelet, Request, Source
from tests.fakes import NOW, FakeSource, list_bytes, status_bytes

PODS, NODES = Request("/api/v1/pods?limit=1000", pb.Pod), Request("/api/v1/nodes?limit=1000", pb.Node)
EVENTS, READYZ = Request("/api/v1/events?limit=1000", pb.Event), Request("/readyz?verbose")
LOG, VERSION = Request("/api/v1/namespaces/shop/pods/web-0/log?container=web"), Request("/version")
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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cluster.recording"


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


def test_nothing_has_the_final_name_until_the_run_has_ended(path: Path) -> None:
    path.write_bytes(b"the recording of yesterday")
    running = Recording(source(), path)
    running.get(NODES)
    assert path.read_bytes() == b"the recording of yesterday"
    running.close()
    assert Snapshot(path).get(NODES).status == 200
    assert list(path.parent.iterdir()) == [path]


def test_closing_closes_the_source(path: Path) -> None:
    inner = source()
    Recording(inner, path).close()
    assert inner.closed


def test_later_moves_the_time_on(path: Path) -> None:
    Recording(source(), path).close()
    assert Snapshot(path, timedelta(hours=24)).now == NOW + timedelta(hours=24)


def test_a_time_that_does_not_exist_is_refused(path: Path) -> None:
    Recording(source(), path).close()
    _refused(lambda: Snapshot(path, timedelta(days=99_999_999)), "beyond the calendar")


def packed(*messages: pb.RecordingHeader | pb.Exchange, magic: bytes = b"kubevitals recording\n") -> bytes:
    out = BytesIO()
    out.write(magic)
    for message in messages:
        proto.serialize_length_prefixed(message, out)
    return gzip.compress(out.getvalue())


HEADER = pb.RecordingHeader(format=1, kubevitals="0.1.0", context="kind", taken=NOW.timestamp())
EXCHANGE = pb.Exchange(request="/version", status=200, body=os.urandom(2000))
WHOLE = packed(HEADER, EXCHANGE)

UNUSABLE = {
    "answers to nothing": (
        gzip.compress(gzip.decompress(packed(HEADER)) + bytes(1_000_000)),
        "an answer without a request",
    ),
    "answers without end": (
        gzip.compress(gzip.decompress(packed(HEADER)) + b"\x03\x0a\x01a" * 1_000_001),
        "more than 1,000,000 answers",
    ),
    "truncated": (WHOLE[:-100], "is truncated: record it again"),
    "without its end": (WHOLE[:-4], "is truncated: record it again"),
    "without header": (packed(), "is truncated: record it again"),
    "half an exchange": (
        gzip.compress(gzip.decompress(WHOLE)[:-100]),
        "is damaged: ",
    ),
    "a flipped byte": (WHOLE[:60] + bytes([WHOLE[60] ^ 0xFF]) + WHOLE[61:], "is "),
    "an endless exchange": (
        gzip.compress(gzip.decompress(packed(HEADER)) + b"\xff" * 9 + b"\x01"),
        "is damaged: ",
    ),
    "a time that is none": (packed(pb.RecordingHeader(format=1, taken=float("nan"))), "is damaged: "),
    "a time beyond all years": (packed(pb.RecordingHeader(format=1, taken=1e300)), "is damaged: "),
    "empty": (b"", "is not a kubevitals recording"),
    "foreign gzip": (
        gzip.compress(b"a database dump"),
        "is not a kubevitals recording: give a file that --record wrote",
    ),
    "foreign file": (b"PK\x03\x04 a zip", "is not a kubevitals recording: give a file that --record wrote"),
    "newer": (
        packed(pb.RecordingHeader(format=2, kubevitals="9.1.0")),
        r"was written by kubevitals 9\.1\.0: install that version or a newer one",
    ),
    "newer and laid out differently": (
        gzip.compress(gzip.decompress(packed(pb.RecordingHeader(format=2, kubevitals="9.1.0"))) + b"\x7fx"),
        r"was written by kubevitals 9\.1\.0",
    ),
}


def _refused(use: Callable[[], object], match: str) -> None:
    with pytest.raises(Unusable, match=match) as caught:
        use()
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("content", "match"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_is_no_whole_recording_is_refused_in_one_line(path: Path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    _refused(lambda: Snapshot(path), match)


def test_a_missing_file_and_a_directory_are_refused_in_one_line(tmp_path: Path) -> None:
    _refused(lambda: Snapshot(tmp_path / "absent"), "absent cannot be read: No such file or directory")
    _refused(lambda: Snapshot(tmp_path), "cannot be read: Is a directory")


def test_a_small_file_that_unpacks_to_much_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "SIZE_LIMIT", 1_000_000)
    path.write_bytes(gzip.compress(b"kubevitals recording\n" + bytes(50_000_000)))
    assert path.stat().st_size < 100_000
    tracemalloc.start()
    _refused(lambda: Snapshot(path), "unpacks to more than 1,000,000 bytes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


WHOLE_LISTS = packed(HEADER, *(pb.Exchange(request=PODS.path, status=200, body=list_bytes([pb.Pod()])) for _ in "ab"))


@given(st.lists(st.tuples(st.integers(0, 2**20), st.integers(0, 255)), max_size=4), st.booleans())
def test_a_recording_with_flipped_bytes_is_refused_or_read(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[int, int]], inside: bool
) -> None:
    content = bytearray(gzip.decompress(WHOLE_LISTS) if inside else WHOLE_LISTS)
    for place, value in changes:
        content[place % len(content)] = value
    path = tmp_path_factory.getbasetemp() / "flipped.recording"
    path.write_bytes(gzip.compress(content) if inside else content)
    with suppress(Unusable):
        answer(Snapshot(path), PODS)


def test_a_place_that_cannot_be_written_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    _refused(lambda: Recording(source(), tmp_path / "absent" / "x"), "No such file or directory")
    _refused(lambda: Recording(source(), tmp_path / "file" / "x"), "Not a directory")
    _refused(lambda: Recording(source(), tmp_path), "it is a directory")
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_a_recorded_list_holds_only_what_checks_read(path: Path) -> None:
    running = Recording(source(), path)
    running.get(NODES)
    running.close()
    assert Snapshot(path).get(NODES).page.items == [pb.Node(metadata=pb.ObjectMeta(name="worker"))]
