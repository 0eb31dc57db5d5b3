"""Egress policies: whether they allow DNS, whether the CNI enforces them, and what the pods say."""

import json
from typing import Any

import pytest

from checks.test_network_policy import no_dns
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.dns.egress import silenced
from kubevitals.findings.finding import Severity
from kubevitals.source.request import Answer
from tests.dns import MARK
from tests.networks import DNS_IP, node
from tests.policies import LOG, OTHER_KINDS, TO_API, TO_SYSTEM, cluster, found, policy, udp, web


def test_a_policy_that_allows_no_dns_is_a_warning() -> None:
    (finding,) = found(policy(TO_API))
    assert str(finding.obj) == "NetworkPolicy/shop/web-egress"
    assert finding.says == "allows its pods no DNS: no egress rule is for UDP port 53 of the DNS pods"
    assert finding.severity is Severity.WARNING
    assert [str(pod) for pod in finding.concerns] == ["Pod/shop/web-0"]


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"ports": [udp()]},
        {"ports": [udp(), {"port": 53}], "to": [TO_SYSTEM]},
        {"ports": [udp(50, endPort=60)]},
        {"ports": [{"protocol": "UDP"}]},
        {"ports": [udp("dns")], "to": [{**TO_SYSTEM, "podSelector": {"matchLabels": MARK}}]},
        {"to": [{"namespaceSelector": {}}]},
        {"to": [{"ipBlock": {"cidr": "10.244.0.0/16"}}]},
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]}}]},
        {"to": [{"ipBlock": {"cidr": f"{DNS_IP}/32"}}]},
        {"to": [{"ipBlock": {"cidr": "169.254.20.10/32"}}], "ports": [udp()]},
        {"to": [{"namespaceSelector": {"matchExpressions": [{"key": "none", "operator": "DoesNotExist"}]}}]},
    ],
)
def test_rules_that_allow_dns(rule: Any) -> None:
    assert not found(policy(TO_API, rule))
    assert not found(policy(TO_API), policy(rule, name="dns")), "policies of one namespace add up"


@pytest.mark.parametrize(
    "rule",
    [
        {"ports": [udp(54)]},
        {"ports": [udp(54, endPort=60)]},
        {"ports": [udp("web")]},
        {"ports": [udp()], "to": [{"podSelector": {"matchLabels": MARK}}]},
        {"ports": [udp()], "to": [{**TO_SYSTEM, "podSelector": {"matchLabels": {"k8s-app": "other"}}}]},
        {"ports": [udp()], "to": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}]},
        {"to": [{"ipBlock": {"cidr": "203.0.113.0/24"}}]},
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "169.254.0.0/16", f"{DNS_IP}/32"]}}]},
        {"to": [{"ipBlock": {"cidr": "fd00::/8"}}]},
        {"to": [{"ipBlock": {"cidr": "nonsense"}}]},
    ],
)
def test_rules_that_do_not(rule: Any) -> None:
    assert [f.says.partition(":")[0] for f in found(policy(rule))] == ["allows its pods no DNS"]


def test_a_port_without_a_protocol_is_tcp() -> None:
    (finding,) = found(policy({"ports": [{"port": 53}]}))
    assert finding.says == "allows its pods DNS over TCP only, and lookups use UDP"


def test_the_port_on_which_dns_pods_listen_counts() -> None:
    """OpenShift's listen on 5353, and policies see the port behind the Service."""
    part = pb.EndpointSlice(metadata=pb.ObjectMeta(name="dns", namespace="kube-system"))
    part.metadata.labels["kubernetes.io/service-name"] = "kube-dns"
    part.ports.add(name="dns", port=5353)
    assert not found(policy({"ports": [udp(5353)]}), endpoint_slices=[part])
    assert found(policy({"ports": [udp(5353)]}))
    (finding,) = found(policy({"ports": [udp()]}), endpoint_slices=[part])
    assert finding.says == "allows its pods no DNS: no egress rule is for UDP port 5353 of the DNS pods"
    assert finding.remedy == (
        "add an egress rule for UDP and TCP port 5353 to the pods with the label k8s-app: kube-dns in kube-system"
    )


@pytest.mark.parametrize(
    "pod",
    [
        web(hostNetwork=True),
        web(dnsPolicy="Default"),
        web(dnsPolicy="None"),
        pb.Pod(metadata=pb.ObjectMeta(name="db-0", namespace="shop", labels={"app": "db"})),
        pb.Pod(metadata=pb.ObjectMeta(name="web-0", namespace="other", labels={"app": "web"})),
    ],
)
def test_pods_that_are_not_kept_from_dns(pod: pb.Pod) -> None:
    assert not found(policy(TO_API), pods=(pod,))


