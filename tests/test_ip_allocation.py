"""The table of sandbox errors and the arithmetic of pod addresses."""

import re
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checks.test_ip_allocation import headroom
from kubevitals import schema_pb2 as pb
from kubevitals.addresses import Pool, overlaps, pools, strays
from kubevitals.errors import NotApplicable
from kubevitals.pod_faults import SANDBOX_FAULTS, PodFault, pod_faults
from kubevitals.sandbox_errors import ERRORS, EXHAUSTED, MISCONFIGURED, UNKNOWN, UNREACHABLE, explain, plain
from tests.built import node
from tests.fakes import ago, cluster_of

ID = "54964c602aff5070aea6546f12f66b78d94c1effa4f193f117cf919e8117f046"
HEAD = f'Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "{ID}": '
REFUSED = "dial tcp 127.0.0.1:{}: connect: connection refused"

SAID = [
    (
        EXHAUSTED,
        'plugin type="ptp" failed (add): failed to allocate for range 0: no IP addresses available in range set: '
        "10.244.2.1-10.244.2.254",
    ),
    (
        EXHAUSTED,
        'plugin type="calico" failed (add): failed to request IPv4 addresses: '
        "Assigned 0 out of 1 requested IPv4 addresses",
    ),
    (
        EXHAUSTED,
        'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: failed to assign an IP address to container',
    ),
    (
        EXHAUSTED,
        "plugin type='azure-vnet' failed (add): IPAM Invoker Add failed with error: Failed to get IP address from CNS "
        "with error: %w: AllocateIPConfig failed: not enough IPs available for 9c6a7f37-dd43-4f7c-a01f-1ff41653609c, "
        "waiting on Azure CNS to allocate more with NC Status: ",
    ),
    (EXHAUSTED, "Failed to allocate pool: Failed to delegate: Failed to allocate address: No available addresses"),
    (
        EXHAUSTED,
        'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] '
        "postIpamFailure  range is full",
    ),
    (
        EXHAUSTED,
        'plugin type="cilium-cni" failed (add): unable to allocate IP via local cilium agent: [POST /ipam][502] '
        'postIpamFailure "all CIDR ranges are exhausted"',
    ),
    (
        EXHAUSTED,
        'error adding container to network "storage": error at storage engine: Could not allocate IP in range: ip: '
        "172.16.0.1 / - 172.16.0.6 / range: net.IPNet{IP:net.IP{0xac, 0x10, 0x0, 0x0}}",
    ),
    (MISCONFIGURED, "cni plugin not initialized"),
    (MISCONFIGURED, 'plugin type="ptp" failed (add): failed to find plugin "dhcp" in path [/opt/cni/bin]'),
    (MISCONFIGURED, 'plugin type="ptp" failed (add): invalid CIDR address: 10.244.1.1.0/24'),
    (MISCONFIGURED, "no CNI configuration file in /etc/cni/net.d/. Has your network provider started?"),
    (
        UNREACHABLE,
        'plugin type="calico" failed (add): stat /var/lib/calico/nodename: no such file or directory: check that the '
        "calico/node container is running and has mounted /var/lib/calico/",
    ),
    (
        UNREACHABLE,
        'plugin type="cilium-cni" failed (add): unable to connect to Cilium agent: '
        "dial unix /var/run/cilium/cilium.sock: connect: no such file or directory",
    ),
    (
        UNREACHABLE,
        'plugin type="aws-cni" name="aws-cni" failed (add): add cmd: Error received from AddNetwork gRPC call: rpc '
        'error: code = Unavailable desc = connection error: desc = "transport: Error while dialing '
        f'{REFUSED.format(50051)}"',
    ),
    (
        UNREACHABLE,
        'plugin type="flannel" failed (add): loadFlannelSubnetEnv failed: open /run/flannel/subnet.env: no such file',
    ),
    (
        UNREACHABLE,
        'plugin type="weave-net" name="weave" failed (add): unable to allocate IP address: Post '
        f'"http://127.0.0.1:6784/ip/{ID}": {REFUSED.format(6784)}',
    ),
    (
        UNREACHABLE,
        "CNI request failed with status 400: 'failed to get pod annotation: timed out waiting for annotations: context "
        "deadline exceeded",
    ),
    (UNREACHABLE, f'plugin type="other" failed (add): {REFUSED.format(4711)}'),
    (UNREACHABLE, "context deadline exceeded"),
    (UNKNOWN, 'failed to get sandbox runtime: no runtime for "absent" is configured'),
    (UNKNOWN, "netplugin failed with no error message: signal: killed"),
]


