"""HTTPRoutes that are to be attached to Gateways that do not exist, whatever a controller once said of them.

They are listed apart from what `kubevitals.facts.network.gateways` reads, which older recordings have.
"""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals.encoding.declared import Fields, Resource
from kubevitals.errors import NotObserved
from kubevitals.facts.network.gateways import GATEWAYS, HTTP_ROUTES, SETTLING
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.objects import Ref, ref

GROUP = "gateway.networking.k8s.io"


class ParentRef(Fields, frozen=True):
    """What a route is to be attached to: a Gateway, or in a mesh a Service."""

    name: str = ""
    namespace: str = ""
    kind: str = "Gateway"
    group: str = GROUP

    @property
    def is_gateway(self) -> bool:
        """Whether it is a Gateway of the Gateway API."""
        return (self.group, self.kind) == (GROUP, "Gateway")


class RouteSpec(Fields, frozen=True):
    """What a route is to do."""

    parentRefs: tuple[ParentRef, ...] = ()  # noqa: N815


class HTTPRoute(Resource, frozen=True):
    """An HTTPRoute as its user wrote it."""

    spec: RouteSpec = RouteSpec()


WRITTEN_ROUTES = Kind(HTTP_ROUTES.path, HTTPRoute, namespaced=True, optional=True)


class Unattached(NamedTuple):
    """A route of whose Gateways some do not exist, and those that do."""

    route: HTTPRoute
    missing: tuple[Ref, ...]
    present: tuple[Ref, ...]


def unattached(cluster: Cluster) -> Iterator[Unattached]:
    """Yield the routes to Gateways that do not exist, once they are older than `ingress.settling`.

    Raises:
        NotObserved: after the last one, if Gateways are not listed, or not all of a namespace.
    """
    unseen: NotObserved | None = None
    for route in cluster.objects(WRITTEN_ROUTES):
        here = route.metadata.namespace
        of = [Ref("Gateway", one.namespace or here, one.name) for one in route.spec.parentRefs if one.is_gateway]
        try:
            if of and cluster.over(route.metadata.creationTimestamp, SETTLING) and (missing := _missing(of, cluster)):
                yield Unattached(route, missing, tuple(gateway for gateway in of if gateway not in missing))
        except NotObserved as error:
            unseen = error
    if unseen:
        raise unseen


def _missing(gateways: list[Ref], cluster: Cluster) -> tuple[Ref, ...]:
    known = {ref(gateway) for gateway in cluster.objects(GATEWAYS)}
    missing = tuple(gateway for gateway in gateways if gateway not in known)
    cluster.need_complete(*(gateway.namespace for gateway in missing))
    return missing
