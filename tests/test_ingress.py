"""Ingresses and Services: those that lead nowhere, and those that only look so."""

from typing import Any

import pytest
from google.protobuf import json_format

from checks.test_ingress import backend, no_class, no_controller
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.findings.finding import Finding
from kubevitals.objects import Ref
from tests.fakes import ago, cluster_of

DEFAULT = {"ingressclass.kubernetes.io/is-default-class": "true"}


def ingress(port: Any = 80, *, to: str = "web", created: int = 3600, address: str = "", **spec: Any) -> pb.Ingress:
    numbered = {"number": port} if isinstance(port, int) else {"name": port}
    path = {"path": "/cart", "backend": {"service": {"name": to, "port": numbered}}}
    rules = [{"host": "shop.example.com", "ingressRuleValue": {"http": {"paths": [path]}}}]
    made = json_format.ParseDict({"spec": {"rules": rules} | spec}, pb.Ingress())
    made.metadata.name, made.metadata.namespace = "shop", "shop"
    made.metadata.creationTimestamp.CopyFrom(ago(created))
    if address:
        made.status.loadBalancer.ingress.add(ip=address)
    return made


def ingress_class(name: str = "nginx", controller: str = "k8s.io/ingress-nginx", **annotations: str) -> pb.IngressClass:
    metadata = pb.AnnotatedMeta(name=name, annotations=annotations)
    return pb.IngressClass(metadata=metadata, spec=pb.IngressClassSpec(controller=controller))


def service(**spec: Any) -> pb.Service:
    made = pb.Service(
        metadata=pb.ObjectMeta(name="web", namespace="shop"), spec=pb.ServiceSpec(**spec), status=pb.ServiceStatus()
    )
    made.spec.ports.add(name="http", port=80)
    return made


def found(rule: Any, *ingresses: pb.Ingress, **lists: Any) -> list[Finding]:
    default: dict[str, Any] = {"services": [service()], "ingress_classes": [ingress_class()]}
    return list(rule(cluster_of(ingresses=ingresses, **(default | lists))))


def annotated(name: str) -> pb.Ingress:
    made = ingress()
    made.metadata.annotations["kubernetes.io/ingress.class"] = name
    return made


def test_a_class_that_does_not_exist() -> None:
    (finding,) = found(no_class, ingress(ingressClassName="nginy"))
    assert finding.says == 'IngressClass "nginy" does not exist (did you mean "nginx"?)'
    assert finding.missing == (Ref("IngressClass", "", "nginy"),)


def test_no_class_and_no_default() -> None:
    (finding,) = found(no_class, ingress())
    assert finding.says == "has no class, and the cluster has no default IngressClass: no controller serves it"


@pytest.mark.parametrize(
    ("healthy", "lists"),
    [
        (ingress(ingressClassName="nginx"), {}),
        (ingress(), {"ingress_classes": [ingress_class(**DEFAULT)]}),
        (ingress(ingressClassName="gce", address="192.0.2.1"), {}),
        (annotated("gce"), {}),
        (ingress(created=60), {}),
    ],
    ids=["exists", "default", "served", "annotation", "new"],
)
def test_an_ingress_that_has_a_class_or_is_served_is_not_found(healthy: pb.Ingress, lists: dict[str, Any]) -> None:
    assert not found(no_class, healthy, **lists)


def workload(name: str, image: str, replicas: int = 1) -> pb.Deployment:
    made = pb.Deployment(metadata=pb.ObjectMeta(name=name, namespace="shop"), spec={"replicas": replicas})
    made.spec.template.spec.containers.add(image=image)
    return made


def gke_node() -> pb.Node:
    return pb.Node(status=pb.NodeStatus(nodeInfo=pb.NodeSystemInfo(kubeletVersion="v1.34.1-gke.100")))


@pytest.mark.parametrize(
    ("one", "lists"),
    [
        (ingress(), {"deployments": [workload("edge", "traefik:v2.11")]}),
        (ingress(), {"deployments": [workload("contour", "ghcr.io/projectcontour/contour:v1.30.0")]}),
        (ingress(ingressClassName="own"), {"deployments": [workload("contour", "projectcontour/contour:v1")]}),
        (ingress(), {"nodes": [gke_node()]}),
    ],
    ids=["traefik", "contour", "contour-named", "gke"],
)
def test_some_controllers_serve_ingresses_without_an_ingress_class(one: pb.Ingress, lists: dict[str, Any]) -> None:
    with pytest.raises(NotObserved, match="may serve Ingress/shop/shop, which has no IngressClass"):
        found(no_class, one, **lists)


