"""Files of recordings: whole, cut off, hostile, in places that cannot be written."""

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
from kubevitals.errors import Unusable
from kubevitals.source import recording
from kubevitals.source.recording import Recording, Snapshot
from tests.fakes import NOW, list_bytes
from tests.recorded_answers import NODES, PODS, answer, source


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


def test_answers_without_end_are_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "EXCHANGES", 1_000)
    path.write_bytes(packed(HEADER, *[pb.Exchange(request="a")] * 999))
    assert Snapshot(path).now == NOW
    path.write_bytes(packed(HEADER, *[pb.Exchange(request="a")] * 1_001))
    _refused(lambda: Snapshot(path), "more than 1,000 answers")


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
    _refused(lambda: Recording(source(), tmp_path), "it is not a regular file")
    assert [child.name for child in tmp_path.iterdir()] == ["file"]


def test_a_recorded_list_holds_only_what_checks_read(path: Path) -> None:
    running = Recording(source(), path)
    running.get(NODES)
    running.close()
    assert Snapshot(path).get(NODES).page.items == [pb.Node(metadata=pb.ObjectMeta(name="worker"))]
