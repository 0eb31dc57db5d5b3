"""Services that select nothing, or only pods with faults, or the wrong port; and what of that is on purpose."""

from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.message import Message

from checks.test_service_endpoints import EXPLAINS, no_match, none_ready
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.nearest import is_slip
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.built import BuiltPod
from tests.fakes import CREATED, ago, cluster_of

SERVICE = Ref("Service", "shop", "web")


def meta(name: str, owner: str = "", **labels: str) -> pb.ObjectMeta:
    owners = [pb.OwnerReference(kind=owner, name="web", controller=True)] if owner else []
    return pb.ObjectMeta(
        name=name, namespace="shop", uid=name, creationTimestamp=CREATED, labels=labels, ownerReferences=owners
    )


def service(selector: dict[str, str], target: str | int = 80, name: str = "web", **spec: Any) -> pb.Service:
    port = pb.IntOrString(strVal=target) if isinstance(target, str) else pb.IntOrString(intVal=target)
    ports = [pb.ServicePort(port=80, targetPort=port)]
    return pb.Service(metadata=meta(name), spec=pb.ServiceSpec(selector=selector, ports=ports, **spec))


def deployment(name: str = "web", replicas: int = 1, **labels: str) -> pb.Deployment:
    made = pb.Deployment(metadata=meta(name), spec=pb.DeploymentSpec(replicas=replicas))
    made.spec.template.metadata.labels.update(labels or {"app": name})
    return made


def pod(name: str = "web-1", *ports: pb.ContainerPort, ready: bool = True, owner: str = "", **labels: str) -> pb.Pod:
    condition = pb.PodCondition(type="Ready", status=str(ready), lastTransitionTime=ago(600))
    return pb.Pod(
        metadata=meta(name, owner, **(labels or {"app": "web"})),
        spec=pb.PodSpec(nodeName="one", containers=[pb.Container(name="app", ports=ports)]),
        status=pb.PodStatus(phase="Running", conditions=[condition]),
    )


LISTS = (
    "replica_sets",
    "services",
    "endpoint_slices",
    "pods",
    "deployments",
    "stateful_sets",
    "daemon_sets",
    "cron_jobs",
    "jobs",
    "nodes",
    "all_events",
    "namespaces",
)


def cluster(*services: pb.Service, **lists: Sequence[Message]) -> Cluster:
    return cluster_of(**{name: [] for name in LISTS} | {"services": services} | lists)


def unmatched(*services: pb.Service, **lists: Sequence[Message]) -> list[Finding]:
    return list(no_match(cluster(*services, **lists)))


def test_the_label_that_differs_is_named() -> None:
    (found,) = unmatched(service({"app": "wep"}), deployments=[deployment()])
    assert found.says == "selects no pod: its selector is app=wep; Deployment web has app=web"
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("selector", "labels", "says"),
    [
        ({"ap": "shop"}, {"app": "shop"}, "has app=shop"),
        ({"app": "shop", "tier": "front"}, {"app": "shop"}, "has no label tier"),
        ({"app": "wbe"}, {"app": "web"}, "has app=web"),
        ({"app": "frontend"}, {"app": "fronted"}, "has app=fronted"),
    ],
)
def test_a_slip_of_the_pen_is_an_error(selector: dict[str, str], labels: dict[str, str], says: str) -> None:
    (found,) = unmatched(service(selector, name="other"), deployments=[deployment("x", 1, **labels)])
    assert says in found.says
    assert found.severity is Severity.ERROR


def test_a_workload_of_the_same_name_is_meant() -> None:
    (found,) = unmatched(service({"run": "shop"}), deployments=[deployment("web", app="front")])
    assert found.says.endswith("Deployment web has no label run")
    assert found.severity is Severity.ERROR


@pytest.mark.parametrize("other", ["green", "worker", "api-v2", "web2"])
def test_another_workload_is_not_meant(other: str) -> None:
    (found,) = unmatched(service({"app": "api-v1"}, name="api"), deployments=[deployment("x", app=other)])
    assert found.severity is Severity.WARNING
    assert found.says.endswith("no workload has these labels")


def test_a_workload_with_a_service_of_its_own_is_not_meant() -> None:
    own, leftover = service({"app": "web"}), service({"app": "wep"}, name="old")
    (found,) = unmatched(own, leftover, deployments=[deployment()])
    assert (found.obj.name, found.severity) == ("old", Severity.WARNING)


