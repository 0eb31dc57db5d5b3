"""ResourceQuotas: how much of a resource they allow, how much is used, and how much more pods need."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.refused import Refused
from kubevitals.inventory.cluster import Cluster
from kubevitals.quantity import amount, number
from kubevitals.text import binary

_BYTES = ("memory", "ephemeral-storage", "storage")
_OF_PODS = ("cpu", "memory", "ephemeral-storage", "pods")
"""Resources of pods: `requests.cpu`, `limits.memory`, `count/pods`, without their prefixes."""


class Shortage(NamedTuple):
    """A resource of which a quota leaves too little.

    Attributes:
        resource: its name in the quota, such as `requests.cpu`.
        request: what one pod requests, as the API server writes it.
        used: what is used.
        hard: what the quota allows.
        needed: what the quota must allow for all pods that are missing.
    """

    resource: str
    request: str
    used: str
    hard: str
    needed: str

    @property
    def fits(self) -> bool:
        """Whether the quota has room for one pod by now."""
        return number(self.used) + number(self.request) <= number(self.hard)


def shortages(one: Refused, cluster: Cluster) -> list[Shortage]:
    """Return what a quota has too little of, with its present figures, or those of the refusal if it is not listed."""
    named = one.refusal.named
    if "requested" not in named:
        return []
    quota = _quota(one.controller.metadata.namespace, named["quota"], cluster)
    requested, used, hard = (_amounts(named[field]) for field in ("requested", "used", "limited"))
    missing = one.counts.wants - one.counts.has
    result = []
    for resource, request in requested.items():
        is_used = _now(quota.status.used, resource) or used.get(resource, "0")
        allowed = _now(quota.status.hard, resource) or hard.get(resource, "0")
        needed = written(resource, number(is_used) + missing * number(request))
        result.append(Shortage(resource, request, is_used, allowed, needed))
    return result


def _quota(namespace: str, name: str, cluster: Cluster) -> pb.ResourceQuota:
    """Return a quota, or an empty one."""
    try:
        return next(q for q in cluster.quotas if (q.metadata.namespace, q.metadata.name) == (namespace, name))
    except (NotObserved, StopIteration):
        return pb.ResourceQuota()


def _now(amounts: Mapping[str, pb.Quantity], resource: str) -> str:
    return amounts[resource].string if resource in amounts else ""


def _amounts(text: str) -> dict[str, str]:
    """Return the amounts of a refusal: ``requests.cpu=500m,pods=1``."""
    pairs = (pair.partition("=") for pair in text.split(","))
    return {resource: value for resource, _, value in pairs}


def written(resource: str, value: float) -> str:
    """Return an amount as people write it."""
    last = resource.rpartition("/")[2].rpartition(".")[2]
    return binary(value) if last in _BYTES or last.startswith("hugepages-") else f"{round(value, 3):g}"


class Share(NamedTuple):
    """A resource of a quota, and which share of it is used: 0.95."""

    resource: str
    used: str
    hard: str
    share: float


def shares(quota: pb.ResourceQuota) -> Iterator[Share]:
    """Yield the resources of pods in a quota that allows some."""
    for resource, hard in sorted(quota.status.hard.items()):
        allowed = number(hard.string)
        if allowed > 0 and resource.rpartition("/")[2].rpartition(".")[2] in _OF_PODS:
            used = amount(quota.status.used, resource)
            yield Share(resource, _now(quota.status.used, resource) or "0", hard.string, used / allowed)
