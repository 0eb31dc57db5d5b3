"""Pods that fail as soon as their DaemonSet or StatefulSet recreates them: only its events are left of all but one."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.restarts import RECENT, RESTARTS
from kubevitals.facts.pods.states import STUCK
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import occurrences
from kubevitals.objects import Ref, ref

_RECREATED = re.compile(r"Found failed daemon pod \S+ on node (?P<place>\S+), |is recreating failed Pod (?P<pod>\S+)")
"""The events FailedDaemonPod and RecreatingFailedPod (kubernetes pkg/controller/daemon/daemon_controller.go and
pkg/controller/statefulset/stateful_set_control.go)."""


def recreations(cluster: Cluster) -> Mapping[Ref, int]:
    """Return how often DaemonSets and StatefulSets recreated a failed pod lately, if they keep doing so.

    A pod in one place failed at least `pod.restarts` times, at most `pod.recent` apart on average, over at least
    `pod.stuck`: when a node restarts, each of its daemons fails once.
    """
    found: dict[Ref, int] = {}
    for kind in (lambda: cluster.daemon_sets, lambda: cluster.stateful_sets):
        try:
            controllers: Iterable[pb.DaemonSet | pb.StatefulSet] = kind()
            found |= {ref(one): count for one in controllers if (count := _recreated(one, cluster))}
        except NotObserved:
            continue  # what is wrong with the pods themselves is found all the same
    return found


def _recreated(controller: pb.DaemonSet | pb.StatefulSet, cluster: Cluster) -> int:
    places: dict[str, list[pb.Event]] = defaultdict(list)
    for event in cluster.events(controller):
        if match := _RECREATED.search(event.message):
            places[match["place"] or match["pod"]].append(event)
    return max((_lasting(events, cluster) for events in places.values()), default=0)


def _lasting(events: list[pb.Event], cluster: Cluster) -> int:
    seen = occurrences(events)
    lasted, ago = seen.last - seen.first, cluster.now.timestamp() - seen.last
    if seen.count < cluster.limit(RESTARTS) or lasted < cluster.limit(STUCK) or ago > cluster.limit(RECENT):
        return 0
    return seen.count if lasted <= (seen.count - 1) * cluster.limit(RECENT) else 0
