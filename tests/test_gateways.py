"""Gateways and routes that lead nowhere, and those that only look so."""

import json
from typing import Any

import pytest

from checks.test_ingress import gateway, route
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.gateways import GATEWAYS, HTTP_ROUTES
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.fakes import cluster_of, status_json


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


def test_a_gateway_with_listeners_that_do_not_work_is_a_warning() -> None:
    invalid = condition("Accepted", "True") | {"reason": "ListenersNotValid"}
    (finding,) = gateway(cluster_of({GATEWAYS.path: listed(gateway_object(invalid))}))
    assert finding.says == "has listeners that do not work: ListenersNotValid: no such"
    assert finding.severity is Severity.WARNING


def test_a_route_that_another_gateway_accepts_is_a_warning() -> None:
    one = route_object(condition("Accepted"))
    (finding,) = route(cluster_of({HTTP_ROUTES.path: listed(one)}))
    assert finding.severity is Severity.ERROR
    one["status"]["parents"].append({"parentRef": {"name": "inner"}, "conditions": [condition("Accepted", "True")]})
    (finding,) = route(cluster_of({HTTP_ROUTES.path: listed(one)}))
    assert finding.severity is Severity.WARNING


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


def attached(*refs: dict[str, str], time: str = "2026-03-01T11:00:00Z") -> dict[str, Any]:
    """Return a route that a controller accepted, some time."""
    accepted = condition("Accepted", "True")
    return aged(route_object(accepted) | {"spec": {"parentRefs": refs}}, time)


def judged(*routes: dict[str, Any], **lists: Any) -> list[Finding]:
    answers = {GATEWAYS.path: listed(gateway_object()), HTTP_ROUTES.path: listed(*routes)}
    return list(route(cluster_of(answers, **lists)))


SERVICES = [pb.Service(metadata=pb.ObjectMeta(name="web", namespace=name)) for name in ("shop", "infra")]
"""They make two namespaces, of which the test's cluster lists all."""


def test_a_route_to_a_gateway_that_does_not_exist_leads_nowhere() -> None:
    (finding,) = judged(attached({"name": "egde"}), services=SERVICES)
    assert finding.says == 'leads nowhere: Gateway/shop/egde does not exist (did you mean "edge"?)'
    assert (finding.severity, finding.missing) == (Severity.ERROR, (Ref("Gateway", "shop", "egde"),))


def test_a_gateway_of_another_namespace_is_not_meant() -> None:
    (finding,) = judged(attached({"name": "edge", "namespace": "infra"}), services=SERVICES)
    assert finding.says == "leads nowhere: Gateway/infra/edge does not exist (namespace shop has one)"


def test_a_route_with_another_gateway_is_a_warning() -> None:
    (finding,) = judged(attached({"name": "edge"}, {"name": "inner"}), services=SERVICES)
    assert finding.says == "is not attached to all of its Gateways: Gateway/shop/inner does not exist"
    assert finding.severity is Severity.WARNING


@pytest.mark.parametrize(
    "healthy",
    [
        attached({"name": "edge"}),
        attached({"name": "edge", "namespace": "shop"}),
        attached({"name": "web", "kind": "Service"}),
        attached({"name": "own", "group": "example.com"}),
        attached({"name": "egde"}, time="2026-03-01T11:59:00Z"),
    ],
    ids=["own-namespace", "named", "mesh", "another-group", "new"],
)
def test_a_route_to_what_exists_is_not_found(healthy: dict[str, Any]) -> None:
    assert not judged(healthy, services=SERVICES)


def test_a_gateway_in_a_namespace_that_is_not_listed_may_exist() -> None:
    with pytest.raises(NotObserved):
        judged(attached({"name": "edge", "namespace": "elsewhere"}), services=SERVICES)


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