@pytest.mark.parametrize(("variant", "words"), SAID, ids=range(len(SAID)))
def test_a_text_tells_the_variant(variant: str, words: str) -> None:
    error = explain(HEAD + words)
    assert error is not None
    assert error.variant == variant


@pytest.mark.parametrize(
    "words",
    [
        "",
        "runc create failed: container init was OOM-killed (memory limit too low?)",
        "failed to create shim task: mkdir /run/x: no space left on device",
    ],
)
def test_other_causes_own_these(words: str) -> None:
    assert explain(words) is None


def test_the_table_is_cited_and_every_line_can_be_reached() -> None:
    assert all(error.source and error.means and re.compile(error.text) for error in ERRORS)
    assert {error.variant for error in ERRORS} | {UNKNOWN} == set(SANDBOX_FAULTS)


def test_what_differs_from_pod_to_pod_is_left_out() -> None:
    pod = pb.Pod(metadata=pb.ObjectMeta(name="web-66bc5c9577-6g2g5"))
    uid = "9c6a7f37-dd43-4f7c-a01f-1ff41653609c"
    words = f"(combined from similar events): {HEAD}[shop/web-66bc5c9577-6g2g5/{uid}] {ID}: cannot"
    assert plain(words, pod) == "[shop/…/…] …: cannot"


@given(st.text(alphabet="abcdef0123456789-: \"'[]()=", max_size=400))
def test_any_text_can_be_explained(words: str) -> None:
    pod = pb.Pod(metadata=pb.ObjectMeta(name="app"))
    assert "app" not in plain(f"app {words}", pod)
    assert not words or explain(words) is not None


# --- which pods have no sandbox ---


def stuck(
    *,
    since: int = 90,
    has_sandbox: str = "False",
    phase: str = "Pending",
    host_network: bool = False,
    old: bool = False,
) -> pb.Pod:
    conditions = [pb.PodCondition(type="PodScheduled", status="True", lastTransitionTime=ago(since))]
    if not old:
        made = pb.PodCondition(type="PodReadyToStartContainers", status=has_sandbox, lastTransitionTime=ago(since))
        conditions.append(made)
    waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="ContainerCreating"))
    return pb.Pod(
        metadata=pb.ObjectMeta(name="app", namespace="shop", uid="1"),
        spec=pb.PodSpec(nodeName="one", hostNetwork=host_network),
        status=pb.PodStatus(phase=phase, conditions=conditions, containerStatuses=[pb.ContainerStatus(state=waiting)]),
    )


def said(words: str, reason: str = "FailedCreatePodSandBox", before: int = 10) -> pb.Event:
    about = pb.ObjectReference(kind="Pod", namespace="shop", name="app", uid="1")
    return pb.Event(involvedObject=about, reason=reason, message=words, lastTimestamp=ago(before))


def fault_of(pod: pb.Pod, *events: pb.Event, on: pb.Node | None = None) -> PodFault | None:
    found = pod_faults(cluster_of(pods=[pod], all_events=list(events), nodes=[on or node()])).found
    return next((fault for fault, symptoms in found.items() if symptoms), None)


FULL = said(HEAD + "no IP addresses available in range set: 10.0.0.1-10.0.0.6")


def test_the_latest_failure_counts_whatever_event_follows() -> None:
    earlier = said(HEAD + REFUSED.format(1), before=60)
    changed = said("Pod sandbox changed, it will be killed and re-created.", "SandboxChanged", before=1)
    assert fault_of(stuck(), changed, FULL, earlier) is PodFault.POOL_EXHAUSTED
    assert fault_of(stuck(), changed, earlier) is PodFault.CNI_UNREACHABLE


def test_what_a_runtime_says_otherwise_does_not_hide_what_it_said_before() -> None:
    otherwise = said("error during container init: read init-p: connection reset by peer", before=1)
    assert fault_of(stuck(), otherwise) is PodFault.SANDBOX_FAILED
    assert fault_of(stuck(), otherwise, FULL) is PodFault.POOL_EXHAUSTED
    killed = said("container init was OOM-killed (memory limit too low?)", before=5)
    assert fault_of(stuck(), otherwise, killed) is PodFault.OOM_KILLED