def test_a_named_class_that_does_not_exist_is_not_served_by_traefik() -> None:
    assert found(no_class, ingress(ingressClassName="own"), deployments=[workload("edge", "traefik:v2.11")])


def test_a_class_whose_controller_does_not_run() -> None:
    (finding,) = found(no_controller, ingress(ingressClassName="nginx"), deployments=[workload("web", "busybox")])
    assert finding.says == "no controller serves it: no workload looks like k8s.io/ingress-nginx"


@pytest.mark.parametrize(
    ("healthy", "lists"),
    [
        (ingress(ingressClassName="nginx"), {"deployments": [workload("edge", "mirror/ingress-nginx/controller:v1")]}),
        (ingress(ingressClassName="nginx"), {"daemon_sets": [pb.DaemonSet(metadata={"name": "rke2-nginx"})]}),
        (ingress(ingressClassName="nginx", address="192.0.2.1"), {}),
        (ingress(ingressClassName="nginx"), {"ingress_classes": [ingress_class(controller="example.com/own")]}),
        (ingress(ingressClassName="absent"), {}),
        (ingress(ingressClassName="nginx", created=60), {}),
    ],
    ids=["image", "name", "served", "unknown", "no-class", "new"],
)
def test_a_controller_that_runs_or_is_not_known_is_not_found(healthy: pb.Ingress, lists: dict[str, Any]) -> None:
    assert not found(no_controller, healthy, **lists)


DEMO = workload("nginx-demo", "nginx:1", 0)
STOPPED = workload("ingress-nginx-controller", "registry.k8s.io/ingress-nginx/controller:v1", 0)


@pytest.mark.parametrize("address", ["", "192.0.2.1"])
def test_a_class_whose_controller_is_scaled_to_zero(address: str) -> None:
    one = ingress(ingressClassName="nginx", address=address)
    (finding,) = found(no_controller, one, deployments=[STOPPED])
    assert finding.says == "no controller serves it: Deployment/shop/ingress-nginx-controller is scaled to 0"
    assert finding.remedy == "scale it up: kubectl -n shop scale deployment/ingress-nginx-controller --replicas=1"
    assert not found(no_controller, one, deployments=[STOPPED, workload("edge", "nginx:1")])
    assert not found(no_controller, one, deployments=[DEMO])
    assert not found(no_controller, one, deployments=[STOPPED], daemon_sets=[pb.DaemonSet(metadata={"name": "nginx"})])


def balanced(*, created: int = 3600, address: str = "192.0.2.1") -> pb.Service:
    made = service(type="LoadBalancer")
    made.metadata.creationTimestamp.CopyFrom(ago(created))
    if address:
        made.status.loadBalancer.ingress.add(ip=address)
    return made


def event(reason: str, before: int = 60, kind: str = "Warning", about: str = "Service") -> pb.Event:
    name = "web" if about == "Service" else "shop"
    of = pb.ObjectReference(kind=about, namespace="shop", name=name)
    return pb.Event(involvedObject=of, type=kind, reason=reason, message="no subnets", lastTimestamp=ago(before))


@pytest.mark.parametrize(
    ("reason", "about"),
    [
        ("SyncLoadBalancerFailed", "Service"),
        ("AllocationFailed", "Service"),
        ("FailedBuildModel", "Ingress"),
        ("Translate", "Ingress"),
    ],
)
def test_a_load_balancer_that_cannot_be_set_up(reason: str, about: str) -> None:
    one = ingress(ingressClassName="nginx")
    pending = balanced(address="") if about == "Service" else balanced()
    lists: dict[str, Any] = {"deployments": [workload("nginx", "nginx")], "services": [pending]}
    (finding,) = found(no_controller, one, all_events=[event(reason, about=about)], **lists)
    assert (finding.obj.kind, finding.says) == (about, f"gets no load balancer: {reason}: no subnets")


