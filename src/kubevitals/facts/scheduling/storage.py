"""What the claims of a pod ask of its node: to be bound, and to be where the volumes can be used."""

from collections.abc import Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import matches
from kubevitals.inventory.cluster import Cluster, claim_names


class Storage(NamedTuple):
    """The claims of a pod, as far as they keep it from nodes.

    Attributes:
        unbound: claims that do not exist, or that must be bound before the pod gets a node.
        volumes: the PersistentVolumes that can be used on some nodes only, with these nodes.
    """

    unbound: tuple[str, ...]
    volumes: tuple[tuple[str, pb.NodeSelector], ...]

    def elsewhere(self, node: pb.Node) -> Iterator[str]:
        """Yield the volumes that cannot be used on the node."""
        return (name for name, selector in self.volumes if not matches(selector, node))


def storage_of(pod: pb.Pod, cluster: Cluster) -> Storage:
    """Return what the pod's claims ask of its node."""
    claims = {name: cluster.claims_by_name.get((pod.metadata.namespace, name)) for name in claim_names(pod)}
    bound = [claim.spec.volumeName for claim in claims.values() if claim and claim.spec.volumeName]
    volumes = filter(None, (cluster.volumes_by_name.get(name) for name in bound))
    return Storage(
        tuple(name for name, claim in claims.items() if not claim or not _is_bound_in_time(claim, cluster)),
        tuple((v.metadata.name, v.spec.nodeAffinity.required) for v in volumes if v.spec.HasField("nodeAffinity")),
    )


def _is_bound_in_time(claim: pb.PersistentVolumeClaim, cluster: Cluster) -> bool:
    """Return whether the claim is bound, or will be once its pod has a node."""
    if claim.spec.volumeName or claim.status.phase == "Bound":
        return True
    classes = {known.metadata.name: known for known in cluster.storage_classes}
    known = classes.get(claim.spec.storageClassName)
    return known is not None and known.volumeBindingMode == "WaitForFirstConsumer"
