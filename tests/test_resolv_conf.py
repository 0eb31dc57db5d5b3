"""What pods and nodes are given to resolve names with."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import Message

from checks.test_cluster_dns import kubelet_mismatch, no_endpoints, resolv_conf_node, resolv_conf_pod
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.report import Lookup, ProbeNetwork, ProbeReport, Resolver, Through
from kubevitals.source.request import Answer
from tests.dns import CLUSTER, NODES, SERVED, UNSERVED, dns_cluster, dns_service
from tests.fakes import ago
from tests.networks import DNS_IP, UseProbe, found, judged, lookup, pod, refused_by_rbac

# --- resolv.conf ---


def resolving(network: ProbeNetwork, found: Resolver | None, *lookups: Lookup) -> ProbeReport:
    return ProbeReport("one", network, whole=True, resolver=found, lookups=lookups)


def resolver(
    servers: str = DNS_IP, search: str = "x.svc.cluster.local svc.cluster.local", options: str = "ndots:5"
) -> Resolver:
    return Resolver(tuple(servers.split()), tuple(search.split()), tuple(options.split()))


LOCAL = "169.254.20.10"
DEAD_LOCAL, LIVE_LOCAL = (lookup(Through.RESOLVER, answered, server=LOCAL) for answered in (0, 2))


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (resolving("pod", resolver()), ""),
        (resolving("pod", resolver(LOCAL), SERVED, LIVE_LOCAL), ""),
        (resolving("pod", resolver(LOCAL), UNSERVED, DEAD_LOCAL), ""),
        (resolving("pod", resolver(LOCAL), SERVED, DEAD_LOCAL), f"name server {LOCAL} does not answer"),
        (resolving("pod", resolver("10.96.0.99")), "name server 10.96.0.99 is not the cluster's DNS"),
        (resolving("pod", resolver("")), "no nameserver line"),
        (resolving("pod", resolver(search="example.com")), "the search domain svc.DOMAIN is missing"),
        (resolving("pod", resolver(options="timeout:1")), "the option ndots is missing"),
        (resolving("pod", None), ""),
        (resolving("host", resolver("192.0.2.1", "", "")), ""),
    ],
)
def test_what_pods_are_given(use_probe: UseProbe, report: ProbeReport, expected: str) -> None:
    use_probe([report])
    findings, unseen = judged(resolv_conf_pod, CLUSTER)
    assert unseen is None
    assert [expected in finding.says for finding in findings] == ([True] if expected else [])


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (resolving("host", resolver("192.0.2.1", "", "")), ""),
        (resolving("host", resolver("", "", "")), "no nameserver line"),
        (resolving("host", resolver("127.0.0.53")), "loopback address"),
        (resolving("host", resolver("::1")), "loopback address"),
        (resolving("host", resolver("1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4")), "pods ignore 1.1.1.4"),
        (resolving("host", resolver(search=" ".join(f"d{n}.example" for n in range(33)))), "33 search domains"),
        (resolving("pod", resolver("127.0.0.53")), ""),
    ],
)
def test_what_a_node_hands_on(use_probe: UseProbe, report: ProbeReport, expected: str) -> None:
    use_probe([report])
    findings, _ = judged(resolv_conf_node, CLUSTER)
    assert [expected in finding.says for finding in findings] == ([True] if expected else [])


FOUR = resolver("1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4")


def at_node(said: str) -> Lookup:
    return lookup(Through.RESOLVER, 0, server="1.1.1.1", said=said)


@pytest.mark.parametrize(
    ("tried", "expected"),
    [
        ([], ["Node/one (warning)"]),
        ([at_node("NXDOMAIN"), at_node("timed out")], ["Node/one (warning)"]),
        ([at_node("timed out"), at_node("timed out")], ["Node/one"]),
    ],
    ids=["not tried", "an answer", "no answer"],
)
def test_a_fourth_name_server_is_an_error_only_if_the_first_three_do_not_answer(
    use_probe: UseProbe, tried: list[Lookup], expected: list[str]
) -> None:
    use_probe([resolving("host", FOUR, *tried)])
    assert found(resolv_conf_node, CLUSTER) == expected


def test_what_the_probe_reads_decides_and_not_an_old_event(use_probe: UseProbe) -> None:
    use_probe([resolving("host", resolver("1.1.1.1"))])
    assert found(resolv_conf_node, dns_cluster(all_events=[event(CUT)])) == []
    unread = ProbeReport("one", "host", whole=True)
    use_probe([unread])
    assert found(resolv_conf_node, dns_cluster(all_events=[event(CUT)])) == ["Node/one (warning)"]


def event(words: str, kind: str = "Pod", name: str = "dns-a", before: int = 60) -> pb.Event:
    about = pb.ObjectReference(kind=kind, namespace="kube-system" if kind == "Pod" else "", name=name)
    return pb.Event(
        involvedObject=about, type="Warning", reason="DNSConfigForming", message=words, lastTimestamp=ago(before)
    )


CUT = "Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: 1.1.1.1"


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (event(CUT), ["Node/one"]),
        (
            event(
                "Resolv.conf file '/etc/resolv.conf' contains search line consisting of more than 32 domains!",
                "Node",
                "two",
            ),
            ["Node/two"],
        ),
        (event(CUT, before=7200), []),
        (event("something else"), []),
    ],
)
def test_a_resolv_conf_that_was_cut_is_told_by_events(said: pb.Event, expected: list[str]) -> None:
    findings, unseen = judged(resolv_conf_node, dns_cluster(all_events=[said]))
    assert [f"{f.obj.kind}/{f.obj.name}" for f in findings] == expected
    assert "no probe" in str(unseen)


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize("adds", [{"nameservers": ["1.1.1.1"]}, {"searches": ["shop.example"]}])
def test_of_a_pod_that_adds_name_servers_of_its_own_it_tells_nothing_of_the_node(adds: dict[str, list[str]]) -> None:
    adding = pod("dns-a", "one")
    adding.spec.dnsConfig.CopyFrom(pb.PodDNSConfig(**adds))
    assert judged(resolv_conf_node, dns_cluster(all_events=[event(CUT)], pods=[adding]))[0] == []


# --- kubelet-mismatch ---

CONFIGZ = "/api/v1/nodes/{}/proxy/configz"


def given_by_kubelets(*servers: str, **lists: Sequence[Message]) -> Cluster:
    body = '{{"kubeletconfig": {{"clusterDNS": [{}], "staticPodURLHeader": {{"x": ["secret"]}}}}}}'.format(
        ", ".join(f'"{s}"' for s in servers)
    )
    right = {
        CONFIGZ.format(name): Answer(200, b'{"kubeletconfig": {"clusterDNS": ["10.96.0.10"]}}')
        for name in ("one", "two")
    }
    return dns_cluster(right | {CONFIGZ.format("three"): Answer(200, body.encode())}, **lists)


@pytest.mark.parametrize(
    ("servers", "expected"),
    [((DNS_IP,), []), ((LOCAL,), []), ((LOCAL, DNS_IP), []), (("10.96.0.99",), ["Node/three"]), ((), ["Node/three"])],
)
def test_a_kubelet_gives_the_services_address_or_a_local_one(servers: tuple[str, ...], expected: list[str]) -> None:
    assert found(kubelet_mismatch, given_by_kubelets(*servers)) == expected


CLOUD = "169.254.169.254"
ABANDONED: dict[str, Sequence[Message]] = {"endpoint_slices": [], "pods": []}


def all_given(server: str, **lists: Sequence[Message]) -> Cluster:
    """Return a cluster whose kubelets all give this name server to pods."""
    config = Answer(200, f'{{"kubeletconfig": {{"clusterDNS": ["{server}"]}}}}'.encode())
    return dns_cluster({CONFIGZ.format(n.metadata.name): config for n in NODES}, **lists)


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize("server", [CLOUD, "192.0.2.53"], ids=["Cloud DNS", "a server outside"])
def test_a_service_that_no_pod_queries_need_not_serve(server: str) -> None:
    cluster = all_given(server, **ABANDONED)
    with pytest.raises(NotApplicable, match=f"pods query {server}"):
        list(no_endpoints(cluster))
    assert found(kubelet_mismatch, cluster) == []


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize("server", [DNS_IP, LOCAL, "10.96.0.99"], ids=["the Service", "NodeLocal DNS", "wrong"])
def test_a_service_that_pods_query_has_to_serve(server: str) -> None:
    cluster = all_given(server, **ABANDONED)
    assert found(no_endpoints, cluster) == ["Service/kube-dns"]
    assert len(found(kubelet_mismatch, cluster)) == (3 if server == "10.96.0.99" else 0)


@pytest.mark.usefixtures("no_probe")
def test_the_service_that_pods_query_counts_and_not_the_usual_name() -> None:
    other = dns_service("names", "net")
    other.spec.clusterIP = other.spec.clusterIPs[0] = "10.96.0.99"
    assert found(no_endpoints, all_given("10.96.0.99", services=[dns_service(), other])) == ["Service/names"]


def test_the_resolv_conf_of_pods_says_what_they_query(use_probe: UseProbe) -> None:
    answers = lookup(Through.RESOLVER, server=CLOUD)
    use_probe([resolving("pod", resolver(CLOUD), UNSERVED, answers)])
    cluster = dns_cluster(**ABANDONED)
    with pytest.raises(NotApplicable, match=f"pods query {CLOUD}"):
        list(no_endpoints(cluster))
    assert found(resolv_conf_pod, cluster) == []


def test_a_name_server_elsewhere_that_does_not_answer_is_found(use_probe: UseProbe) -> None:
    silent = lookup(Through.RESOLVER, 0, server=CLOUD)
    use_probe([resolving("pod", resolver(CLOUD), UNSERVED, silent)])
    (finding,), _ = judged(resolv_conf_pod, dns_cluster(**ABANDONED))
    assert f"name server {CLOUD} does not answer" in finding.says


def test_a_name_server_that_resolves_the_clusters_names_is_right(use_probe: UseProbe) -> None:
    server = "192.0.2.53"
    use_probe([resolving("pod", resolver(server), SERVED, lookup(Through.RESOLVER, server=server))])
    assert found(resolv_conf_pod, CLUSTER) == []
    use_probe([resolving("pod", resolver(f"{server} {DNS_IP}"), SERVED, lookup(Through.RESOLVER, 0, server=server))])
    assert found(resolv_conf_pod, CLUSTER) == ["Node/one"]


def test_another_dns_service_is_right_too() -> None:
    other = dns_service("my-dns", "net")
    other.spec.clusterIP, other.spec.clusterIPs[0] = "10.96.0.99", "10.96.0.99"
    assert found(kubelet_mismatch, given_by_kubelets("10.96.0.99", services=[dns_service(), other])) == []


def test_kubelets_that_may_not_be_asked_are_not_observed() -> None:
    quiet = dns_cluster()
    quiet.ask_kubelets = False
    assert "--kubelet=none" in str(judged(kubelet_mismatch, quiet)[1])
    refused = dns_cluster({CONFIGZ.format(n.metadata.name): refused_by_rbac for n in NODES})
    _, unseen = judged(kubelet_mismatch, refused)
    assert unseen
    assert (unseen.right, "nodes/proxy is refused: --kubelet=direct" in str(unseen)) == ("", True)
    assert "answer cannot be read" in str(
        judged(kubelet_mismatch, dns_cluster({CONFIGZ.format("one"): Answer(200, b"[]")}))[1]
    )
