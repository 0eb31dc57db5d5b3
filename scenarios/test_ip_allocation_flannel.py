"""Pods that get no address from flannel."""

from scenarios.faults_flannel import lease_gone
from scenarios.harness import Seen, scenario
from scenarios.objects import pod


@scenario(
    pod("app", room="a"),
    addon="flannel",
    fault=lease_gone("worker"),
    finds=["ip-allocation[cni-unreachable] Pod/app"],
)
def test_flannel_without_a_lease(seen: Seen) -> None:
    """Its plugin does not find the file that flannel writes when it starts."""
    assert seen.says("flanneld has not written its lease on the node")
