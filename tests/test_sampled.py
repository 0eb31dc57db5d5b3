"""Very many nodes: a sample of them is asked, and where none answers not even that."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import pytest

from kubevitals.errors import NotObserved
from kubevitals.facts.network.kube_proxy import unhealthy_by_api
from kubevitals.inventory.circuit_breaker import FAILURES, CircuitBreaker
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import PARALLEL
from kubevitals.inventory.kubelet import summaries
from kubevitals.inventory.node_exporter import conntracks
from kubevitals.inventory.node_sample import SAMPLE
from kubevitals.source.request import Answer, Request
from tests.fakes import FakeSource, list_bytes
from tests.networks import daemon, daemon_set, exporter, node

PROXY = daemon_set("kube-proxy")
LARGE = int(SAMPLE.default) + 20
FIGURES = Answer(200, b'{"node": {"fs": {"capacityBytes": 100, "availableBytes": 9}}}')
WELL = Answer(200, b'{"lastUpdated": "2026-03-01T12:00:00Z"}')
METRICS = Answer(200, b"node_nf_conntrack_entries 1\nnode_nf_conntrack_entries_limit 9\n")

Ask = Callable[[Cluster], Iterator[object]]
Asked = Callable[..., tuple[list[str], list[str]]]
WHOM: dict[str, tuple[str, Answer, Ask]] = {
    "kubelets": ("/api/v1/nodes/{}/proxy/stats/summary", FIGURES, summaries),
    "kube-proxies": ("/api/v1/nodes/{}:10256/proxy/livez", WELL, unhealthy_by_api),
    "node exporters": (
        "/api/v1/namespaces/kube-system/pods/exporter-{}:9100/proxy/metrics",
        METRICS,
        lambda cluster: conntracks(cluster, NotObserved("no probe")),
    ),
}

everybody = pytest.mark.parametrize("whom", WHOM)


@pytest.fixture
def asked(whom: str) -> Iterator[Asked]:
    """Ask each of them on so many nodes; return the paths that were asked for and what the user is told."""
    made: list[Cluster] = []
    path, well, ask = WHOM[whom]

    def run(count: int, *, answer: Answer | str = well, told: str = "") -> tuple[list[str], list[str]]:
        names = [f"node-{number:04}" for number in range(count)]
        exporters = [exporter(f"exporter-{name}", name) for name in names]
        source = FakeSource(
            {
                "/api/v1/nodes": Answer(200, list_bytes([node(name) for name in names])),
                "/apis/apps/v1/daemonsets": Answer(200, list_bytes([PROXY])),
                "/api/v1/pods": Answer(200, list_bytes([*exporters, *(daemon(PROXY, name) for name in names)])),
            }
            | {path.format(name): answer for name in names}
        )
        made.append(cluster := Cluster(source))
        if told:
            with pytest.raises(NotObserved, match=told):
                list(ask(cluster))
        else:
            list(ask(cluster))
        return [request.path for request in source.requests if "proxy" in request.path], cluster.remarks

    yield run
    for cluster in made:
        cluster.close()


@everybody
def test_of_very_many_nodes_a_sample_is_asked_the_same_each_time_and_the_user_is_told(asked: Asked) -> None:
    paths, (remark,) = asked(LARGE)
    assert len(paths) == SAMPLE.default
    assert any("node-050" in path or "node-051" in path for path in paths)
    assert remark.startswith("500 of 520 nodes were queried individually")
    assert sorted(asked(LARGE)[0]) == sorted(paths)


@everybody
def test_up_to_the_threshold_all_are_asked(asked: Asked) -> None:
    paths, remarks = asked(int(SAMPLE.default))
    assert len(paths) == SAMPLE.default
    assert not remarks


@everybody
def test_where_none_answers_not_all_are_waited_for(asked: Asked) -> None:
    assert len(asked(100, answer="no answer", told="no answer")[0]) <= FAILURES + PARALLEL


REFUSED, SILENT = (
    Answer(503, f'{{"message": "error trying to reach service: dial tcp 10.0.0.1:10250: {why}"}}'.encode())
    for why in ("connect: connection refused", "i/o timeout")
)
"""What the API server's proxy answers for an endpoint that it does not reach."""

NO_ADDRESS = Answer(500, b'{"message": "no preferred addresses found; known addresses: []"}')
"""What it answers for a node that has no address."""


def _reply(reply: Answer, _: Request) -> Answer:
    return reply


def asked_in_turn(breaker: CircuitBreaker, replies: Sequence[Answer]) -> tuple[int, str]:
    """Return how many of these endpoints are asked, and why the others are not."""
    asked = 0
    for reply in replies:
        try:
            breaker.get(partial(_reply, reply), Request("/"))
        except NotObserved as error:
            return asked, error.reason
        asked += 1
    return asked, ""


@pytest.mark.parametrize("reply", [REFUSED, SILENT, NO_ADDRESS])
def test_kubelets_that_the_api_server_does_not_reach_are_not_all_asked(reply: Answer) -> None:
    asked, why = asked_in_turn(CircuitBreaker("kubelets", of=500, must_listen=True), [reply] * 500)
    assert asked == FAILURES
    assert why.startswith("kubelets are no longer queried: none of the first 8 of 500 answered: ")


@pytest.mark.parametrize("answer", [Answer(200, b"error trying to reach service"), Answer(403), Answer(503, b"busy")])
def test_all_are_asked_once_one_has_answered(answer: Answer) -> None:
    replies = [SILENT, answer, *[SILENT] * 18]
    assert asked_in_turn(CircuitBreaker("kubelets", of=20, must_listen=True), replies) == (20, "")


def test_other_ports_that_refuse_are_all_asked() -> None:
    assert asked_in_turn(CircuitBreaker("kube-proxies", of=20), [REFUSED] * 20) == (20, "")


@everybody
def test_where_the_api_server_reaches_none_not_all_are_asked_and_the_user_is_told(asked: Asked) -> None:
    paths, _ = asked(100, answer=SILENT, told="no longer queried: none of the first 8 of 100 answered")
    assert len(paths) <= FAILURES + PARALLEL
