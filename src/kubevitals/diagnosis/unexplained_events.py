"""Warning events that no finding explains. They decide nothing: an untouched cluster has some."""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import last_seen
from kubevitals.objects import Ref
from kubevitals.text import clean, duration, plural

SHOWN = 15
"""Groups of events that are shown, the most frequent."""


class Group(NamedTuple):
    """Events of one reason on objects of one kind."""

    reason: str
    kind: str
    events: list[pb.Event]


def unexplained(cluster: Cluster, findings: Iterable[Finding]) -> list[str]:
    """Return a line for each reason and kind of object, the most frequent first."""
    try:
        groups = _groups(cluster, findings)
    except NotObserved as error:
        return [f"events not observed: {error}"]
    lines = [_line(group, cluster) for group in groups[:SHOWN]]
    return lines + ([f"and {plural(len(groups) - SHOWN, 'more kind')} of them"] if len(groups) > SHOWN else [])


def _groups(cluster: Cluster, findings: Iterable[Finding]) -> list[Group]:
    concerned = {ref for finding in findings for ref in (finding.obj, finding.owner, *finding.concerns) if ref}
    groups: dict[tuple[str, str], list[pb.Event]] = defaultdict(list)
    for event in cluster.all_events:
        if event.type == "Warning" and not _about(event) & concerned:
            groups[event.reason, event.involvedObject.kind].append(event)
    found = [Group(reason, kind, events) for (reason, kind), events in groups.items()]
    return sorted(found, key=lambda group: (-len(group.events), group.reason, group.kind))


def _about(event: pb.Event) -> set[Ref]:
    """Return the event's object, and for a ReplicaSet the Deployment that it is named after."""
    involved = event.involvedObject
    names = {Ref(involved.kind, involved.namespace, involved.name)}
    if involved.kind == "ReplicaSet":
        names.add(Ref("Deployment", involved.namespace, involved.name.rpartition("-")[0]))
    return names


def _line(group: Group, cluster: Cluster) -> str:
    latest = max(group.events, key=last_seen)
    involved = latest.involvedObject
    ago = duration(seen_ago(latest, cluster))
    name = Ref(involved.kind, involved.namespace, involved.name)
    return clean(f"{len(group.events):,}× {group.reason} on {group.kind}, {ago} ago on {name}: {latest.message}", 300)
