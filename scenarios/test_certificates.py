"""Certificates that end soon or have expired, and kubelets that get none."""

from kubevitals import schema_pb2 as pb
from scenarios.faults_certificates import (
    api_server_certificate,
    expired_kubelet_certificates,
    requests_not_approved,
)
from scenarios.harness import Seen, scenario
from scenarios.moments import within


@scenario(fault=api_server_certificate(days=5), finds=["certificates[api-server] APIServer/kube-apiserver"])
def test_certificate_of_the_api_server_ends_soon(seen: Seen) -> None:
    """It was valid for a year, and has not been renewed since."""
    assert seen.says("its certificate ends soon")
    assert seen.says("issuer CN=kubernetes")


@scenario(
    fault=expired_kubelet_certificates(by_cluster="worker", by_itself="worker2"),
    direct=True,
    finds=["certificates[kubelet] Node/worker"],
)
def test_certificates_of_kubelets_have_expired(seen: Seen) -> None:
    """Nobody verifies one that the kubelet has signed itself, so that is a remark."""
    assert seen.says("its certificate has expired")
    assert any("1 kubelet with an expired certificate" in remark for remark in seen.cluster.remarks)


@scenario(
    fault=requests_not_approved(client="worker2", serving="worker"),
    later=400,
    finds=[
        "certificates[request-waits] Node/worker2 (warning)",
        "certificates[request-waits] Node/worker (warning)",
    ],
)
def test_requests_of_kubelets_are_not_approved(seen: Seen) -> None:
    """A ClusterRoleBinding is missing, and serving certificates have no approver at all by default."""
    assert seen.says("its kubelet gets no client certificate: its request is not approved")
    assert seen.says("its kubelet gets no serving certificate: its request is not approved")


def _requests(seen: Seen) -> list[pb.CertificateSigningRequest]:
    return [request for request in seen.cluster.signing_requests if not request.status.conditions]


@scenario(
    on=test_requests_of_kubelets_are_not_approved,
    later=within(60, lambda seen: _requests(seen)[0].metadata.creationTimestamp),
)
def test_requests_of_kubelets_are_young(seen: Seen) -> None:
    """They are answered within seconds as a rule, and may take some minutes."""
    assert len(_requests(seen)) == 2
