"""Services of type LoadBalancer without an external address, and those that only look so."""

from typing import Any

import pytest

from checks.test_ingress import EXPLAINS, no_controller
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, roots_of
from kubevitals.errors import NotObserved, observed
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from tests.fakes import ago, cluster_of

NOBODY = "nothing in this cluster is known to give Services of type LoadBalancer one"


def pending(*, created: int = 3600, status: pb.ServiceStatus | None = None, **spec: Any) -> pb.Service:
    """Return a Service without an external address; the API server always writes a status."""
    metadata = pb.ObjectMeta(name="web", namespace="shop", creationTimestamp=ago(created))
    spec = {"type": "LoadBalancer", "clusterIP": "10.96.7.7"} | spec
    return pb.Service(metadata=metadata, spec=pb.ServiceSpec(**spec), status=status or pb.ServiceStatus())


def found(service: pb.Service, **lists: Any) -> list[Finding]:
    return list(no_controller(cluster_of(services=[service], **lists)))


def workload(name: str, image: str) -> pb.Deployment:
    made = pb.Deployment(metadata=pb.ObjectMeta(name=name, namespace="lb"))
    made.spec.template.spec.containers.add(image=image)
    return made


def by_cilium(reason: str, status: str = "False") -> pb.ServiceStatus:
    told = pb.Condition(type="cilium.io/IPAMRequestSatisfied", status=status, reason=reason, message="no pool matches")
    return pb.ServiceStatus(conditions=[told])


def test_where_nothing_gives_addresses_a_service_waits_for_ever() -> None:
    (finding,) = found(pending())
    assert finding.says == f"has no external address: {NOBODY}"
    assert finding.severity is Severity.WARNING


SVCLB = pb.DaemonSet(metadata=pb.ObjectMeta(name="svclb-web-1f2e3d4c", namespace="kube-system"))


@pytest.mark.parametrize(
    ("spec", "lists", "name"),
    [
        ({}, {"deployments": [workload("controller", "quay.io/metallb/controller:v0.14.9")]}, "MetalLB"),
        ({}, {"daemon_sets": [SVCLB]}, "K3s' ServiceLB"),
        ({}, {"nodes": [pb.Node(spec=pb.NodeSpec(providerID="openstack:///1"))]}, "the cloud controller manager"),
        (
            {"loadBalancerClass": "service.k8s.aws/nlb"},
            {"deployments": [workload("aws-load-balancer-controller", "x")]},
            "AWS LB Controller",
        ),
    ],
    ids=["metallb", "k3s", "cloud", "class"],
)
def test_what_should_give_it_an_address_is_named(spec: dict[str, Any], lists: dict[str, Any], name: str) -> None:
    (finding,) = found(pending(**spec), **lists)
    assert finding.says == f"has no external address: {name} has given it none, and sends no event"


def test_the_workload_that_gives_addresses_is_concerned() -> None:
    (finding,) = found(pending(), deployments=[workload("controller", "quay.io/metallb/controller:v0.14.9")])
    assert finding.concerns == (Ref("Deployment", "lb", "controller"),)


@pytest.mark.parametrize(
    ("labels", "namespace"),
    [
        ({"gateway.networking.k8s.io/gateway-name": "edge"}, "shop"),
        (
            {
                "gateway.envoyproxy.io/owning-gateway-name": "edge",
                "gateway.envoyproxy.io/owning-gateway-namespace": "infra",
            },
            "infra",
        ),
    ],
    ids=["istio", "envoy"],
)
def test_the_gateway_that_gets_no_address_therefore_is_concerned(labels: dict[str, str], namespace: str) -> None:
    service = pending()
    service.metadata.labels.update(labels)
    (finding,) = found(service)
    assert finding.concerns == (Ref("Gateway", namespace, "edge"),)
    waits = Finding(finding.concerns[0], "is not Programmed: AddressNotAssigned: No addresses have been assigned", "")
    cases = [Case("ingress", "no-controller", finding), Case("ingress", "gateway", waits)]
    assert {root.finding for root in roots_of(cases, EXPLAINS).values()} == {finding}


@pytest.mark.parametrize(
    ("reason", "severity"), [("no_pool", Severity.WARNING), ("out_of_ips", Severity.ERROR)], ids=["none", "used-up"]
)
def test_cilium_says_why_in_a_condition(reason: str, severity: Severity) -> None:
    (finding,) = found(pending(status=by_cilium(reason)))
    assert finding.says == f"has no external address: {reason}: no pool matches"
    assert finding.severity is severity


def test_a_condition_that_is_met_says_nothing() -> None:
    (finding,) = found(pending(status=by_cilium("satisfied", "True")))
    assert finding.says == f"has no external address: {NOBODY}"


def served(**address: str) -> pb.ServiceStatus:
    return pb.ServiceStatus(loadBalancer=pb.LoadBalancerStatus(ingress=[pb.LoadBalancerIngress(**address)]))


def deleted() -> pb.Service:
    made = pending()
    made.metadata.deletionTimestamp.CopyFrom(ago(60))
    return made


@pytest.mark.parametrize(
    "healthy",
    [
        pending(created=60),
        pending(type="ClusterIP"),
        pending(externalIPs=["192.0.2.7"]),
        pending(status=served(ip="192.0.2.1")),
        pending(status=served(hostname="lb.example.com")),
        deleted(),
    ],
    ids=["new", "another-type", "external-ips", "address", "host-name", "deleted"],
)
def test_a_service_that_needs_no_address_or_has_one_is_not_found(healthy: pb.Service) -> None:
    assert not found(healthy)


@pytest.mark.parametrize("reason", ["EnsuringLoadBalancer", "Type"])
def test_a_load_balancer_that_is_just_being_set_up_has_time(reason: str) -> None:
    about = pb.ObjectReference(kind="Service", namespace="shop", name="web")
    begun = pb.Event(involvedObject=about, type="Normal", reason=reason, lastTimestamp=ago(100))
    assert not found(pending(), all_events=[begun])
    begun.lastTimestamp.CopyFrom(ago(1000))
    assert found(pending(), all_events=[begun])


@pytest.mark.parametrize(
    ("service", "why"),
    [
        (pending(loadBalancerClass="example.com/own"), "what serves loadBalancerClass example.com/own of Service"),
        (pb.Service(metadata=pending().metadata, spec=pending().spec), "has no status"),
    ],
    ids=["class", "old-recording"],
)
def test_whether_some_services_are_served_is_not_known(service: pb.Service, why: str) -> None:
    with pytest.raises(NotObserved, match=why):
        found(service)


def test_what_is_not_known_hides_no_other_service() -> None:
    other = pending(loadBalancerClass="example.com/own")
    other.metadata.name = "other"
    seen = observed(no_controller(cluster_of(services=[other, pending()])))
    assert [finding.obj.name for finding in seen.items] == ["web"]
    assert seen.unseen
