"""Whether the lists of a namespace are complete: only then does an object that is not listed not exist.

A list that is refused or cut off raises NotObserved. But a source may also answer with a part of the cluster: a dump of
some namespaces that something serves as an API, or a proxy that filters lists.
"""

from collections.abc import Container, Iterable
from typing import TYPE_CHECKING, Protocol

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source.scope import Scope

if TYPE_CHECKING:
    from kubevitals.inventory.cluster import Cluster

ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap that kube-controller-manager publishes in every namespace, and recreates if it is deleted.

Since Kubernetes 1.20: kubernetes/kubernetes pkg/controller/certificates/rootcacertpublisher.
"""


class _Lists(Protocol):
    @property
    def scope(self) -> Scope: ...
    @property
    def config_maps(self) -> Iterable[pb.ConfigMap]: ...


def namespaces_with_root_ca(lists: _Lists) -> frozenset[str] | None:
    """Return the namespaces whose root CA is listed; nothing if ConfigMaps are not observed."""
    try:
        return frozenset(c.metadata.namespace for c in lists.config_maps if c.metadata.name == ROOT_CA)
    except NotObserved:
        return None


def is_known(namespace: str, cluster: "Cluster") -> bool:
    """Return whether an object of a namespace that is not listed does not exist: the namespace itself may be gone."""
    if cluster.is_complete(namespace):
        return True
    return cluster.derive(_sees_all_namespaces) and namespace not in cluster.derive(_namespaces)


def _namespaces(cluster: "Cluster") -> frozenset[str]:
    return frozenset(namespace.metadata.name for namespace in cluster.namespaces)


def _sees_all_namespaces(cluster: "Cluster") -> bool:
    """Return whether all namespaces are listed with all their objects: one that is not listed does not exist."""
    staying = (n.metadata.name for n in cluster.namespaces if not n.metadata.HasField("deletionTimestamp"))
    return "kube-system" in cluster.derive(_namespaces) and all(map(cluster.is_complete, staying))


def incomplete(namespaces: Iterable[str], by_source: Container[str]) -> NotObserved:
    """Return that the source may have only a part of these namespaces, some of which it has named itself."""
    names = sorted(set(namespaces))
    stated = [name for name in names if name in by_source]
    listed = ", ".join((stated or names)[:3]) + (", …" if len(stated or names) > 3 else "")
    if stated:
        return NotObserved(f"the bundle may have only some of the objects in {listed}, so others may exist")
    return NotObserved(
        f"the source may have only a part of the cluster, so an object that is not listed may exist: "
        f"the ConfigMap {ROOT_CA}, which every namespace has, is not listed in {listed}"
    )
