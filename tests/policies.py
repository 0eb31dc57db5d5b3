"""Built NetworkPolicies, and clusters that have them."""

from typing import Any

from google.protobuf import json_format

from checks.test_network_policy import no_dns
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.dns import MARK, dns_cluster
from tests.fakes import ago

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
