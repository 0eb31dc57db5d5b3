"""Ingresses that lead nowhere, and classes that exist or do not."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, deployment, service

if TYPE_CHECKING:
    from scenarios.live import LiveCluster


def ingress(to: str = "web", port: int = 80, **spec: Any) -> Object:
    backend = {"service": {"name": to, "port": {"number": port}}}
    path = {"path": "/", "pathType": "Prefix", "backend": backend}
    rule = {"host": "shop.example.com", "http": {"paths": [path]}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"name": "shop"},
        "spec": {"rules": [rule]} | spec,
    }


def ingress_class(name: str, controller: str) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "IngressClass",
        "metadata": {"name": name},
        "spec": {"controller": controller},
    }


WEB = (deployment("web"), service("web"))
OTHER = ingress_class("other", "example.com/ingress-controller")


@scenario(*WEB, OTHER, ingress(ingressClassName="othe"), later=600, finds=["ingress[no-class] Ingress/shop"])
def test_ingress_of_a_class_that_does_not_exist(seen: Seen) -> None:
    """The name of the class is misspelt."""
    assert seen.says('IngressClass "othe" does not exist')


@scenario(
    *WEB,
    ingress_class("nginx", "k8s.io/ingress-nginx"),
    ingress(ingressClassName="nginx"),
    later=600,
    finds=["ingress[no-controller] Ingress/shop (warning)"],
)
def test_ingress_without_a_controller(seen: Seen) -> None:
    """The class was created, and its controller was not installed."""
    assert seen.says("no workload looks like k8s.io/ingress-nginx")


@scenario(OTHER, ingress("wep", ingressClassName="other"), later=600, finds=["ingress[backend] Ingress/shop"])
def test_ingress_to_nowhere(seen: Seen) -> None:
    """The name of the Service is misspelt."""
    assert seen.says('shop.example.com/ leads nowhere: Service "wep" does not exist')


@scenario(*WEB, OTHER, ingress(port=8080, ingressClassName="other"), later=600, finds=["ingress[backend] Ingress/shop"])
def test_ingress_to_a_port_that_does_not_exist(seen: Seen) -> None:
    """The Service has port 80 only."""
    assert seen.says('Service "web" has no port 8080')


@scenario(*WEB, OTHER, ingress(ingressClassName="other"))
def test_ingress_of_a_controller_that_is_not_known(seen: Seen) -> None:
    """It has no address, and some controllers never give one."""
    assert not seen.get("Ingress/shop").status.loadBalancer.ingress


GATEWAY_API = "gateway.networking.k8s.io"


def gateway_kind(kind: str) -> Object:
    """A CustomResourceDefinition of the Gateway API that accepts any object; the real ones are long."""
    plural = f"{kind.lower()}s"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    version = {"name": "v1", "served": True, "storage": True, "schema": schema, "subresources": {"status": {}}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{plural}.{GATEWAY_API}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": GATEWAY_API,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [version],
        },
    }


@contextmanager
def gateway_kinds(cluster: "LiveCluster") -> Iterator[None]:
    """Let the cluster have Gateways and HTTPRoutes."""
    kinds = [gateway_kind("Gateway"), gateway_kind("HTTPRoute")]
    cluster.apply(kinds)
    try:
        yield
    finally:
        for kind in kinds:
            cluster.kubectl(f"delete customresourcedefinition {kind['metadata']['name']} --ignore-not-found")


def of_gateway_api(kind: str, name: str) -> Object:
    return {"apiVersion": f"{GATEWAY_API}/v1", "kind": kind, "metadata": {"name": name}, "spec": {}}


def says(kind: str, name: str, condition: str, status: str, reason: str) -> str:
    """The command by which a controller would say it; no controller runs."""
    told = {"type": condition, "status": status, "reason": reason, "message": "x", "lastTransitionTime": SINCE}
    of = {"parents": [{"parentRef": {"name": "entry"}, "conditions": [told]}]}
    patch = json.dumps({"status": of if kind == "HTTPRoute" else {"conditions": [told]}}, separators=(",", ":"))
    return f"patch {kind.lower()} {name} --subresource=status --type=merge -p {patch}"


SINCE = "2026-01-01T00:00:00Z"


@scenario(
    *(of_gateway_api("Gateway", name) for name in ("entry", "old")),
    *(of_gateway_api("HTTPRoute", name) for name in ("shop", "api")),
    fault=gateway_kinds,
    then=[
        says("Gateway", "entry", "Programmed", "True", "Programmed"),
        says("Gateway", "old", "Accepted", "False", "UnsupportedValue"),
        says("HTTPRoute", "shop", "ResolvedRefs", "False", "BackendNotFound"),
        says("HTTPRoute", "api", "ResolvedRefs", "True", "ResolvedRefs"),
    ],
    finds=["ingress[gateway] Gateway/old", "ingress[route] HTTPRoute/shop"],
)
def test_gateway_and_route_that_are_not_accepted(seen: Seen) -> None:
    """Beside them are a Gateway and a route of which all is well."""
    assert seen.says("is not Accepted: UnsupportedValue")
    assert seen.says("is not ResolvedRefs at Gateway entry: BackendNotFound")
