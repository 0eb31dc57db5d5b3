"""Which ConfigMaps and Secrets a pod references, and which of them do not exist."""

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.completeness import ROOT_CA
from kubevitals.inventory.near_names import near_names
from kubevitals.objects import Ref, containers, ref, statuses

PROVIDED = frozenset({ROOT_CA, "openshift-service-ca.crt"})
"""ConfigMaps that the control plane creates in every namespace."""

_KINDS = {"configmap": "ConfigMap", "secret": "Secret"}
_ABSENT = re.compile(r'(configmap|secret)s? "([^"]+)" not found')
"""What the kubelet says, from its cache or in the API server's words (configMapAndSecretChangeDetectionStrategy)."""


class Reference(NamedTuple):
    """A ConfigMap or a Secret that a pod references, the keys in it, and the place in the pod's specification."""

    kind: str
    name: str
    keys: tuple[str, ...]
    where: str


def references(spec: pb.PodSpec) -> Iterator[Reference]:
    """Yield what the pod cannot start without; optional references are left out."""
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
                yield Reference(kind, part.localObjectReference.name, (), f'envFrom of container "{container.name}"')
    for variable in container.env:
        where = f'env {variable.name} of container "{container.name}"'
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

    Secrets are listed only with --secret-names: the right to list them also gives access to their contents.

    Raises:
        NotObserved: they could not be listed, or --secret-names was not given.
    """
    return cluster.derive(_config_map_names if kind == "ConfigMap" else _secret_names).get(namespace, frozenset())


def reported_missing(message: str, namespace: str) -> list[Ref]:
    """Return the ConfigMaps and Secrets that do not exist according to a kubelet's message about a pod."""
    return [Ref(_KINDS[kind], namespace, name) for kind, name in _ABSENT.findall(message)]


def names_if_observed(cluster: Cluster, kind: str, namespace: str) -> frozenset[str] | None:
    """Return the names of a namespace's ConfigMaps or Secrets, or None where they are not observed."""
    try:
        return listed_names(cluster, kind, namespace)
    except NotObserved:
        return None


def complete_names(cluster: Cluster, kind: str, namespace: str) -> frozenset[str] | None:
    """Return the names of all ConfigMaps or Secrets of a namespace, or None where they may be only a part."""
    return names_if_observed(cluster, kind, namespace) if cluster.is_complete(namespace) else None


def is_missing(reported: Ref, cluster: Cluster) -> bool:
    """Return whether a ConfigMap or Secret that was reported missing has not been created since, as far as observed."""
    return reported.name not in (names_if_observed(cluster, reported.kind, reported.namespace) or ())


RETRIED = 90
"""Seconds between two attempts of the kubelet to start a container, at most: its --sync-frequency of a minute, and half
of it more by chance (kubernetes/kubernetes pkg/kubelet/pod_workers.go)."""


def created_since(pod: pb.Pod, waiting: pb.ContainerStatus, cluster: Cluster) -> list[Ref]:
    """Return what a container waits for by its kubelet's message, if all of it was created within the last `RETRIED`.

    The kubelet has not tried again since. What is not observed counts as missing.
    """
    missing = reported_missing(waiting.state.waiting.message, pod.metadata.namespace)
    return missing if missing and set(missing) <= cluster.derive(_just_created) else []


def _just_created(cluster: Cluster) -> frozenset[Ref]:
    found: set[Ref] = set()
    with suppress(NotObserved):
        found.update(ref(one) for one in cluster.config_maps if cluster.age(one.metadata.creationTimestamp) < RETRIED)
    with suppress(NotObserved):
        secrets = cluster.secrets if cluster.secret_names else ()
        found.update(ref(one) for one in secrets if cluster.age(one.metadata.creationTimestamp) < RETRIED)
    return frozenset(found)


def near_missing(missing: Ref, cluster: Cluster) -> str:
    """Return `` (did you mean "app-config"?)`` if a ConfigMap or Secret is like the missing one of a waiting pod."""
    return cluster.derive(_near_missing).get(missing, "")


def _near_missing(cluster: Cluster) -> dict[Ref, str]:
    return hints(((pod.metadata.namespace, pod.spec) for pod in cluster.pods if _waits(pod)), cluster)


def hints(specs: Iterable[tuple[str, pb.PodSpec]], cluster: Cluster) -> dict[Ref, str]:
    """Return which existing names are like those that these pod specifications reference and that do not exist.

    Args:
        specs: each with its namespace.
        cluster: where the names exist; those that are not observed have no hint.
    """

    def existing(kind: str, namespace: str) -> frozenset[str]:
        return names_if_observed(cluster, kind, namespace) or frozenset()

    referenced = {Ref(r.kind, namespace, r.name) for namespace, spec in specs for r in references(spec)}
    return near_names((obj for obj in referenced if obj.name not in existing(obj.kind, obj.namespace)), existing)


def _waits(pod: pb.Pod) -> bool:
    return pod.status.phase == "Pending" or any(status.state.HasField("waiting") for status in statuses(pod))


def _config_map_names(cluster: Cluster) -> dict[str, frozenset[str]]:
    return _names(cluster.config_maps)


def _secret_names(cluster: Cluster) -> dict[str, frozenset[str]]:
    if not cluster.secret_names:
        raise NotObserved("names of Secrets are listed only with --secret-names", unasked=True)
    try:
        return _names(cluster.secrets)
    except NotObserved as error:
        raise NotObserved(error.reason, error.right, asked=True) from error


def _names(objects: Iterable[pb.ConfigMap | pb.Secret]) -> dict[str, frozenset[str]]:
    index: dict[str, set[str]] = {}
    for obj in objects:
        index.setdefault(obj.metadata.namespace, set()).add(obj.metadata.name)
    return {namespace: frozenset(names) for namespace, names in index.items()}
