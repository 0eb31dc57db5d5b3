"""The kinds that are read from a bundle, and what kind an object is."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from google.protobuf.message import Message

_MOVED = {
    ("extensions", "Deployment"): "apps",
    ("extensions", "DaemonSet"): "apps",
    ("extensions", "ReplicaSet"): "apps",
    ("extensions", "NetworkPolicy"): "networking.k8s.io",
}
"""Kinds of the group extensions (until Kubernetes 1.15), and the group in which they are today."""

_OTHER_FIELDS = frozenset(
    {
        ("HorizontalPodAutoscaler", "v1"),
        ("HorizontalPodAutoscaler", "v2beta1"),
        ("Ingress", "v1beta1"),
        ("IngressClass", "v1beta1"),
    }
)
"""Old versions whose fields have other names or meanings. Those of all others have the fields that are read."""


class Kind(NamedTuple):
    """A kind that checks read.

    Attributes:
        path: the API path of its list in all namespaces.
        namespaced: whether its objects are in namespaces.
    """

    path: str
    schema: type[Message]
    namespaced: bool

    @classmethod
    def of_list(cls, path: str, schema: type[Message], *, namespaced: bool) -> "Kind":
        """Return the kind of a list, also if that is of one namespace."""
        place, _, rest = path.partition("/namespaces/")
        return cls(f"{place}/{rest.partition('/')[2]}", schema, True) if rest else cls(path, schema, namespaced)

    @property
    def name(self) -> str:
        """The kind, as in an object."""
        return self.schema.__name__

    @property
    def group(self) -> str:
        """The API group, or an empty text."""
        return group_of(self.path)

    @property
    def plural(self) -> str:
        """The kind as in the API's paths."""
        return self.path.rpartition("/")[2]


def group_of(path: str) -> str:
    """Return the API group of a list's path, or an empty text."""
    return path.split("/")[2] if path.startswith("/apis/") else ""


class Named(NamedTuple):
    """The API group, version and kind of an object, as it is written there."""

    group: str
    version: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind} {'/'.join(filter(None, (self.group, self.version)))}"


class Kinds:
    """The kinds that are read, by group and kind, and by plural."""

    def __init__(self, kinds: Iterable[Kind]) -> None:
        self._kinds = {(kind.group, kind.name): kind for kind in kinds if kind.name != "Secret"}
        self._plurals = {kind.plural: kind for kind in self._kinds.values()}

    def __iter__(self) -> Any:
        return iter(self._kinds.values())

    def of(self, named: Named) -> Kind | None:
        """Return the kind of an object, or nothing if no check reads it, or not in this version."""
        if (named.kind, named.version) in _OTHER_FIELDS:
            return None
        return self._kinds.get((_MOVED.get((named.group, named.kind), named.group), named.kind))

    def is_outdated(self, named: Named) -> bool:
        """Return whether checks read the kind, but not this version."""
        return (named.kind, named.version) in _OTHER_FIELDS

    def by_plural(self, plural: str) -> Kind | None:
        """Return the kind with this plural."""
        return self._plurals.get(plural)

    def at(self, path: str) -> Kind | None:
        """Return the kind of a list's path in all namespaces."""
        place = path.rpartition("/")
        kind = self._plurals.get(place[2])
        return kind if kind and kind.group == group_of(path) else None


def named(value: Mapping[str, Any], head: Mapping[str, Any], kind: Kind | None) -> Named | None:
    """Return what kind an object is: by itself, by the list that it is in, or by the place of its file."""
    own, version = value.get("kind"), value.get("apiVersion")
    of_list = head.get("kind")
    if not own and isinstance(of_list, str) and of_list.endswith("List") and of_list != "List":
        own, version = of_list.removesuffix("List"), version or head.get("apiVersion")
    if not own and kind:
        return Named(kind.group, "", kind.name)
    if not isinstance(own, str) or not own:
        return None
    group, _, number = (version if isinstance(version, str) else "").rpartition("/")
    return Named(group, number, own)
