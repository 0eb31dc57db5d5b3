"""Kubelets: queried directly or through the API server, and never read as healthy if they do not answer."""

from collections.abc import Iterator
from pathlib import Path
from shutil import which

import pytest

from checks.test_memory_limit import near_limit
from checks.test_storage_full import volume
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.kubelet import configs, summaries
from kubevitals.source.live import Live
from kubevitals.source.request import Answer, Kubelet, Request, Server
from tests.fake_server import ApiServer, Reply, api_server, self_signed, write_kubeconfig
from tests.fakes import FakeSource, list_bytes
from tests.runs import Connect

pytestmark = pytest.mark.skipif(not which("openssl"), reason="openssl makes the kubelet's certificate")

NODE = "/api/v1/nodes/one"
PROXIED = f"{NODE}/proxy/stats/summary"
FIGURES = Reply(b'{"node": {"fs": {"capacityBytes": 100, "availableBytes": 9}}}')


@pytest.fixture
def kubelet(tmp_path: Path) -> Iterator[ApiServer]:
    """A kubelet with a certificate of its own making, as kubeadm's are."""
    with api_server(*self_signed(tmp_path)) as running:
        running.script("/stats/summary", FIGURES)
        yield running


def request_to(kubelet: ApiServer) -> Request:
    return Request(Kubelet(NODE, "stats/summary", Server("127.0.0.1", kubelet.port)))


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
def test_a_kubelet_is_asked_itself_with_the_users_token(
    server: ApiServer, kubelet: ApiServer, connect: Connect
) -> None:
    source = connect(ask_kubelets_directly=True, kubelet_insecure_tls=True)
    assert source.get(request_to(kubelet)).body == FIGURES.body
    ((path, headers),) = kubelet.requests
    assert path == "/stats/summary"
    assert headers["authorization"] == "Bearer the-user-token"
    assert server.requests == []


@pytest.mark.filterwarnings("ignore:Unverified HTTPS")
def test_a_node_may_be_called_proxy(kubelet: ApiServer, connect: Connect) -> None:
    source = connect(ask_kubelets_directly=True, kubelet_insecure_tls=True)
    for name in ("proxy", "proxy-1"):
        server = Server("127.0.0.1", kubelet.port)
        source.get(Request(Kubelet(f"/api/v1/nodes/{name}", "stats/summary", server)))
    assert [path for path, _ in kubelet.requests] == ["/stats/summary", "/stats/summary"]


def test_a_kubelet_whose_certificate_is_not_trusted_gets_no_token(kubelet: ApiServer, connect: Connect) -> None:
    with pytest.raises(
        NotObserved, match=r"self-signed certificate.* \(--kubelet-insecure-tls accepts any certificate\)"
    ):
        connect(ask_kubelets_directly=True).get(request_to(kubelet))
    assert kubelet.requests == []


def test_with_a_kubeconfig_the_api_server_asks(server: ApiServer, kubelet: ApiServer, connect: Connect) -> None:
    server.script(PROXIED, FIGURES)
    assert connect().get(request_to(kubelet)).body == FIGURES.body
    assert kubelet.requests == []


def test_an_insecure_kubelet_does_not_make_the_api_server_so(kubelet: ApiServer, tmp_path: Path) -> None:
    lax = Live(kubeconfig=str(write_kubeconfig(tmp_path / "tls", kubelet.address)), kubelet_insecure_tls=True)
    with pytest.raises(NotObserved, match="self-signed"):
        lax.get(Request("/version"))
    lax.close()


def test_a_kubelet_out_of_reach_leaves_the_api_server_in_reach(
    server: ApiServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kubevitals.source.live.CONNECT_TIMEOUT", 0.1)
    source = connect(ask_kubelets_directly=True)
    with pytest.raises(NotObserved, match=r"https://192\.0\.2\.1:10250 cannot be"):
        source.get(Request(Kubelet(NODE, "stats/summary", Server("192.0.2.1", 10250))))
    assert source.get(Request("/version")).status == 200


# --- what becomes of the answers ---


def test_null_in_place_of_a_list_is_an_empty_one() -> None:
    pod = b'{"podRef": {"name": "app", "namespace": "shop"}, "containers": null, "volume": null}'
    body = b'{"node": {}, "pods": [' + pod + b"]}"
    cluster, _ = cluster_of(Answer(200, body), node("one"))
    assert [*near_limit(cluster), *volume(cluster)] == []
    cluster, _ = cluster_of(Answer(200, b'{"node": {}, "pods": null}'), node("one"))
    assert [*near_limit(cluster), *volume(cluster)] == []


def node(name: str, ready: str = "True") -> pb.Node:
    return pb.Node(
        metadata=pb.ObjectMeta(name=name),
        status=pb.NodeStatus(
            conditions=[pb.NodeCondition(type="Ready", status=ready)],
            addresses=[
                pb.NodeAddress(type="Hostname", address=name),
                pb.NodeAddress(type="InternalIP", address="fd00::1"),
            ],
        ),
    )


def cluster_of(answer: Answer, *nodes: pb.Node) -> tuple[Cluster, FakeSource]:
    source = FakeSource({"/api/v1/nodes": Answer(200, list_bytes(nodes)), PROXIED: answer})
    return Cluster(source), source


def test_only_nodes_that_are_ready_are_asked_and_each_where_it_listens() -> None:
    cluster, source = cluster_of(Answer(200, FIGURES.body), node("one"), node("down", "Unknown"))
    ((queried, summary),) = list(summaries(cluster))
    assert queried.metadata.name == "one"
    assert summary.node.fs is not None
    assert [r.target.server for r in source.requests if isinstance(r.target, Kubelet)] == [Server("fd00::1", 10250)]


@pytest.mark.parametrize(
    ("answer", "right"),
    [
        (Answer(403, b'{"message": "nodes \\"one\\" is forbidden"}'), ""),
        (Answer(403, b"Forbidden (user=me, verb=get, resource=nodes, subresource(s)=[stats])"), "get nodes/stats"),
        (Answer(200, b"not JSON"), ""),
        (Answer(500, b"no"), ""),
    ],
)
def test_a_refusal_or_nonsense_is_not_observed(answer: Answer, right: str) -> None:
    cluster, _ = cluster_of(answer, node("one"))
    with pytest.raises(NotObserved) as caught:
        list(summaries(cluster))
    assert caught.value.right == right


def test_one_kubelet_that_does_not_tell_hides_no_other() -> None:
    nodes = list_bytes([node("gone"), node("one")])
    source = FakeSource({"/api/v1/nodes": Answer(200, nodes), PROXIED: Answer(200, FIGURES.body)})
    source.answers["/api/v1/nodes/gone/proxy/stats/summary"] = "no route"
    answered = summaries(Cluster(source))
    assert next(answered)[0].metadata.name == "one"
    with pytest.raises(NotObserved, match="no route"):
        next(answered)


def test_kubelets_can_be_left_alone() -> None:
    cluster = Cluster(FakeSource(), ask_kubelets=False)
    with pytest.raises(NotObserved, match="--kubelet=none"):
        list(configs(cluster))
