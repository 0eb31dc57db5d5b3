"""Who answers anybody is asked without credentials, and never waited for in vain for long."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
from msgspec.json import Decoder

from kubevitals.errors import NotObserved
from kubevitals.source import response
from kubevitals.source.live import Live
from kubevitals.source.request import PlainHttp, Request
from tests.fake_server import ApiServer, Reply, api_server, break_off
from tests.runs import Connect

POD = "/api/v1/namespaces/kube-system/pods/coredns"


@pytest.fixture
def pod() -> Iterator[ApiServer]:
    """Something that listens at an address of its own."""
    with api_server() as running:
        running.script("/metrics", Reply(b"coredns_panics_total 0\n"))
        yield running


@pytest.fixture
def source(connect: Connect) -> Live:
    return connect(ask_kubelets_directly=True, read_timeout=5)


def request_to(pod: ApiServer, **fields: Any) -> Request:
    return Request(PlainHttp(POD, pod.port, "metrics", "127.0.0.1"), **fields)


def unasked(source: Live, request: Request) -> str:
    """Return why something is not observed, which must not fail a run that asks kubelets directly."""
    with pytest.raises(NotObserved) as caught:
        source.get(request)
    assert caught.value.unasked
    assert "--kubelet=proxy" in caught.value.reason
    return caught.value.reason


def test_it_is_asked_itself_and_shown_no_credentials(source: Live, pod: ApiServer, server: ApiServer) -> None:
    assert source.get(request_to(pod)).body == b"coredns_panics_total 0\n"
    ((path, headers),) = pod.requests
    assert path == "/metrics"
    assert not {name.lower() for name in headers} & {"authorization", "cookie"}
    assert server.requests == []


def test_its_namespace_may_be_called_proxy(source: Live, pod: ApiServer) -> None:
    source.get(Request(PlainHttp("/api/v1/namespaces/proxy/pods/proxy-1", pod.port, "metrics", "127.0.0.1")))
    assert [path for path, _ in pod.requests] == ["/metrics"]


def test_by_way_of_the_proxy_it_is_not_asked_itself(connect: Connect, pod: ApiServer, server: ApiServer) -> None:
    connect(ask_kubelets_directly=False).get(request_to(pod))
    assert pod.requests == []
    assert server.asked(f"{POD}:{pod.port}/proxy/metrics") == 1


def test_a_health_port_may_say_that_it_is_ill(source: Live, pod: ApiServer) -> None:
    pod.script("/metrics", Reply(b'{"lastUpdated": "long ago"}', 503))
    assert source.get(request_to(pod, json=Decoder())).status == 503
    assert "HTTP 503" in unasked(source, request_to(pod))


@pytest.mark.parametrize("status", [301, 403, 404, 500])
def test_what_somebody_between_answers_is_not_believed(source: Live, pod: ApiServer, status: int) -> None:
    pod.script("/metrics", Reply(b"no", status, {"Location": "http://127.0.0.1:1/"}))
    assert f"HTTP {status}" in unasked(source, request_to(pod, json=Decoder()))
    assert len(pod.requests) == 1


def test_where_nobody_answers_it_is_left_out(source: Live, connect: Connect, pod: ApiServer) -> None:
    pod.script("/metrics", pod.hang)
    assert "timed out" in unasked(connect(ask_kubelets_directly=True, read_timeout=0.1), request_to(pod))
    pod.script("/metrics", break_off)
    unasked(source, request_to(pod))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refused = PlainHttp(POD, closed.getsockname()[1], "metrics", "127.0.0.1")
        assert "refused" in unasked(source, Request(refused))


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1/x", "127.0.0.1@evil", "[::1]", "a\r\nHost: b"])
def test_only_addresses_are_asked(source: Live, pod: ApiServer, host: str) -> None:
    unasked(source, Request(PlainHttp(POD, pod.port, "metrics", host)))
    assert pod.requests == []


def test_an_answer_that_is_too_large_is_not_observed(
    source: Live, pod: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response, "TEXT_LIMIT", 1000)
    pod.script("/metrics", Reply(bytes(100_000)))
    with pytest.raises(NotObserved, match="larger than 1,000 bytes"):
        source.get(request_to(pod))
