"""Address pools of CNIs, by objects as each CNI writes them: full, nearly full, free, and in another mode."""

from typing import Any

import pytest

from checks.test_ip_allocation import headroom
from kubevitals import schema_pb2 as pb
from kubevitals.source.request import Answer
from tests.built import node
from tests.custom_resources import Objects, cluster_for, in_json, listed, named, says
from tests.fakes import Answers, cluster_of, status_json
from tests.networks import daemon_set, judged


def running(address: str, on: str = "one") -> pb.Pod:
    return pb.Pod(spec=pb.PodSpec(nodeName=on), status=pb.PodStatus(phase="Running", podIP=address))


# --- Cilium ---

CILIUM = "/apis/cilium.io/v2/ciliumnodes"
POOLS = "/apis/cilium.io/v2/ciliumpodippools"


def addresses(count: int) -> Objects:
    return {f"10.3.0.{number}": {} for number in range(count)}


def cloud(size: int, used: int, *, error: str = "", most: int = 0) -> Objects:
    ipam = {"pool": addresses(size), "max-allocate": most}
    return named("one", {"ipam": ipam}, {"ipam": {"used": addresses(used), "operator-status": {"error": error}}})


def of_pools(*cidrs: str, name: str = "one", error: str = "") -> Objects:
    allocated = [{"pool": "blue", "cidrs": list(cidrs)}]
    return named(name, {"ipam": {"pools": {"allocated": allocated}}}, {"ipam": {"operator-status": {"error": error}}})


def blue(*cidrs: Any) -> Answer:
    return listed(named("blue", {"ipv4": {"cidrs": list(cidrs), "maskSize": 29}}))


PODS = [running(f"10.3.0.{number}") for number in range(2, 7)]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ({CILIUM: listed(cloud(20, 20))}, None),
        (
            {CILIUM: listed(cloud(20, 19, error="no subnet has addresses left"))},
            "19 of 20 addresses of the pool of CiliumNode",
        ),
        ({CILIUM: listed(cloud(20, 20, most=20))}, "20 of 20 addresses of the pool of CiliumNode"),
        ({CILIUM: listed(cloud(20, 15, most=20))}, None),
        ({CILIUM: listed(named("one", {"ipam": {"podCIDRs": ["10.3.0.0/29"]}}))}, "5 of 5 addresses of 10.3.0.0/29"),
        ({CILIUM: listed(named("one", {"ipam": {"podCIDRs": ["10.3.0.0/24"]}}))}, None),
        (
            {CILIUM: listed(of_pools("10.3.0.0/29")), POOLS: blue({"cidr": "10.3.0.0/29"})},
            "5 of 5 addresses of CiliumPodIPPool blue that the node has or can get",
        ),
        ({CILIUM: listed(of_pools("10.3.0.0/29")), POOLS: blue({"cidr": "10.3.0.0/28"})}, None),
        (
            {
                CILIUM: listed(of_pools("10.3.0.0/29"), of_pools("10.3.0.8/29", name="gone")),
                POOLS: Answer(404),
                POOLS.replace("v2", "v2alpha1"): blue("10.3.0.0/28"),
            },
            "5 of 5 addresses of CiliumPodIPPool blue that the node has or can get",
        ),
        ({CILIUM: listed(of_pools("10.3.0.0/29")), POOLS: listed()}, None),
        (
            {CILIUM: listed(of_pools("10.3.0.0/29", error="pool blue is empty")), POOLS: listed()},
            "5 of 5 addresses of CiliumPodIPPool blue that the node has or can get",
        ),
    ],
    ids=[
        "a pool that grows",
        "a pool that cannot grow, nearly full",
        "a pool as large as it may be, full",
        "a pool as large as it may be, with room",
        "cluster-pool, full",
        "cluster-pool, free",
        "multi-pool, full",
        "multi-pool, the pool has more",
        "multi-pool in the older version, another node has the rest",
        "multi-pool of a cloud, which grows",
        "multi-pool of a cloud, which cannot grow",
    ],
)
def test_cilium(answers: Answers, expected: str | None) -> None:
    findings, unseen = judged(headroom, cluster_for(answers, pods=PODS))
    assert unseen is None
    assert says(findings) == ({"Node/one": f"{expected} are in use"} if expected else {})


def test_why_ciliums_operator_adds_no_addresses_stands_in_the_evidence() -> None:
    (finding,), _ = judged(headroom, cluster_for({CILIUM: listed(cloud(20, 20, error="subnet full"))}))
    assert "CiliumNode one: cilium-operator: subnet full" in finding.evidence


# --- others: subnets and pools that count by themselves, and ranges of nodes ---

