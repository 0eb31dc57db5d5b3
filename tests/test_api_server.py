"""The API server's health, also from a source that has no /version or /readyz."""

from pathlib import Path

import pytest

from checks.test_api_server import not_ready, unreachable
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer
from tests.fakes import Answers, FakeSource, status_json

READY = Answer(200, b"[+]ping ok\nreadyz check passed\n")


def cluster(**answers: Answer | str) -> Cluster:
    served: Answers = {f"/{path}": answer for path, answer in ({"readyz": READY} | answers).items()}
    return Cluster(FakeSource(served))


def test_an_api_server_that_answers_is_healthy() -> None:
    assert [*unreachable(cluster()), *not_ready(cluster())] == []


def test_one_that_refuses_to_tell_its_version_answers() -> None:
    assert list(unreachable(cluster(version=Answer(403, status_json("forbidden"))))) == []


@pytest.mark.parametrize("status", [401, 404, 405, 500, 503])
def test_without_a_version_nothing_is_known_of_the_api_server(status: int) -> None:
    with pytest.raises(NotObserved, match=r"get /version|credentials"):
        list(unreachable(cluster(version=Answer(status, b"no such path"))))


@pytest.mark.parametrize("status", [401, 403, 404, 405, 501])
def test_without_readyz_nothing_is_known_of_its_parts(status: int) -> None:
    with pytest.raises(NotObserved, match=r"get /readyz|credentials|no such path"):
        list(not_ready(cluster(readyz=Answer(status, b"no such path"))))


@pytest.mark.parametrize("status", [500, 503])
def test_a_part_that_fails_is_found(status: int) -> None:
    (finding,) = not_ready(cluster(readyz=Answer(status, b"[+]ping ok\n[-]etcd failed: reason withheld\n")))
    assert finding.says == "is not ready: etcd failed"


def test_one_that_gives_no_answer_is_unreachable() -> None:
    (finding,) = unreachable(cluster(version="connection refused"))
    assert "does not answer: connection refused" in finding.says


def test_a_recording_without_its_answers_says_nothing_of_it(tmp_path: Path) -> None:
    path = tmp_path / "dump.recording"
    Cluster(Recording(FakeSource(), path)).close()
    for rule in (unreachable, not_ready):
        with pytest.raises(NotObserved, match="has no answer to"):
            list(rule(Cluster(Snapshot(path))))


def test_a_recorded_failure_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "down.recording"
    down = Cluster(Recording(FakeSource({"/version": "connection refused"}), path))
    assert list(unreachable(down))
    down.close()
    (finding,) = unreachable(Cluster(Snapshot(path)))
    assert "connection refused" in finding.says
