"""Where Ingresses lead: their classes, their backends, and whether a controller has taken them."""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import DEFAULT_INGRESS_CLASS, INGRESS_CLASS
from kubevitals.facts.nodes.distributions import distribution_of
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, containers, ref


class Backend(NamedTuple):
    """A Service that an Ingress leads to, and the rule that does: ``shop.example.com/cart``."""

    service: str
    port: pb.ServiceBackendPort
    rule: str


USE_ANNOTATION = "use-annotation"
"""The port of a backend that stands for an annotation with the action (AWS Load Balancer Controller)."""

CONTROLLERS = {
    "k8s.io/ingress-nginx": "nginx",
    "nginx.org/ingress-controller": "nginx",
    "traefik.io/ingress-controller": "traefik",
    "haproxy.org/ingress-controller": "haproxy",
    "haproxy-ingress.github.io/controller": "haproxy",
    "ingress-controllers.konghq.com/kong": "kong",
    "projectcontour.io/ingress-controller": "contour",
}
"""IngressClass.spec.controller of controllers that run as pods, and a word that is in the names of their images."""


_CONTROLLER = re.compile(r"ingress|controller|traefik|contour|kong")
"""Words in the names and images of controllers that those of mere web servers and proxies do not have."""

WITHOUT_CLASS = ("traefik", "contour")
"""Words in the names and images of controllers that by default serve Ingresses without a class
(doc.traefik.io/traefik: Kubernetes Ingress, ingressClass; projectcontour.io/docs: Ingress)."""

WITHOUT_CLASS_OBJECT = "contour"
"""The controller that needs no IngressClass of the name that it is given (projectcontour.io/docs: Ingress)."""


Controller = pb.Deployment | pb.DaemonSet | pb.StatefulSet
"""A workload that may be a controller."""


def may_be_served(ingress: pb.Ingress, cluster: Cluster) -> str:
    """Return what may serve an Ingress although its class, or the default one, does not exist; empty if nothing does.

    GKE's controller serves Ingresses without a class (cloud.google.com/kubernetes-engine/docs: GKE Ingress).
    """
    if class_of(ingress, cluster):
        return WITHOUT_CLASS_OBJECT if runs_somewhere(WITHOUT_CLASS_OBJECT, cluster) else ""
    if any((found := distribution_of(node)) and found.name == "GKE" for node in cluster.nodes):
        return "GKE's controller"
    return next((word for word in WITHOUT_CLASS if runs_somewhere(word, cluster)), "")


def class_of(ingress: pb.Ingress, cluster: Cluster) -> str:
    """Return the name of an Ingress' class, or of the default one; empty if it has none."""
    if named := ingress.spec.ingressClassName or ingress.metadata.annotations.get(INGRESS_CLASS, ""):
        return named
    defaults = (c for c in cluster.ingress_classes if c.metadata.annotations.get(DEFAULT_INGRESS_CLASS) == "true")
    return next((default.metadata.name for default in defaults), "")


def is_served(obj: pb.Ingress | pb.Service) -> bool:
    """Return whether a controller has given an Ingress or a Service an address. Some never do so for Ingresses."""
    return any(address.ip or address.hostname for address in obj.status.loadBalancer.ingress)


def backends(ingress: pb.Ingress) -> Iterator[Backend]:
    """Yield the Services that an Ingress leads to; other backends are not known here."""
    found = [(ingress.spec.defaultBackend, "the default backend")]
    for rule in ingress.spec.rules:
        paths = rule.ingressRuleValue.http.paths
        found += [(path.backend, f"{rule.host or '*'}{path.path or '/'}") for path in paths]
    for backend, rule_name in found:
        if backend.service.name and backend.service.port.name != USE_ANNOTATION:
            yield Backend(backend.service.name, backend.service.port, rule_name)


def has_port(service: pb.Service, port: pb.ServiceBackendPort) -> bool:
    """Return whether a Service has the port of a backend; an ExternalName needs to declare none."""
    if service.spec.type == "ExternalName":
        return True
    return any(each.name == port.name if port.name else each.port == port.number for each in service.spec.ports)


def runs_somewhere(word: str, cluster: Cluster) -> bool:
    """Return whether a workload has an image or a name with this word, one of those of controllers.

    Raises:
        NotObserved: not all workloads are observed.
    """
    return bool(cluster.derive(_by_word)[word])


def _by_word(cluster: Cluster) -> Mapping[str, list[Controller]]:
    words = {*CONTROLLERS.values(), *WITHOUT_CLASS}
    return {word: list(workloads_with(word, cluster)) for word in words}


def stopped_controllers(cluster: Cluster) -> Mapping[str, Ref]:
    """Return workloads that are scaled to zero, by a word of CONTROLLERS that no workload with replicas has.

    Raises:
        NotObserved: not all workloads are observed.
    """
    stopped = {word: _stopped(found) for word, found in cluster.derive(_by_word).items()}
    return {word: workload for word, workload in stopped.items() if workload}


def _stopped(found: list[Controller]) -> Ref | None:
    runs = any(isinstance(each, pb.DaemonSet) or each.spec.replicas for each in found)
    return next((ref(each) for each in found if _controls(each)), None) if not runs else None


def _controls(workload: Controller) -> bool:
    """Return whether a workload looks like a controller, and not like a web server that has its name, such as nginx."""
    images = (each.image for each in containers(workload.spec.template.spec))
    return any(_CONTROLLER.search(name) for name in (workload.metadata.name, *images))


def workloads_with(word: str, cluster: Cluster) -> Iterator[Controller]:
    """Yield the workloads that have an image or a name with this word, Deployments first.

    Raises:
        NotObserved: not all workloads are observed.
    """
    workloads: tuple[Controller, ...] = (*cluster.deployments, *cluster.daemon_sets, *cluster.stateful_sets)
    for workload in workloads:
        images = (each.image for each in containers(workload.spec.template.spec))
        if word in workload.metadata.name or any(word in image for image in images):
            yield workload