def test_a_stateful_set_needs_its_service() -> None:
    stateful = pb.StatefulSet(metadata=meta("db"), spec=pb.StatefulSetSpec(replicas=1, serviceName="web"))
    stateful.spec.template.metadata.labels["app"] = "db"
    headless = service({"role": "data"}, clusterIP="None")
    (found,) = unmatched(headless, stateful_sets=[stateful])
    assert found.severity is Severity.ERROR
    assert found.evidence == ("needed by: StatefulSet/shop/db",)
    stateful.spec.replicas = 0
    assert not unmatched(headless, stateful_sets=[stateful])


def primary(of: str = "Cluster") -> pb.Pod:
    return pod("db-1", owner=of, app="db", role="primary")


@pytest.mark.parametrize(
    "passing",
    [
        {"services": [service({})]},
        {"services": [service({"app": "web"}, type="ExternalName")]},
        {"services": [service({"app": "web"}, clusterIP="None")]},
        {"deployments": [deployment(replicas=0)]},
        {"services": [service({"app": "wep"})], "deployments": [deployment(replicas=0)]},
        {"pods": [pod(ready=False)]},
        {"services": [service({"app": "db", "role": "replica"}, name="db-ro")], "pods": [primary()]},
        {"services": [service({"k8s-app": "kube-dns"}, name="kube-dns")], "pods": [primary()]},
    ],
)
def test_what_selects_nothing_on_purpose(passing: dict[str, list[Message]]) -> None:
    lists: dict[str, Any] = {"services": [service({"app": "web"})]} | passing
    if lists["services"][0].metadata.name == "kube-dns":
        lists["services"][0].metadata.namespace = "kube-system"
    assert not list(no_match(cluster_of(**{name: [] for name in LISTS} | lists)))


def test_a_service_of_an_operator_may_select_nothing_until_something_needs_it() -> None:
    owned = service({"app": "web", "serve": "true"})
    lists = {"pods": [pod(owner="RayCluster")]}
    assert len(unmatched(owned, **lists)) == 1
    owned.metadata.ownerReferences.add(kind="RayService", name="web")
    assert not unmatched(owned, **lists)
    stateful = pb.StatefulSet(metadata=meta("db"), spec=pb.StatefulSetSpec(replicas=1, serviceName="web"))
    assert len(unmatched(owned, stateful_sets=[stateful], **lists)) == 1


@pytest.mark.parametrize(
    ("roles", "count"),
    [(["replica", "replica"], 1), (["replica", "primary"], 0), (["replica", "standby_leader"], 0), ([], 0)],
    ids=["none", "one", "standby", "no-pods"],
)
def test_a_service_for_the_leader_needs_one_among_the_replicas(roles: list[str], count: int) -> None:
    leads = service({"app": "db", "role": "primary"}, name="db-rw")
    leads.metadata.ownerReferences.add(kind="Cluster", name="web", controller=True)
    pods = [pod(f"db-{number}", owner="Cluster", app="db", role=role) for number, role in enumerate(roles)]
    found = unmatched(leads, pods=pods)
    assert [(one.severity, one.says) for one in found] == [
        (Severity.WARNING, "selects no pod: none of 2 ready replicas leads (app=db,role=primary)")
    ] * count


@pytest.mark.parametrize(("label", "count"), [("vault-active", 1), ("isMaster", 1), ("serving", 0)])
def test_a_label_that_is_true_for_the_leader_needs_one(label: str, count: int) -> None:
    leads = service({"app": "db", label: "true"}, name="db-active")
    followers = [pod(f"db-{number}", owner="Cluster", **{"app": "db", label: "false"}) for number in range(2)]  # type: ignore[arg-type]
    assert len(unmatched(leads, pods=followers)) == count


def test_a_role_of_a_template_is_no_leadership() -> None:
    leads, replicas = service({"app": "db", "role": "primary"}, name="db-rw"), deployment(app="db", role="replica")
    leads.metadata.ownerReferences.add(kind="Cluster", name="web", controller=True)
    assert not unmatched(leads, pods=[pod(owner="Cluster", app="db", role="replica")], deployments=[replicas])


def test_a_young_service_waits_for_its_workload() -> None:
    young = service({"app": "web"})
    young.metadata.creationTimestamp.CopyFrom(ago(30))
    assert not unmatched(young)


def test_endpoints_that_others_made_count() -> None:
    made = pb.EndpointSlice(metadata=meta("web-x", **{"kubernetes.io/service-name": "web"}))
    made.endpoints.add(addresses=["10.0.0.1"])
    assert not unmatched(service({"app": "web"}), endpoint_slices=[made])


