"""The API server does not answer, or reports that it is not ready.

Meaning:
    Everything in the cluster goes through the API server. Either requests do not reach it, or its own `/readyz`
    lists parts that fail (`etcd`, an informer, a start-up hook).

Impact:
    Nothing can be deployed, rescheduled or scaled, and controllers do nothing. Running pods keep running.
    No other check can observe anything, so all of them are not observed.

Diagnosis:
    `kubectl get --raw '/readyz?verbose'` lists the parts. On a control-plane node: `crictl ps -a` and
    `crictl logs` of kube-apiserver and etcd, the disk under `/var/lib/etcd`, and the age of the certificates.

Mitigation:
    Repair the part that fails. If the server cannot be reached at all, first rule out the network path to it:
    VPN, load balancer, firewall, the address in the kubeconfig.
"""

import re
from collections.abc import Iterator

from kubevitals.errors import NotObserved, NotRecorded
from kubevitals.findings.declaration import check
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.server_version import not_kubernetes, version_of
from kubevitals.objects import Ref
from kubevitals.source.request import refusal

API_SERVER = Ref("APIServer", "", "kube-apiserver")

_PASSED = re.compile(rb"readyz check passed\s*\Z|\Aok\Z")
"""How /readyz ends if every part is healthy, and its whole answer without ?verbose."""

_ABSENT = (404, 405, 501)
"""Statuses of a path that a server does not have: nothing says whether it is ready."""

READYZ = "kubectl get --raw '/readyz?verbose'"


def unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find an API server that gives no HTTP answer at all.

    It is not observed if it refuses the credentials, if something else answers, such as a sign-in page, or if the
    source has no /version, as a virtual API or a dump that something serves.
    """
    try:
        answer = cluster.get("/version")
    except NotRecorded:
        raise
    except NotObserved as error:
        yield Finding(
            API_SERVER,
            says=f"does not answer: {error}",
            remedy="check the network path to it (VPN, load balancer, the server's address in the kubeconfig), "
            "then the kube-apiserver container on the control-plane nodes",
            look="kubectl cluster-info",
        )
        return
    if answer.status not in (200, 403):
        raise refusal(answer, "get /version")
    if answer.status == 200 and version_of(answer) is None:
        raise not_kubernetes("/version", answer)


def not_ready(cluster: Cluster) -> Iterator[Finding]:
    """Find an API server whose /readyz fails, with every part that fails."""
    answer = cluster.get("/readyz?verbose")
    if answer.status == 200 and not _PASSED.search(answer.body):
        raise not_kubernetes("/readyz", answer)
    if answer.status == 200:
        return
    if answer.status in (401, 403, *_ABSENT):
        raise refusal(answer, "get /readyz")
    lines = answer.body.decode("utf-8", "replace").splitlines()
    failing = [line.removeprefix("[-]") for line in lines if line.startswith("[-]")]
    parts = ", ".join(part.split(" ")[0] for part in failing)
    yield Finding(
        API_SERVER,
        says=f"is not ready: {parts} failed" if parts else f"is not ready: /readyz answers HTTP {answer.status}",
        remedy="read the log of kube-apiserver and of the part that fails, on the control-plane nodes",
        evidence=failing or lines[:5],
        look=READYZ,
    )


@check(unreachable, not_ready, chapter="0")
def test_api_server_is_ready() -> None:
    """The API server answers, and /readyz passes."""
