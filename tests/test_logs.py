"""Which logs of containers are read, how much of them, and what is shown."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.log_lines import telling_line
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.logs import FAILURES, LOG_BYTES, LOG_LINES, LOG_REQUESTS, NAMESPACE_REQUESTS
from kubevitals.source.request import Answer, Request
from kubevitals.text import LINE_LIMIT
from tests.fakes import FakeSource, status_json


def pod(name: str = "web-0", namespace: str = "shop", **fields: Any) -> pb.Pod:
    return pb.Pod(metadata=pb.ObjectMeta(name=name, namespace=namespace, **fields))


def log_of(body: bytes, status: int = 200) -> tuple[str, ...]:
    path = "/api/v1/namespaces/shop/pods/web-0/log"
    return Cluster(FakeSource({path: Answer(status, body)})).log(pod(), "web", previous=True)


def test_a_log_is_asked_for_with_its_bounds() -> None:
    source = FakeSource()
    assert Cluster(source).log(pod(), "web", previous=True) == ("(the log is empty)",)
    assert parse_qs(urlsplit(source.requests[0].path).query) == {
        "container": ["web"],
        "tailLines": [str(LOG_LINES)],
        "limitBytes": [str(LOG_BYTES)],
        "previous": ["true"],
    }


def test_a_log_is_bounded_though_the_server_keeps_no_bounds() -> None:
    lines = log_of(b"line\n" * 10_000_000)
    assert 0 < len(lines) <= LOG_LINES
    assert all(len(line) <= LINE_LIMIT for line in log_of(b"x" * 10_000_000))


class Kubelet:
    """Returns the end of a log as kubelets do: some last lines, of which the bytes are counted from the first."""

    def __init__(self, log: bytes, *, recorded: bool = False) -> None:
        self._log, self._recorded = log, recorded

    def __call__(self, request: Request) -> Answer:
        query = parse_qs(urlsplit(request.path).query)
        lines, size = int(query["tailLines"][0]), int(query["limitBytes"][0])
        if self._recorded and lines != LOG_LINES:
            raise NotObserved("the recording has no answer")
        return Answer(200, b"".join(self._log.splitlines(keepends=True)[-lines:])[:size])


def lines_of(log: bytes, **kubelet: bool) -> tuple[str, ...]:
    source = FakeSource({"/api/v1/namespaces/shop/pods/web-0/log": Kubelet(log, **kubelet)})
    return Cluster(source).log(pod(), "web", previous=True)


TRACE = [b"at com.example.%03d(%s)" % (n, b"x" * 400) for n in range(30)]


def test_long_lines_do_not_hide_the_last_ones() -> None:
    lines = lines_of(b"\n".join([*TRACE, b"Caused by: no disk"]))
    assert lines[-1] == "Caused by: no disk"
    assert lines[0].startswith("at com.example.011(")
    assert len(lines) == len(set(lines)) <= LOG_LINES


def test_a_line_of_a_megabyte_does_not_hide_the_last_one() -> None:
    lines = lines_of(b"starting\n" + b"y" * 1_000_000 + b"\npanic: no config\n")
    assert (lines[0], lines[-1]) == ("starting", "panic: no config")
    assert all(len(line) <= LINE_LIMIT for line in lines)


def test_a_last_line_of_a_megabyte_is_shown_by_its_beginning() -> None:
    lines = lines_of(b"starting\n" + b"panic: " + b"y" * 1_000_000)
    assert lines[0] == "starting"
    assert lines[-1].startswith("panic: yyy")
    assert lines[-1].endswith(" characters)")


def test_of_a_log_that_is_cut_off_the_recorded_part_is_shown() -> None:
    lines = lines_of(b"\n".join([*TRACE, b"Caused by: no disk"]), recorded=True)
    assert lines[0].startswith("at com.example.011(")
    assert "Caused by: no disk" not in lines


@pytest.mark.parametrize(
    ("encoding", "line"),
    [
        ("utf-8", "FATAL: schlüssel fehlt"),
        ("latin-1", "FATAL: schl\N{REPLACEMENT CHARACTER}ssel fehlt"),
        ("utf-16-le", "FATAL: schl\N{REPLACEMENT CHARACTER}ssel fehlt"),
        ("utf-16-be", "FATAL: schl\N{REPLACEMENT CHARACTER}ssel fehlt"),
    ],
)
def test_a_log_in_another_encoding_can_be_read(encoding: str, line: str) -> None:
    log = "FATAL: schlüssel fehlt\nbye".encode(encoding)
    assert log_of(log)[0] == line
    assert telling_line(log_of(log)) == line.removeprefix("FATAL: ")


def test_a_log_is_safe_to_show() -> None:
    assert log_of(b"\x1b[31mred\xff password=hunter2\r\nlast") == (
        "\\x1b[31mred\N{REPLACEMENT CHARACTER} password=[redacted]",
        "last",
    )


def test_a_key_of_several_lines_is_redacted_whole_or_cut() -> None:
    key = b"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\nhunter2\n-----END PRIVATE KEY-----\n"
    assert "hunter2" not in "".join(log_of(b"starting\n" + key + b"done"))
    assert "hunter2" not in "".join(log_of(key.partition(b"MII")[2] + b"done"))


@pytest.mark.parametrize(("status", "right"), [(403, "get pods/log"), (400, ""), (500, "")])
def test_a_log_that_cannot_be_read_is_not_observed(status: int, right: str) -> None:
    with pytest.raises(NotObserved, match="not today") as caught:
        log_of(status_json("not today"), status)
    assert caught.value.right == right


def test_names_cannot_lead_a_log_request_elsewhere() -> None:
    source = FakeSource()
    Cluster(source).log(pod("../../secrets?x="), "a&previous=b", previous=False)
    split = urlsplit(source.requests[0].path)
    assert split.path == "/api/v1/namespaces/shop/pods/..%2F..%2Fsecrets%3Fx%3D/log"
    assert parse_qs(split.query)["container"] == ["a&previous=b"]


def test_containers_of_one_owner_are_read_once() -> None:
    source = FakeSource()
    cluster = Cluster(source)
    owners = [pb.OwnerReference(kind="StatefulSet", name="web", controller=True)]
    for n in range(10):
        cluster.log(pod(f"web-{n}", ownerReferences=owners), "web", previous=False)
    assert len(source.requests) == 1


def test_a_log_that_is_gone_is_read_of_another_pod_of_the_owner() -> None:
    source = FakeSource(
        {
            "/api/v1/namespaces/shop/pods/web-0/log": Answer(
                200, b"unable to retrieve container logs for containerd://1d2"
            ),
            "/api/v1/namespaces/shop/pods/web-1/log": Answer(200, b"panic: no config"),
        }
    )
    cluster = Cluster(source)
    owners = [pb.OwnerReference(kind="StatefulSet", name="web", controller=True)]
    for _ in range(2):
        with pytest.raises(NotObserved, match="unable to retrieve"):
            cluster.log(pod("web-0", ownerReferences=owners), "web", previous=True)
    for name in ("web-1", "web-0"):
        assert cluster.log(pod(name, ownerReferences=owners), "web", previous=True) == ("panic: no config",)
    assert len(source.requests) == 2


def test_only_so_many_logs_are_read_in_a_run() -> None:
    source = FakeSource()
    cluster = Cluster(source)
    for n in range(LOG_REQUESTS):
        cluster.log(pod(f"web-{n}", namespace=f"team-{n % 5}"), "web", previous=False)
    for _ in range(3):
        with pytest.raises(NotObserved, match=f"has read {LOG_REQUESTS} logs, its limit"):
            cluster.log(pod("another"), "web", previous=False)
    assert len(source.requests) == LOG_REQUESTS


def test_a_namespace_whose_pods_all_die_leaves_logs_of_others_to_be_read() -> None:
    source = FakeSource()
    cluster = Cluster(source)
    for n in range(NAMESPACE_REQUESTS):
        cluster.log(pod(f"web-{n}"), "web", previous=False)
    with pytest.raises(NotObserved, match=f"has read {NAMESPACE_REQUESTS} logs of the namespace"):
        cluster.log(pod("another"), "web", previous=False)
    cluster.log(pod("coredns", namespace="kube-system"), "coredns", previous=False)
    assert len(source.requests) == NAMESPACE_REQUESTS + 1


def test_logs_that_nobody_answers_are_not_all_waited_for() -> None:
    source = FakeSource({f"/api/v1/namespaces/shop/pods/web-{n}/log": "no answer" for n in range(10)})
    cluster = Cluster(source)
    reasons = []
    for n in range(10):
        with pytest.raises(NotObserved) as caught:
            cluster.log(pod(f"web-{n}"), "web", previous=False)
        reasons.append(caught.value.reason)
    assert len(source.requests) == FAILURES
    assert reasons[-1] == "logs are no longer queried: none of the first 3 answered: no answer"
