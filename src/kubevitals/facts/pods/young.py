"""Pods in a state that is a fault only if it lasts: how many there are, for the remarks of a run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.not_started import limit_of, waiting_container
from kubevitals.facts.pods.references import RETRIED, created_since
from kubevitals.facts.pods.states import STUCK
from kubevitals.inventory.cluster import Cluster, claim_names
from kubevitals.objects import condition
from kubevitals.text import clean, duration, listed, plural

NAMED = 3
"""Objects that a remark names."""


class _Wait(NamedTuple):
    """What is not ready yet: of which kind, in which state, and the seconds after which that state is a fault."""

    kind: str
    state: str
    limit: float


def young_pods(pods: Iterable[pb.Pod], cluster: Cluster) -> Iterator[str]:
    """Yield how many of the pods without a finding are too young to be judged, by their state.

    A pod without a node that waits for a PVC does not count: the PVC does.

    Args:
        pods: pods that no line of the table has taken.
        cluster: where they are.
    """
    groups: dict[_Wait, set[str]] = defaultdict(set)
    for pod in pods:
        for wait, name in _waits_if_observed(pod, cluster):
            groups[wait].add(f"{pod.metadata.namespace}/{name}")
    for wait, names in sorted(groups.items()):
        yield (
            f"too young to be judged: {plural(len(names), wait.kind)} in {clean(wait.state, 60)} for less than "
            f"{duration(wait.limit)} ({listed(names, NAMED)})"
        )


def _waits_if_observed(pod: pb.Pod, cluster: Cluster) -> list[tuple[_Wait, str]]:
    try:
        return list(_waits(pod, cluster))
    except NotObserved:
        return []  # the table's lines are not observed either, and say so


def _waits(pod: pb.Pod, cluster: Cluster) -> Iterator[tuple[_Wait, str]]:
    """Yield what is not ready yet, with its name: the pod, or the PVCs or new ConfigMaps and Secrets it waits for."""
    if pod.status.phase == "Pending" and not pod.spec.nodeName:
        yield from _without_node(pod, cluster)
    elif (waiting := waiting_container(pod)) is None:
        return
    elif created := created_since(pod, waiting, cluster):
        yield from ((_Wait(one.kind, "existence", RETRIED), one.name) for one in created)
    else:
        limit = cluster.limit(limit_of(pod, waiting, cluster))
        yield _Wait("pod", waiting.state.waiting.reason or "Pending", limit), pod.metadata.name


def _without_node(pod: pb.Pod, cluster: Cluster) -> Iterator[tuple[_Wait, str]]:
    scheduled, limit = condition(pod, "PodScheduled"), cluster.limit(STUCK)
    waits_for_claims = not scheduled or not scheduled.reason or "PersistentVolumeClaim" in scheduled.message
    if claims := _pending_claims(pod, cluster) if waits_for_claims else []:
        for claim in claims:
            if not cluster.over(claim.metadata.creationTimestamp, STUCK) or _is_new(pod, cluster):
                yield _Wait("PVC", "Pending", limit), claim.metadata.name
    elif _is_new(pod, cluster):
        state = scheduled.reason if scheduled and scheduled.reason else "Pending"
        yield _Wait("pod", state, limit), pod.metadata.name


def _is_new(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether the pod has waited for a node for less than `pod.stuck`; others wait for a reason of their own."""
    scheduled = condition(pod, "PodScheduled")
    return not cluster.over(scheduled.lastTransitionTime if scheduled else pod.metadata.creationTimestamp, STUCK)


def _pending_claims(pod: pb.Pod, cluster: Cluster) -> list[pb.PersistentVolumeClaim]:
    with suppress(NotObserved):  # then the pod is named
        claims = (cluster.claims_by_name.get((pod.metadata.namespace, name)) for name in claim_names(pod))
        return [claim for claim in claims if claim and claim.status.phase == "Pending"]
    return []
