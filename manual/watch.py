"""What each rule needs, found out by watching what it requests from all recordings."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns.service import name_servers
from kubevitals.facts.pods.no_space import full_disks
from kubevitals.facts.volumes.usage import space_reports
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.plan import Options, ProbePlan
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer, Handshake, Kubelet, PlainHttp, Request
from kubevitals.source.scope import Scope
from kubevitals.threshold import Threshold
from scenarios.harness import MANIFESTS, RECORDINGS, rules
from scenarios.rights import Right, requested

NARROWED = ("untouched-cluster", MANIFESTS)
"""The recordings of which rules also see only some namespaces, so that they name those that they need."""

HINTS = (name_servers, full_disks, space_reports)
"""What rules use if it is observed, and can do without."""

T = TypeVar("T")
Name = tuple[str, str]
"""A cause and a variant."""


@dataclass
class Needs:
    """What a rule needs.

    Attributes:
        rights: the rights that its requests need.
        kubelet: whether it queries kubelets.
        probe: whether it reads the results of the probe.
        proxied: whether it queries ports other than the kubelet's through the API server's proxy.
        thresholds: the thresholds that it compares with.
        namespaces: the namespaces that must be selected.
        everywhere: whether all namespaces must be selected.
    """

    rights: set[Right] = field(default_factory=set)
    kubelet: bool = False
    probe: bool = False
    proxied: bool = False
    thresholds: set[Threshold] = field(default_factory=set)
    namespaces: set[str] = field(default_factory=set)
    everywhere: bool = False

    @property
    def mark(self) -> str:
        """The sign after the name of the variant in tables."""
        if self.probe and self.proxied:
            return "ᵃ"
        return "ᵖ" if self.probe else "ᵏ" if self.kubelet else ""

    def add(self, other: "Needs") -> None:
        """Need also what another one needs."""
        for needed in fields(self):
            setattr(self, needed.name, getattr(self, needed.name) | getattr(other, needed.name))


@dataclass(frozen=True)
class _Derived:
    """What a function of a recorded cluster returned or raised, and what it needed for that."""

    needs: Needs
    value: Any = None
    error: NotObserved | NotApplicable | None = None


class _Watched(Snapshot):
    """A recording that parses each answer once, and notes in `needs` what is asked of it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.path = path
        self.needs = Needs()
        self._made: dict[str, Answer] = {}
        self._derived: dict[object, _Derived] = {}

    def get(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        self.needs.rights |= set(requested([f"GET {path}"]))
        self.needs.kubelet |= isinstance(request.target, Kubelet)
        self.needs.kubelet |= isinstance(request.target, Handshake) and bool(request.target.node)
        self.needs.proxied |= isinstance(request.target, PlainHttp)
        if request.wanted:
            return super().get(request)
        if request.key not in self._made:
            self._made[request.key] = super().get(request)
        return self._made[request.key]

    def probe(self, plan: ProbePlan | None) -> bytes:
        self.needs.probe = True
        return super().probe(plan)

    def derive(self, function: Callable[[Cluster], Any], cluster: Cluster) -> Any:
        """Return what a function derives from the whole cluster, computed once for all rules."""
        if function not in self._derived:
            self._derived[function] = self._watch(function, cluster)
        derived = self._derived[function]
        self.needs.add(derived.needs)
        if derived.error:
            raise derived.error
        return derived.value

    def _watch(self, function: Callable[[Cluster], Any], cluster: Cluster) -> _Derived:
        outer, self.needs = self.needs, Needs()
        try:
            return _Derived(self.needs, function(cluster))
        except (NotObserved, NotApplicable) as error:
            return _Derived(self.needs, error=error)
        finally:
            self.needs = outer


class _WatchedScope(Scope):
    """Selected namespaces that remember what was last missed: one namespace, or an empty name for all of them."""

    def __init__(self, chosen: Sequence[str]) -> None:
        super().__init__(chosen, within=Scope())
        self.refusal: NotObserved | None = None
        self.missed = ""

    def need(self, namespace: str) -> None:
        try:
            super().need(namespace)
        except NotObserved as error:
            self.refusal, self.missed = error, namespace
            raise

    def need_all(self, what: str) -> None:
        try:
            super().need_all(what)
        except NotObserved as error:
            self.refusal, self.missed = error, ""
            raise


@cache
def _unwatched(path: Path) -> Cluster:
    return Cluster(Snapshot(path), secret_names=True, probe=Options())


class _WatchedCluster(Cluster):
    def __init__(self, source: _Watched, scope: Scope) -> None:
        super().__init__(source, secret_names=True, probe=Options(), scope=scope)
        self._watched = source

    def derive(self, function: Callable[[Cluster], T]) -> T:
        """Do not watch the functions in `HINTS`."""
        if function in HINTS:
            return function(_unwatched(self._watched.path))
        if self.scope.is_all:
            derived: T = self._watched.derive(function, self)
            return derived
        return super().derive(function)

    def limit(self, threshold: Threshold) -> float:
        self._watched.needs.thresholds.add(threshold)
        return super().limit(threshold)


@cache
def needs() -> Mapping[Name, Needs]:
    """Return what every rule needs, by cause and variant."""
    by_rule: dict[Name, Needs] = defaultdict(Needs)
    for path in sorted(RECORDINGS.glob("*.recording")):
        recording = _Watched(path)
        for name in rules():
            recording.needs = by_rule[name]
            _apply(name, recording, Scope())
    for stem in NARROWED:
        recording = _Watched(RECORDINGS / f"{stem}.recording")
        for name in rules():
            recording.needs = by_rule[name]
            _narrow(name, recording)
    return by_rule


def _narrow(name: Name, recording: _Watched) -> None:
    """Show one namespace to a rule, then also those that it needs, until it needs no more."""
    chosen = ["default"]
    while not recording.needs.everywhere:
        scope = _WatchedScope(chosen)
        error = _apply(name, recording, scope)
        if error is None or scope.refusal is None or error.reason != scope.refusal.reason:
            return
        recording.needs.everywhere = not scope.missed
        recording.needs.namespaces |= {scope.missed} - {""}
        chosen.append(scope.missed)


def _apply(name: Name, recording: _Watched, scope: Scope) -> NotObserved | None:
    """Apply a rule, and return why it could not see everything that it needs."""
    check, rule = rules()[name]
    cluster = _WatchedCluster(recording, scope)
    try:
        list(check(cluster, rule))
    except NotObserved as error:
        return error
    except NotApplicable:
        return None
    finally:
        cluster.close()
    return None
