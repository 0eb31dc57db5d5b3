"""How many addresses nodes have for pods, and which nodes have addresses that they should not."""

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.test_ip_allocation import headroom
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from kubevitals.facts.network.addresses import Pool, overlaps, pools, strays
from tests.built import node
from tests.fakes import ago, cluster_of

# --- headroom ---


def holding(*addresses: str, phase: str = "Running", host_network: bool = False, on: str = "one") -> pb.Pod:
    ips = [pb.PodIP(ip=address) for address in addresses]
    return pb.Pod(
        spec=pb.PodSpec(nodeName=on, hostNetwork=host_network),
        status=pb.PodStatus(phase=phase, podIP=addresses[0] if addresses else "", podIPs=ips),
    )


def pods_of(cidr: str, count: int) -> list[pb.Pod]:
    return [holding(str(ip_network(cidr)[2 + i])) for i in range(count)]


def found_on(*nodes: pb.Node, pods: list[pb.Pod]) -> list[str]:
    return [finding.obj.name for finding in headroom(cluster_of(nodes=list(nodes), pods=pods))]


@pytest.mark.parametrize(
    ("cidr", "usable"),
    [("10.0.1.0/24", 253), ("10.0.1.0/29", 5), ("10.0.1.0/32", 1), ("fd00::/64", 2**64 - 2), ("fd00::/125", 6)],
)
def test_usable_addresses(cidr: str, usable: int) -> None:
    assert Pool(ip_network(cidr), 0).usable == usable


@given(st.integers(0, 32), st.integers(0, 2**20))
def test_a_pool_is_never_empty_and_its_share_grows_with_its_use(prefix: int, held: int) -> None:
    pool = Pool(ip_network(f"0.0.0.0/{prefix}"), held)
    assert pool.usable >= 1
    assert pool.percent <= pool._replace(used=held + 1).percent


@pytest.mark.parametrize(("count", "expected"), [(227, []), (228, ["one"]), (253, ["one"])])
def test_nine_tenths_of_a_nodes_addresses_are_the_limit(count: int, expected: list[str]) -> None:
    assert (
        found_on(node("one", "10.0.1.0/24"), node("two", "10.0.2.0/24"), pods=pods_of("10.0.1.0/24", count)) == expected
    )


def test_the_tighter_family_of_a_dual_stack_node_counts() -> None:
    roomy_and_tight = node("one", "10.0.1.0/24", "fd00::/125")
    pods = [holding(f"10.0.1.{i}", f"fd00::{i}") for i in range(2, 8)]
    assert found_on(roomy_and_tight, pods=pods) == ["one"]
    tightest, other = pools(cluster_of(nodes=[roomy_and_tight], pods=pods))["one"]
    assert (str(tightest), str(other)) == ("6 of 6 addresses of fd00::/125", "6 of 253 addresses of 10.0.1.0/24")


@pytest.mark.parametrize(
    "others",
    [
        [holding("10.0.1.6", phase="Succeeded")],
        [holding("10.0.1.6", phase="Failed")],
        [holding("10.0.1.6", host_network=True)],
        [holding("172.18.0.2", host_network=True)],
        [holding()],
        [holding("10.0.1.6", on="two")],
    ],
)
def test_pods_without_an_address_of_the_node_do_not_count(others: list[pb.Pod]) -> None:
    nodes = node("one", "10.0.1.0/29"), node("two", "10.0.2.0/29")
    assert found_on(*nodes, pods=[*pods_of("10.0.1.0/29", 4), *others]) == []
    assert found_on(*nodes, pods=[*pods_of("10.0.1.0/29", 5), *others]) == ["one"]


def test_an_old_status_has_one_address() -> None:
    pod = holding("10.0.1.2")
    del pod.status.podIPs[:]
    assert pools(cluster_of(nodes=[node("one", "10.0.1.0/30")], pods=[pod]))["one"][0].used == 1


@pytest.mark.parametrize(("nodes", "pods"), [([node()], []), ([node("one", "10.0.1.0/29")], [holding("192.0.2.1")])])
def test_headroom_does_not_apply_if_addresses_come_from_elsewhere(nodes: list[pb.Node], pods: list[pb.Pod]) -> None:
    with pytest.raises(NotApplicable):
        found_on(*nodes, pods=pods)


# --- overlapping nodes ---


def overlapping(*nodes: pb.Node) -> list[tuple[str, str]]:
    return [(one.metadata.name, other.metadata.name) for one, _, other, _ in overlaps(cluster_of(nodes=list(nodes)))]


def test_the_younger_of_two_overlapping_nodes_is_named() -> None:
    young = node("one", "10.0.0.0/16", created=ago(100))
    old = node("two", "10.0.1.0/24", "fd00::/64", created=ago(200))
    assert overlapping(young, old, node("three", "10.1.0.0/16", "fd00:0:0:1::/64")) == [("one", "two")]
    assert overlapping(node("a", "10.0.0.0/24"), node("b", "10.0.0.0/24")) == [("b", "a")]


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(22, 26)), max_size=8))
def test_all_overlaps_are_found(drawn: list[tuple[int, int]]) -> None:
    cidrs = [ip_network((f"10.0.{third}.0", prefix), strict=False) for third, prefix in drawn]
    nodes = [node(f"node-{index}", str(cidr)) for index, cidr in enumerate(cidrs)]
    pairs = [(a, b) for i, a in enumerate(cidrs) for b in cidrs[i + 1 :] if a.overlaps(b)]
    assert bool(overlapping(*nodes)) is bool(pairs)


# --- nodes outside the cluster's networks ---


def astray(*nodes: pb.Node, cluster_cidr: str = "10.244.0.0/16,fd00::/56") -> list[tuple[str, str]]:
    manager = pb.Pod(
        metadata=pb.ObjectMeta(namespace="kube-system", labels={"component": "kube-controller-manager"}),
        spec=pb.PodSpec(containers=[pb.Container(command=[f"--cluster-cidr={cluster_cidr}"] if cluster_cidr else [])]),
    )
    return [
        (stray.metadata.name, str(network)) for stray, network in strays(cluster_of(nodes=list(nodes), pods=[manager]))
    ]


def test_a_pod_cidr_outside_the_networks_of_its_family_is_found() -> None:
    inside, outside = node("in", "10.244.3.0/24", "fd00:0:0:3::/64"), node("out", "10.245.0.0/24", "fd01::/64")
    assert astray(inside, outside) == [("out", "10.245.0.0/24"), ("out", "fd01::/64")]


@pytest.mark.parametrize("cluster_cidr", ["", "fd00::/56", "nonsense"])
def test_nothing_is_found_if_the_networks_of_its_family_are_not_known(cluster_cidr: str) -> None:
    assert astray(node("out", "192.168.0.0/24"), cluster_cidr=cluster_cidr) == []


def test_a_cluster_without_nodes_has_no_pools() -> None:
    cluster = cluster_of()
    assert pools(cluster) == {}
    assert list(overlaps(cluster)) == []


def test_text_that_is_not_an_address_does_not_count() -> None:
    pods = [
        pb.Pod(spec=pb.PodSpec(nodeName="one"), status=pb.PodStatus(phase="Running", podIP=ip))
        for ip in ("10.0.0.2", "nonsense", " ")
    ]
    (pool,) = pools(cluster_of(pods=pods, nodes=[node("one", "10.0.0.0/24")]))["one"]
    assert pool.used == 1
