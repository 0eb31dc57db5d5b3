"""Ports of Services that lead to no port of their pods."""

from collections.abc import Mapping
from typing import Any

import pytest

from checks.test_service_endpoints import wrong_port
from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps import service_ports
from kubevitals.facts.apps.selectors import matches
from kubevitals.findings.finding import Severity
from kubevitals.objects import Ref
from tests.test_service_endpoints import cluster, pod, service

HTTP = pb.ContainerPort(name="http", containerPort=8080, protocol="TCP")
DNS = pb.ContainerPort(name="dns", containerPort=53, protocol="UDP")


@pytest.mark.parametrize(
    ("target", "port", "severity", "says"),
    [
        ("htpp", HTTP, Severity.ERROR, 'is not a port of its pods (did you mean "http"?): they declare 8080 (http)'),
        ("dns", DNS, Severity.ERROR, "is not declared for TCP, but for another protocol"),
        (80, HTTP, Severity.WARNING, "targetPort 80 is not a port of its pods: they declare 8080 (http)"),
    ],
)
def test_a_port_that_leads_nowhere(target: str | int, port: pb.ContainerPort, severity: Severity, says: str) -> None:
    (found,) = wrong_port(cluster(service({"app": "web"}, target), pods=[pod("web-1", port)]))
    assert says in found.says
    assert found.severity is severity


@pytest.mark.parametrize(
    ("name", "target", "severity"),
    [
        ("web", "metrics", Severity.WARNING),
        ("web", "http-prom", Severity.WARNING),
        ("web-metrics-service", "https", Severity.WARNING),
        ("web", "https", Severity.ERROR),
    ],
)
def test_a_service_for_metrics_that_are_off_is_a_warning(name: str, target: str, severity: Severity) -> None:
    (found,) = wrong_port(cluster(service({"app": "web"}, target, name), pods=[pod("web-1", HTTP)]))
    assert found.severity is severity


def test_one_port_of_several_is_a_warning() -> None:
    two = service({"app": "web"}, "http")
    two.spec.ports.add(port=9090, targetPort=pb.IntOrString(strVal="metrics"))
    (found,) = wrong_port(cluster(two, pods=[pod("web-1", HTTP)]))
    assert found.severity is Severity.WARNING


def ports(*numbers: int) -> list[pb.ContainerPort]:
    return [pb.ContainerPort(containerPort=number) for number in numbers]


def with_ports(*numbers: int, **spec: Any) -> pb.Service:
    made = service({"app": "web"}, numbers[0], **spec)
    made.spec.ports.extend(pb.ServicePort(port=number) for number in numbers[1:])
    return made


@pytest.mark.parametrize(
    ("served", "declared", "count"),
    [
        ((15010, 15012, 15017, 15014), (8080, 15010, 15017), 0),
        ((80, 443), (15090,), 0),
        ((8080, 9090), (8080,), 0),
        ((8081, 9090), (8080, 9090), 1),
    ],
    ids=["istiod", "gateway", "metrics", "typo"],
)
def test_a_number_is_wrong_only_if_a_declared_port_is_left_for_it(
    served: tuple[int, ...], declared: tuple[int, ...], count: int
) -> None:
    assert len(list(wrong_port(cluster(with_ports(*served), pods=[pod("web-1", *ports(*declared))])))) == count


def test_a_port_that_a_probe_queries_needs_no_declaration() -> None:
    one = pod("web-1", *ports(9090))
    one.spec.containers[0].readinessProbe.handler.httpGet.port.intVal = 8080
    assert not list(wrong_port(cluster(with_ports(8080), pods=[one])))
    one.spec.containers[0].readinessProbe.handler.httpGet.port.intVal = 8081
    assert list(wrong_port(cluster(with_ports(8080), pods=[one])))


def gateway(target: int = 80) -> tuple[pb.Service, pb.Pod]:
    """Return a Service with a number that its pods do not declare, and a pod that declares one for clients."""
    return service({"app": "web"}, target), pod("web-1", pb.ContainerPort(name="http", containerPort=15020))


def test_an_operator_knows_where_its_pods_listen() -> None:
    made, one = gateway()
    assert len(list(wrong_port(cluster(made, pods=[one])))) == 1
    made.metadata.ownerReferences.add(kind="Gateway", name="web")
    assert not list(wrong_port(cluster(made, pods=[one])))


@pytest.mark.parametrize(("name", "count"), [("metrics", 0), ("status-port", 0), ("http-envoy-prom", 0), ("http", 1)])
def test_no_service_is_meant_for_a_port_of_metrics(name: str, count: int) -> None:
    made, one = gateway()
    one.spec.containers[0].ports[0].name = name
    assert len(list(wrong_port(cluster(made, pods=[one])))) == count


@pytest.mark.parametrize(("name", "count"), [("linkerd-proxy", 0), ("istio-proxy", 0), ("web", 1)])
def test_no_service_is_meant_for_a_port_of_a_sidecar(name: str, count: int) -> None:
    made, one = gateway()
    one.spec.containers[0].name = name
    assert len(list(wrong_port(cluster(made, pods=[one])))) == count


