"""The rights that deploy/ grants, and those that requests take."""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"

Right = tuple[str, str]
"""A verb, and a resource as people write it (``daemonsets.apps``) or a path."""


def objects(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects in files."""
    for path in paths:
        yield from yaml.safe_load_all(path.read_text())


def granted(path: str) -> set[Right]:
    """Return what the roles of a file grant."""
    return {
        (verb, ".".join(filter(None, (resource, group))))
        for obj in objects(DEPLOY / path)
        for rule in obj.get("rules", ())
        for verb in rule["verbs"]
        for group in rule.get("apiGroups", [""])
        for resource in [*rule.get("resources", ()), *rule.get("nonResourceURLs", ())]
    }


def requested(asked: Iterable[str]) -> Iterator[Right]:
    """Yield the rights that requests take, each ``METHOD path``; none for what only the API server's proxy can ask."""
    for request in asked:
        method, path = request.split()
        verb = {"GET": "get", "POST": "create", "PATCH": "patch", "DELETE": "delete"}[method]
        if direct := re.fullmatch(r"/api/v1/nodes/[^/:]+/proxy/(\w+)(/summary)?", path):
            yield "get", f"nodes/{direct[1]}"
        elif found := re.fullmatch(
            r"/apis?/(?:([\w.]+)/)??v1(?:/namespaces/[^/]+)?/([a-z]+)(?:/([^/]+))?(?:/(log))?", path
        ):
            group, resource, name, part = found.groups()
            verb = "list" if verb == "get" and not name else verb
            yield verb, ".".join(filter(None, ("/".join(filter(None, (resource, part))), group)))
        elif "/proxy/" not in path and path != "probe":
            yield verb, path
