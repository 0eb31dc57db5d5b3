"""Services that have a ready endpoint and do not answer a pod, and those whose workload is scaled to zero."""

from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.causes import AppCause, cause_of_exit
from kubevitals.source.request import Answer
from tests.built import BuiltPod
from tests.fakes import cluster_of
from tests.policies import CALICO, policy

TIMEOUT = "dial tcp 10.96.0.5:8080: i/o timeout"
REFUSED = "dial tcp 10.96.0.5:8080: connect: connection refused"
CHECK = "check that the other side listens on that address and port, and that its pods are ready"


def cause(line: str = TIMEOUT, **lists: Any) -> AppCause:
    """Return why a pod of the frontend exits, which connects to the Service of the web pods."""
    built = BuiltPod()
    built.pod.metadata.labels["app"] = "frontend"
    daemon_set = pb.DaemonSet(metadata=pb.ObjectMeta(name=CALICO[0], namespace="kube-system"))
    daemon_set.spec.template.spec.containers.add(image=CALICO[1])
    of_all: dict[str, Any] = {"services": [service()], "endpoint_slices": [endpoints()], "daemon_sets": [daemon_set]}
    found = cause_of_exit([line], built.pod, "app", cluster_of(**of_all | lists))
    assert found
    return found


def service(policy: str = "Cluster") -> pb.Service:
    spec = pb.ServiceSpec(
        clusterIP="10.96.0.5",
        ports=[pb.ServicePort(port=8080)],
        selector={"app": "web"},
        internalTrafficPolicy=policy,
    )
    return pb.Service(metadata=pb.ObjectMeta(name="web", namespace="shop"), spec=spec)


def endpoints(node: str = "one", *, ready: bool = True) -> pb.EndpointSlice:
    labels = {"kubernetes.io/service-name": "web"}
    piece = pb.EndpointSlice(metadata=pb.ObjectMeta(name="web-1", namespace="shop", labels=labels))
    piece.endpoints.add(nodeName=node, conditions=pb.EndpointConditions(ready=ready))
    return piece


def deployment(replicas: int, name: str = "web") -> pb.Deployment:
    made = pb.Deployment(metadata=pb.ObjectMeta(name=name, namespace="shop"))
    made.spec.replicas = replicas
    made.spec.template.metadata.labels["app"] = "web"
    return made


def test_a_policy_that_selects_the_pods_behind_the_service() -> None:
    """NetworkPolicies drop packets: the client's connections time out, while its target is ready."""
    guard = policy(name="guard", types=("Ingress",))
    found = cause(network_policies=[guard])
    assert found.means == "Service web does not answer on port 8080, although it has 1 ready endpoint"
    assert found.remedy.startswith("let these policies allow the connection: NetworkPolicy/shop/guard;")


def test_a_policy_that_selects_by_a_label_that_the_service_does_not_select() -> None:
    workload = deployment(1)
    workload.spec.template.metadata.labels["tier"] = "back"
    guard = policy(name="guard", types=("Ingress",), podSelector={"matchLabels": {"tier": "back"}})
    assert "NetworkPolicy/shop/guard" in cause(network_policies=[guard], deployments=[workload]).remedy


def test_a_policy_that_selects_the_pod_itself() -> None:
    guard = policy(name="egress", podSelector={"matchLabels": {"app": "frontend"}})
    assert "NetworkPolicy/shop/egress" in cause(network_policies=[guard]).remedy


@pytest.mark.parametrize(
    "guard",
    [
        policy(types=("Egress",)),
        policy(types=("Ingress",), podSelector={"matchLabels": {"app": "frontend"}}),
        policy(types=("Ingress",), podSelector={"matchLabels": {"app": "db"}}),
    ],
    ids=["for what the target connects to", "for who connects to the client", "for other pods"],
)
def test_policies_that_have_nothing_to_do_with_the_connection(guard: pb.NetworkPolicy) -> None:
    assert cause(network_policies=[guard]).remedy == CHECK


def test_a_refused_connection_was_dropped_by_no_policy() -> None:
    assert cause(REFUSED, network_policies=[policy(types=("Ingress",))]).remedy == CHECK


def test_policies_that_nobody_enforces_block_nothing() -> None:
    flannel = pb.DaemonSet(metadata=pb.ObjectMeta(name="kube-flannel-ds", namespace="kube-flannel"))
    flannel.spec.template.spec.containers.add(image="ghcr.io/flannel-io/flannel:v0.28.0")
    found = cause(network_policies=[policy(types=("Ingress",))], daemon_sets=[flannel])
    assert found.remedy == CHECK


def test_policies_that_are_not_observed_change_nothing() -> None:
    path = "/apis/networking.k8s.io/v1/networkpolicies"
    built = BuiltPod()
    seen = cluster_of({path: Answer(403)}, services=[service()], endpoint_slices=[endpoints()])
    found = cause_of_exit([TIMEOUT], built.pod, "app", seen)
    assert found
    assert found.means.startswith("Service web does not answer on port 8080, although")
    assert found.remedy == CHECK


@pytest.mark.parametrize(("node", "is_local"), [("two", True), ("one", False), ("", False)])
def test_a_local_service_answers_only_on_the_nodes_of_its_pods(node: str, *, is_local: bool) -> None:
    """kube-proxy drops what pods of other nodes send (kubernetes.io: Service Internal Traffic Policy)."""
    found = cause(services=[service("Local")], endpoint_slices=[endpoints(node)])
    assert ("none of its 1 ready endpoint is on its node" in found.means) is is_local
    assert found.remedy.startswith("set internalTrafficPolicy of the Service to Cluster") is is_local


def test_a_service_whose_workload_is_scaled_to_zero() -> None:
    found = cause(REFUSED, deployments=[deployment(0)], endpoint_slices=[])
    assert found.means == ("Service web does not answer on port 8080: Deployment web, which it selects, is scaled to 0")
    assert found.remedy == "scale it up: kubectl -n shop scale deployment/web --replicas=1"


def test_one_of_two_workloads_that_has_replicas_is_to_become_ready() -> None:
    both = [deployment(0), deployment(1, "web-canary")]
    assert cause(REFUSED, deployments=both, endpoint_slices=[endpoints(ready=False)]).means.endswith(
        ": it has no ready endpoint"
    )
