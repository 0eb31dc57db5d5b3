"""Ingresses that lead nowhere, and classes that exist or do not."""

from typing import Any

from scenarios.harness import Seen, scenario
from scenarios.objects import Object, deployment, service


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