def test_a_sandbox_made_anew_again_and_again_is_a_fault_when_the_reason_has_expired() -> None:
    changed = said("Pod sandbox changed, it will be killed and re-created.", "SandboxChanged", before=5)
    mount = said("MountVolume.SetUp failed for volume", "FailedMount", before=1)
    assert fault_of(stuck(), changed) is PodFault.SANDBOX_FAILED
    assert fault_of(stuck(), changed, mount) is not PodFault.SANDBOX_FAILED
    assert fault_of(stuck(), changed, said("no space left on device", before=20)) is None


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        (stuck(), PodFault.POOL_EXHAUSTED),
        (stuck(old=True), PodFault.POOL_EXHAUSTED),
        (stuck(phase="Running"), PodFault.POOL_EXHAUSTED),
        (stuck(since=30), None),
        (stuck(has_sandbox="True"), None),
        (stuck(phase="Failed"), None),
    ],
)
def test_only_a_pod_that_has_no_sandbox_for_long_has_the_fault(pod: pb.Pod, expected: PodFault | None) -> None:
    assert fault_of(pod, FULL) is expected


def test_a_node_without_network_explains_its_pods_but_not_those_in_the_host_network() -> None:
    bare = node(
        message="container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:x"
    )
    assert fault_of(stuck(), on=bare) is PodFault.CNI_MISCONFIGURED
    assert fault_of(stuck(host_network=True), on=bare) is None


def test_a_stuck_pod_without_a_word_is_not_claimed() -> None:
    assert fault_of(stuck()) is None


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
def test_a_pool_is_never_empty_and_its_share_grows_with_what_is_held(prefix: int, held: int) -> None:
    pool = Pool(ip_network(f"0.0.0.0/{prefix}"), held)
    assert pool.usable >= 1
    assert pool.percent <= pool._replace(held=held + 1).percent


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
def test_who_holds_no_address_of_the_node_does_not_count(others: list[pb.Pod]) -> None:
    nodes = node("one", "10.0.1.0/29"), node("two", "10.0.2.0/29")
    assert found_on(*nodes, pods=[*pods_of("10.0.1.0/29", 4), *others]) == []
    assert found_on(*nodes, pods=[*pods_of("10.0.1.0/29", 5), *others]) == ["one"]


def test_an_old_status_has_one_address() -> None:
    pod = holding("10.0.1.2")
    del pod.status.podIPs[:]
    assert pools(cluster_of(nodes=[node("one", "10.0.1.0/30")], pods=[pod]))["one"][0].held == 1


@pytest.mark.parametrize(("nodes", "pods"), [([node()], []), ([node("one", "10.0.1.0/29")], [holding("192.0.2.1")])])
def test_headroom_does_not_apply_where_addresses_come_from_elsewhere(nodes: list[pb.Node], pods: list[pb.Pod]) -> None:
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
def test_overlaps_are_found_where_there_are_some(drawn: list[tuple[int, int]]) -> None:
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
    return [(found.metadata.name, str(own)) for found, own in strays(cluster_of(nodes=list(nodes), pods=[manager]))]


def test_a_pod_cidr_outside_the_networks_of_its_family_is_astray() -> None:
    inside, outside = node("in", "10.244.3.0/24", "fd00:0:0:3::/64"), node("out", "10.245.0.0/24", "fd01::/64")
    assert astray(inside, outside) == [("out", "10.245.0.0/24"), ("out", "fd01::/64")]


@pytest.mark.parametrize("cluster_cidr", ["", "fd00::/56", "nonsense"])
def test_nothing_is_astray_where_the_networks_of_its_family_are_not_known(cluster_cidr: str) -> None:
    assert astray(node("out", "192.168.0.0/24"), cluster_cidr=cluster_cidr) == []


def test_a_cluster_without_nodes_has_no_pools() -> None:
    cluster = cluster_of()
    assert pools(cluster) == {}
    assert list(overlaps(cluster)) == []


def test_what_is_no_address_holds_none() -> None:
    pods = [
        pb.Pod(spec=pb.PodSpec(nodeName="one"), status=pb.PodStatus(phase="Running", podIP=ip))
        for ip in ("10.0.0.2", "nonsense", " ")
    ]
    (pool,) = pools(cluster_of(pods=pods, nodes=[node("one", "10.0.0.0/24")]))["one"]
    assert pool.held == 1
