"""Services that a container names in full in its command, its arguments or its variables, and that do not answer."""

from collections.abc import Iterator
from contextlib import suppress

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import SERVICE_HOST
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.causes import AppCause, absent
from kubevitals.facts.apps.services import ServiceName, ready_endpoints, services
from kubevitals.facts.apps.silent_services import why_silent
from kubevitals.facts.pods.named_containers import container_named
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref


def named_service(pod: pb.Pod, container: str, cluster: Cluster) -> AppCause | None:
    """Return which Service that a container names does not exist, or else which has no ready endpoint."""
    with suppress(NotObserved):
        known = cluster.derive(services)
        named = list(_named(pod, container))
        for name in named:
            if name not in known:
                cluster.need_complete(name.namespace)
                remedy = "create the Service, or correct its name in the container's command or variables"
                return AppCause("", absent(name, cluster), remedy, missing=(Ref("Service", *name),))
        for name in named:
            if known[name].spec.selector and not cluster.derive(ready_endpoints).get(name):
                silence = why_silent(known[name], "", "", pod, cluster)
                means = f"Service {name.name} does not answer{silence.reason}"
                return AppCause("", means, silence.remedy, concerns=(Ref("Service", *name),))
    return None


def _named(pod: pb.Pod, container: str) -> Iterator[ServiceName]:
    """Yield the Services that a container names: of a pod that is not ready, these are kept as arguments."""
    for argument in container_named(pod, container).args:
        if match := SERVICE_HOST.fullmatch(argument):
            yield ServiceName(match[2], match[1])
