"""One text in one ConfigMap: with `kubevitals.source.probing` all that is ever written to a cluster.

It is only read and patched: no ConfigMap is created or deleted, and its other keys stay as they are.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from kubevitals.errors import NotObserved
from kubevitals.source.request import Answer, Request

KEY = "state.json"
"""The key of the text in the ConfigMap."""

LIMIT = 1_000_000
"""Bytes of the text. The API server accepts 1 MiB for all keys together."""

CONFLICT = 409


class Writer(Protocol):
    """A cluster that can be changed."""

    def get(self, request: Request) -> Answer:
        """Return the answer to a GET; raises NotObserved if there is none."""

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Answer:
        """Return the answer to a request that changes the cluster; raises NotObserved if there is none."""


class ConfigMapText:
    """The text. `read` comes first, so that `write` replaces only what was read."""

    def __init__(self, cluster: Writer, namespace: str, name: str) -> None:
        self._cluster, self._version = cluster, ""
        self._path = f"/api/v1/namespaces/{namespace}/configmaps/{name}"
        self._what = f"configmaps/{name} in namespace {namespace}"

    def read(self) -> str:
        """Return the text; empty if the ConfigMap has none yet.

        Raises:
            NotObserved: the ConfigMap does not exist, cannot be read, or is something else.
        """
        answer = self._cluster.get(Request(self._path, accept="application/json")).expect(f"get {self._what}")
        try:
            content = json.loads(answer.body)
            version, text = content["metadata"]["resourceVersion"], (content.get("data") or {}).get(KEY, "")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise NotObserved("the answer is not a ConfigMap") from error
        if not isinstance(version, str) or not isinstance(text, str):
            raise NotObserved("the answer is not a ConfigMap")
        self._version = version
        return text

    def write(self, text: str) -> None:
        """Replace the text, unless the ConfigMap has changed since it was read.

        Raises:
            NotObserved: it cannot be written, or has changed.
        """
        body = {"metadata": {"resourceVersion": self._version}, "data": {KEY: text}}
        answer = self._cluster.send("PATCH", self._path, body)
        if answer.status == CONFLICT:
            raise NotObserved("another run, or a user, has changed it during this run")
        answer.expect(f"patch {self._what}")
