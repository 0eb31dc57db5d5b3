"""Which constraint keeps a pod off every node: the one whose removal alone would make room somewhere."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.scheduling.constraints import OF_THE_NODE, Blocker, Constraint, Demand, demand_of
from kubevitals.facts.scheduling.fleet import Fleet
from kubevitals.facts.scheduling.neighbours import Neighbours
from kubevitals.facts.scheduling.storage import Storage, storage_of
from kubevitals.inventory.cluster import Cluster


class SchedulingVerdict(NamedTuple):
    """Why no node takes a pod.

    Attributes:
        decisive: the constraint whose removal alone frees nodes; where no single one does, all that keep the pod from
            the node that has the fewest against it; nothing where a node seems to fit, or there is none.
        frees: the nodes that would take the pod without it.
        nodes: how many nodes there are that the pod may be meant for.
        against: how many nodes each constraint keeps the pod from.
    """

    decisive: tuple[Blocker, ...]
    frees: tuple[str, ...]
    nodes: int
    against: Mapping[Blocker, int]
    demand: Demand


ON_PURPOSE = frozenset({Constraint.TAINT, Constraint.LABEL, Constraint.AFFINITY})
"""Constraints that are there on purpose if some nodes satisfy them: then what is wrong is on those nodes."""

_PLACE = {constraint: place for place, constraint in enumerate(Constraint)}


class SchedulingVerdicts:
    """Why pods are not scheduled; pods that ask the same share one answer."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._known = cluster, dict[bytes, SchedulingVerdict]()

    def of(self, pod: pb.Pod) -> SchedulingVerdict:
        """Return why no node takes a pod.

        Raises:
            NotObserved: nodes, claims or volumes cannot be listed.
        """
        storage = storage_of(pod, self._cluster)
        asked = _signature(pod, storage)
        if asked not in self._known:
            demand = demand_of(pod, storage, self._cluster.derive(Neighbours))
            self._known[asked] = _judge(demand, self._cluster.derive(Fleet))
        return self._known[asked]


def _signature(pod: pb.Pod, storage: Storage) -> bytes:
    """Return what tells pods apart that ask different things of nodes."""
    spec = pb.PodSpec(
        nodeSelector=pod.spec.nodeSelector,
        affinity=pod.spec.affinity,
        tolerations=pod.spec.tolerations,
        topologySpreadConstraints=pod.spec.topologySpreadConstraints,
        hostNetwork=pod.spec.hostNetwork,
        overhead=pod.spec.overhead,
        resources=pod.spec.resources,
    )
    for own, listed in ((spec.containers, pod.spec.containers), (spec.initContainers, pod.spec.initContainers)):
        own.extend(pb.Container(resources=c.resources, ports=c.ports, restartPolicy=c.restartPolicy) for c in listed)
    metadata = pb.ObjectMeta(namespace=pod.metadata.namespace, labels=pod.metadata.labels)
    volumes = "\0".join((*storage.unbound, "", *(name for name, _ in storage.volumes)))
    return pb.Pod(metadata=metadata, spec=spec).SerializeToString(deterministic=True) + volumes.encode()


def _judge(demand: Demand, fleet: Fleet) -> SchedulingVerdict:
    against = fleet.against(demand)
    counted: Counter[Blocker] = Counter()
    for kept, names in against.items():
        counted.update(dict.fromkeys(kept, len(names)))
    nodes = sum(map(len, against.values()))
    decisive = _alone(against, counted, nodes) or _nearest(against)
    frees = tuple(sorted(against.get(frozenset(decisive), ()))) if decisive else ()
    return SchedulingVerdict(decisive, frees, nodes, counted, demand)


def _alone(
    against: Mapping[frozenset[Blocker], list[str]], counted: Mapping[Blocker, int], nodes: int
) -> tuple[Blocker, ...]:
    """Return the constraint that is the only one at some node, unless a node seems to take the pod."""
    if frozenset() in against:
        return ()

    def rank(blocker: Blocker) -> tuple[object, ...]:
        on_purpose = blocker.constraint in ON_PURPOSE and blocker.key not in OF_THE_NODE and counted[blocker] < nodes
        return on_purpose, _PLACE[blocker.constraint], -len(against[frozenset({blocker})]), blocker.detail

    return tuple(sorted((next(iter(kept)) for kept in against if len(kept) == 1), key=rank)[:1])


def _nearest(against: Mapping[frozenset[Blocker], list[str]]) -> tuple[Blocker, ...]:
    """Return all that keeps the pod from the nodes that have the fewest constraints against it."""
    nearest = min(against, key=lambda kept: (len(kept), sorted(kept)), default=frozenset[Blocker]())
    return tuple(sorted(nearest, key=lambda blocker: (_PLACE[blocker.constraint], blocker.detail)))
