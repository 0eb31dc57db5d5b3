"""Kinds with their annotations, which the lists of `Cluster` do not have: requested only where a CNI uses them."""

import msgspec

from kubevitals.encoding.declared import Metadata, Resource
from kubevitals.inventory.listing import Kind


class AnnotatedMeta(Metadata, frozen=True):
    """The metadata of an object with its annotations."""

    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class Namespace(Resource, frozen=True):
    """A namespace."""

    metadata: AnnotatedMeta = AnnotatedMeta()


class Node(Resource, frozen=True):
    """A node."""

    metadata: AnnotatedMeta = AnnotatedMeta()


class Pod(Resource, frozen=True):
    """A pod."""

    metadata: AnnotatedMeta = AnnotatedMeta()


NAMESPACES = Kind("/api/v1/namespaces", Namespace, namespaced=False)
NODES = Kind("/api/v1/nodes", Node, namespaced=False, page=100)
PODS = Kind("/api/v1/pods", Pod, namespaced=True, page=500)
