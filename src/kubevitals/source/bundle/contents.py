"""What a bundle holds: its objects by kind, and of which lists all objects are there."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.json_objects import message_of
from kubevitals.encoding.kept import Compact, reduce
from kubevitals.encoding.parts import Damaged
from kubevitals.errors import Unusable
from kubevitals.source.bundle.kinds import Kind, Kinds, Named, named
from kubevitals.text import clean

OBJECTS = 1_000_000
"""Objects of a bundle that are kept."""

OTHERS = 32 << 20
"""Bytes of objects of other kinds, which checks declare themselves."""

_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_DEFINITION = "CustomResourceDefinition"


class Contents:
    """The objects of a bundle, and which lists are complete.

    Attributes:
        unread: how many objects were not read, by why.
        system_uids: the uids of the namespace kube-system, by the file with the first object that has it.
        definitions: the names of CustomResourceDefinitions, ``gateways.gateway.networking.k8s.io``; nothing if they
            were not listed.
        empty: kinds of which a list without objects was read.
        failed: kinds of which some object could not be read, so that no list of it is complete.
    """

    def __init__(self, kinds: Kinds) -> None:
        self.kinds = kinds
        self.unread: Counter[str] = Counter()
        self.system_uids: dict[str, str] = {}
        self.definitions: set[str] | None = None
        self.empty: set[Kind] = set()
        self.failed: set[Kind] = set()
        self._objects = {kind: Compact(kind.schema) for kind in kinds}
        self._seen: dict[Kind, set[tuple[str, str]]] = defaultdict(set)
        self._complete: dict[Kind, set[str]] = defaultdict(set)
        self._others: dict[tuple[str, str, str], dict[tuple[str, str], bytes]] = defaultdict(dict)
        self._other_bytes = self._count = 0
        self._by_kind: dict[Kind, list[Any]] = {}

    def add(self, value: Any, head: Mapping[str, Any], place: Kind | None, file: str) -> Kind | None:
        """Keep an object; return its kind, if checks read it.

        Raises:
            Damaged: there are too many objects.
        """
        if not isinstance(value, dict) or not (name := named(value, head, place)):
            return None
        if name.kind.startswith("Secret"):
            return None
        if kind := self.kinds.of(name):
            self._add(kind, value, file)
            return kind
        if self.kinds.is_outdated(name):
            self.unread[f"{name}, whose fields differ from those of today's version"] += 1
        else:
            self._add_other(name, value)
        return None

    def _add(self, kind: Kind, value: Mapping[str, Any], file: str) -> None:
        try:
            message: Any = message_of(kind.schema, value)
        except ValueError as error:
            self.unread[f"{kind.name}: {error}"] += 1
            self.failed.add(kind)
            return
        metadata = message.metadata
        if not kind.namespaced:
            metadata.ClearField("namespace")
        elif not _NAMESPACE.fullmatch(metadata.namespace):
            self.unread[f"{kind.name} without a namespace"] += 1
            self.failed.add(kind)
            return
        if kind.schema is pb.Namespace and metadata.name == "kube-system" and metadata.uid:
            self.system_uids.setdefault(metadata.uid, file)
        self._count += 1
        if self._count > OBJECTS:
            raise Damaged(f"the bundle has more than {OBJECTS:,} objects")
        key = (metadata.namespace, metadata.name)
        if key in self._seen[kind]:
            return
        self._seen[kind].add(key)
        reduce(message)
        self._objects[kind].add(message)

    def _add_other(self, name: Named, value: Mapping[str, Any]) -> None:
        metadata = value.get("metadata")
        if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
            return
        if name.kind == _DEFINITION:
            self.define(metadata["name"])
            return
        if not name.group or self._other_bytes > OTHERS:
            return
        kept = {**value, "metadata": {key: part for key, part in metadata.items() if key != "managedFields"}}
        encoded = msgspec.json.encode(kept)
        self._other_bytes += len(encoded)
        self._others[name][str(metadata.get("namespace") or ""), metadata["name"]] = encoded

    def define(self, *names: str) -> None:
        """Note CustomResourceDefinitions, or that there is none."""
        self.definitions = (self.definitions or set()) | set(names)

    def complete(self, kind: Kind, namespace: str) -> None:
        """Note that all objects of a kind in a namespace are there; in `ALL`, or of a cluster-scoped kind."""
        self._complete[kind].add(namespace)

    def completed(self, kind: Kind) -> set[str]:
        """Return the namespaces, or `ALL`, in which all objects of a kind are there."""
        return set() if kind in self.failed else self._complete[kind]

    def has(self, kind: Kind) -> bool:
        """Return whether anything is known of a kind: an object, or that there is none."""
        return bool(self._seen[kind] or self._complete[kind] or kind in self.empty)

    def namespaces_of(self, kind: Kind) -> set[str]:
        """Return the namespaces with objects of a kind."""
        return {namespace for namespace, _ in self._seen[kind] if namespace}

    def objects(self, kind: Kind) -> Sequence[Any]:
        """Return the objects of a kind."""
        if kind not in self._by_kind:
            self._by_kind[kind] = self._objects[kind].all()
        return self._by_kind[kind]

    def others(self, group: str, version: str, kind: str) -> Mapping[tuple[str, str], bytes] | None:
        """Return the objects of a kind that a check declares, in JSON; nothing if there is none."""
        return self._others.get(Named(group, version, kind))

    @property
    def is_empty(self) -> bool:
        """Whether no object was found that checks read."""
        return not any(self._seen.values()) and not any(self._complete.values())

    def refuse_mixed(self) -> None:
        """Refuse objects of more than one cluster.

        Raises:
            Unusable: there are several kube-system namespaces with different uids.
        """
        if len(self.system_uids) > 1:
            which = ", ".join(
                f"{clean(uid, 60)} in {clean(file, 200)}" for uid, file in [*self.system_uids.items()][:3]
            )
            raise Unusable(f"the bundle holds several clusters, by the uids of kube-system: {which}; give one of them")
