"""Certificates by TLS handshakes, when they must be renewed, and kubelets that get none."""

from collections.abc import Iterator
from pathlib import Path
from shutil import which
from typing import Any

import msgspec
import pytest

from checks.test_certificates import api_server, kubelet, request_waits
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.certificates import Certificate
from kubevitals.source.live import Live
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer, Handshake, Request, Server
from tests.built import node
from tests.fake_server import ApiServer, self_signed, write_kubeconfig
from tests.fake_server import api_server as fake_server
from tests.fakes import NOW, FakeSource, ago, cluster_of
from tests.runs import Connect

DAY = 86400
CLIENT, SERVING = "kubernetes.io/kube-apiserver-client-kubelet", "kubernetes.io/kubelet-serving"


def certificate(left: float, life: float = 365 * DAY, *, by_cluster: bool = True) -> Answer:
    ends = NOW.timestamp() + left
    made = Certificate("CN=kube-apiserver", "CN=kubernetes", ends - life, ends, by_cluster)
    return Answer(200, msgspec.json.encode(made))


def found(left: float, life: float = 365 * DAY) -> list[Finding]:
    return list(api_server(cluster_of({"/certificate": certificate(left, life)})))


@pytest.mark.parametrize(
    ("left", "expected"),
    [
        (31 * DAY, []),
        (30 * DAY, [Severity.WARNING]),
        (7.1 * DAY, [Severity.WARNING]),
        (7 * DAY, [Severity.ERROR]),
        (-1, [Severity.ERROR]),
    ],
)
def test_a_certificate_of_a_year_must_be_renewed_by_hand(left: float, expected: list[Severity]) -> None:
    assert [finding.severity for finding in found(left)] == expected


@pytest.mark.parametrize(
    ("left", "life", "count"),
    [
        (1.1 * DAY, 90 * DAY, 0),
        (1 * DAY, 90 * DAY, 1),
        (0.2 * DAY, DAY, 0),
        (0.1 * DAY, DAY, 1),
        (-1, DAY, 1),
    ],
)
def test_a_short_lived_certificate_is_renewed_automatically(left: float, life: float, count: int) -> None:
    assert [finding.severity for finding in found(left, life)] == [Severity.ERROR] * count


def test_what_is_said_of_a_certificate() -> None:
    (finding,) = found(-3600)
    assert finding.says == "its certificate has expired"
    assert list(finding.evidence) == [
        "subject CN=kube-apiserver, issuer CN=kubernetes",
        "valid until 2026-03-01 11:00 UTC (expired 1h ago)",
    ]
    assert next(iter(found(3 * DAY))).says == "its certificate ends soon"


def test_an_answer_that_is_no_certificate_is_not_observed() -> None:
    with pytest.raises(NotObserved, match="a certificate cannot be read"):
        list(api_server(cluster_of({"/certificate": Answer(200, b"{}")})))


def kubelets(**certificates: Answer) -> Cluster:
    shown = {f"/api/v1/nodes/{name}/certificate": answer for name, answer in certificates.items()}
    return cluster_of(shown, nodes=[node(name) for name in certificates])


def test_kubelets_whose_certificate_the_cluster_has_signed() -> None:
    """They renew it by themselves: one that is near its end was not renewed."""
    cluster = kubelets(one=certificate(10 * DAY), two=certificate(DAY), three=certificate(-1))
    assert [(str(f.obj), f.says, f.severity) for f in kubelet(cluster)] == [
        ("Node/two", "its certificate ends soon", Severity.ERROR),
        ("Node/three", "its certificate has expired", Severity.ERROR),
    ]


def test_an_expired_certificate_that_no_client_verifies_is_a_remark() -> None:
    cluster = kubelets(one=certificate(-1, by_cluster=False), two=certificate(DAY, by_cluster=False))
    assert not list(kubelet(cluster))
    assert [remark for remark in cluster.remarks if remark.startswith("1 kubelet with an expired certificate")]


def test_without_kubelets_their_certificates_are_not_observed() -> None:
    cluster = Cluster(FakeSource(), ask_kubelets=False)
    with pytest.raises(NotObserved) as caught:
        list(kubelet(cluster))
    assert caught.value.unasked


# --- requests ---


def request(
    name: str, before: int, *answers: str, node: str = "one", signer: str = CLIENT
) -> pb.CertificateSigningRequest:
    made = pb.CertificateSigningRequest(metadata=pb.ObjectMeta(name=name, creationTimestamp=ago(before)))
    made.spec.CopyFrom(pb.CertificateSigningRequestSpec(username=f"system:node:{node}", signerName=signer))
    for answer in answers:
        made.status.conditions.add(type=answer, status="True", reason="Policy", message="no such node")
    return made


def waits(*requests: pb.CertificateSigningRequest, nodes: list[pb.Node] | None = None) -> list[Finding]:
    machines = [node("one")] if nodes is None else nodes
    return list(request_waits(cluster_of(signing_requests=requests, nodes=machines)))


