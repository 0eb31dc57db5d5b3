"""What keeps names from being resolved, and who is to blame."""

from collections.abc import Sequence

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from checks.test_cluster_dns import (
    failing,
    no_endpoints,
    pod_unreachable,
    service_unreachable,
    upstream,
)
from kubevitals import schema_pb2 as pb
from kubevitals.cluster_dns import LOG_LINES, explain_log, service
from kubevitals.errors import NotObserved
from kubevitals.inventory import Cluster
from kubevitals.probe.probed import Silent
from kubevitals.probe.report import ABSENT, Kind, Lookup, Report, Through
from kubevitals.source import Answer
from tests.fakes import Answers, cluster_of
from tests.networks import DNS_IP, FINE, UseProbe, found, judged, lookup, mesh, node, pod, reach, refused_by_rbac

NODES = [node("one"), node("two"), node("three")]
MARK = {"k8s-app": "kube-dns"}
A, B = pod("dns-a", "one", labels=MARK), pod("dns-b", "two", labels=MARK)


def dns_service(name: str = "kube-dns", namespace: str = "kube-system", **selector: str) -> pb.Service:
    return pb.Service(
        metadata=pb.ObjectMeta(name=name, namespace=namespace, labels=MARK),
        spec=pb.ServiceSpec(
            clusterIP=DNS_IP, clusterIPs=[DNS_IP], selector=selector or MARK, ports=[pb.ServicePort(port=53)]
        ),
    )


def slice_of(*ready: bool | None) -> pb.EndpointSlice:
    endpoints = [pb.Endpoint(addresses=["10.0.0.9"], conditions=pb.EndpointConditions(ready=r)) for r in ready]
    labels = {"kubernetes.io/service-name": "kube-dns"}
    return pb.EndpointSlice(metadata=pb.ObjectMeta(namespace="kube-system", labels=labels), endpoints=endpoints)


METRICS = "/api/v1/namespaces/kube-system/pods/{}:9153/proxy/metrics"
QUIET = Answer(200, b"coredns_panics_total 0\n")


def dns_cluster(answers: Answers | None = None, /, **lists: Sequence[Message]) -> Cluster:
    healthy: dict[str, Sequence[Message]] = {
        "nodes": NODES,
        "services": [dns_service()],
        "endpoint_slices": [slice_of(True)],
        "pods": [A, B],
    }
    quiet = {METRICS.format(name): QUIET for name in ("dns-a", "dns-b")}
    return cluster_of({**quiet, **(answers or {})}, **(healthy | lists))


CLUSTER = dns_cluster()


# --- the Service ---


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ([dns_service()], "kube-dns"),
        ([dns_service("coredns")], "coredns"),
        ([dns_service("kube-dns-upstream"), dns_service()], "kube-dns"),
        ([dns_service("dns-default", "openshift-dns")], "dns-default"),
        ([dns_service("my-dns")], "my-dns"),
    ],
)
def test_the_dns_service_is_found(made: list[pb.Service], expected: str) -> None:
    assert service(dns_cluster(services=list(made))).metadata.name == expected


def test_without_a_dns_service_nothing_is_observed() -> None:
    headless = dns_service()
    headless.spec.clusterIP = "None"
    for services in ([], [headless], [dns_service(namespace="shop")]):
        with pytest.raises(NotObserved, match="no DNS Service is found"):
            list(no_endpoints(dns_cluster(services=list(services))))


# --- no-endpoints ---

DOWN = [pod(p.metadata.name, p.spec.nodeName, "False", 300, labels=MARK) for p in (A, B)]
STARTING = [pod(p.metadata.name, p.spec.nodeName, "False", 10, labels=MARK) for p in (A, B)]
SCALED = pb.Deployment(metadata=pb.ObjectMeta(name="coredns", namespace="kube-system", labels=MARK))


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"pods": []}, "no pod has k8s-app=kube-dns"),
        ({"pods": [], "deployments": [SCALED]}, "scaled to 0 replicas"),
        ({"pods": DOWN, "endpoint_slices": [slice_of(False, False)]}, "2 pods that it selects are not ready"),
        (
            {"services": [dns_service(app="kube-dnss")]},
            "its selector app=kube-dnss matches no pod, though DNS pods run",
        ),
    ],
    ids=["no pods", "scaled down", "not ready", "selector"],
)
def test_a_service_without_endpoints_says_why(lists: dict[str, Sequence[Message]], expected: str) -> None:
    (finding,), _ = judged(no_endpoints, dns_cluster(**{"endpoint_slices": [], **lists}))
    assert str(finding.obj) == "Service/kube-system/kube-dns"
    assert expected in finding.says


