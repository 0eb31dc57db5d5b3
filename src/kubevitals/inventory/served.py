"""Kinds that only some clusters have: whether the API server serves a kind is known before it is asked for.

The API server keeps an APIService for each group and version that it serves, also for those of
CustomResourceDefinitions (kubernetes/kubernetes pkg/controlplane/controller/crdregistration). Their list is fetched for
other checks already. Asking for a kind that a cluster does not have would be a request for each kind, and without the
right to list it, the answer would be 403 and not 404: the API server checks the right first.
"""

from typing import TypeVar

from kubevitals.encoding.declared import Resource
from kubevitals.errors import NotApplicable
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind

R = TypeVar("R", bound=Resource)


def served_groups(cluster: Cluster) -> frozenset[str]:
    """Return the API groups with their versions that the API server serves: ``cilium.io/v2``.

    Raises:
        NotObserved: APIServices cannot be listed.
    """
    return frozenset(f"{service.spec.group}/{service.spec.version}" for service in cluster.api_services)


def list_if_served(kind: Kind[R], cluster: Cluster) -> tuple[R, ...]:
    """Return the objects of a kind; nothing if the API server does not serve it.

    Raises:
        NotObserved: they cannot be listed, or it is not known whether there are any.
    """
    _, _, group, version, _ = kind.path.split("/", 4)
    if f"{group}/{version}" not in cluster.derive(served_groups):
        return ()
    try:
        return cluster.objects(kind)
    except NotApplicable:
        return ()
