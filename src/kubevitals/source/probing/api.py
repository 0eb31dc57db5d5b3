"""The few requests of the probe, each limited to its namespace."""

import json
from collections.abc import Mapping
from datetime import datetime
from time import monotonic
from typing import Any, Protocol, TypeVar, cast
from urllib.parse import urlencode

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.source.request import PROTOBUF, Answer, Request

M = TypeVar("M", bound=Message)

ATTEMPTS = 3
"""How often a request is sent that may be repeated without harm."""

_KINDS: Mapping[type[Message], str] = {
    pb.Service: "/api/v1/namespaces/{}/services",
    pb.Pod: "/api/v1/namespaces/{}/pods",
    pb.Event: "/api/v1/namespaces/{}/events",
    pb.DaemonSet: "/apis/apps/v1/namespaces/{}/daemonsets",
}


class Writer(Protocol):
    """A cluster that can be changed."""

    @property
    def now(self) -> datetime:
        """The API server's time."""

    def get(self, request: Request) -> Answer:
        """Return the answer to a GET; raises NotObserved if there is none."""

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to a request that changes the cluster; raises NotObserved if there is none."""


class Api:
    """A namespace of a cluster. A refused request raises NotObserved with the missing right."""

    def __init__(self, cluster: Writer, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        self._until = float("inf")

    def hurry(self, seconds: float) -> None:
        """Send no more changes after this many seconds."""
        self._until = monotonic() + seconds

    def path(self, schema: type[Message], name: str = "") -> str:
        """Return the path of a kind of object, or of one object."""
        return _KINDS[schema].format(self.namespace) + (f"/{name}" if name else "")

    def list(self, schema: type[M], **query: str) -> list[M]:
        """Return the objects of a kind."""
        query = {"resourceVersion": "0", **query}
        answer = self.cluster.get(Request(f"{self.path(schema)}?{urlencode(query)}", schema, PROTOBUF))
        return cast("list[M]", list(answer.expect(self.right("list", schema)).page.items))

    def create(self, schema: type[Message], manifest: Mapping[str, Any]) -> bytes:
        """Create an object, by a single attempt, and return it as the API server answers it."""
        answer = self.cluster.send("POST", self.path(schema), manifest)
        return answer.expect(self.right("create", schema), 201, 202).body

    def annotate(self, pod: str, key: str, value: str) -> None:
        """Set an annotation of a pod."""
        answer = self._insist("PATCH", self.path(pb.Pod, pod), {"metadata": {"annotations": {key: value}}})
        answer.expect(self.right("patch", pb.Pod))

    def delete(self, schema: type[Message], name: str) -> None:
        """Delete an object and its dependents; an object that is already gone is fine."""
        answer = self._insist("DELETE", f"{self.path(schema, name)}?propagationPolicy=Background")
        answer.expect(self.right("delete", schema), 202, 404)

    def get_namespace(self) -> Mapping[str, Any] | None:
        """Return the namespace's metadata, or nothing if it does not exist."""
        answer = self.cluster.get(Request(f"/api/v1/namespaces/{self.namespace}", accept="application/json"))
        if answer.status == 404:
            return None
        try:
            metadata: Mapping[str, Any] = json.loads(answer.expect(f"get namespace {self.namespace}").body)["metadata"]
        except (ValueError, KeyError, TypeError) as error:
            raise NotObserved(f"the answer about namespace {self.namespace} is not a Namespace") from error
        return metadata

    def create_namespace(self, manifest: Mapping[str, Any]) -> None:
        """Create the namespace; that it exists by now is fine."""
        answer = self.cluster.send("POST", "/api/v1/namespaces", manifest)
        answer.expect("create namespaces", 201, 202, 409)

    def delete_namespace(self) -> None:
        """Delete the namespace and everything in it."""
        answer = self._insist("DELETE", f"/api/v1/namespaces/{self.namespace}")
        answer.expect(f"delete namespace {self.namespace}", 202, 404, 409)

    def right(self, verb: str, schema: type[Message]) -> str:
        """Return a right in the namespace, as it is shown to the user."""
        return f"{verb} {_KINDS[schema].rpartition('/')[2]} in namespace {self.namespace}"

    def _insist(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Send a request that may be repeated, again while the API server is busy or does not answer."""
        if monotonic() > self._until:
            raise NotObserved("the API server took too long to answer the requests before this one")
        for _ in range(ATTEMPTS - 1):
            try:
                answer = self.cluster.send(method, path, body)
            except NotObserved:
                if monotonic() > self._until:
                    raise
                continue
            if answer.status < 500 and answer.status != 429:
                return answer
        return self.cluster.send(method, path, body)