def test_pods_that_are_not_observed_are_not_absent() -> None:
    seen = cluster_of({"/api/v1/pods": Answer(403, b"")}, services=[service({"app": "web"})], endpoint_slices=[])
    with pytest.raises(NotObserved):
        list(no_match(seen))


def broken() -> pb.Pod:
    built = BuiltPod()
    built.crashing("main")
    built.pod.metadata.labels["app"] = "web"
    built.pod.metadata.creationTimestamp.CopyFrom(CREATED)
    return built.pod


def test_a_service_without_a_ready_pod_is_a_symptom_of_its_pods() -> None:
    (found,) = none_ready(cluster(service({"app": "web"}), pods=[broken()]))
    assert found.says == "has no ready endpoint: none of the pods that it selects is ready (1 pod)"
    root = Case("startup-error", "app-exit", Finding(Ref("Pod", "shop", "app"), "crashes", "fix it"))
    symptom = Case("service-endpoints", "none-ready", found)
    client = Finding(Ref("Pod", "shop", "client"), "no answer", "x", concerns=(SERVICE,))
    last = Case("startup-error", "app-exit", client)
    assert set(roots_of([root, symptom, last], EXPLAINS).values()) == {root}


@pytest.mark.parametrize(
    ("pods", "spec"),
    [
        ([pod(ready=False)], {}),
        ([broken(), pod()], {}),
        ([broken()], {"publishNotReadyAddresses": True}),
        ([], {}),
    ],
)
def test_what_is_no_service_without_ready_pods(pods: list[pb.Pod], spec: dict[str, Any]) -> None:
    assert not list(none_ready(cluster(service({"app": "web"}, **spec), pods=pods)))


def addressed(address: str = "10.244.1.7", since: int = 600) -> pb.Pod:
    made = pod()
    made.status.podIPs.add(ip=address)
    made.status.conditions[0].lastTransitionTime.CopyFrom(ago(since))
    return made


def test_a_service_that_forgets_its_ready_pods_has_no_endpoint() -> None:
    (found,) = none_ready(cluster(service({"app": "web"}), pods=[addressed()]))
    assert found.says == "has no endpoint, although it selects 1 ready pod"
    lease = Finding(Ref("Lease", "kube-system", "kube-controller-manager"), "is not renewed", "start it")
    root = Case("control-plane", "controller-manager-stalled", lease)
    assert set(roots_of([root, Case("service-endpoints", "none-ready", found)], EXPLAINS).values()) == {root}


@pytest.mark.parametrize(("family", "other"), [("IPv6", True), ("IPv4", False)])
def test_pods_of_another_address_family_are_no_endpoints(family: str, *, other: bool) -> None:
    (found,) = none_ready(cluster(service({"app": "web"}, ipFamilies=[family]), pods=[addressed()]))
    assert found.says.endswith(f": without an address of {family}") is other


@pytest.mark.parametrize("one", [addressed(since=5), pod()], ids=["just-ready", "stands-for-another"])
def test_some_ready_pods_need_be_in_no_endpoint_slice(one: pb.Pod) -> None:
    assert not list(none_ready(cluster(service({"app": "web"}), pods=[addressed(), one])))


@pytest.mark.parametrize(("one", "other"), [("v1", "v2"), ("primary", "replica"), ("true", "false"), ("blue", "green")])
def test_names_that_differ_on_purpose(one: str, other: str) -> None:
    assert not is_slip(one, other)


def test_a_service_whose_workload_is_refused_its_pods_is_a_symptom_of_that() -> None:
    stateful = pb.StatefulSet(metadata=meta("web"), spec=pb.StatefulSetSpec(replicas=1))
    stateful.spec.template.metadata.labels["app"] = "web"
    event = pb.Event(
        involvedObject=pb.ObjectReference(kind="StatefulSet", namespace="shop", name="web", uid="web"),
        type="Warning",
        reason="FailedCreate",
        message='create Pod web-0 in StatefulSet web failed error: pods "web-0" is forbidden: exceeded quota: compute, '
        "requested: pods=1, used: pods=3, limited: pods=3",
        firstTimestamp=ago(600),
        lastTimestamp=ago(30),
    )
    lists: dict[str, Any] = {"stateful_sets": [stateful], "replica_sets": [], "all_events": [event]}
    (found,) = none_ready(cluster(service({"app": "web"}), **lists))
    assert found.says == "has no ready endpoint: StatefulSet web has no pods"
    assert found.concerns == (Ref("StatefulSet", "shop", "web"),)
    stateful.spec.replicas = 0
    assert not list(none_ready(cluster(service({"app": "web"}), **lists)))
