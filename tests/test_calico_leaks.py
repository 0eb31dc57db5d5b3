"""Addresses of Calico's pools that are assigned to pods which are gone, and those that only look so."""

from datetime import timedelta
from typing import Any

import pytest

from checks.test_ip_allocation import headroom
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.source.request import Answer
from tests.custom_resources import NAMESPACES, Objects, cluster_for, in_json, listed, named
from tests.fakes import NOW, Answers, status_json
from tests.test_calico_pools import block, calico, pool
from tests.test_ip_allocation import stuck

OLD = f"{NOW - timedelta(hours=1):%Y-%m-%d %H:%M:%S}.123456 +0000 UTC"


def assigned(pod: str, hours: int = 1, namespace: str = "shop", node: str = "one") -> Objects:
    """How Calico notes to which pod it assigned an address."""
    timestamp = f"{NOW - timedelta(hours=hours):%Y-%m-%d %H:%M:%S}.123456 +0000 UTC"
    return {"handle_id": "x", "secondary": {"pod": pod, "namespace": namespace, "node": node, "timestamp": timestamp}}


NO_POD: list[Objects] = [
    {"handle_id": "vxlan", "secondary": {"node": "one", "type": "vxlanTunnelAddress", "timestamp": OLD}},
    {"handle_id": "windows-reserved-ipam-handle", "secondary": {"note": "windows host rsvd"}},
    {"secondary": None},
]


def leaking(*owners: Objects, whole: bool = True, others: Answers | None = None, **lists: Any) -> Finding:
    """Return what is found of a full pool whose addresses are assigned so; pod web-0 is on node one.

    If the run does not see the whole cluster, it sees nothing of namespace hidden.
    """
    full = block("10.0.0.0/29", "one", 8, size=8)
    free: list[int | None] = [99] * (8 - len(owners))
    full["spec"].update(attributes=list(owners), allocations=[*range(len(owners)), *free])
    names = ("kube-system", "shop") if whole else ("kube-system", "shop", "hidden")
    in_protobuf = [pb.Namespace(metadata=pb.ObjectMeta(name=name)) for name in names]
    answers = calico([pool("small")], [full]) | {NAMESPACES: in_json(listed(named("shop", {})), in_protobuf)}
    cluster = cluster_for(answers | dict(others or {}), pods=[stuck("web-0")], **lists)
    (finding,) = headroom(cluster)
    return finding


def controller(ready: int) -> pb.Deployment:
    name = pb.ObjectMeta(name="calico-kube-controllers", namespace="kube-system")
    return pb.Deployment(metadata=name, status=pb.DeploymentStatus(readyReplicas=ready))


def test_addresses_of_pods_that_are_gone_are_counted_in_a_full_pool() -> None:
    """Also those of a pod that runs on another node now, and those of a namespace that is gone, too."""
    gone = [assigned("x", namespace="hidden"), assigned("gone-0"), assigned("web-0", node="two")]
    finding = leaking(assigned("web-0"), *gone, *NO_POD)
    assert (
        "IPPool small: leaked addresses: 3, assigned to pods that are gone: hidden/x, shop/gone-0, shop/web-0; "
        "calico-kube-controllers releases them after 15 minutes, if it runs"
    ) in finding.evidence
    assert "calicoctl ipam release --from-report report.json" in finding.remedy


@pytest.mark.parametrize(
    ("ready", "says"),
    [(0, "; calico-kube-controllers, which releases them, has no ready pod"), (1, " releases them after 15 minutes")],
)
def test_whether_leaked_addresses_will_be_released_is_said(ready: int, says: str) -> None:
    finding = leaking(assigned("gone-0", node="three"), assigned("gone-1", node="two"), deployments=[controller(ready)])
    line = list(finding.evidence)[1]
    assert "shop/gone-0, shop/gone-1 on node three, no longer in the cluster;" in line
    assert line.endswith(says)


@pytest.mark.parametrize(
    "owner",
    [
        assigned("web-0"),
        assigned("web-0", node=""),
        assigned("new", hours=0),
        assigned("virt-launcher-db-x7k2p"),
        *NO_POD,
    ],
    ids=["its pod", "its pod, older Calico", "just assigned", "virtual machine", "tunnel", "Windows", "none"],
)
def test_addresses_that_are_in_use_or_may_be_are_not_leaked(owner: Objects) -> None:
    finding = leaking(owner, others={"/api/v1/configmaps": Answer(403, status_json("no"))})
    assert not any("leaked" in line for line in finding.evidence)
    assert finding.remedy.startswith("enlarge the IPPool")


def test_pods_of_a_namespace_that_is_not_seen_may_exist() -> None:
    finding = leaking(assigned("x", namespace="hidden"), assigned("gone-0"), whole=False)
    assert "leaked addresses: 1, assigned to pods that are gone: shop/gone-0;" in str(finding.evidence)


def test_with_strict_affinity_only_addresses_that_a_node_can_get_count() -> None:
    """Those in blocks of nodes that are gone, and its own; not those in blocks of another node."""
    blocks = [block("10.0.0.0/30", "one", 4), block("10.0.0.4/30", "three", 4)]
    owners = [assigned("gone-0"), assigned("gone-1", node="two"), assigned("gone-2", node="three")]
    blocks[1]["spec"].update(attributes=owners, allocations=[0, 1, 2, 99])
    cluster = cluster_for(calico([pool("small")], blocks, strictAffinity=True), pods=[stuck("web-0")])
    evidence = {str(finding.obj): str(finding.evidence) for finding in headroom(cluster)}
    assert "leaked addresses: 2, assigned to pods that are gone: shop/gone-0, shop/gone-2 on" in evidence["Node/one"]
    assert "leaked addresses: 2, assigned to pods that are gone: shop/gone-1, shop/gone-2 on" in evidence["Node/two"]