@pytest.mark.parametrize(
    ("events", "one"),
    [
        ([event("SyncLoadBalancerFailed", 1800)], balanced()),
        ([event("SyncLoadBalancerFailed", 90), event("EnsuredLoadBalancer", 60, "Normal")], balanced()),
        ([event("SyncLoadBalancerFailed")], balanced(created=60)),
        ([event("SyncLoadBalancerFailed")], service()),
        ([event("UnAvailableLoadBalancer")], balanced()),
    ],
    ids=["over", "done", "new", "no-load-balancer", "another-reason"],
)
def test_a_load_balancer_that_is_set_up_or_is_just_being_so(events: list[pb.Event], one: pb.Service) -> None:
    assert not found(no_controller, services=[one], all_events=events)


def test_a_load_balancer_that_cannot_be_updated_goes_on_as_it_was() -> None:
    (finding,) = found(no_controller, services=[balanced()], all_events=[event("SyncLoadBalancerFailed")])
    assert finding.says.startswith("keeps its load balancer as it was, which cannot be updated: SyncLoadBalancerFailed")


def leaving(obj: pb.Ingress | pb.Service, since: int, *finalizers: str) -> Any:
    obj.metadata.deletionTimestamp.CopyFrom(ago(since))
    obj.metadata.finalizers.extend(finalizers)
    return obj


def test_a_load_balancer_that_no_controller_removes_holds_what_is_being_deleted() -> None:
    gone = [leaving(ingress(ingressClassName="alb"), 1000, "ingress.k8s.aws/resources")]
    served = [leaving(balanced(), 1000, "service.kubernetes.io/load-balancer-cleanup")]
    failing = [event("SyncLoadBalancerFailed")]
    first, second = found(no_controller, *gone, services=served, ingress_classes=[], all_events=failing)
    assert first.says.endswith("no controller removes its load balancer and the finalizer ingress.k8s.aws/resources")
    assert second.says.endswith("the finalizer service.kubernetes.io/load-balancer-cleanup")
    assert second.concerns == (Ref("Namespace", "", "shop"),)


@pytest.mark.parametrize(
    "one", [leaving(balanced(), 100, "x.example.com/y"), leaving(balanced(), 1000)], ids=["time", "free"]
)
def test_a_load_balancer_has_time_to_go(one: pb.Service) -> None:
    assert not found(no_controller, services=[one])


def test_an_ingress_that_is_scheduled_or_has_an_address_is_served() -> None:
    scheduled = event("Sync", kind="Normal", about="Ingress")
    lists: dict[str, Any] = {"deployments": [workload("nginx", "nginx")]}
    assert not found(no_controller, ingress(ingressClassName="nginx"), all_events=[scheduled], **lists)
    failed = event("FailedDeployModel", about="Ingress")
    assert not found(no_controller, ingress(address="192.0.2.1"), all_events=[failed], **lists)


def test_a_service_that_does_not_exist() -> None:
    (finding,) = found(backend, ingress(to="wep"))
    assert finding.says == 'shop.example.com/cart leads nowhere: Service "wep" does not exist'
    assert finding.missing == (Ref("Service", "shop", "wep"),)
    (finding,) = found(backend, ingress(defaultBackend={"service": {"name": "old"}}))
    assert finding.says == 'the default backend leads nowhere: Service "old" does not exist'


@pytest.mark.parametrize("port", [8080, "https"])
def test_a_port_that_does_not_exist(port: Any) -> None:
    (finding,) = found(backend, ingress(port))
    assert finding.says == f'shop.example.com/cart leads nowhere: Service "web" has no port {port}'
    assert not finding.missing


@pytest.mark.parametrize(
    ("healthy", "lists"),
    [
        (ingress(), {}),
        (ingress("http"), {}),
        (ingress("use-annotation", to="ssl-redirect"), {}),
        (ingress(8080), {"services": [service(type="ExternalName")]}),
        (ingress(to="wep", created=60), {}),
    ],
    ids=["number", "name", "annotation", "external", "new"],
)
def test_an_ingress_that_leads_to_a_service_is_not_found(healthy: pb.Ingress, lists: dict[str, Any]) -> None:
    assert not found(backend, healthy, **lists)