@pytest.mark.parametrize(
    ("requests", "count"),
    [
        ([request("a", 299)], 0),
        ([request("a", 300)], 1),
        ([request("a", 900, "Approved")], 0),
        ([request("a", 900, "Denied")], 1),
        ([request("a", 900), request("b", 100, "Approved")], 0),
        ([request("a", 900, "Approved"), request("b", 800)], 1),
        ([request("a", 900), request("b", 100)], 1),
        ([request("a", 900, signer="example.com/own")], 0),
    ],
)
def test_a_request_that_waits(requests: list[pb.CertificateSigningRequest], count: int) -> None:
    findings = waits(*requests)
    assert [(str(f.obj), f.severity) for f in findings] == [("Node/one", Severity.WARNING)] * count


def test_the_two_kinds_of_certificates_are_told_apart() -> None:
    first, second = waits(request("a", 900), request("b", 900, signer=SERVING))
    assert first.says == "its kubelet gets no client certificate: its request is not approved"
    assert second.says == "its kubelet gets no serving certificate: its request is not approved"
    assert first.part != second.part


def test_a_denied_request_says_why() -> None:
    (finding,) = waits(request("a", 900, "Denied"))
    assert finding.says.endswith("its request was denied: Policy: no such node")
    assert finding.look == "kubectl describe csr a"


@pytest.mark.parametrize(("signer", "severity"), [(CLIENT, Severity.ERROR), (SERVING, Severity.WARNING)])
def test_a_node_that_is_not_ready_may_lack_its_client_certificate(signer: str, severity: Severity) -> None:
    (finding,) = waits(request("a", 900, signer=signer), nodes=[node(message="silent")])
    assert finding.severity is severity


def test_a_request_of_a_node_that_does_not_exist_is_reported_itself() -> None:
    (finding,) = waits(request("a", 900, node="gone"))
    assert str(finding.obj) == "CertificateSigningRequest/a"
    assert finding.severity is Severity.WARNING


# --- handshakes ---

needs_openssl = pytest.mark.skipif(not which("openssl"), reason="openssl makes the certificate")


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[tuple[ApiServer, Path]]:
    """A server with a certificate of its own making, and the certificate."""
    pair = self_signed(tmp_path)
    with fake_server(*pair) as running:
        yield running, pair[0]


def shown(source: Any, handshake: Handshake) -> Certificate:
    return msgspec.json.decode(source.get(Request(handshake)).body, type=Certificate)


def trusting(folder: Path, address: str, authority: Path) -> Path:
    """Return a kubeconfig with the certificate of a CA."""
    path = write_kubeconfig(folder / "config", address)
    config = msgspec.json.decode(path.read_bytes())
    config["clusters"][0]["cluster"]["certificate-authority"] = str(authority)
    path.write_bytes(msgspec.json.encode(config))
    return path


@needs_openssl
def test_a_certificate_is_read_without_a_request(tls: tuple[ApiServer, Path], tmp_path: Path) -> None:
    server, authority = tls
    source = Live(kubeconfig=str(trusting(tmp_path, server.address, authority)))
    seen = shown(source, Handshake())
    assert (seen.subject, seen.issuer, seen.byCluster) == ("CN=fake", "CN=fake", True)
    assert seen.notAfter - seen.notBefore == 2 * DAY
    assert server.requests == []
    source.close()


@needs_openssl
def test_a_certificate_that_the_clusters_ca_has_not_signed(tls: tuple[ApiServer, Path], connect: Connect) -> None:
    server, _ = tls
    handshake = Handshake("/api/v1/nodes/one", Server("127.0.0.1", server.port))
    assert not shown(connect(ask_kubelets_directly=True), handshake).byCluster
    with pytest.raises(NotObserved, match="not reached directly") as caught:
        connect().get(Request(handshake))
    assert caught.value.unasked


def test_without_tls_there_is_no_certificate(connect: Connect) -> None:
    with pytest.raises(NotObserved, match="not reached directly by TLS") as caught:
        connect().get(Request(Handshake()))
    assert caught.value.unasked


def test_a_server_that_does_not_speak_tls_is_not_observed(server: ApiServer, connect: Connect) -> None:
    handshake = Handshake("/api/v1/nodes/one", Server("127.0.0.1", server.port))
    with pytest.raises(NotObserved, match=r"the certificate of 127\.0\.0\.1:\d+ cannot be read"):
        connect(ask_kubelets_directly=True).get(Request(handshake))


def test_a_node_without_an_address_is_not_observed(connect: Connect) -> None:
    with pytest.raises(NotObserved, match="no internal address"):
        connect(ask_kubelets_directly=True).get(Request(Handshake("/api/v1/nodes/one")))


@needs_openssl
def test_a_certificate_is_recorded(tls: tuple[ApiServer, Path], tmp_path: Path) -> None:
    server, authority = tls
    path = tmp_path / "certificate.recording"
    live = Recording(Live(kubeconfig=str(trusting(tmp_path, server.address, authority))), path)
    seen = shown(live, Handshake())
    live.close()
    assert shown(Snapshot(path), Handshake()) == seen
    with pytest.raises(NotObserved, match="has no answer"):
        Snapshot(path).get(Request(Handshake("/api/v1/nodes/one")))