@pytest.mark.parametrize(
    ("other", "count"),
    [
        (service({"app": "web"}, 15020, name="front"), 0),
        (service({"app": "web"}, "http", name="front"), 0),
        (service({"app": "web"}, 15020, name="front", clusterIP="None"), 1),
        (service({"app": "api"}, 15020, name="front"), 1),
    ],
    ids=["number", "name", "headless", "other-pods"],
)
def test_no_service_is_meant_for_a_port_to_which_another_one_leads(other: pb.Service, count: int) -> None:
    made, one = gateway(6666)
    found = [
        finding.obj.name for finding in wrong_port(cluster(made, other, pods=[one, pod("api-1", HTTP, app="api")]))
    ]
    assert found.count("web") == count


def test_services_with_a_label_in_common_are_not_compared_with_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []

    def counting(selector: Mapping[str, str], labels: Mapping[str, str]) -> bool:
        compared.append(selector)
        return matches(selector, labels)

    monkeypatch.setattr(service_ports, "matches", counting)
    numbers = [str(number) for number in range(50)]
    services = [service({"app": "shop", "part": number}, 6666, f"web-{number}") for number in numbers]
    pods = [pod(f"web-{number}", HTTP, app="shop", part=number) for number in numbers]
    assert len(list(wrong_port(cluster(*services, pods=pods)))) == len(numbers)
    assert len(compared) == len(numbers)


def test_a_headless_service_with_one_srv_record_may_have_names_for_what_is_off() -> None:
    two = service({"app": "web"}, "http", clusterIP="None")
    two.spec.ports.add(port=7422, targetPort=pb.IntOrString(strVal="leafnodes"))
    assert not list(wrong_port(cluster(two, pods=[pod("web-1", HTTP)])))
    assert len(list(wrong_port(cluster(two, pods=[pod("web-1", DNS)])))) == 1


def test_a_headless_service_lacks_only_an_srv_record() -> None:
    one = pod("web-1", HTTP)
    (found,) = wrong_port(cluster(service({"app": "web"}, "htpp", clusterIP="None"), pods=[one]))
    assert found.severity is Severity.WARNING
    assert found.says.startswith("port 80 has no SRV record: targetPort htpp is not a port of its pods")
    assert not list(wrong_port(cluster(service({"app": "web"}, 80, clusterIP="None"), pods=[one])))


@pytest.mark.parametrize(("target", "ports"), [(9999, []), ("http", [HTTP]), (8080, [HTTP])])
def test_ports_that_lead_somewhere(target: str | int, ports: list[pb.ContainerPort]) -> None:
    assert not list(wrong_port(cluster(service({"app": "web"}, target), pods=[pod("web-1", *ports)])))


def test_a_port_of_a_sidecar_counts() -> None:
    one = pod("web-1", DNS)
    one.spec.initContainers.add(name="proxy", restartPolicy="Always", ports=[HTTP])
    assert not list(wrong_port(cluster(service({"app": "web"}, "http"), pods=[one])))


def of(workload: str, *declared: pb.ContainerPort) -> pb.Pod:
    made = pod(f"{workload}-1", *declared)
    made.metadata.ownerReferences.add(kind="StatefulSet", name=workload, controller=True)
    return made


def test_a_selector_that_is_too_wide_leads_to_pods_without_the_port() -> None:
    """A chart selects by the release alone: every other connection is made to the database's pod, and refused."""
    (found,) = wrong_port(cluster(with_ports(8080), pods=[of("web", *ports(8080)), of("db", *ports(5432))]))
    assert found.severity is Severity.WARNING
    assert (
        found.says == "port 80 also leads to the pods of StatefulSet db, which do not have port 8080: they declare 5432"
    )
    assert found.concerns == (Ref("StatefulSet", "shop", "db"),)


def by_name() -> pb.Service:
    return service({"app": "web"}, "http")


def for_metrics() -> pb.Service:
    made = with_ports(8080)
    made.spec.ports[0].name = "http-metrics"
    return made


def of_an_operator() -> pb.Service:
    made = with_ports(8080)
    made.metadata.ownerReferences.add(kind="Cluster", name="web", controller=True)
    return made


@pytest.mark.parametrize(
    ("made", "other"),
    [
        (by_name(), of("db", *ports(5432))),
        (for_metrics(), of("db", *ports(5432))),
        (of_an_operator(), of("db", *ports(5432))),
        (with_ports(8080, clusterIP="None"), of("db", *ports(5432))),
        (with_ports(8080), of("worker")),
        (with_ports(8080), of("canary", *ports(8080, 9000))),
        (with_ports(8080), of("worker", pb.ContainerPort(name="metrics", containerPort=9090))),
        (with_ports(8080), of("web", *ports(8081))),
    ],
    ids=["by name", "metrics", "operator", "headless", "declares none", "canary", "declares metrics only", "rollout"],
)
def test_pods_of_two_workloads_that_a_service_may_lead_to(made: pb.Service, other: pb.Pod) -> None:
    assert not list(wrong_port(cluster(made, pods=[of("web", HTTP), other])))
