"""Gateways and HTTPRoutes of the Gateway API, as far as their conditions tell, in clusters that have these kinds."""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Fields, Resource
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind
from kubevitals.threshold import Threshold

SETTLING = Threshold(
    "ingress.settling",
    300,
    "seconds that a controller may take to serve an Ingress, a Gateway or a route: the load balancer of a cloud takes "
    "minutes",
)

NOT_MET = {
    "Gateway": ("Accepted", "Programmed"),
    "HTTPRoute": ("Accepted", "ResolvedRefs"),
}
"""Conditions that must be True (gateway-api.sigs.k8s.io, apis/v1/gateway_types.go and shared_types.go)."""


class GatewayCondition(Fields, frozen=True):
    """A condition of a Gateway or a route."""

    type: str = ""
    status: str = ""
    reason: str = ""
    message: str = ""
    lastTransitionTime: pb.Time = pb.Time()  # noqa: N815


class GatewayStatus(Fields, frozen=True):
    """What a controller says of a Gateway."""

    conditions: tuple[GatewayCondition, ...] = ()


class Gateway(Resource, frozen=True):
    """A Gateway."""

    status: GatewayStatus = GatewayStatus()


class ParentRef(Fields, frozen=True):
    """The Gateway that a route is attached to."""

    name: str = ""
    namespace: str = ""


class RouteParentStatus(Fields, frozen=True):
    """What the controller of a Gateway says of a route."""

    parentRef: ParentRef = ParentRef()  # noqa: N815
    conditions: tuple[GatewayCondition, ...] = ()


class RouteStatus(Fields, frozen=True):
    """What controllers say of a route."""

    parents: tuple[RouteParentStatus, ...] = ()


class HTTPRoute(Resource, frozen=True):
    """An HTTPRoute."""

    status: RouteStatus = RouteStatus()


GATEWAYS = Kind("/apis/gateway.networking.k8s.io/v1/gateways", Gateway, namespaced=True, optional=True)
HTTP_ROUTES = Kind("/apis/gateway.networking.k8s.io/v1/httproutes", HTTPRoute, namespaced=True, optional=True)


LISTENERS_NOT_VALID = "ListenersNotValid"
"""The reason of a Gateway's Accepted=True if some listeners are not: often a certificate's Secret does not exist
(gateway-api.sigs.k8s.io, apis/v1/gateway_types.go)."""


class Unmet(NamedTuple):
    """A condition that is not met, and the Gateway that it is about, if it is a route's."""

    condition: GatewayCondition
    parent: ParentRef | None = None

    def is_partial(self, obj: "Gateway | HTTPRoute") -> bool:
        """Return whether the rest works: other listeners of a Gateway, or another parent that accepts a route."""
        if isinstance(obj, Gateway):
            return self.condition.status == "True"
        others = (condition for parent in obj.status.parents for condition in parent.conditions)
        accepts = any(each.type == "Accepted" and each.status == "True" for each in others)
        return self.condition.type == "Accepted" and accepts


def unmet(obj: Gateway | HTTPRoute, cluster: Cluster) -> Unmet | None:
    """Return the first condition that has not been met for longer than `ingress.settling`."""
    found = (
        [Unmet(condition) for condition in obj.status.conditions]
        if isinstance(obj, Gateway)
        else [Unmet(condition, parent.parentRef) for parent in obj.status.parents for condition in parent.conditions]
    )
    return next(_lasting(found, NOT_MET[type(obj).__name__], cluster), None)


def _lasting(found: list[Unmet], kinds: tuple[str, ...], cluster: Cluster) -> Iterator[Unmet]:
    for one in found:
        is_false = one.condition.type in kinds and one.condition.status == "False"
        is_unmet = is_false or one.condition.reason == LISTENERS_NOT_VALID
        if is_unmet and cluster.over(one.condition.lastTransitionTime, SETTLING):
            yield one


def waits_for_controller(obj: Gateway | HTTPRoute, cluster: Cluster) -> bool:
    """Return whether no controller has looked at an object for longer than `ingress.settling`.

    The API server creates a Gateway with Accepted=Unknown (config/crd of the Gateway API). A route of which no
    controller says anything has no Gateway that exists (envoyproxy/gateway#774), or one without a controller.
    """
    if not cluster.over(obj.metadata.creationTimestamp, SETTLING):
        return False
    if isinstance(obj, HTTPRoute):
        return not obj.status.parents
    states = {(condition.type, condition.status, condition.reason) for condition in obj.status.conditions}
    return ("Accepted", "Unknown", "Pending") in states and not any(status == "True" for _, status, _ in states)
