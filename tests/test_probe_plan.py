"""The targets of the probe."""

import re
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.probe.plan import (
    API_ENDPOINTS,
    DNS_PODS,
    PEERS,
    Options,
    ProbePlan,
    ProbePod,
    ProbeService,
    plan,
    targets,
)
from kubevitals.probe.report import ABSENT, ProbeNetwork

OWN = ProbeService(("10.96.7.7",), 30777)


def node(name: str, *, ready: str = "True", **labels: str) -> pb.Node:
    condition = pb.NodeCondition(type="Ready", status=ready)
    names = {"kubernetes.io/os": "linux"} | {key.replace("__", "/").replace("_", "-"): labels[key] for key in labels}
    return pb.Node(metadata=pb.ObjectMeta(name=name, labels=names), status=pb.NodeStatus(conditions=[condition]))


def service(name: str, *ips: str, namespace: str = "kube-system", port: int = 53) -> pb.Service:
    spec = pb.ServiceSpec(clusterIP=ips[0], clusterIPs=ips, ports=[pb.ServicePort(port=port)])
    return pb.Service(metadata=pb.ObjectMeta(name=name, namespace=namespace), spec=spec)


def endpoints(of: str, *ips: str, namespace: str = "kube-system", port: int = 53) -> pb.EndpointSlice:
    labels = {"kubernetes.io/service-name": of}
    behind = [
        pb.Endpoint(addresses=[ip], targetRef=pb.ObjectReference(kind="Pod", namespace=namespace, name=f"pod-{ip}"))
        for ip in ips
    ]
    return pb.EndpointSlice(
        metadata=pb.ObjectMeta(name=f"{of}-x", namespace=namespace, labels=labels),
        endpoints=behind,
        ports=[pb.EndpointPort(port=port)],
    )


def places(count: int, *, dual: bool = False, hosts: bool = True) -> list[ProbePod]:
    found = []
    for number in range(count):
        address = f"{number >> 8}.{number & 255}"
        networks: dict[ProbeNetwork, str] = {"pod": "10.1", "host": "10.2"} if hosts else {"pod": "10.1"}
        for network, prefix in networks.items():
            second = (f"fd0{len(network)}::{number:x}",) if dual else ()
            found.append(ProbePod(f"{network}-{number}", f"n{number:04}", network, (f"{prefix}.{address}", *second)))
    return found


def lines(text: str, kind: str) -> list[list[str]]:
    return [words for words in map(str.split, text.splitlines()) if kind in words[:2]]


@given(st.integers(1, 40))
def test_each_node_asks_itself_and_a_few_and_is_asked_by_as_many(count: int) -> None:
    found = targets(ProbePlan(Options(), ()), OWN, places(count, hosts=False))
    connections = Counter(line[4] for text in found.values() for line in lines(text, "peer"))
    expected = min(PEERS, count - 1) + 1
    assert {len(lines(text, "peer")) for text in found.values()} == {expected}
    assert set(connections.values()) == {expected}
    for name, text in found.items():
        own = f"n{int(name.removeprefix('pod-')):04}"
        assert own in {line[4] for line in lines(text, "peer")}
        assert own not in {line[4] for line in lines(text, "large")}


def test_what_is_asked_grows_with_the_nodes_only() -> None:
    dns = tuple((f"10.3.0.{n}", f"kube-system/dns-{n}") for n in range(DNS_PODS))
    bounded = ProbePlan(Options(), (), ("10.96.0.10",), dns, (("10.96.0.1", 443),), (("10.0.0.1", 6443),))
    sizes = [sum(map(len, map(str.splitlines, targets(bounded, OWN, places(n)).values()))) / n for n in (10, 100, 1000)]
    assert sizes[0] == sizes[1] == sizes[2] < 70


def test_both_families_are_asked_by_whoever_has_both() -> None:
    own = ProbeService(("10.96.7.7", "fd00::77"), 30777)
    both = ProbePlan(Options(), (), ("10.96.0.10", "fd00::a"))
    for text in targets(both, own, places(3, dual=True)).values():
        for kind in ("peer", "large", "service", "node-port"):
            assert {":" in line[2] for line in lines(text, kind)} == {True, False}
        assert {line[4] for line in lines(text, "lookup")} == {"10.96.0.10", "fd00::a"}
    for text in targets(both, own, places(3)).values():
        assert "fd00" not in text


