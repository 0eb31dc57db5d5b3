"""Whether the podCIDRs of nodes count depends on the CNI, and on the addresses that pods have."""

import pytest

from checks.test_ip_allocation import cni_misconfigured, headroom
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from tests.built import node
from tests.fakes import cluster_of
from tests.networks import daemon_set, judged


def running(address: str, on: str = "one") -> pb.Pod:
    return pb.Pod(spec=pb.PodSpec(nodeName=on), status=pb.PodStatus(phase="Running", podIP=address))


INSIDE = [running(f"10.9.1.{number}") for number in range(2, 7)]


@pytest.mark.parametrize(
    ("cni", "pods", "judges"),
    [
        ("kindnet", [], True),
        ("kube-flannel-ds", [], True),
        ("canal", [], True),
        ("calico-node", INSIDE, False),
        ("aws-node", INSIDE, False),
        ("cilium", INSIDE, True),
        ("cilium", [running("10.0.0.7"), running("10.0.0.8"), INSIDE[0]], False),
        ("my-own", INSIDE, True),
        ("my-own", [running("10.0.0.7")], False),
    ],
)
def test_pod_cidrs_count_where_the_cni_uses_them(cni: str, pods: list[pb.Pod], judges: bool) -> None:
    nodes = [node("one", "10.9.1.0/29"), node("two", "10.9.1.0/29")]
    cluster = cluster_of(nodes=nodes, daemon_sets=[daemon_set(cni)], pods=pods)
    assert bool(judged(cni_misconfigured, cluster)[0]) is judges
    if judges:
        list(headroom(cluster))
    else:
        with pytest.raises(NotApplicable):
            list(headroom(cluster))
