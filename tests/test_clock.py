"""Which time it is: the API server's Date, unless this machine and the nodes contradict it."""

from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.source import clock as module
from kubevitals.source.clock import clock
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer
from tests.fake_server import ApiServer, Reply
from tests.fakes import NOW, Answers, FakeSource, ago, list_bytes
from tests.networks import node
from tests.runs import Connect

HERE = NOW.timestamp()
MONTHS = 90 * 86400


def leases(*ages: int) -> dict[str, Answer]:
    """Return nodes that are ready and their Leases, renewed so many seconds ago."""
    names = [f"worker-{number}" for number in range(len(ages))]
    renewed = [
        pb.Lease(metadata=pb.ObjectMeta(name=name), spec=pb.LeaseSpec(renewTime=ago(age)))
        for name, age in zip(names, ages, strict=True)
    ]
    return {
        module.NODES.path.partition("?")[0]: Answer(200, list_bytes(map(node, names))),
        module.LEASES.path.partition("?")[0]: Answer(200, list_bytes(renewed)),
    }


@pytest.mark.parametrize(
    ("date", "ages", "now", "words"),
    [
        (HERE + 299, (MONTHS, MONTHS), HERE + 299, ""),
        (HERE - MONTHS, (5, 9, 2 * MONTHS), HERE - 9, "the API server's Date is 89d23h off"),
        (HERE + MONTHS, (5,), HERE - 5, "the median of the last renewals of the nodes' Leases"),
        (HERE - MONTHS, (MONTHS + 5, MONTHS - 200, 5), HERE - MONTHS, ""),
        (HERE - MONTHS, (), HERE - MONTHS, "90d off this machine's clock, and no node says"),
        (0, (MONTHS,), HERE, ""),
    ],
    ids=["stale Leases", "behind", "ahead", "this machine is wrong", "no Leases", "no Date"],
)
def test_a_date_counts_unless_both_other_clocks_contradict_it(
    date: float, ages: tuple[int, ...], now: float, words: str
) -> None:
    found = clock(date, FakeSource(leases(*ages)).get)
    assert found.now.timestamp() == now
    assert words in found.remark
    assert bool(words) == bool(found.remark)


def test_leases_of_nodes_that_are_not_ready_do_not_count() -> None:
    answers = leases(5) | {"/api/v1/nodes": Answer(200, list_bytes([]))}
    assert "no node says" in clock(HERE - MONTHS, FakeSource(answers).get).remark


def test_where_leases_are_refused_the_date_counts() -> None:
    answers: Answers = {"/api/v1/nodes": "no answer"}
    assert "no node says" in clock(HERE - MONTHS, FakeSource(answers).get).remark


@pytest.mark.parametrize(
    "date",
    ["Mon, 01 Jan 2024 00:00:00 +99999999999999999999", "Mon, 01 Jan 0001 00:00:00 GMT", "x" * 60_000, "Thu, 01 Jan 1"],
)
def test_no_date_ends_in_an_error(server: ApiServer, connect: Connect, date: str) -> None:
    server.script("/version", Reply(headers={"Date": date}))
    assert connect().now.year in (2001, 2026)


def test_a_recording_has_the_time_and_what_is_to_be_known_of_it(
    server: ApiServer, connect: Connect, tmp_path: Path
) -> None:
    for list_, answer in leases(5).items():
        server.script(list_, Reply(answer.body))
    server.script("/version", Reply(headers={"Date": format_datetime(NOW - timedelta(days=90), usegmt=True)}))
    path = tmp_path / "cluster.recording"
    Recording(connect(), path).close()
    replayed = Snapshot(path)
    assert replayed.now == NOW - timedelta(seconds=5)
    assert "89d23h off" in replayed.clock
