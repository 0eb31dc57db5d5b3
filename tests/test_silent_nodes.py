"""Nodes that give no answer: a run waits for them only for a short time, and not for their requests to end."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from threading import Event, Timer
from time import monotonic

import pytest

from kubevitals.errors import NotObserved, observed
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.kubelet import configs, summaries
from kubevitals.inventory.node_sample import PATIENCE
from kubevitals.source.request import Answer, Request
from tests.fakes import FakeSource, list_bytes
from tests.networks import node

LONG = 20
"""Seconds that a silent kubelet's request takes, far more than any test."""

FIGURES = Answer(200, b'{"node": {}}')
NAMES = [f"node-{number:03}" for number in range(40)]
GIVEN_UP = r"^kubelets are no longer queried: for 0\.5 s none has answered \(--threshold nodes\.patience"


@pytest.fixture
def over() -> Iterator[Event]:
    """End the requests that still run after the test."""
    event = Event()
    yield event
    event.set()


def cluster_with(silent: list[str], over: Event, patience: float = 0.5, names: Sequence[str] = NAMES) -> Cluster:
    """Return a cluster of nodes in which these kubelets are silent, and all others answer."""

    def answer_late(_: Request) -> Answer:
        over.wait(LONG)
        return FIGURES

    summary = "/api/v1/nodes/{}/proxy/stats/summary".format
    answers = {summary(name): answer_late if name in silent else FIGURES for name in names}
    source = FakeSource({"/api/v1/nodes": Answer(200, list_bytes([node(name) for name in names])), **answers})
    source.waits = True
    return Cluster(source, {PATIENCE: patience})


def test_silent_kubelets_are_not_waited_for_and_neither_are_their_requests(over: Event) -> None:
    began, cluster = monotonic(), cluster_with(NAMES, over)
    with pytest.raises(NotObserved, match=GIVEN_UP):
        list(summaries(cluster))
    with pytest.raises(NotObserved, match=GIVEN_UP):
        list(configs(cluster))
    cluster.close()
    assert monotonic() - began < LONG / 2


def test_what_other_kubelets_answer_is_kept(over: Event) -> None:
    began, answered = monotonic(), NAMES[:3]
    seen = observed(summaries(cluster_with(NAMES[3:], over)))
    assert [of.metadata.name for of, _ in seen.items] == answered
    assert seen.unseen
    assert "no longer queried" in seen.unseen.reason
    assert monotonic() - began < LONG / 2


def test_kubelets_that_take_less_time_than_the_threshold_are_waited_for(over: Event) -> None:
    cluster = cluster_with(NAMES, over, LONG)
    Timer(1, over.set).start()
    assert len(list(summaries(cluster))) == len(NAMES)


def test_one_kubelet_may_be_slow(over: Event) -> None:
    cluster = cluster_with(NAMES[:1], over, LONG / 80, NAMES[:1])
    Timer(LONG / 40, over.set).start()
    assert len(list(summaries(cluster))) == 1


def test_a_program_ends_while_a_request_still_runs() -> None:
    program = (
        "import time; from kubevitals.inventory.background import Background\n"
        f"Background(1).submit(time.sleep, {LONG * 10})"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=LONG * 5)
