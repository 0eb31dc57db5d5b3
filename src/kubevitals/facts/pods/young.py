"""Pods in a state that is a fault only if it lasts: how many there are, for the remarks of a run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.not_started import limit_of, waiting_container
from kubevitals.facts.pods.states import STUCK
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import condition
from kubevitals.text import clean, duration, plural

NAMED = 3
"""Pods that a remark names."""


def young_pods(pods: Iterable[pb.Pod], cluster: Cluster) -> Iterator[str]:
    """Yield how many of the pods without a finding are too young to be judged, by their state.

    Args:
        pods: pods that no line of the table has taken.
        cluster: where they are.
    """
    groups: dict[tuple[str, float], list[str]] = defaultdict(list)
    for pod in pods:
        if state := _state_if_observed(pod, cluster):
            groups[state].append(f"{pod.metadata.namespace}/{pod.metadata.name}")
    for (reason, limit), names in sorted(groups.items()):
        more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
        yield (
            f"too young to be judged: {plural(len(names), 'pod')} in {clean(reason, 60)} for less than "
            f"{duration(limit)} ({clean(', '.join(sorted(names)[:NAMED]), 400)}{more})"
        )


def _state_if_observed(pod: pb.Pod, cluster: Cluster) -> tuple[str, float] | None:
    try:
        return _state(pod, cluster)
    except NotObserved:
        return None  # the table's lines are not observed either, and say so


def _state(pod: pb.Pod, cluster: Cluster) -> tuple[str, float] | None:
    """Return the state of a pod and the seconds after which that state is a fault; nothing if it is never one."""
    scheduled = condition(pod, "PodScheduled")
    if pod.status.phase == "Pending" and not pod.spec.nodeName:
        return scheduled.reason if scheduled and scheduled.reason else "Pending", cluster.limit(STUCK)
    waiting = waiting_container(pod)
    if waiting is None:
        return None
    return waiting.state.waiting.reason or "Pending", cluster.limit(limit_of(pod, waiting, cluster))