def test_finished_pods_need_no_dns() -> None:
    pod = web()
    pod.status.phase = "Succeeded"
    assert not found(policy(TO_API), pods=(pod,))


def test_a_policy_for_ingress_only_says_nothing() -> None:
    assert not found(policy(types=("Ingress",)))


def test_pods_that_may_connect_to_nothing_are_isolated_on_purpose() -> None:
    assert not found(policy())


def says(line: str) -> dict[str, Answer]:
    return {LOG: Answer(200, line.encode())}


@pytest.mark.parametrize(
    ("line", "proof"),
    [
        ("wget: bad address 'api'", True),
        ("lookup api.shop on 10.96.0.10:53: i/o timeout", True),
        ("curl: (6) Could not resolve host: example.org", True),
        ("Temporary failure in name resolution", True),
        ("wget: bad address 'absent'", False),
        ("lookup api on 10.96.0.10:53: no such host", False),
        ("dial tcp 10.96.0.20:80: connect: connection refused", False),
        ("ready", False),
    ],
)
@pytest.mark.parametrize("rules", [(TO_API,), ()], ids=["some", "none"])
def test_pods_whose_lookups_fail_prove_it(line: str, proof: bool, rules: tuple[Any, ...]) -> None:
    api = pb.Service(metadata=pb.ObjectMeta(name="api", namespace="shop"))
    made = cluster(policy(*rules), pods=(web(ready=False),), answers=says(line))
    services = [*made.services, api]
    made = cluster(policy(*rules), pods=(web(ready=False),), answers=says(line), services=services)
    expected = [Severity.ERROR] if proof else [Severity.WARNING] if rules else []
    findings = list(no_dns(made))
    assert [finding.severity for finding in findings] == expected
    assert not proof or f"a pod says: {line}" in findings[0].evidence


def test_what_a_ready_pod_wrote_is_over() -> None:
    (finding,) = found(policy(TO_API), answers=says("wget: bad address 'api.example.org'"))
    assert finding.severity is Severity.WARNING


def test_pods_are_grouped_by_the_policies_that_select_them() -> None:
    other = web("web-1")
    other.metadata.labels["tier"] = "front"
    more = policy({"ports": [{"port": 443}]}, name="front", podSelector={"matchLabels": {"tier": "front"}})
    first, second = found(policy(TO_API), more, pods=(web(), other))
    assert [str(f.obj) for f in (first, second)] == ["NetworkPolicy/shop/web-egress", "NetworkPolicy/shop/front"]
    assert second.part == "web-egress"
    assert "these policies select the same pods, and allow no DNS either: web-egress" in second.evidence


OUTSIDE = {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"]}}]}


def test_a_rule_for_addresses_outside_of_the_cluster_allows_no_dns() -> None:
    (finding,) = found(policy(OUTSIDE))
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize("name", ["node-local-dns", "nodelocaldns", "node-local-dns-worker-ab12c"])
def test_a_rule_for_addresses_outside_of_the_cluster_allows_node_local_dns(name: str) -> None:
    assert not silenced(cluster(policy(OUTSIDE), cni=(name, "k8s-dns-node-cache:1.25.0")))


def test_a_rule_for_addresses_outside_of_the_cluster_allows_local_dns_of_aks() -> None:
    nodes = [node("one", labels={"kubernetes.azure.com/localdns-state": "enabled"})]
    assert not found(policy(OUTSIDE), nodes=nodes)


def test_a_cluster_without_such_policies_is_healthy_whatever_its_cni() -> None:
    assert not found(policy({}), cni=("own-cni", "own-cni:1"))


@pytest.mark.parametrize("path", OTHER_KINDS)
@pytest.mark.parametrize("status", [200, 403])
def test_policies_of_other_kinds_may_allow_dns(path: str, status: int) -> None:
    body = json.dumps({"items": [{"metadata": {"name": "allow-dns"}}]}).encode()
    with pytest.raises(NotObserved, match=r"allow-dns may allow|forbidden"):
        found(policy(TO_API), answers={path: Answer(status, body if status == 200 else b"forbidden")})


def test_what_pods_say_counts_beside_policies_of_other_kinds() -> None:
    answers = {OTHER_KINDS[0]: Answer(403, b"forbidden")} | says("Temporary failure in name resolution")
    (finding,) = found(policy(TO_API), answers=answers, pods=(web(ready=False),))
    assert finding.severity is Severity.ERROR


def test_many_pods_of_equal_labels_are_compared_once() -> None:
    (group,) = silenced(cluster(policy(TO_API), pods=tuple(web(f"web-{number}") for number in range(500))))
    assert len(group.pods) == 500