WHEREABOUTS = "/apis/whereabouts.cni.cncf.io/v1alpha1/ippools"
ANTREA = "/apis/crd.antrea.io/v1beta1/ippools"
SUBNETS = "/apis/kubeovn.io/v1/subnets"
KUBE_OVN_POOLS = "/apis/kubeovn.io/v1/ippools"
AZURE = "/apis/acn.azure.com/v1alpha/nodenetworkconfigs"
AZURE_SUBNETS = "/apis/acn.azure.com/v1alpha1/clustersubnetstates"


def store(used: int, cidr: str = "10.0.7.0/28") -> Answers:
    allocations = {str(place): {"id": "c", "podref": "shop/web"} for place in range(1, used + 1)}
    pool = named("10.0.7.0-28", {"range": cidr, "allocations": allocations}, namespace="kube-system")
    return {WHEREABOUTS: listed(pool)}


def antrea(used: int, total: int) -> Answers:
    return {ANTREA: listed(named("blue", {"ipRanges": []}, {"usage": {"used": used, "total": total}}))}


def kube_ovn(used: Any, free: Any, pool: Objects | None = None, **spec: Any) -> Answers:
    status = {"v4usingIPs": used, "v4availableIPs": free, "v6usingIPs": 0, "v6availableIPs": 2**70}
    subnet = named("ovn-default", {"default": True, "provider": "ovn", "cidrBlock": "10.16.0.0/24"} | spec, status)
    return {SUBNETS: listed(subnet), KUBE_OVN_POOLS: listed(*([pool] if pool else []))}


def of_three(used: int) -> Objects:
    status = {"v4UsingIPs": used, "v4AvailableIPs": 3 - used}
    return named("fixed", {"subnet": "ovn-default", "namespaces": ["shop", "bank"]}, status)


def azure(assigned: int, most: int = 0, status: str = "NCUpdateSuccess", *, exhausted: bool = False) -> Answers:
    parts = [{"subnetName": "pods", "status": status}]
    config = {"assignedIPCount": assigned, "scaler": {"maxIPCount": most}, "networkContainers": parts}
    return {
        AZURE: listed(named("one", {}, config, namespace="kube-system")),
        AZURE_SUBNETS: listed(named("pods", {}, {"exhausted": exhausted}, namespace="kube-system")),
    }


def test_ovn_kubernetes_has_a_subnet_for_each_node() -> None:
    for subnets, expected in (
        (
            '{"default":["10.3.0.0/29"],"blue":["10.9.0.0/30"]}',
            {"Node/one": "5 of 5 addresses of 10.3.0.0/29 are in use"},
        ),
        ('{"default":"10.3.0.0/29"}', {"Node/one": "5 of 5 addresses of 10.3.0.0/29 are in use"}),
        ('{"default":["10.3.0.0/24","fd00::/64"]}', {}),
    ):
        annotated = named("one", {}, annotations={"k8s.ovn.org/node-subnets": subnets})
        broken = named("two", {}, annotations={"k8s.ovn.org/node-subnets": "10.3.0.0/24"})
        nodes = [node("one"), node("two")]
        daemons = [daemon_set("ovnkube-node", "ovn-kubernetes")]
        lists = {"/api/v1/nodes": in_json(listed(annotated, broken), nodes)}
        findings, unseen = judged(headroom, cluster_of(lists, daemon_sets=daemons, pods=PODS))
        assert (says(findings), unseen) == (expected, None)


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (store(14), {"IPPool/kube-system/10.0.7.0-28": "14 of 14 addresses of 10.0.7.0/28 are in use"}),
        (store(13), {"IPPool/kube-system/10.0.7.0-28": "13 of 14 addresses of 10.0.7.0/28 are in use"}),
        (store(12), {}),
        (store(300, "fd00::/64"), {}),
        (antrea(20, 20), {"IPPool/blue": "20 of 20 addresses of its ranges are in use"}),
        (antrea(19, 20), {"IPPool/blue": "19 of 20 addresses of its ranges are in use"}),
        (antrea(10, 20), {}),
        (antrea(0, 0), {}),
        (kube_ovn(253, 0), {"Subnet/ovn-default": "253 of 253 addresses of 10.16.0.0/24 are in use"}),
        (kube_ovn("250", "3"), {"Subnet/ovn-default": "250 of 253 addresses of 10.16.0.0/24 are in use"}),
        (kube_ovn(100, 153), {}),
        (kube_ovn(0, 0), {}),
        (kube_ovn(253, 0, provider="external.kube-system"), {}),
        (
            kube_ovn(253, 0, provider="blue.shop.ovn", default=False, namespaces=["shop"]),
            {"Subnet/ovn-default": "253 of 253 addresses of 10.16.0.0/24 are in use (pods of namespace shop)"},
        ),
        (
            kube_ovn(9, 200, of_three(3)),
            {
                "IPPool/fixed": "3 of 3 addresses of Subnet ovn-default that are for it are in use "
                "(pods of 2 namespaces (bank, shop))"
            },
        ),
        (kube_ovn(9, 200, of_three(2)), {}),
        (azure(5, most=250), {}),
        (azure(5), {"Node/one": "5 of 5 addresses of NodeNetworkConfig are in use"}),
        (azure(5, 250, "NCUpdateSubnetFullError"), {"Node/one": "5 of 5 addresses of NodeNetworkConfig are in use"}),
        (azure(16, 250, "NCUpdateSubnetFullError"), {}),
        (
            azure(5, 250, exhausted=True),
            {
                "ClusterSubnetState/kube-system/pods": "Azure reports that the subnet is exhausted",
                "Node/one": "5 of 5 addresses of NodeNetworkConfig are in use",
            },
        ),
    ],
    ids=[
        "Whereabouts, full",
        "Whereabouts, nearly full",
        "Whereabouts, free",
        "Whereabouts, IPv6",
        "Antrea, full",
        "Antrea, nearly full",
        "Antrea, free",
        "Antrea, without figures",
        "Kube-OVN, full",
        "Kube-OVN, nearly full, figures as texts",
        "Kube-OVN, free",
        "Kube-OVN, without figures",
        "Kube-OVN, a network that is not for pods",
        "Kube-OVN, a namespace's own subnet",
        "Kube-OVN, a pool of a subnet, full",
        "Kube-OVN, a pool of a subnet, free",
        "Azure, the node gets more",
        "Azure, a fixed block, full",
        "Azure, the subnet is full, and the node too",
        "Azure, the subnet is full, the node has room",
        "Azure, the subnet is exhausted",
    ],
)
def test_other_cnis(answers: Answers, expected: dict[str, str]) -> None:
    cluster = cluster_of(answers, nodes=[node("one", "10.3.0.0/16")], pods=PODS)
    findings, unseen = judged(headroom, cluster)
    assert (says(findings), unseen) == (expected, None)


