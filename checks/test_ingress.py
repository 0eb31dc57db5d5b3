"""An Ingress, Gateway, route or load balancer leads nowhere: no controller serves it, or its Service does not exist.

Meaning:
    An Ingress names a class, whose controller serves it, and Services that requests are sent to. A cloud's controller,
    or MetalLB, says by events if it cannot set up the load balancer of an Ingress or a Service. Where nothing gives
    Services of type LoadBalancer an external address, `kubectl get services` shows `<pending>` permanently, which is a
    warning. Gateways and HTTPRoutes are the same in the Gateway API: their controller says in their conditions what is
    wrong.

Impact:
    Requests from outside the cluster get no answer, or 404 or 503.

Diagnosis:
    `kubectl describe ingress` shows the class, the address and the backends. `kubectl get ingressclass` shows the
    classes with their controllers. `kubectl describe gateway` and `kubectl describe httproute` show conditions.

Mitigation:
    Correct the name of the class, the Service or the port, or install the controller.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import INGRESS_CLASS
from kubevitals.errors import NotObserved, observed
from kubevitals.facts.apps.services import ServiceName, services
from kubevitals.facts.apps.silent_services import scale_up
from kubevitals.facts.network.gateways import (
    GATEWAYS,
    HTTP_ROUTES,
    SETTLING,
    Gateway,
    HTTPRoute,
    unmet,
    waits_for_controller,
)
from kubevitals.facts.network.ingresses import (
    CONTROLLERS,
    Backend,
    backends,
    class_of,
    has_port,
    is_served,
    may_be_served,
    runs_somewhere,
    stopped_controllers,
)
from kubevitals.facts.network.load_balancers import lingering, set_up_failure
from kubevitals.facts.network.pending_services import Pending, gateway_of, pending_services
from kubevitals.facts.network.route_parents import Unattached, unattached
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines
from kubevitals.findings.explains import BROKEN_PODS, CONCERNED, CONCERNS, IN_WORKLOAD, Explains
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.text import clean, near_name

EXPLAINS = (
    Explains(("ingress[gateway]",), CONCERNED, ("ingress[route]",)),
    Explains(("ingress[no-controller]",), CONCERNS, ("ingress[gateway]",), words="address"),
    Explains(("ingress[no-controller]",), CONCERNS, ("terminating[namespace]",)),
    Explains((*BROKEN_PODS, "scheduling", "pod-creation"), IN_WORKLOAD, ("ingress[no-controller]",)),
)


def _settled(cluster: Cluster) -> Iterator[pb.Ingress]:
    """Yield the Ingresses that a controller has had time for."""
    for ingress in cluster.ingresses:
        if cluster.over(ingress.metadata.creationTimestamp, SETTLING):
            yield ingress


def no_class(cluster: Cluster) -> Iterator[Finding]:
    """Find Ingresses whose class does not exist, or that have none and there is no default; none has an address."""
    classes = [each.metadata.name for each in cluster.ingress_classes]
    maybe = ""
    for ingress in _settled(cluster):
        is_annotated = bool(ingress.metadata.annotations.get(INGRESS_CLASS))
        if is_served(ingress) or is_annotated or (name := class_of(ingress, cluster)) in classes:
            continue
        if by := may_be_served(ingress, cluster):
            maybe = maybe or f"{by} may serve {ref(ingress)}, which has no IngressClass"
            continue
        says = f'IngressClass "{clean(name, 253)}" does not exist{near_name(name, classes)}' if name else ""
        yield Finding(
            ref(ingress),
            says=says or "has no class, and the cluster has no default IngressClass: no controller serves it",
            remedy="correct spec.ingressClassName: kubectl get ingressclass",
            evidence=event_lines(ingress, cluster),
            missing=(Ref("IngressClass", "", name),) if name else (),
        )
    if maybe:
        raise NotObserved(maybe)


def no_controller(cluster: Cluster) -> Iterator[Finding]:
    """Find Ingresses of a class whose controller is known, and is scaled to zero or does not exist.

    One that has an address is found only if its controller is scaled to zero. Also Ingresses and Services whose
    controller reports that it cannot set up their load balancer, and Services of type LoadBalancer that have no
    external address, whatever the reason.
    """
    balanced, pending = observed(_without_load_balancer(cluster)), observed(pending_services(cluster))
    yield from balanced.items
    yield from map(_without_address, pending.items)
    yield from (_lingering(obj, cluster) for obj in lingering(cluster))
    classes = {each.metadata.name: each for each in cluster.ingress_classes}
    for ingress in _settled(cluster):
        of = classes.get(class_of(ingress, cluster))
        if of is not None and of.spec.controller in CONTROLLERS:
            cluster.scope.need_all("controllers of Ingresses may be in any namespace")
            yield from _without_controller(ingress, of, cluster)
    if unseen := balanced.unseen or pending.unseen:
        raise unseen


def _without_controller(ingress: pb.Ingress, of: pb.IngressClass, cluster: Cluster) -> Iterator[Finding]:
    """Yield that the controller of a class does not run; an Ingress keeps its address while it is scaled to zero."""
    word, controller = CONTROLLERS[of.spec.controller], clean(of.spec.controller, 253)
    if scaled := cluster.derive(stopped_controllers).get(word):
        says, remedy = f"no controller serves it: {scaled} is scaled to 0", scale_up(scaled)
    elif is_served(ingress) or runs_somewhere(word, cluster):
        return
    else:
        says = f"no controller serves it: no workload looks like {controller}"
        remedy = f"install the controller of IngressClass {clean(of.metadata.name, 253)}, or use another class"
    yield Finding(
        ref(ingress),
        says=says,
        remedy=remedy,
        evidence=event_lines(ingress, cluster),
        severity=Severity.WARNING,
        concerns=(ref(of), *([scaled] if scaled else [])),
    )


def _without_load_balancer(cluster: Cluster) -> Iterator[Finding]:
    unserved: list[pb.Ingress | pb.Service] = [ingress for ingress in _settled(cluster) if not is_served(ingress)]
    unserved += [service for service in cluster.services if service.spec.type == "LoadBalancer"]
    for obj in unserved:
        is_leaving = obj.metadata.HasField("deletionTimestamp")
        settled = not is_leaving and cluster.over(obj.metadata.creationTimestamp, SETTLING)
        if settled and (failure := set_up_failure(obj, cluster)):
            yield Finding(
                ref(obj),
                says=f"{_lacks(obj)}: {failure.reason}: {failure.message}",
                remedy="fix what its controller reports: quota, subnets, rights in the cloud, or free addresses in the "
                "pool",
                evidence=event_lines(obj, cluster),
                part="load balancer",
            )


def _lacks(obj: pb.Ingress | pb.Service) -> str:
    return "keeps its load balancer as it was, which cannot be updated" if is_served(obj) else "gets no load balancer"


def _without_address(pending: Pending) -> Finding:
    return Finding(
        ref(pending.service),
        says=f"has no external address: {pending.why}",
        remedy=pending.remedy,
        severity=Severity.ERROR if pending.has_pools else Severity.WARNING,
        concerns=tuple(filter(None, (pending.workload, gateway_of(pending.service)))),
        part="load balancer",
        since=pending.service.metadata.creationTimestamp.seconds,
    )


def _lingering(obj: pb.Ingress | pb.Service, cluster: Cluster) -> Finding:
    named = ", ".join(clean(name, 253) for name in obj.metadata.finalizers[:3])
    return Finding(
        ref(obj),
        says=f"is being deleted and does not go: no controller removes its load balancer and the finalizer {named}",
        remedy="bring back the controller that sets this finalizer, or read its log; if it was uninstalled, remove the "
        "load balancer in the cloud, then the finalizer by hand",
        evidence=event_lines(obj, cluster),
        severity=Severity.WARNING,
        concerns=(Ref("Namespace", "", obj.metadata.namespace),),
        part="deletion",
        since=obj.metadata.deletionTimestamp.seconds,
    )


def backend(cluster: Cluster) -> Iterator[Finding]:
    """Find Ingresses that lead to a Service that does not exist, or to a port that the Service does not have."""
    for ingress in _settled(cluster):
        for one in backends(ingress):
            if why := _why(ingress, one, cluster):
                of = Ref("Service", ingress.metadata.namespace, one.service)
                yield Finding(
                    ref(ingress),
                    says=f"{clean(one.rule, 200)} leads nowhere: {why}",
                    remedy="correct the backend of the Ingress, or create the Service or its port",
                    evidence=event_lines(ingress, cluster),
                    concerns=(of,),
                    missing=(of,) if why.endswith("does not exist") else (),
                    part=one.rule,
                )


def _why(ingress: pb.Ingress, one: Backend, cluster: Cluster) -> str:
    """Return why requests to a backend get no answer, or an empty text."""
    service = cluster.derive(services).get(ServiceName(ingress.metadata.namespace, one.service))
    name = clean(one.service, 253)
    if service is None:
        cluster.need_complete(ingress.metadata.namespace)
        return f'Service "{name}" does not exist'
    port = clean(one.port.name, 60) or one.port.number
    return "" if has_port(service, one.port) else f'Service "{name}" has no port {port}'


def gateway(cluster: Cluster) -> Iterator[Finding]:
    """Find Gateways that no controller has accepted or programmed for longer than `ingress.settling`."""
    remedy = "correct spec.gatewayClassName, or install the controller of this class: kubectl get gatewayclasses"
    for each in cluster.objects(GATEWAYS):
        if found := _unmet(each, cluster):
            yield found
        elif waits_for_controller(each, cluster):
            yield _waiting(each, "is not accepted: it still waits for a controller", remedy, Severity.ERROR, cluster)


def route(cluster: Cluster) -> Iterator[Finding]:
    """Find HTTPRoutes that a Gateway has not accepted, whose Gateway does not exist, or whose references do not.

    One of which no controller says anything is a warning: it may be part of another route.
    """
    says = "leads nowhere: no Gateway's controller says anything about it"
    remedy = "correct spec.parentRefs (kubectl get gateways -A), or see whether the controller of its Gateway runs"
    lost = observed(unattached(cluster))
    yield from (_unattached(each, cluster) for each in lost.items)
    found_already = {ref(each.route) for each in lost.items}
    for each in (one for one in cluster.objects(HTTP_ROUTES) if ref(one) not in found_already):
        if found := _unmet(each, cluster):
            yield found
        elif waits_for_controller(each, cluster):
            yield _waiting(each, says, remedy, Severity.WARNING, cluster)
    if lost.unseen:
        raise lost.unseen


def _unattached(lost: Unattached, cluster: Cluster) -> Finding:
    """Return that a Gateway of a route does not exist, whatever its status says: that may be of another time."""
    route, (first, *_), present = lost.route, lost.missing, lost.present
    others = {each.metadata.name: each.metadata.namespace for each in cluster.objects(GATEWAYS)}
    elsewhere = f" (namespace {clean(others[first.name], 63)} has one)" if first.name in others else ""
    near = elsewhere or near_name(first.name, others)
    leads = "is not attached to all of its Gateways" if present else "leads nowhere"
    return Finding(
        ref(route),
        says=f"{leads}: {first} does not exist{near}",
        remedy="correct spec.parentRefs, with the Gateway's namespace: kubectl get gateways -A",
        evidence=event_lines(route, cluster),
        severity=Severity.WARNING if present else Severity.ERROR,
        missing=lost.missing,
        since=route.metadata.creationTimestamp.seconds,
    )


def _waiting(obj: Gateway | HTTPRoute, says: str, remedy: str, severity: Severity, cluster: Cluster) -> Finding:
    return Finding(
        ref(obj),
        says=says,
        remedy=remedy,
        evidence=event_lines(obj, cluster),
        severity=severity,
        since=obj.metadata.creationTimestamp.seconds,
    )


def _unmet(obj: Gateway | HTTPRoute, cluster: Cluster) -> Finding | None:
    if (found := unmet(obj, cluster)) is None:
        return None
    condition, parent = found
    at = f" at Gateway {clean(parent.name, 253)}" if parent else ""
    place = (parent.namespace or obj.metadata.namespace) if parent else ""
    is_whole = condition.status == "False"
    lacks = f"is not {condition.type}{at}" if is_whole else "has listeners that do not work"
    return Finding(
        ref(obj),
        says=f"{lacks}: {condition.reason}: {condition.message}",
        remedy="fix what the condition reports"
        if is_whole
        else "see which ones in its status.listeners: often the Secret of certificateRefs does not exist",
        evidence=event_lines(obj, cluster),
        severity=Severity.WARNING if found.is_partial(obj) else Severity.ERROR,
        concerns=(Ref("Gateway", place, parent.name),) if parent else (),
        since=condition.lastTransitionTime.seconds,
    )


@check(no_class, no_controller, backend, gateway, route, chapter="6.7")
def test_ingresses_lead_to_services() -> None:
    """Every Ingress, Gateway and route has a controller, and leads to a Service."""