@pytest.mark.parametrize(
    "lists",
    [{}, {"endpoint_slices": [slice_of(False, True)]}, {"endpoint_slices": [slice_of(False)], "pods": STARTING}],
    ids=["ready", "one ready", "just started"],
)
def test_a_service_that_serves_or_starts_is_left_alone(lists: dict[str, Sequence[Message]]) -> None:
    assert found(no_endpoints, dns_cluster(**lists)) == []


def test_an_endpoint_that_does_not_say_whether_it_is_ready_is() -> None:
    unsaid = slice_of(True)
    unsaid.endpoints[0].conditions.ClearField("ready")
    assert found(no_endpoints, dns_cluster(endpoint_slices=[unsaid], pods=[])) == []


# --- lookups ---

SERVED, UNSERVED = lookup(Through.SERVICE), lookup(Through.SERVICE, 0)
BY_A, BY_B = lookup(Through.POD, pod="dns-a"), lookup(Through.POD, pod="dns-b")
NOT_A, NOT_B = lookup(Through.POD, 0, pod="dns-a"), lookup(Through.POD, 0, pod="dns-b")
PEER = reach(Kind.PEER, "three")


def from_node(name: str, *lookups: Lookup, peer: bool = True) -> Report:
    reached = (PEER if name != "three" else reach(Kind.PEER, "one"),) if peer else (reach(Kind.PEER, "x", 0),)
    return Report(name, "pod", whole=True, resolver=FINE, lookups=lookups, reached=reached)


WELL = from_node("two", SERVED, BY_A, BY_B)


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (from_node("one", UNSERVED, BY_A, BY_B), ["Node/one"]),
        (from_node("one", UNSERVED, NOT_A, NOT_B), ["Node/one"]),
        (from_node("one", UNSERVED, NOT_A, NOT_B, peer=False), []),
        (from_node("one", UNSERVED, BY_A, NOT_B), []),
        (from_node("one", lookup(Through.SERVICE, 1), BY_A, BY_B), []),
        (from_node("one", lookup(Through.SERVICE, 0, said="SERVFAIL"), BY_A, BY_B), []),
        (from_node("one", SERVED, BY_A, BY_B), []),
    ],
    ids=["by its address", "names only", "no network", "may be a pod", "now and then", "answered", "well"],
)
def test_the_services_address_is_blamed_where_its_pods_answer(
    use_probe: UseProbe, report: Report, expected: list[str]
) -> None:
    use_probe([report, WELL])
    assert found(service_unreachable, CLUSTER) == expected


def test_a_service_without_endpoints_has_its_own_finding(use_probe: UseProbe) -> None:
    use_probe([from_node("one", UNSERVED, BY_A, BY_B)])
    assert found(service_unreachable, dns_cluster(endpoint_slices=[])) == []


def test_a_dns_pod_that_answers_nobody_is_named_and_no_node(use_probe: UseProbe) -> None:
    use_probe([from_node(name, SERVED, NOT_A, BY_B) for name in ("one", "two", "three")])
    (finding,), _ = judged(pod_unreachable, CLUSTER)
    assert (str(finding.obj), finding.says) == ("Pod/kube-system/dns-a", "answers lookups from no node")


def test_a_dns_pod_that_answers_some_says_whom_not(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVED, NOT_A, BY_B), WELL, from_node("three", SERVED, BY_A, BY_B)])
    (finding,), _ = judged(pod_unreachable, CLUSTER)
    assert "not from one" in finding.says
    assert [str(ref) for ref in finding.concerns] == ["Node/one"]


def test_a_node_that_no_dns_pod_answers_is_to_blame_itself(use_probe: UseProbe) -> None:
    use_probe([from_node("one", UNSERVED, NOT_A, NOT_B, peer=False), WELL])
    assert found(pod_unreachable, CLUSTER) == []
    use_probe([from_node("one", UNSERVED, NOT_A, peer=False), from_node("two", SERVED, BY_A)])
    assert found(pod_unreachable, CLUSTER) == []


def test_a_dns_pod_on_a_node_without_network_is_not_blamed(use_probe: UseProbe) -> None:
    """Not even for what its own node's pods ask: the node is, and has a finding for it."""
    asked = (SERVED, NOT_A, BY_B)
    use_probe(replace(report, lookups=asked) for report in mesh(("one", "two", "three"), lambda *ends: "one" in ends))
    assert found(pod_unreachable, CLUSTER) == []
    whole = mesh(("one", "two", "three"), lambda *ends: False)
    use_probe(replace(report, lookups=asked) for report in whole)
    assert found(pod_unreachable, CLUSTER) == ["Pod/dns-a"]


