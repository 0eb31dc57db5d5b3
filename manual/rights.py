"""The rights that requests need, and those that deploy/ grants."""

from collections import defaultdict
from collections.abc import Iterable

from scenarios.objects import Object
from scenarios.rights import DEPLOY, Right, granted, objects

PARTS = {
    "base": "base/rbac.yaml",
    "overlays/kubelet": "components/kubelet/rbac.yaml",
    "overlays/probe": "components/probe/rbac.yaml",
    "overlays/namespace": "overlays/namespace/rbac.yaml",
    "overlays/state-configmap": "components/state-configmap/state.yaml",
}
"""The overlays that grant rights, each with the file of its rules. `overlays/full` contains the first three."""


def listed(rights: Iterable[Right]) -> str:
    """Return rights as a text, grouped by verb: ``list nodes, pods; get pods/log``."""
    by_verb: dict[str, list[str]] = defaultdict(list)
    for verb, resource in sorted(rights):
        by_verb[verb].append(f"`{resource}`")
    return "; ".join(f"{verb} {', '.join(resources)}" for verb, resources in sorted(by_verb.items(), reverse=True))


def grants() -> str:
    """Return a table of the rights that each overlay grants, and where it grants them."""
    lines = ["| overlay | grants | where |", "| --- | --- | --- |"]
    for name, path in PARTS.items():
        roles = [obj for obj in objects(DEPLOY / path) if "rules" in obj]
        where = ", ".join(sorted({_place(role) for role in roles}))
        lines.append(f"| [`{name}`](deploy/{path}) | {listed(granted(path))} | {where} |")
    return "\n".join(lines)


def _place(role: Object) -> str:
    """Return where a role grants rights. kustomize puts a Role without a namespace into the one of the overlay."""
    if role["kind"] == "ClusterRole":
        return "the cluster"
    place = role["metadata"].get("namespace")
    return f"namespace `{place}`" if place else "its own namespace"