@pytest.mark.parametrize("path", [WHEREABOUTS, ANTREA, SUBNETS, AZURE, CILIUM])
def test_kinds_of_other_cnis_that_may_not_be_listed_are_not_observed(path: str) -> None:
    nodes, full = [node("one", "10.3.0.0/29")], {path: Answer(403, status_json("no"))}
    findings, unseen = judged(headroom, cluster_of(full, nodes=nodes, pods=PODS))
    assert says(findings) == {"Node/one": "5 of 5 addresses of 10.3.0.0/29 are in use"}
    assert unseen is not None
    assert unseen.right == f"list {path.split('/')[-1]}.{path.split('/')[2]}"


def test_where_pod_cidrs_are_used_only_networks_beside_the_pod_network_are_asked_for() -> None:
    answers = {**store(14), **{path: Answer(403, status_json("no")) for path in (SUBNETS, AZURE, CILIUM)}}
    cluster = cluster_of(answers, nodes=[node("one", "10.3.0.0/24")], daemon_sets=[daemon_set("kindnet")])
    findings, unseen = judged(headroom, cluster)
    assert (list(says(findings)), unseen) == (["IPPool/kube-system/10.0.7.0-28"], None)


API_SERVICES = "/apis/apiregistration.k8s.io/v1/apiservices"


def test_without_the_api_groups_the_daemonsets_tell_which_cnis_there_are() -> None:
    nodes, hidden = [node("one", "10.3.0.0/29")], {API_SERVICES: Answer(403, status_json("no"))}
    findings, unseen = judged(headroom, cluster_of(hidden, nodes=nodes, pods=PODS))
    assert (list(says(findings)), unseen) == (["Node/one"], None)
    for name in ("whereabouts", "cilium"):
        cluster = cluster_of(hidden, nodes=nodes, pods=PODS, daemon_sets=[daemon_set(name)])
        findings, unseen = judged(headroom, cluster)
        assert list(says(findings)) == ["Node/one"]
        assert unseen is not None
        assert unseen.right == "list apiservices.apiregistration.k8s.io"


# --- pods that a node takes ---


@pytest.mark.parametrize(("most", "found"), [("5", 0), ("6", 1)])
def test_a_node_with_an_address_for_each_pod_that_it_takes_has_enough(most: str, found: int) -> None:
    cluster = cluster_for({CILIUM: listed(named("one", {"ipam": {"podCIDRs": ["10.3.0.0/29"]}}))}, pods=PODS)
    cluster.nodes[0].status.allocatable["pods"].string = most
    assert len(list(headroom(cluster))) == found
