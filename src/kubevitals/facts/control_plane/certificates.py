"""When certificates end, whether they are renewed automatically, and which kubelets wait for one."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.findings.severity import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.certificates import Certificate
from kubevitals.text import duration
from kubevitals.threshold import Threshold

SOON = Threshold("certificates.soon", 30 * 86400, "seconds before its end from which a certificate is a warning")

END = Threshold("certificates.end", 7 * 86400, "seconds before its end from which a certificate is an error")

RENEWED = Threshold(
    "certificates.renewed",
    86400,
    "seconds before its end from which a certificate that is renewed automatically is an error, or a tenth of the time "
    "for which it is valid, if that is less",
)

REQUESTED = Threshold(
    "certificates.requested",
    300,
    "seconds for which a kubelet's request may wait: kube-controller-manager approves it within seconds",
)

RENEWED_LIFE = 100 * 86400
"""Seconds: a certificate that is valid for less than this is renewed automatically. ACME's are valid for 90 days, those
of kubeadm for a year."""

CLIENT_SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
SERVING_SIGNER = "kubernetes.io/kubelet-serving"
"""Signers of kubelets' certificates (kubernetes/api certificates/v1 types.go)."""

NODE_USER = "system:node:"


def urgency(certificate: Certificate, cluster: Cluster, *, renewed: bool = False) -> Severity | None:
    """Return how urgent it is to renew a certificate; nothing if it is not.

    Args:
        certificate: the certificate.
        cluster: its clock and thresholds count.
        renewed: whether it is known to be renewed automatically; a short-lived one always is.
    """
    left = certificate.notAfter - cluster.now.timestamp()
    life = certificate.notAfter - certificate.notBefore
    if left <= 0:
        return Severity.ERROR
    if renewed or life <= RENEWED_LIFE:
        return Severity.ERROR if left <= min(cluster.limit(RENEWED), life / 10) else None
    if left <= cluster.limit(END):
        return Severity.ERROR
    return Severity.WARNING if left <= cluster.limit(SOON) else None


def has_expired(certificate: Certificate, cluster: Cluster) -> bool:
    """Return whether the certificate is not valid any more."""
    return certificate.notAfter <= cluster.now.timestamp()


def certificate_lines(certificate: Certificate, cluster: Cluster) -> Iterator[str]:
    """Yield whose certificate it is, who signed it, and until when it is valid."""
    left = certificate.notAfter - cluster.now.timestamp()
    ends = f"{duration(left)} left" if left > 0 else f"expired {duration(-left)} ago"
    yield f"subject {certificate.subject}, issuer {certificate.issuer}"
    yield f"valid until {_date(certificate.notAfter)} ({ends})"


def _date(seconds: float) -> str:
    try:
        return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"
    except (ValueError, OverflowError, OSError):
        return "an unknown time"


class Waiting(NamedTuple):
    """A kubelet that has asked for a certificate and gets none.

    Attributes:
        user: who asks: ``system:node:worker-1``, or a bootstrap token for a node that has no name yet.
        request: the latest request that has waited for too long, or was denied.
        denied: what was said when it was denied; empty if it was not.
    """

    user: str
    request: pb.CertificateSigningRequest
    denied: str

    @property
    def node(self) -> str:
        """The name of the node, if it has one."""
        return self.user.removeprefix(NODE_USER) if self.user.startswith(NODE_USER) else ""


def waiting_kubelets(cluster: Cluster) -> Iterator[Waiting]:
    """Yield the kubelets whose request for a certificate waits or was denied, unless a later one was approved."""
    requests: dict[tuple[str, str], list[pb.CertificateSigningRequest]] = defaultdict(list)
    for request in cluster.signing_requests:
        if request.spec.signerName in (CLIENT_SIGNER, SERVING_SIGNER):
            requests[request.spec.username, request.spec.signerName].append(request)
    for (user, _), of_user in requests.items():
        latest = max(of_user, key=_created)
        waits_since = min((_created(r) for r in of_user if not _conditions(r)), default=_created(latest))
        answers = _conditions(latest)
        is_late = cluster.over(pb.Time(seconds=waits_since), REQUESTED)
        if "Approved" not in answers and is_late:
            denied = next((answers[kind] for kind in ("Denied", "Failed") if kind in answers), "")
            yield Waiting(user, latest, denied)


def _created(request: pb.CertificateSigningRequest) -> int:
    return request.metadata.creationTimestamp.seconds


def _conditions(request: pb.CertificateSigningRequest) -> dict[str, str]:
    """Return what was said of a request, by the type of the condition."""
    return {c.type: f"{c.reason}: {c.message}" for c in request.status.conditions}
