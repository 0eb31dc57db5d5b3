"""What each rule needs, found out by watching what it requests from all recordings."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeVar

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns.service import name_servers
from kubevitals.facts.pods.no_space import full_disks
from kubevitals.facts.volumes.usage import space_reports
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.plan import Options
from kubevitals.source.request import Handshake, Kubelet, PlainHttp, Request
from kubevitals.source.scope import Scope
from kubevitals.threshold import Threshold
from scenarios.harness import MANIFESTS, RECORDINGS, rules
from scenarios.parsed import parsed
from scenarios.rights import Right
from scenarios.watched import Asked, Watched, WatchedCluster, rights_for

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

    def note(self, asked: Iterable[Asked]) -> None:
        """Note what the rule asked for."""
        for what in asked:
            if isinstance(what, Threshold):
                self.thresholds.add(what)
            elif isinstance(what, Request):
                self.rights |= rights_for(what)
                self.kubelet |= isinstance(what.target, Kubelet)
                self.kubelet |= isinstance(what.target, Handshake) and bool(what.target.node)
                self.proxied |= isinstance(what.target, PlainHttp)
            else:
                self.probe = True


class _Recorded(Watched):
    """A recording.

    Attributes:
        missed: why namespaces were missed, with the namespace; an empty name means all of them.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(parsed(path))
        self.path = path
        self.missed: dict[str, str] = {}


class _WatchedScope(Scope):
    """Selected namespaces of a recording that notes which were missed."""

    def __init__(self, chosen: Sequence[str], recording: _Recorded) -> None:
        super().__init__(chosen, within=Scope())
        self._recording = recording

    def need(self, namespace: str) -> None:
        with self._noting(namespace):
            super().need(namespace)

    def need_all(self, what: str) -> None:
        with self._noting(""):
            super().need_all(what)

    @contextmanager
    def _noting(self, namespace: str) -> Iterator[None]:
        try:
            yield
        except NotObserved as error:
            self._recording.missed[error.reason] = namespace
            raise


@cache
def _unwatched(path: Path) -> Cluster:
    return Cluster(parsed(path), secret_names=True, probe=Options())


class _WithoutHints(WatchedCluster):
    """A cluster of which the functions in `HINTS` are not watched."""

    def __init__(self, recording: _Recorded, scope: Scope) -> None:
        super().__init__(recording, secret_names=True, probe=Options(), scope=scope)
        self._path = recording.path

    def derive(self, function: Callable[[Cluster], T]) -> T:
        return function(_unwatched(self._path)) if function in HINTS else super().derive(function)


@cache
def needs() -> Mapping[Name, Needs]:
    """Return what every rule needs, by cause and variant."""
    by_rule: dict[Name, Needs] = defaultdict(Needs)
    for path in sorted(RECORDINGS.glob("*.recording")):
        recording = _Recorded(path)
        for name in rules():
            _apply(name, recording, Scope(), by_rule[name])
    for stem in NARROWED:
        recording = _Recorded(RECORDINGS / f"{stem}.recording")
        for name in rules():
            _narrow(name, recording, by_rule[name])
    return by_rule


def _narrow(name: Name, recording: _Recorded, needed: Needs) -> None:
    """Show one namespace to a rule, then also those that it needs, until it needs no more."""
    chosen = ["default"]
    while not needed.everywhere:
        error = _apply(name, recording, _WatchedScope(chosen, recording), needed)
        if error is None or error.reason not in recording.missed:
            return
        missed = recording.missed[error.reason]
        needed.everywhere = not missed
        needed.namespaces |= {missed} - {""}
        chosen.append(missed)


def _apply(name: Name, recording: _Recorded, scope: Scope, needed: Needs) -> NotObserved | None:
    """Apply a rule, note what it needed, and return why it could not see everything."""
    check, rule = rules()[name]
    recording.asked = set()
    cluster = _WithoutHints(recording, scope)
    try:
        list(check(cluster, rule))
    except NotObserved as error:
        return error
    except NotApplicable:
        return None
    finally:
        needed.note(recording.asked)
    return None
