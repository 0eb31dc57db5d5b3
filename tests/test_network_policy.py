"""Egress policies: whether they allow DNS, whether the CNI enforces them, and what the pods say."""

import json
from typing import Any

import pytest
from google.protobuf import json_format

from checks.test_network_policy import no_dns
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns.egress import silenced
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.dns import MARK, dns_cluster
from tests.fakes import ago
from tests.networks import DNS_IP, node

CALICO = ("calico-node", "calico/node:v3.28.0")
OTHER_KINDS = (
    "/apis/crd.projectcalico.org/v1/globalnetworkpolicies",
    "/apis/crd.projectcalico.org/v1/networkpolicies",
    "/apis/cilium.io/v2/ciliumclusterwidenetworkpolicies",
    "/apis/cilium.io/v2/ciliumnetworkpolicies",
    "/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies",
)
LOG = "/api/v1/namespaces/shop/pods/web-0/log"
TO_API = {"to": [{"podSelector": {"matchLabels": {"app": "api"}}}], "ports": [{"port": 8000}]}
TO_SYSTEM = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}


def policy(
    *rules: Any, name: str = "web-egress", types: tuple[str, ...] = ("Egress",), **spec: Any
) -> pb.NetworkPolicy:
    """Return a policy as it is written in YAML; an integer port becomes what the API server makes of it."""
    spec = {"podSelector": {"matchLabels": {"app": "web"}}, "policyTypes": types, "egress": rules} | spec
    made = json_format.ParseDict({"spec": _ports(spec)}, pb.NetworkPolicy())
    made.metadata.name, made.metadata.namespace = name, "shop"
    return made


def _ports(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _port(inner) if key == "port" else _ports(inner) for key, inner in value.items()}
    return [_ports(item) for item in value] if isinstance(value, list | tuple) else value


def _port(value: str | int) -> dict[str, str | int]:
    return {"type": 1, "strVal": value} if isinstance(value, str) else {"intVal": value}


def udp(port: str | int = 53, **more: int) -> dict[str, Any]:
    return {"protocol": "UDP", "port": port} | more


def web(name: str = "web-0", *, ready: bool = True, **spec: Any) -> pb.Pod:
    pod = pb.Pod(metadata=pb.ObjectMeta(name=name, namespace="shop", labels={"app": "web"}), spec=pb.PodSpec(**spec))
    pod.spec.containers.add(name="app")
    pod.status.phase = "Running"
    pod.status.conditions.add(type="Ready", status=str(ready))
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(600)))
    pod.status.containerStatuses.add(name="app", state=running, ready=ready)
    return pod


def dns_pod() -> pb.Pod:
    pod = pb.Pod(metadata=pb.ObjectMeta(name="coredns-1", namespace="kube-system", labels=MARK))
    pod.spec.containers.add().ports.add(name="dns", containerPort=53, protocol="UDP")
    pod.status.podIPs.add(ip="10.244.0.7")
    pod.status.phase = "Running"
    return pod


def cluster(
    *policies: pb.NetworkPolicy,
    cni: tuple[str, str] = CALICO,
    pods: tuple[pb.Pod, ...] = (),
    answers: dict[str, Answer] | None = None,
    **lists: Any,
) -> Cluster:
    daemon_set = pb.DaemonSet(metadata=pb.ObjectMeta(name=cni[0], namespace="kube-system"))
    daemon_set.spec.template.spec.containers.add(image=cni[1])
    named = {"kubernetes.io/metadata.name": "kube-system"}
    missing = {path: Answer(404, b"404 page not found") for path in OTHER_KINDS}
    return dns_cluster(
        missing | {LOG: Answer(200, b"")} | (answers or {}),
        pods=[dns_pod(), *(pods or (web(),))],
        daemon_sets=[daemon_set],
        network_policies=policies,
        namespaces=[pb.Namespace(metadata=pb.ObjectMeta(name="kube-system", labels=named))],
        **lists,
    )


def found(*policies: pb.NetworkPolicy, **more: Any) -> list[Finding]:
    return list(no_dns(cluster(*policies, **more)))


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


@pytest.mark.parametrize(
    ("name", "image", "enforces"),
    [
        ("kindnet", "docker.io/kindest/kindnetd:v20240813-c6f155d6", True),
        ("kindnet", "docker.io/kindest/kindnetd:v20240202-8f1494ea", False),
        ("kindnet", "docker.io/kindest/kindnetd:offline", None),
        ("kube-flannel-ds", "ghcr.io/flannel-io/flannel:v0.26.0", False),
        ("kube-flannel-ds", "registry.k8s.io/networking/kube-network-policies:v0.6.0", True),
        ("aws-node", "amazon-k8s-cni:v1.19.0", None),
        ("own-cni", "own-cni:1", None),
        ("cilium", "quay.io/cilium/cilium:v1.16.0", True),
    ],
)
def test_whether_the_cni_enforces_policies(name: str, image: str, enforces: bool | None) -> None:
    made = cluster(policy(TO_API), cni=(name, image))
    if enforces:
        assert list(no_dns(made))
        return
    with pytest.raises(NotApplicable if enforces is False else NotObserved):
        list(no_dns(made))


@pytest.mark.parametrize(
    ("version", "labels", "enforces"),
    [
        ("v1.34.1+k3s1", {}, True),
        ("v1.34.1", {"eks.amazonaws.com/compute-type": "auto"}, None),
        ("v1.34.1", {"microk8s.io/cluster": "true"}, False),
    ],
)
def test_whether_the_built_in_cni_enforces_policies(
    version: str, labels: dict[str, str], enforces: bool | None
) -> None:
    one = node("one", labels=labels)
    one.status.nodeInfo.kubeletVersion = version
    made = cluster(policy(TO_API), cni=("web", "web:1"), nodes=[one])
    if enforces:
        assert list(no_dns(made))
        return
    with pytest.raises(NotApplicable if enforces is False else NotObserved, match="enforce network policies"):
        list(no_dns(made))


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
