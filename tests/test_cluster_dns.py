"""Why the DNS Service has no endpoint, and what the metrics of its pods say."""

import json
from collections.abc import Sequence

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from checks.test_cluster_dns import failing, no_endpoints
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns.service import service
from kubevitals.source.request import Answer
from tests.dns import DOWN, MARK, METRICS, A, B, dns_cluster, dns_service, slice_of
from tests.networks import DNS_IP, UseProbe, found, judged, node, pod, refused_by_rbac

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
        with pytest.raises(NotObserved, match="there is no DNS Service"):
            list(no_endpoints(dns_cluster(services=list(services))))


# --- no-endpoints ---

STARTING = [pod(p.metadata.name, p.spec.nodeName, "False", 10, labels=MARK) for p in (A, B)]
SCALED = pb.Deployment(metadata=pb.ObjectMeta(name="coredns", namespace="kube-system", labels=MARK))


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        ({"pods": []}, "no pod has the label k8s-app=kube-dns"),
        ({"pods": [], "deployments": [SCALED]}, "scaled to 0 replicas"),
        ({"pods": DOWN, "endpoint_slices": [slice_of(False, False)]}, "2 pods that it selects are not ready"),
        (
            {"services": [dns_service(app="kube-dnss")]},
            "its selector app=kube-dnss matches no pod, although DNS pods are running",
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


AUTO = node("one", labels={"eks.amazonaws.com/compute-type": "auto"})


@pytest.mark.parametrize("services", [[], [dns_service()]], ids=["no Service", "dummy Service"])
def test_dns_that_is_built_into_the_nodes_needs_no_service(services: list[pb.Service]) -> None:
    lists: dict[str, Sequence[Message]] = {"nodes": [AUTO], "services": services, "endpoint_slices": []}
    with pytest.raises(NotApplicable, match="DNS is built into EKS Auto Mode's nodes"):
        list(no_endpoints(dns_cluster(pods=[], **lists)))


def test_dns_pods_count_although_nodes_have_dns_built_in() -> None:
    for nodes, pods in (([AUTO], DOWN), ([AUTO, node("two")], [])):
        lists: dict[str, Sequence[Message]] = {"nodes": nodes, "pods": pods, "endpoint_slices": []}
        (finding,), _ = judged(no_endpoints, dns_cluster(**lists))
        assert str(finding.obj) == "Service/kube-system/kube-dns"


def test_cloud_dns_may_serve_where_kube_dns_is_scaled_down() -> None:
    gke = node("one")
    gke.status.nodeInfo.kubeletVersion = "v1.34.1-gke.100"
    lists: dict[str, Sequence[Message]] = {"pods": [], "deployments": [SCALED], "endpoint_slices": []}
    with pytest.raises(NotObserved, match="Cloud DNS may resolve names in GKE"):
        list(no_endpoints(dns_cluster(nodes=[gke], **lists)))
    config = {"kubeletconfig": {"clusterDNS": [DNS_IP]}}
    answers = {"/api/v1/nodes/one/proxy/configz": Answer(200, json.dumps(config).encode())}
    (finding,), _ = judged(no_endpoints, dns_cluster(answers, nodes=[gke], **lists))
    assert "scaled to 0 replicas" in finding.says


def test_an_endpoint_that_does_not_say_whether_it_is_ready_is() -> None:
    unsaid = slice_of(True)
    unsaid.endpoints[0].conditions.ClearField("ready")
    assert found(no_endpoints, dns_cluster(endpoint_slices=[unsaid], pods=[])) == []


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
        (Answer(200, b'coredns_dns_responses_total{rcode="SERVFAIL"} 1e999\ncoredns_panics_total 0\n'), ["Pod/dns-a"]),
    ],
)
def test_the_share_of_servfail(answer: Answer, expected: list[str]) -> None:
    assert found(failing, dns_cluster({METRICS.format("dns-a"): answer})) == expected


@pytest.mark.usefixtures("no_probe")
@pytest.mark.parametrize("counted", [counts(500, 1000), counts(0, 0, panics=2)], ids=["SERVFAIL", "panics"])
def test_what_was_counted_for_long_is_of_the_past(counted: Answer) -> None:
    old = pod("dns-a", "one", since=7200, labels=MARK)
    cluster = dns_cluster({METRICS.format("dns-a"): counted}, pods=[old])
    assert found(failing, cluster) == ["Pod/dns-a (warning)"]


@pytest.mark.usefixtures("no_probe")
def test_metrics_that_cannot_be_had_are_not_observed() -> None:
    _, unseen = judged(failing, dns_cluster({METRICS.format("dns-a"): refused_by_rbac}))
    assert unseen
    assert (unseen.right, "pods/proxy is refused: --kubelet=direct" in str(unseen)) == ("", True)
    assert "no metrics" in str(judged(failing, dns_cluster({METRICS.format("dns-a"): Answer(200, b"")}))[1])


def test_dns_pods_without_a_port_for_metrics_are_judged_by_the_probe(use_probe: UseProbe) -> None:
    other = [pod(name, "one", labels=MARK) for name in ("dns-a", "dns-b")]
    for one in other:
        one.spec.containers.add().ports.add(containerPort=53)
    use_probe([])
    assert found(failing, dns_cluster({METRICS.format("dns-a"): Answer(200, b"")}, pods=other)) == []


@pytest.mark.usefixtures("no_probe")
def test_dns_pods_without_a_port_for_metrics_and_without_a_probe_are_not_observed() -> None:
    other = pod("dns-a", "one", labels=MARK)
    other.spec.containers.add().ports.add(containerPort=53)
    assert "no probe" in str(judged(failing, dns_cluster(pods=[other]))[1])


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
