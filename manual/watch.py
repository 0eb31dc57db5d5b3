"""What each rule asks for, by watching it on every recording there is."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns.service import name_servers
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.plan import Options, ProbePlan
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer, Kubelet, PlainHttp, Request
from kubevitals.source.scope import Scope
from kubevitals.threshold import Threshold
from scenarios.harness import MANIFESTS, RECORDINGS, rules
from scenarios.rights import Right, requested

NARROWED = ("untouched-cluster", MANIFESTS)
"""The recordings on which rules are shown few namespaces, too: there they say which they miss."""

HINTS = (name_servers,)
"""What rules look at if it is observed, and can do without."""

T = TypeVar("T")
Name = tuple[str, str]
"""A cause and a variant."""


@dataclass
class Needs:
    """What a rule needs.

    Attributes:
        rights: what its requests take.
        kubelet: whether it asks kubelets.
        probe: whether it looks at what the probe tells.
        proxied: whether it has the API server's proxy ask anything but kubelets.
        thresholds: the numbers that it compares with.
        namespaces: those that must be looked at.
        everywhere: whether all must be looked at.
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
        """The sign that stands behind the variant's name in tables."""
        if self.probe and self.proxied:
            return "ᵃ"
        return "ᵖ" if self.probe else "ᵏ" if self.kubelet else ""


class _Watched(Snapshot):
    """A recording that parses each answer once, and notes in `needs` what is asked of it."""

    def __init__(self, path: Path, needs: Needs | None = None) -> None:
        super().__init__(path)
        self.path = path
        self.needs = needs or Needs()
        self._made: dict[str, Answer] = {}

    def get(self, request: Request) -> Answer:
        path = request.path.partition("?")[0]
        self.needs.rights |= set(requested([f"GET {path}"]))
        self.needs.kubelet |= isinstance(request.target, Kubelet)
        self.needs.proxied |= isinstance(request.target, PlainHttp)
        if request.wanted:
            return super().get(request)
        if request.path not in self._made:
            self._made[request.path] = super().get(request)
        return self._made[request.path]

    def probe(self, plan: ProbePlan | None) -> bytes:
        self.needs.probe = True
        return super().probe(plan)


class _WatchedScope(Scope):
    """A choice of namespaces that remembers its last refusal, and the namespace that was missed; none for all."""

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
        self._needs, self._path = source.needs, source.path

    def derive(self, function: Callable[[Cluster], T]) -> T:
        """Note nothing of what rules look at only if it happens to be observed."""
        if function in HINTS:
            return function(_unwatched(self._path))
        return super().derive(function)

    def limit(self, threshold: Threshold) -> float:
        self._needs.thresholds.add(threshold)
        return super().limit(threshold)


@cache
def needs() -> Mapping[Name, Needs]:
    """Return what every rule needs, by cause and variant."""
    found: dict[Name, Needs] = defaultdict(Needs)
    for path in sorted(RECORDINGS.glob("*.recording")):
        recording = _Watched(path)
        for name in rules():
            recording.needs = found[name]
            _apply(name, recording, Scope())
    for stem in NARROWED:
        for name in rules():
            _narrow(name, _Watched(RECORDINGS / f"{stem}.recording", found[name]))
    return found


def _narrow(name: Name, recording: _Watched) -> None:
    """Let a rule see one namespace, then those that it misses as well, until it misses none."""
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
    """Apply a rule, and return why it could not see all."""
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
