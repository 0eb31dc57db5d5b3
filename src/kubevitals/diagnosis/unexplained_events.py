"""Warning events that no finding explains and that are not over. They do not affect the result of a run."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.states import STUCK
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.inventory.events import first_seen, is_current, last_seen, times_seen
from kubevitals.objects import Ref, is_finished, is_ready, ref, turned_at
from kubevitals.text import clean, duration, plural

SHOWN = 15
"""How many groups of events are shown: the most frequent ones."""


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
    unnamed = [event for event in cluster.all_events if event.type == "Warning" and not _about(event) & concerned]
    pods = {ref(pod): pod for pod in cluster.pods} if unnamed else {}
    events_by_group: dict[tuple[str, str], list[pb.Event]] = defaultdict(list)
    for event in unnamed:
        if not _is_past_or_young(event, pods, cluster):
            events_by_group[event.reason, event.involvedObject.kind].append(event)
    groups = [Group(reason, kind, events) for (reason, kind), events in events_by_group.items()]
    return sorted(groups, key=lambda group: (-len(group.events), group.reason, group.kind))


def _is_past_or_young(event: pb.Event, pods: Mapping[Ref, pb.Pod], cluster: Cluster) -> bool:
    """Return whether the event is over, or has come for less than `pod.stuck`: what fails at first is retried."""
    is_young = cluster.now.timestamp() - first_seen(event) < cluster.limit(STUCK)
    return is_young or _is_over(event, pods, cluster)


def _is_over(event: pb.Event, pods: Mapping[Ref, pb.Pod], cluster: Cluster) -> bool:
    """Return whether the event describes the past: its pod is gone, has finished or is ready since, or it has stopped.

    A pod that is not what it should be has no past: all its events count. The state of other objects is not known
    here, so that only an event that is repeated and still comes counts.
    """
    involved = event.involvedObject
    stopped = times_seen(event) == 1 or not is_current(event, cluster.now)
    if involved.kind != "Pod":
        return stopped
    pod = pods.get(Ref("Pod", involved.namespace, involved.name))
    if pod is None or is_finished(pod):
        return True
    return is_ready(pod) and (stopped or last_seen(event) <= turned_at(pod).seconds)


def _about(event: pb.Event) -> set[Ref]:
    """Return the object of the event, and for a ReplicaSet also the Deployment that it is named after."""
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
