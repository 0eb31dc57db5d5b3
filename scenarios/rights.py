"""The rights that deploy/ grants, the rights that requests need, and clusters in which some are missing."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from kubevitals.errors import NotObserved
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer, PlainHttp, Request
from scenarios.objects import Object

RBAC = "rbac.authorization.k8s.io/v1"
DEPLOY = Path(__file__).parents[1] / "deploy"

Right = tuple[str, str]
"""A verb, and a resource as people write it (``daemonsets.apps``) or a path."""


def objects(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects in files."""
    for path in paths:
        yield from yaml.safe_load_all(path.read_text())


def granted(path: str) -> set[Right]:
    """Return the rights that the roles in a file grant."""
    return {
        (verb, ".".join(filter(None, (resource, group))))
        for obj in objects(DEPLOY / path)
        for rule in obj.get("rules", ())
        for verb in rule["verbs"]
        for group in rule.get("apiGroups", [""])
        for resource in [*rule.get("resources", ()), *rule.get("nonResourceURLs", ())]
    }


def requested(requests: Iterable[str]) -> Iterator[Right]:
    """Yield the rights that requests (``METHOD path``) need; none for requests through the API server's proxy."""
    for request in requests:
        method, path = request.split()
        verb = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[method]
        if direct := re.fullmatch(r"/api/v1/nodes/[^/:]+/proxy/(\w+)(/summary)?", path):
            yield "get", f"nodes/{direct[1]}"
        elif match := re.fullmatch(
            r"/apis?/(?:([\w.]+)/)??v\d(?:/namespaces/[^/]+)?/([a-z]+)(?:/([^/]+))?(?:/(log))?", path
        ):
            group, resource, name, part = match.groups()
            verb = "list" if verb == "get" and not name else verb
            yield verb, ".".join(filter(None, ("/".join(filter(None, (resource, part))), group)))
        elif "/proxy/" not in path and path != "probe" and not path.endswith("/certificate"):
            yield verb, path


def named(right: Right) -> str:
    """Return a right as all reports name it: without its group and the plural."""
    verb, resource = right
    return f"{verb} {resource.partition('.')[0].removesuffix('s')}"


Grants = Mapping[str, Collection[Right]]
"""Rights by namespace; cluster-wide rights are under the empty name."""


def service_account(name: str, grants: Grants, namespace: str = "kubevitals") -> list[Object]:
    """Return a service account with exactly these rights."""
    manifests: list[Object] = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _named(name, namespace)}]
    for place, rights in grants.items():
        role = f"{name}-in-{place or 'the-cluster'}"
        manifests += [
            {"apiVersion": RBAC, "kind": "ClusterRole", "metadata": {"name": role}, "rules": [*map(_rule, rights)]},
            {
                "apiVersion": RBAC,
                "kind": "RoleBinding" if place else "ClusterRoleBinding",
                "metadata": _named(role, place),
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
                "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
            },
        ]
    return manifests


def _named(name: str, namespace: str) -> Object:
    return {"name": name} | ({"namespace": namespace} if namespace else {})


def _rule(right: Right) -> Object:
    verb, what = right
    if what.startswith("/"):
        return {"verbs": [verb], "nonResourceURLs": [what]}
    resource, _, group = what.partition(".")
    return {"verbs": [verb], "apiGroups": [group], "resources": [resource]}


class Refusing:
    """A recorded cluster that grants only some rights, and none on the API server's proxy."""

    def __init__(self, recorded: Snapshot, rights: Collection[Right]) -> None:
        self._recorded, self._rights = recorded, frozenset(rights)
        self.context, self.waits = recorded.context, recorded.waits
        self.now, self.clock = recorded.now, recorded.clock

    def get(self, request: Request) -> Answer:
        """Return the recorded answer, or a refusal as the API server or a kubelet words it."""
        if isinstance(request.target, PlainHttp):
            raise NotObserved("only the API server's proxy can ask for it", unasked=True)
        missing = sorted(set(requested([f"GET {request.path.partition('?')[0]}"])) - self._rights)
        if not missing:
            return self._recorded.get(request)
        subresource = missing[0][1].partition("/")[2]
        return Answer(403, f"Forbidden (resource=nodes, subresource(s)=[{subresource}])".encode())

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Return the reports of the recorded probe."""
        return self._recorded.probe(plan)

    def close(self) -> None:
        """Do nothing."""
