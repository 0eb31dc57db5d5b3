"""Faults of certificates: some that end soon or have expired, and requests of kubelets that are not approved."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from subprocess import CalledProcessError
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.certificates import certificate

if TYPE_CHECKING:
    from scenarios.harness import Fault
    from scenarios.live import LiveCluster

PKI = "/etc/kubernetes/pki"
KUBELET = "/var/lib/kubelet/pki/kubelet"
APPROVER = "kubeadm:node-autoapprove-certificate-rotation"
SELF_APPROVAL = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient"
"""kubeadm's ClusterRoleBinding by which kube-controller-manager approves the requests of kubelets, and its role."""


def api_server_certificate(days: float) -> "Fault":
    """Sign the API server's certificate again, for a year that ends in so many days. The API server reads it again."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        read = {
            name: cluster.on_node("control-plane", f"cat {PKI}/{name}")
            for name in ("apiserver.crt", "ca.crt", "ca.key")
        }
        shorter = _signed_again(read["apiserver.crt"], read["ca.crt"], read["ca.key"], days)
        try:
            cluster.on_node("control-plane", f"cat >{PKI}/apiserver.crt <<'END'\n{shorter}END")
            yield
        finally:
            cluster.on_node("control-plane", f"cat >{PKI}/apiserver.crt <<'END'\n{read['apiserver.crt']}END")

    return fault


def _signed_again(certificate: str, authority: str, key: str, days: float) -> str:
    old, ca = (x509.load_pem_x509_certificate(pem.encode()) for pem in (certificate, authority))
    ends = datetime.now(UTC) + timedelta(days=days)
    builder = (
        x509.CertificateBuilder()
        .subject_name(old.subject)
        .issuer_name(ca.subject)
        .public_key(old.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(ends - timedelta(days=365))
        .not_valid_after(ends)
    )
    for extension in old.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    signer = serialization.load_pem_private_key(key.encode(), None)
    signed = builder.sign(signer, hashes.SHA256())  # type: ignore[arg-type]
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def authority(days: float) -> str:
    """Return the PEM of a new CA, made for a year that ends in so many days, in base64."""
    return base64.b64encode(certificate(datetime.now(UTC) + timedelta(days=days))).decode()


def expired_kubelet_certificates(by_cluster: str, by_itself: str) -> "Fault":
    """Let two kubelets show expired certificates: one that the cluster's CA has signed, and one of its own."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        issuer, key = (cluster.on_node("control-plane", f"cat {PKI}/ca.{part}") for part in ("crt", "key"))
        before = {role: cluster.on_node(role, f"cat {KUBELET}.crt") for role in (by_cluster, by_itself)}
        own_key = cluster.on_node(by_itself, f"cat {KUBELET}.key")
        try:
            _show(cluster, by_cluster, _signed_again(before[by_cluster], issuer, key, days=-10))
            _show(cluster, by_itself, _signed_again(before[by_itself], before[by_itself], own_key, days=-10))
            yield
        finally:
            for role, certificate in before.items():
                _show(cluster, role, certificate)

    return fault


def _show(cluster: "LiveCluster", role: str, certificate: str) -> None:
    cluster.on_node(role, f"cat >{KUBELET}.crt <<'END'\n{certificate}END\nsystemctl restart kubelet")


def requests_not_approved(client: str, serving: str) -> "Fault":
    """Let one node ask for a client certificate, which nothing approves now, and another for a serving certificate."""

    @contextmanager
    def fault(cluster: "LiveCluster") -> Iterator[None]:
        cluster.kubectl(f"delete clusterrolebinding {APPROVER}")
        cluster.retry(lambda: _require_refused(cluster, f"system:node:{cluster.name}-{client}"))
        try:
            _request(cluster, client, "kube-apiserver-client-kubelet", "client auth")
            _request(cluster, serving, "kubelet-serving", "server auth")
            yield
        finally:
            cluster.kubectl("delete csr --all")
            cluster.kubectl(f"create clusterrolebinding {APPROVER} --clusterrole={SELF_APPROVAL} --group=system:nodes")

    return fault


def _require_refused(cluster: "LiveCluster", user: str) -> None:
    """Require that the API server has noticed: until then a request would be approved."""
    asks = ["create", "certificatesigningrequests.certificates.k8s.io", "--subresource=selfnodeclient"]
    try:
        cluster.kubectl(["auth", "can-i", *asks, f"--as={user}", "--as-group=system:nodes"])
    except CalledProcessError:
        return
    raise LookupError(f"{user} still has its requests approved")


def _request(cluster: "LiveCluster", role: str, signer: str, usage: str) -> None:
    node = f"{cluster.name}-{role}"
    user = f"system:node:{node}"
    names = [(NameOID.ORGANIZATION_NAME, "system:nodes"), (NameOID.COMMON_NAME, user)]
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(*name) for name in names])
    )
    if usage == "server auth":
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(node)]), critical=False)
    signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    encoded = base64.b64encode(signed.public_bytes(serialization.Encoding.PEM)).decode()
    request = {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": f"csr-{role}"},
        "spec": {"request": encoded, "signerName": f"kubernetes.io/{signer}", "usages": ["digital signature", usage]},
    }
    by = [f"--as={user}", "--as-group=system:nodes", "--as-group=system:authenticated"]
    cluster.kubectl(["create", "-f", "-", *by], input=json.dumps(request))