@pytest.mark.parametrize("said", ["SERVFAIL", "NXDOMAIN", "REFUSED"])
def test_a_pod_that_answers_badly_is_failing_and_not_unreachable(use_probe: UseProbe, said: str) -> None:
    bad = lookup(Through.POD, 0, pod="dns-a", said=f"server can't find kubernetes: {said}")
    use_probe([from_node(name, SERVED, bad, BY_B) for name in ("one", "two")])
    assert found(pod_unreachable, CLUSTER) == []
    assert found(failing, CLUSTER) == ["Pod/dns-a"]


def test_a_pod_that_is_not_ready_is_broken_in_its_own_way(use_probe: UseProbe) -> None:
    use_probe([from_node(name, SERVED, NOT_A, BY_B) for name in ("one", "two")])
    assert found(pod_unreachable, dns_cluster(pods=[DOWN[0], B])) == []


# --- upstream ---

OUTSIDE, NOT_OUTSIDE = lookup(Through.SERVICE, outside=True), lookup(Through.SERVICE, 0, outside=True)


@pytest.mark.parametrize(
    ("reports", "expected", "words"),
    [
        (
            [from_node("one", SERVED, NOT_OUTSIDE), from_node("two", SERVED, NOT_OUTSIDE)],
            ["Service/kube-dns"],
            "but none from outside",
        ),
        ([from_node("one", SERVED, NOT_OUTSIDE), from_node("two", SERVED, OUTSIDE)], ["Service/kube-dns"], "for one"),
        ([from_node("one", UNSERVED, NOT_OUTSIDE), from_node("two", SERVED, OUTSIDE)], [], ""),
        ([from_node("one", SERVED, OUTSIDE)], [], ""),
    ],
    ids=["from nowhere", "from some", "no names at all", "well"],
)
def test_names_from_outside(use_probe: UseProbe, reports: list[Report], expected: list[str], words: str) -> None:
    use_probe(reports)
    findings, unseen = judged(upstream, CLUSTER)
    assert unseen is None
    assert [f"{f.obj.kind}/{f.obj.name}" for f in findings] == expected
    assert all(words in finding.says for finding in findings)


NOWHERE = lookup(Through.SERVICE, 0, outside=True, name=ABSENT)


def from_host(answered: int) -> Report:
    asked = lookup(Through.RESOLVER, answered, outside=True, name=ABSENT, server="192.0.2.53")
    return Report("one", "host", whole=True, lookups=(asked,))


def test_dns_should_say_what_the_nodes_own_name_servers_say(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVED, NOWHERE), from_host(2)])
    assert found(upstream, CLUSTER) == ["Service/kube-dns"]


def test_a_cluster_that_is_cut_off_may_be_so_on_purpose(use_probe: UseProbe) -> None:
    use_probe([from_node("one", SERVED, NOWHERE), from_host(0)])
    findings, unseen = judged(upstream, CLUSTER)
    assert findings == []
    assert "cut off on purpose" in str(unseen)


def test_no_name_from_outside_is_not_observed(use_probe: UseProbe) -> None:
    use_probe([WELL])
    assert "no name from outside was looked up" in str(judged(upstream, CLUSTER)[1])
    use_probe([WELL], [Silent("one", "pod", "probe-x", "no image")])
    assert "told nothing on one: no image" in str(judged(upstream, CLUSTER)[1])


# --- failing ---


def counts(failed: int, answered: int, panics: int = 0) -> Answer:
    good = answered - failed
    text = (
        f'coredns_dns_responses_total{{plugin="x",rcode="NOERROR",server="dns://:53",view="",zone="."}} {good}\n'
        f'coredns_dns_responses_total{{plugin="",rcode="SERVFAIL",server="dns://:53",view="",zone="."}} {failed:e}\n'
        f"coredns_panics_total {panics}\n"
        "go_goroutines 7\n"
    )
    return Answer(200, text.encode())


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (counts(10, 1000), []),
        (counts(11, 1000), ["Pod/dns-a (warning)"]),
        (counts(30, 1000), ["Pod/dns-a (warning)"]),
        (counts(31, 1000), ["Pod/dns-a"]),
        (counts(500, 999), []),
        (counts(0, 0, panics=2), ["Pod/dns-a"]),
    ],
)
def test_the_share_of_servfail(answer: Answer, expected: list[str]) -> None:
    assert found(failing, dns_cluster({METRICS.format("dns-a"): answer})) == expected


