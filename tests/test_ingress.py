"""Ingresses, Gateways and routes: those that lead nowhere, and those that only look so."""

import json
from typing import Any

import pytest
from google.protobuf import json_format

from checks.test_ingress import backend, gateway, no_class, no_controller, route
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.gateways import GATEWAYS, HTTP_ROUTES
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.fakes import ago, cluster_of, status_json

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
    made = pb.Service(metadata=pb.ObjectMeta(name="web", namespace="shop"), spec=pb.ServiceSpec(**spec))
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


def workload(name: str, image: str) -> pb.Deployment:
    made = pb.Deployment(metadata=pb.ObjectMeta(name=name, namespace="shop"))
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


def balanced(*, created: int = 3600) -> pb.Service:
    made = service(type="LoadBalancer")
    made.metadata.creationTimestamp.CopyFrom(ago(created))
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
    lists: dict[str, Any] = {"deployments": [workload("nginx", "nginx")], "services": [balanced()]}
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


def listed(*items: dict[str, Any]) -> Answer:
    return Answer(200, json.dumps({"items": items}).encode())


def condition(kind: str, status: str = "False", time: str = "2026-03-01T11:00:00Z") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": "Invalid", "message": "no such", "lastTransitionTime": time}


def gateway_object(*conditions: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "edge", "namespace": "shop"}, "status": {"conditions": conditions}}


def route_object(*conditions: dict[str, str]) -> dict[str, Any]:
    parents = [{"parentRef": {"name": "edge"}, "conditions": conditions}]
    return {"metadata": {"name": "cart", "namespace": "shop"}, "status": {"parents": parents}}


def test_a_gateway_that_is_not_programmed() -> None:
    (finding,) = gateway(cluster_of({GATEWAYS.path: listed(gateway_object(condition("Programmed")))}))
    assert str(finding.obj) == "Gateway/shop/edge"
    assert finding.says == "is not Programmed: Invalid: no such"


def test_a_route_with_a_reference_that_does_not_exist() -> None:
    (finding,) = route(cluster_of({HTTP_ROUTES.path: listed(route_object(condition("ResolvedRefs")))}))
    assert finding.says == "is not ResolvedRefs at Gateway edge: Invalid: no such"
    assert finding.concerns == (Ref("Gateway", "shop", "edge"),)


def waiting(**accepted: str) -> dict[str, Any]:
    """Return a Gateway as the API server creates it."""
    epoch = "1970-01-01T00:00:00Z"
    conditions = [condition(kind, "Unknown", epoch) | {"reason": "Pending"} for kind in ("Accepted", "Programmed")]
    conditions[0] |= accepted
    return gateway_object(*conditions)


def aged(obj: dict[str, Any], time: str = "2026-03-01T11:00:00Z") -> dict[str, Any]:
    return obj | {"metadata": obj["metadata"] | {"creationTimestamp": time}}


def test_a_gateway_at_which_no_controller_has_looked() -> None:
    (finding,) = gateway(cluster_of({GATEWAYS.path: listed(aged(waiting()))}))
    assert finding.says == "is not accepted: it still waits for a controller"


@pytest.mark.parametrize(
    "healthy",
    [aged(waiting(), "2026-03-01T11:59:00Z"), aged(waiting(status="True", reason="Accepted"))],
    ids=["new", "accepted"],
)
def test_a_gateway_that_a_controller_has_accepted_does_not_wait(healthy: dict[str, Any]) -> None:
    assert not list(gateway(cluster_of({GATEWAYS.path: listed(healthy)})))


def test_a_route_of_which_no_controller_says_anything_is_a_warning() -> None:
    silent = aged(route_object() | {"status": {}})
    (finding,) = route(cluster_of({HTTP_ROUTES.path: listed(silent)}))
    assert finding.says == "leads nowhere: no Gateway's controller says anything about it"
    assert finding.severity is Severity.WARNING
    young, said = aged(silent, "2026-03-01T11:59:00Z"), aged(route_object(condition("Accepted", "True")))
    assert not list(route(cluster_of({HTTP_ROUTES.path: listed(young, said)})))


@pytest.mark.parametrize(
    "met", [condition("Accepted", "True"), condition("Accepted", time="2026-03-01T11:59:00Z"), condition("Conflicted")]
)
def test_conditions_that_are_met_or_new_or_of_another_type_are_not_found(met: dict[str, str]) -> None:
    answers = {GATEWAYS.path: listed(gateway_object(met)), HTTP_ROUTES.path: listed(route_object(met))}
    cluster = cluster_of(answers)
    assert not [*gateway(cluster), *route(cluster)]


def test_a_cluster_without_the_gateway_api_is_not_judged() -> None:
    missing = Answer(404, b"404 page not found")
    for rule, kind in ((gateway, GATEWAYS), (route, HTTP_ROUTES)):
        with pytest.raises(NotApplicable):
            list(rule(cluster_of({kind.path: missing})))
        with pytest.raises(NotObserved):
            list(rule(cluster_of({kind.path: Answer(403, status_json("forbidden"))})))
