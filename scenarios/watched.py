"""Finds out what each rule asks of a cluster, although rules share what is derived from it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.plan import ProbePlan
from kubevitals.source.request import Answer, Request, Source
from kubevitals.threshold import Threshold
from scenarios.rights import Right, requested

T = TypeVar("T")

PROBE = "probe"
"""What is asked for is the result of the probe."""

Asked = Request | Threshold | str
"""A request, a threshold that is compared with, or `PROBE`."""


@dataclass(frozen=True)
class _Derived:
    """What a function of a cluster returned or raised, and what it asked for."""

    asked: frozenset[Asked]
    value: Any = None
    error: NotObserved | NotApplicable | None = None


class Watched:
    """A source that notes in `asked` what it is asked for. Each rule gets a new cluster of it."""

    def __init__(self, source: Source) -> None:
        self.asked: set[Asked] = set()
        self._source = source
        self.context, self.waits, self.now, self.clock = source.context, source.waits, source.now, source.clock
        self._derived: dict[object, _Derived] = {}

    def get(self, request: Request) -> Answer:
        """Return the source's answer."""
        self.asked.add(request)
        return self._source.get(request)

    def probe(self, plan: ProbePlan | None) -> bytes:
        """Return the source's result of the probe."""
        self.asked.add(PROBE)
        return self._source.probe(plan)

    def close(self) -> None:
        """Do nothing."""

    def derive(self, function: Callable[[Cluster], Any], cluster: Cluster) -> Any:
        """Return what a function derives from the cluster or some of its namespaces, computed once for all rules."""
        key = function, frozenset(cluster.scope.chosen)
        if key not in self._derived:
            self._derived[key] = self._watch(function, cluster)
        derived = self._derived[key]
        self.asked |= derived.asked
        if derived.error:
            raise derived.error
        return derived.value

    def _watch(self, function: Callable[[Cluster], Any], cluster: Cluster) -> _Derived:
        outer, self.asked = self.asked, set()
        try:
            value = function(cluster)
            return _Derived(frozenset(self.asked), value)
        except (NotObserved, NotApplicable) as error:
            return _Derived(frozenset(self.asked), error=error)
        finally:
            self.asked = outer


class WatchedCluster(Cluster):
    """A cluster that belongs to one rule, while what is derived from it belongs to its source."""

    def __init__(self, source: Watched, **options: Any) -> None:
        super().__init__(source, **options)
        self._watched = source

    def derive(self, function: Callable[[Cluster], T]) -> T:
        """Return what a function derives from the cluster."""
        derived: T = self._watched.derive(function, self)
        return derived

    def limit(self, threshold: Threshold) -> float:
        """Return the value of a threshold."""
        self._watched.asked.add(threshold)
        return super().limit(threshold)


@cache
def rights_for(request: Request) -> frozenset[Right]:
    """Return the rights that a request needs."""
    return frozenset(requested([f"GET {request.path.partition('?')[0]}"]))
