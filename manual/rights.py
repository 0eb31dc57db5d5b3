"""The rights that requests take, and those that deploy/ grants."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml

DEPLOY = Path(__file__).parents[1] / "deploy"

Right = tuple[str, str]
"""A verb, and a resource as people write it (``daemonsets.apps``) or a path."""

PARTS = {
    "base": "base/rbac.yaml",
    "overlays/kubelet": "components/kubelet/rbac.yaml",
    "overlays/probe": "components/probe/rbac.yaml",
}
"""What grants rights: an overlay, and the file that has what it adds. `overlays/full` has all."""


def objects(*paths: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects in files."""
    for path in paths:
        yield from yaml.safe_load_all(path.read_text())


def granted(path: str) -> set[Right]:
    """Return what the roles of a file below deploy/ grant."""
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


def told(rights: Iterable[Right]) -> str:
    """Return rights as people read them, a verb at a time: ``list`` nodes, pods; ``get`` pods/log."""
    by_verb: dict[str, list[str]] = defaultdict(list)
    for verb, resource in sorted(rights):
        by_verb[verb].append(f"`{resource}`")
    return "; ".join(f"{verb} {', '.join(resources)}" for verb, resources in sorted(by_verb.items(), reverse=True))


def grants() -> str:
    """Return as a table what each overlay grants, and where."""
    lines = ["| | grants | where |", "| --- | --- | --- |"]
    for name, path in PARTS.items():
        roles = [obj for obj in objects(DEPLOY / path) if "rules" in obj]
        places = {role["metadata"].get("namespace", "") for role in roles}
        where = ", ".join(f"namespace `{place}`" if place else "the cluster" for place in sorted(places))
        lines.append(f"| [`{name}`](deploy/{path}) | {told(granted(path))} | {where} |")
    return "\n".join(lines)