def test_a_single_node_asks_itself() -> None:
    found = targets(ProbePlan(Options(), ()), OWN, places(1))
    assert [line[4] for line in lines(found["pod-0"], "peer")] == ["n0000"]
    assert lines(found["pod-0"], "large") == []
    assert [line[2:4] for line in lines(found["host-0"], "node-port")] == [["10.2.0.0", "30777"]]


def test_a_node_whose_pod_network_is_dead_still_asks_from_its_own() -> None:
    running = [place for place in places(5) if place.name != "pod-2"]
    found = targets(ProbePlan(Options(), ()), OWN, running)
    assert len(lines(found["host-2"], "peer")) == PEERS
    assert all("n0002" not in {line[4] for line in lines(text, "peer")} for text in found.values())


def test_only_the_host_network_asks_kube_proxy() -> None:
    for name, text in targets(ProbePlan(Options(), ()), OWN, places(2)).items():
        assert bool(lines(text, "kube-proxy")) == name.startswith("host")


def test_a_name_that_exists_nowhere_is_looked_up_outside_unless_another_is_given_or_none() -> None:
    chosen = (Options(), Options(outside=""), Options(outside="example.com"))
    usual, quiet, given = (ProbePlan(options, (), ("10.96.0.10",)) for options in chosen)
    assert all(lines(text, ABSENT) for text in targets(usual, OWN, places(2)).values())
    assert "outside" not in "".join(targets(quiet, OWN, places(2)).values())
    for text in targets(given, OWN, places(2)).values():
        assert [line[0] for line in lines(text, "example.com")] == ["lookup", "resolver"]


@pytest.mark.parametrize("name", ["a b", "$(id)", "a;b", "a\nreach peer 10.0.0.1 80 x 1", "*", "ü"])
def test_a_name_that_the_shell_could_act_on_is_left_out(name: str) -> None:
    found = targets(ProbePlan(Options(), ()), OWN, [ProbePod("pod-x", name, "pod", ("10.9.0.9",)), *places(2)])
    every_line = [line for text in found.values() for line in text.splitlines()]
    assert every_line
    assert all(re.fullmatch(r"[\w.:/ -]+", line, re.ASCII) for line in every_line)
    assert not any("10.9.0.9" in line for line in every_line)


def test_nodes_that_are_down_windows_or_virtual_are_not_expected() -> None:
    nodes = [
        node("b"),
        node("a"),
        node("down", ready="False"),
        node("silent", ready="Unknown"),
        node("windows", kubernetes_io__os="windows"),
        node("virtual", type="virtual-kubelet"),
        node("control", node_role_kubernetes_io__control_plane=""),
    ]
    nodes[4].metadata.labels["kubernetes.io/os"] = "windows"
    assert plan(Options(), nodes, [], [], []).nodes == ("a", "b", "control")


def test_dns_and_api_servers_are_found_behind_their_services() -> None:
    services = [service("kube-dns", "10.96.0.10"), service("kubernetes", "10.96.0.1", namespace="default", port=443)]
    slices = [
        endpoints("kube-dns", *(f"10.3.0.{n}" for n in range(100, 160))),
        endpoints("kubernetes", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", namespace="default", port=6443),
        endpoints("kube-dns", "10.66.6.6", namespace="shop"),
    ]
    made = plan(Options(), [], services, slices, [])
    assert made.dns_services == ("10.96.0.10",)
    assert made.api_services == (("10.96.0.1", 443),)
    assert len(made.dns_pods) == len(set(made.dns_pods)) == DNS_PODS
    assert all(ip.startswith("10.3.0.") and pod == f"kube-system/pod-{ip}" for ip, pod in made.dns_pods)
    assert len(made.api_endpoints) == API_ENDPOINTS


def test_dns_pods_that_the_service_does_not_find_are_asked_all_the_same() -> None:
    metadata = pb.ObjectMeta(name="coredns-x", namespace="kube-system", labels={"k8s-app": "kube-dns"})
    pod = pb.Pod(metadata=metadata, status=pb.PodStatus(phase="Running", podIPs=[pb.PodIP(ip="10.3.0.1")]))
    made = plan(Options(), [], [service("kube-dns", "10.96.0.10")], [], [pod])
    assert made.dns_pods == (("10.3.0.1", "kube-system/coredns-x"),)


def test_dns_pods_on_another_port_are_asked_through_their_service_only() -> None:
    services = [service("dns-default", "172.30.0.10", namespace="openshift-dns")]
    slices = [endpoints("dns-default", "10.3.0.1", namespace="openshift-dns", port=5353)]
    made = plan(Options(), [], services, slices, [])
    assert (made.dns_services, made.dns_pods) == (("172.30.0.10",), ())
