"""The Services that the API server calls, for webhooks and aggregated APIs, and why one cannot answer."""

from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.selectors import pods_by_label
from kubevitals.facts.apps.services import ServiceName, ready_endpoints, services
from kubevitals.facts.apps.silent_services import scale_up, scaled_to_zero
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.completeness import is_known
from kubevitals.objects import Ref, is_finished, is_ready, ref, turned_at
from kubevitals.text import clean, plural
from kubevitals.threshold import Threshold

STARTING = Threshold(
    "api-extensions.starting",
    180,
    "seconds that the pods behind a webhook or an aggregated API may take to start, and its configuration may be older "
    "than they are: metrics-server is ready after about a minute",
)

NAMED = 10
"""Pods of a Service that are named."""


class Dead(NamedTuple):
    """A Service that cannot answer.

    Attributes:
        why: why, as a clause: ``Service shop/hook does not exist``.
        remedy: what makes it answer.
        exists: whether the Service exists.
        pods: the pods behind it, none of which is ready.
    """

    service: Ref
    why: str
    remedy: str
    exists: bool
    pods: tuple[Ref, ...] = ()


def dead(name: ServiceName, port: int, cluster: Cluster) -> Dead | None:
    """Return why a Service cannot answer at a port; nothing if it can, or if its pods are just being started.

    Raises:
        NotObserved: its namespace is not in the scope, or its list may be incomplete.
    """
    service, called = cluster.derive(services).get(name), f"Service {clean(f'{name.namespace}/{name.name}', 300)}"
    of = Ref("Service", *name)
    if service is None:
        if not is_known(name.namespace, cluster):
            cluster.need_complete(name.namespace)
        return Dead(of, f"{called} does not exist", f"create {of} again", exists=False)
    if service.spec.type == "ExternalName" or not cluster.over(service.metadata.creationTimestamp, STARTING):
        return None
    if port not in (each.port for each in service.spec.ports):
        return Dead(
            of, f"{called} has no port {port}", f"add port {port} to {of}, or name one that it has", exists=True
        )
    cluster.need_complete(name.namespace)
    if cluster.derive(ready_endpoints).get(name):
        return None
    return _without_endpoints(service, called, cluster)


def _without_endpoints(service: pb.Service, called: str, cluster: Cluster) -> Dead | None:
    place, selector = service.metadata.namespace, service.spec.selector
    matching = cluster.derive(pods_by_label).matching(place, selector) if selector else []
    pods = [pod for alike in matching for pod in alike if not is_finished(pod)]
    if any(is_ready(pod) or not cluster.over(turned_at(pod), STARTING) for pod in pods):
        return None
    of, shown = ref(service), tuple(map(ref, pods[:NAMED]))
    if not pods:
        return _without_pods(service, called, cluster)
    are = "is" if len(pods) == 1 else "are"
    why = f"{called} has no ready endpoint: {plural(len(pods), 'pod')} behind it {are} not ready"
    return Dead(of, why, bring_back(of), exists=True, pods=shown)


def _without_pods(service: pb.Service, called: str, cluster: Cluster) -> Dead:
    of = ref(service)
    if stopped := scaled_to_zero(service, cluster):
        why = f"{called} has no endpoint: {stopped.kind} {clean(stopped.name, 253)} is scaled to 0"
        return Dead(of, why, scale_up(stopped), exists=True)
    has_selector = bool(service.spec.selector)
    lacks = "no pod matches its selector" if has_selector else "it has no selector, and no EndpointSlice has any"
    return Dead(of, f"{called} has no endpoint: {lacks}", bring_back(of), exists=True)


def bring_back(service: Ref) -> str:
    """Return the remedy for a Service without ready pods."""
    return f"bring the pods behind {service} back"