@pytest.mark.usefixtures("no_probe")
def test_a_share_counted_for_long_is_of_the_past() -> None:
    old = pod("dns-a", "one", since=7200, labels=MARK)
    cluster = dns_cluster({METRICS.format("dns-a"): counts(500, 1000)}, pods=[old])
    assert found(failing, cluster) == ["Pod/dns-a (warning)"]


@pytest.mark.usefixtures("no_probe")
def test_metrics_that_cannot_be_had_are_not_observed() -> None:
    _, unseen = judged(failing, dns_cluster({METRICS.format("dns-a"): refused_by_rbac}))
    assert unseen
    assert unseen.right == "get pods/proxy"
    assert "no metrics" in str(judged(failing, dns_cluster({METRICS.format("dns-a"): Answer(200, b"")}))[1])


@pytest.mark.usefixtures("failed_probe")
def test_that_the_probe_failed_is_not_excused_by_what_was_not_to_be_asked() -> None:
    cluster = dns_cluster({})
    cluster.ask_kubelets = False
    _, unseen = judged(failing, cluster)
    assert unseen
    assert (unseen.right, unseen.unasked) == ("create services", False)


@pytest.mark.usefixtures("no_probe")
@given(
    st.binary(max_size=300)
    | st.text(alphabet='coredns_paicttl {}="rcodSERVFIL0123456789e+.\n', max_size=200).map(str.encode)
)
def test_any_metrics_are_counted_or_not_observed(body: bytes) -> None:
    judged(failing, dns_cluster({METRICS.format("dns-a"): Answer(200, body)}))


LOG = "/api/v1/namespaces/kube-system/pods/{}/log"
LOOP = (
    b'[FATAL] plugin/loop: Loop (127.0.0.1:33341 -> :53) detected for zone ".", see https://coredns.io/plugins/loop'
    b'#troubleshooting. Query: "HINFO 8391183664144451864.7099721769109937722."\n'
)


def crashing(name: str) -> pb.Pod:
    made = pod(name, "one", "False", 20, "CrashLoopBackOff", labels={**MARK, "pod-template-hash": "abc"})
    made.metadata.ownerReferences.append(pb.OwnerReference(kind="ReplicaSet", name="coredns-abc", controller=True))
    return made


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize(
    ("log", "expected"),
    [
        (LOOP, "the forward loop is detected"),
        (b"/etc/coredns/Corefile:13 - Error during parsing: Unknown directive 'forwrd'\n", "its Corefile has an error"),
        (
            b"/etc/coredns/Corefile:22 - Syntax error: Unexpected token 'loadbalance', expecting '}'",
            "its Corefile has an error",
        ),
        (b"Listen: listen tcp :53: bind: permission denied", "it cannot listen on its port"),
        (b'[INFO] plugin/ready: Still waiting on: "kubernetes"', "it waits for the API server"),
        (b"[INFO] 127.0.0.1:33341 - HINFO 0.1s", ""),
    ],
)
def test_the_log_of_a_pod_that_crashes_says_why_once(log: bytes, expected: str) -> None:
    paths = {LOG.format(name): Answer(200, log) for name in ("dns-a", "dns-b")}
    findings, unseen = judged(failing, dns_cluster(paths, pods=[crashing("dns-a"), crashing("dns-b")]))
    assert unseen is None
    assert [str(finding.obj) for finding in findings] == ["Deployment/kube-system/coredns"] * bool(expected)
    assert all(expected in finding.says and len(finding.concerns) == 2 for finding in findings)


@pytest.mark.usefixtures("no_probe")
def test_a_log_that_may_not_be_read_is_not_observed() -> None:
    findings, unseen = judged(failing, dns_cluster({LOG.format("dns-a"): refused_by_rbac}, pods=[crashing("dns-a")]))
    assert findings == []
    assert unseen
    assert unseen.right == "get pods/log"


@pytest.mark.usefixtures("no_probe")
def test_a_container_that_was_never_started_has_no_log_to_be_observed() -> None:
    never = pod("dns-a", "one", "False", 300, "ContainerCreating", labels=MARK)
    never.status.containerStatuses[0].lastState.Clear()
    assert found(failing, dns_cluster({LOG.format("dns-a"): Answer(400, b"not found")}, pods=[never])) == []


@pytest.mark.usefixtures("no_probe")
def test_the_log_of_a_pod_that_serves_is_not_read() -> None:
    assert found(failing, dns_cluster({LOG.format("dns-a"): Answer(200, LOOP)})) == []


def test_the_table_of_log_lines_is_cited() -> None:
    assert all(line.source and line.means and line.remedy for line in LOG_LINES)
    assert explain_log(("nothing", "of note")) is None
