"""Which ConfigMaps and Secrets a pod refers to, and what a missing name was probably meant to be."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import containers

PROVIDED = frozenset({"kube-root-ca.crt", "openshift-service-ca.crt"})
"""ConfigMaps that the control plane puts into every namespace."""


_KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
_ABSENT = re.compile(r'(configmap|secret)s? "([^"]+)" not found')
"""What the kubelet says, of its own cache or in the API server's words (configMapAndSecretChangeDetectionStrategy)."""


class Reference(NamedTuple):
    """A place in a pod's specification that names a ConfigMap or a Secret, and keys in it."""

    kind: str
    name: str
    keys: tuple[str, ...]
    where: str


def references(spec: pb.PodSpec) -> Iterator[Reference]:
    """Yield what the pod cannot start without: references marked optional are left out."""
    yield from volume_references(spec)
    for container in containers(spec):
        yield from _env_references(container)


def volume_references(spec: pb.PodSpec) -> Iterator[Reference]:
    """Yield the ConfigMaps and Secrets that containers mount, projected volumes included."""
    mounted = {mount.name for container in containers(spec) for mount in container.volumeMounts}
    for volume in spec.volumes:
        if volume.name not in mounted:
            continue
        where, source = f'volume "{volume.name}"', volume.volumeSource
        if source.configMap.localObjectReference.name and not source.configMap.optional:
            yield Reference(
                "ConfigMap", source.configMap.localObjectReference.name, _keys(source.configMap.items), where
            )
        if source.secret.secretName and not source.secret.optional:
            yield Reference("Secret", source.secret.secretName, _keys(source.secret.items), where)
        for projection in source.projected.sources:
            for kind, part in (("ConfigMap", projection.configMap), ("Secret", projection.secret)):
                if part.localObjectReference.name and not part.optional:
                    yield Reference(kind, part.localObjectReference.name, _keys(part.items), where)


def _env_references(container: pb.Container) -> Iterator[Reference]:
    for source in container.envFrom:
        for kind, part in (("ConfigMap", source.configMapRef), ("Secret", source.secretRef)):
            if part.localObjectReference.name and not part.optional:
                yield Reference(kind, part.localObjectReference.name, (), f"envFrom of container {container.name}")
    for variable in container.env:
        where = f"env {variable.name} of container {container.name}"
        for kind, key in (
            ("ConfigMap", variable.valueFrom.configMapKeyRef),
            ("Secret", variable.valueFrom.secretKeyRef),
        ):
            if key.localObjectReference.name and not key.optional:
                yield Reference(kind, key.localObjectReference.name, (key.key,), where)


def _keys(items: Iterable[pb.KeyToPath]) -> tuple[str, ...]:
    return tuple(item.key for item in items)


def listed_names(cluster: Cluster, kind: str, namespace: str) -> frozenset[str]:
    """Return the names of a namespace's ConfigMaps or Secrets.

    Secrets are looked at only when the user asks for it: the right to list them also gives their contents.

    Raises:
        NotObserved: they could not be listed, or are not looked at.
    """
    return cluster.derive(_config_map_names if kind == "ConfigMap" else _secret_names).get(namespace, frozenset())


def said_absent(words: str) -> list[tuple[str, str]]:
    """Return the kinds and names of the ConfigMaps and Secrets that a kubelet's words say do not exist."""
    return [(_KINDS[kind], name) for kind, name in _ABSENT.findall(words)]


def names(cluster: Cluster, kind: str, namespace: str) -> frozenset[str] | None:
    """Return the names of a namespace's ConfigMaps or Secrets, or nothing where they are not observed."""
    try:
        return listed_names(cluster, kind, namespace)
    except NotObserved:
        return None


def _config_map_names(cluster: Cluster) -> dict[str, frozenset[str]]:
    return _names(cluster.config_maps)


def _secret_names(cluster: Cluster) -> dict[str, frozenset[str]]:
    if not cluster.secret_names:
        raise NotObserved("names of Secrets are listed only with --secret-names", unasked=True)
    return _names(cluster.secrets)


def _names(objects: Iterable[pb.ConfigMap | pb.Secret]) -> dict[str, frozenset[str]]:
    index: dict[str, set[str]] = {}
    for obj in objects:
        index.setdefault(obj.metadata.namespace, set()).add(obj.metadata.name)
    return {namespace: frozenset(found) for namespace, found in index.items()}
