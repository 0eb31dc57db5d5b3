"""Reads the parts of one file of a bundle into its contents, and notes of what all objects are there."""

from collections.abc import Mapping
from typing import Any

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.parts import End, Item, Part, Single
from kubevitals.source.bundle.contents import Contents
from kubevitals.source.bundle.kinds import Kind, Named
from kubevitals.source.bundle.layouts import ALL, ListPlace

HELD = 2000
"""Items of a list that are kept until its kind is known, if neither they nor the file's name say it."""

_DUMPED = frozenset({"Node", "Event", "Service", "DaemonSet", "Deployment", "ReplicaSet", "Pod"})
"""The kinds that `kubectl cluster-info dump` lists."""


class FileReader:
    """Reads the parts of one file into the contents, and notes of what all objects are there."""

    def __init__(self, contents: Contents, file: str, place: ListPlace | None) -> None:
        self._contents, self._file = contents, file
        self._plural = place.plural if place else file.rpartition("/")[2].partition(".")[0]
        self._kind = contents.kinds.by_plural(self._plural)
        self._held: list[Any] = []
        self._namespaces: set[str] = set()
        self._listed: set[Kind] = set()
        self._is_dump = self._is_list = self._has_items = False

    def read(self, part: Part) -> Any:
        """Read a part; return a single value that is not an object."""
        if isinstance(part, Item):
            self._item(part)
        elif isinstance(part, End):
            self._end(part.head)
        elif isinstance(part, Single):
            if not _is_object(part.value):
                return part.value
            self._add(part.value, {})
        return None

    def _item(self, item: Item) -> None:
        self._has_items = True
        says_kind = self._kind or "kind" in item.head or (isinstance(item.value, dict) and "kind" in item.value)
        if not says_kind and len(self._held) < HELD:
            self._held.append(item.value)
        elif kind := self._add(item.value, item.head):
            self._listed.add(kind)

    def _add(self, value: Any, head: Mapping[str, Any]) -> Kind | None:
        metadata = value.get("metadata") if isinstance(value, dict) else None
        if isinstance(metadata, dict) and isinstance(namespace := metadata.get("namespace"), str):
            self._namespaces.add(namespace)
        return self._contents.add(value, head, self._kind, self._file)

    def _end(self, head: Mapping[str, Any]) -> None:
        self._is_list = True
        for value in self._held:
            self._add(value, head)
        self._held.clear()
        group, _, version = str(head.get("apiVersion") or "").rpartition("/")
        name = str(head.get("kind") or "")
        self._is_dump |= name == "ReplicationControllerList"
        if kind := self._contents.kinds.of(Named(group, version, name.removesuffix("List"))):
            self._listed.add(kind)

    def close(self, place: ListPlace | None) -> None:
        """Note of what the file, which was read to its end, has all objects."""
        kind = self._contents.kinds.by_plural(place.plural) if place else None
        if not place or not kind or (self._has_items and kind not in self._listed):
            self._close_list()
        elif self._is_list or place.namespace == ALL or (place.folder and kind.schema is not pb.Namespace):
            self._contents.complete(kind, place.namespace if kind.namespaced else "")

    def _close_list(self) -> None:
        """Note of what a list is complete whose place says nothing: it may be a part of a namespace, by a selector."""
        if not self._is_list:
            return
        if not self._has_items and not self._listed:
            self._close_empty()
        for kind in self._listed:
            if not kind.namespaced:
                self._contents.complete(kind, "")
            elif self._is_dump and kind.name in _DUMPED:
                for namespace in self._namespaces:
                    self._contents.complete(kind, namespace)

    def _close_empty(self) -> None:
        """Note an empty list of kubectl, which does not say its kind, but whose file may be named by it."""
        if self._kind:
            self._listed.add(self._kind)
            self._contents.empty.add(self._kind)
        elif self._plural == "customresourcedefinitions":
            self._contents.define()


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("metadata"), dict)
