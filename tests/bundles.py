"""Objects of a recording in JSON, for the layouts of bundles, and bundles as the option --snapshot opens them."""

import base64
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.json_objects import INLINE
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Listing
from kubevitals.plugin.settings import bundle_kinds
from kubevitals.source.bundle.bundle import Bundle
from kubevitals.source.bundle.kinds import group_of
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer, Request

Json = dict[str, Any]
Layout = dict[str, str]
"""Files by their paths."""

_Log = tuple[str, str, str, bool]


def to_json(message: Message) -> Json:
    """Return a message as the API server would write it in JSON, as far as it was kept."""
    out: Json = {}
    for field, value in message.ListFields():
        if f"{message.DESCRIPTOR.name}.{field.name}" in INLINE:
            out |= to_json(value)
        elif field.message_type and field.message_type.GetOptions().map_entry:
            out[field.name] = {key: _value(part) for key, part in value.items()}
        elif field.is_repeated:
            out[field.name] = [_value(part) for part in value]
        else:
            out[field.name] = _value(value)
    return out


def _value(value: Any) -> Any:
    match value:
        case pb.Time():
            return _time(value)
        case pb.Quantity():
            return value.string
        case pb.IntOrString():
            return value.strVal if value.type else value.intVal
        case bytes():
            return base64.b64encode(value).decode()
        case Message():
            return to_json(value)
    return value


def _time(time: pb.Time) -> str | None:
    if not time.seconds:
        return None
    moment = datetime.fromtimestamp(time.seconds, UTC).replace(microsecond=time.nanos // 1000)
    return moment.isoformat(timespec="microseconds" if time.nanos else "seconds").replace("+00:00", "Z")


class _Messages(Snapshot):
    """A recording whose pods are all messages, which can be written again."""

    def get(self, request: Request) -> Answer:
        """Return the recorded answer."""
        return super().get(request._replace(shared=False))


class Recorded:
    """The objects and logs of a recording, for the exporters below.

    Attributes:
        objects: the objects of each kind, by its plural.
        logs: the log of each container, by namespace, pod, container and whether it is the previous instance's.
        current_logs: what `kubectl logs` prints: the previous instance's if the container waits for its restart.
    """

    def __init__(self, path: Path) -> None:
        self.snapshot = _Messages(path)
        cluster = Cluster(self.snapshot)
        self.objects: dict[str, list[Json]] = {}
        self.listings: dict[str, Listing[Any]] = {}
        for listing in Cluster.listings():
            self._add(cluster, listing)
        self.version = cluster.server_version
        cluster.close()
        self.logs = dict(self._logs())
        self.current_logs = {key[:3]: text for key, text in sorted(self.logs.items(), key=lambda item: not item[0][3])}
        self.namespaces = sorted(obj["metadata"]["name"] for obj in self.objects["namespaces"])

    @property
    def kubelets(self) -> Layout:
        """The answers of kubelets, as deploy/collect keeps them."""
        found = (
            re.fullmatch(r"/api/v1/nodes/([^/]+)/proxy/(?:stats/)?(summary|configz)", p) for p in self.snapshot.paths
        )
        return {
            f"kubelets/{match[1]}/{match[2]}.json": self.snapshot._answers[match[0]].body.decode()
            for match in found
            if match and self.snapshot._answers[match[0]].status == 200
        }

    def _add(self, cluster: Cluster, listing: Listing[Any]) -> None:
        plural = listing.path.rpartition("/")[2]
        if listing.selector or plural == "secrets":
            return
        self.listings[plural] = listing
        objects = self.objects.setdefault(plural, [])
        with suppress(NotObserved):  # the recording is older than the list: none of its objects is a fault
            objects += [self._object(listing, item) for item in cluster.fetcher.list(listing)]

    def _object(self, listing: Listing[Any], item: Message) -> Json:
        group, version = group_of(listing.path), listing.path.split("/")[-2]
        if "/namespaces/" in listing.path:
            version = listing.path.split("/")[3]
        return {"apiVersion": f"{group}/{version}".lstrip("/"), "kind": type(item).__name__, **to_json(item)}

    def _logs(self) -> Iterator[tuple[_Log, str]]:
        for path in self.snapshot.paths:
            url = urlsplit(path)
            if url.path.endswith("/log"):
                exchange = self.snapshot._answers[path]
                query = parse_qs(url.query)
                if exchange.status == 200 and query["tailLines"] == ["20"]:
                    _, _, _, _, namespace, _, pod, _ = url.path.split("/")
                    key = (namespace, unquote(pod), query["container"][0], "previous" in query)
                    yield key, exchange.body.decode("utf-8", "replace")

    def with_one_of_each(self) -> "Recorded":
        """Keep one made-up object of each kind instead of all objects."""
        for plural, listing in self.listings.items():
            made = listing.schema(metadata={"name": "default", "namespace": "default"})
            self.objects[plural] = [self._object(listing, made)]
        self.namespaces = ["default"]
        self.logs, self.current_logs = {}, {}
        return self

    def of(self, plural: str, namespace: str) -> list[Json]:
        """Return the objects of a kind in a namespace."""
        return [obj for obj in self.objects[plural] if obj["metadata"].get("namespace", "") == namespace]

    def is_namespaced(self, plural: str) -> bool:
        return self.listings[plural].namespaced or plural == "leases"


def write(files: Layout, folder: Path) -> Path:
    """Write files into a folder."""
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return folder


def bundle(path: Path, **more: Any) -> Bundle:
    """Return a bundle as the option --snapshot opens it."""
    return Bundle(path, bundle_kinds(), **more)


def cluster_in(opened: Bundle) -> Cluster:
    """Return the cluster in a bundle, as a run without options sees it."""
    return Cluster(opened, scope=opened.scope((), (), namespaced_only=False))
