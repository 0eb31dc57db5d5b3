"""A certificate of the API server or of a kubelet has expired or ends soon, or a kubelet gets no new one.

Meaning:
    The API server, or what stands in front of it, shows a certificate whose end is past or near; or a kubelet does,
    and the cluster's CA has signed it, so that clients verify it. Or a kubelet has asked for a certificate
    (CertificateSigningRequest), and the request is not approved, or was denied.

Impact:
    After its end, no client that verifies the certificate connects: kubectl, controllers and kubelets at once. The API
    server rejects a kubelet whose client certificate has ended, and its node becomes NotReady. Without a valid serving
    certificate, `kubectl logs` and `exec` and metrics fail on that node.

Diagnosis:
    `kubeadm certs check-expiration` on a control-plane node; `openssl s_client -connect HOST:6443 </dev/null | openssl
    x509 -noout -dates -issuer` from anywhere. `kubectl get csr` lists the requests. A certificate that its kubelet has
    signed itself (kubeadm's default) is verified by no client: where one has expired, a remark says so.

Mitigation:
    `kubeadm certs renew all` and a restart of the control plane's static pods; upgrades with kubeadm renew them, too.
    Approve a kubelet's request once you have checked it (`kubectl certificate approve NAME`), and find out why it was
    not approved: kube-controller-manager, a missing ClusterRoleBinding, or the approver of serving certificates.
"""

from collections.abc import Iterator

from kubevitals.facts.control_plane.certificates import (
    CLIENT_SIGNER,
    Waiting,
    certificate_lines,
    has_expired,
    urgency,
    waiting_kubelets,
)
from kubevitals.findings.declaration import check
from kubevitals.findings.explains import EVERYWHERE, SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.certificates import of_api_server, of_kubelets
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_ready, ref
from kubevitals.source.certificates import Certificate
from kubevitals.text import plural

EXPLAINS = (
    Explains(("certificates[api-server]",), EVERYWHERE, ("api-server[unreachable]",), words="certificate"),
    Explains(("certificates[request-waits]",), SAME_NODE, ("node-ready[silent]", "node-ready[not-ready]")),
)


def api_server(cluster: Cluster) -> Iterator[Finding]:
    """Find that the API server's certificate has expired, or ends soon and is not renewed automatically."""
    certificate = of_api_server(cluster)
    if severity := urgency(certificate, cluster):
        yield _finding(
            Ref("APIServer", "", "kube-apiserver"),
            certificate,
            severity,
            "renew it on each control-plane node (kubeadm certs renew apiserver), and restart kube-apiserver there; "
            "if a load balancer shows it, renew it there",
            cluster,
        )


def kubelet(cluster: Cluster) -> Iterator[Finding]:
    """Find kubelets whose certificate, signed by the cluster's CA, has expired or was not renewed in time."""
    expired = 0
    for node, certificate in of_kubelets(cluster):
        if certificate.byCluster and (severity := urgency(certificate, cluster, renewed=True)):
            remedy = "restart the kubelet; see whether its request for a new one is approved: kubectl get csr"
            yield _finding(ref(node), certificate, severity, remedy, cluster)
        elif not certificate.byCluster and has_expired(certificate, cluster):
            expired += 1
    if expired:
        cluster.remarks.append(
            f"{plural(expired, 'kubelet')} with an expired certificate that the cluster's CA has not signed: "
            "clients that verify kubelets cannot connect to them anyway"
        )


def _finding(obj: Ref, certificate: Certificate, severity: Severity, remedy: str, cluster: Cluster) -> Finding:
    return Finding(
        obj,
        says=f"its certificate {'has expired' if has_expired(certificate, cluster) else 'ends soon'}",
        remedy=remedy,
        evidence=certificate_lines(certificate, cluster),
        severity=severity,
    )


def request_waits(cluster: Cluster) -> Iterator[Finding]:
    """Find kubelets that get no certificate: their request is not approved, or was denied.

    It is an error if the node of a client certificate is not ready: the API server may have rejected its kubelet.
    """
    for waiting in waiting_kubelets(cluster):
        node = cluster.nodes_by_name.get(waiting.node)
        client = waiting.request.spec.signerName == CLIENT_SIGNER
        severity = Severity.ERROR if client and node and not is_ready(node) else Severity.WARNING
        yield _waits(waiting, ref(node) if node else ref(waiting.request), severity)


def _waits(waiting: Waiting, obj: Ref, severity: Severity) -> Finding:
    name, signer = waiting.request.metadata.name, waiting.request.spec.signerName
    kind = "client" if signer == CLIENT_SIGNER else "serving"
    answer = f"was denied: {waiting.denied}" if waiting.denied else "is not approved"
    return Finding(
        obj,
        says=f"its kubelet gets no {kind} certificate: its request {answer}",
        remedy=f"check the request and approve it (kubectl certificate approve {name}), and find out why nothing did",
        evidence=[f"CertificateSigningRequest {name} of {waiting.user} for the signer {signer}"],
        severity=severity,
        look=f"kubectl describe csr {name}",
        part=kind,
        since=waiting.request.metadata.creationTimestamp.seconds,
    )


@check(api_server, kubelet, request_waits, chapter="6.5")
def test_certificates_are_valid() -> None:
    """The certificates of the API server and of kubelets are valid for long enough, and kubelets get new ones."""
