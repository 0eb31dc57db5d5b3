"""Objects of kinds that CNIs bring, as the API server lists them in JSON, and what is found by them."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from google.protobuf.message import Message

from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import JSON, Answer, Request
from tests.built import node
from tests.fakes import Answers, cluster_of, list_bytes

Objects = Mapping[str, Any]


def listed(*objects: Objects) -> Answer:
    return Answer(200, json.dumps({"metadata": {}, "items": objects}).encode())


def named(name: str, spec: Objects, status: Objects | None = None, **metadata: Any) -> Objects:
    return {"metadata": {"name": name, **metadata}, "spec": spec, "status": status or {}}


NAMESPACES = "/api/v1/namespaces"


def in_json(answer: Answer, objects: Sequence[Message] = ()) -> Callable[[Request], Answer]:
    """Answer so if JSON is asked for, as annotations are; the list of the cluster itself is in protobuf."""
    return lambda request: answer if request.accept == JSON else Answer(200, list_bytes(objects))


def cluster_for(answers: Answers, *, nodes: int = 2, **lists: Any) -> Cluster:
    names = ("one", "two", "three")[:nodes]
    return cluster_of(answers, nodes=[node(name, f"10.244.{len(name)}.0/24") for name in names], **lists)


def says(findings: list[Finding]) -> dict[str, str]:
    """Return what is said of each object, without the words that are always the same."""
    return {str(f.obj): f.says.removeprefix("has few pod addresses left: ") for f in findings}
