"""How recordings are compared with what scenarios state."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

import pytest

from kubevitals.diagnosis.roots import Case, explain
from kubevitals.diagnosis.verdict import Verdict
from kubevitals.findings.explains import declared
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from scenarios.harness import HERE, MANIFESTS, NET, RECORDINGS, Scenario, Seen, check_modules, lines, verdicts
from scenarios.looks import State
from scenarios.parsed import parsed


class Judged(NamedTuple):
    """A recorded cluster, and what all rules say about it; see `Seen`."""

    cluster: Cluster
    verdicts: list[Verdict]
    written: Mapping[str, Sequence[tuple[Ref, str]]]
    carried: frozenset[Ref]


@dataclass
class Judge:
    """Applies all rules to recordings, and caches the results.

    Attributes:
        folder: the folder of the recordings; a recording that is not there is taken from the repository.
        live: whether a real cluster was just recorded, so that every scenario must have a recording.
        moments: the recordings of scenarios that were not shown together with the others.
    """

    folder: Path = RECORDINGS
    live: bool = False
    moments: Mapping[State, Path] = field(default_factory=dict)
    _done: dict[tuple[Path, float, bool], Judged] = field(default_factory=dict, repr=False)

    def __call__(self, scenario: Scenario) -> Seen:
        """Return what a scenario sees."""
        later = scenario.later
        if callable(later):
            later = later(self(replace(scenario, later=0)))
        judged = self.judged(self.path_of(scenario), later, secret_names=scenario.secret_names)
        return Seen(judged.cluster, judged.verdicts, scenario, judged.written, judged.carried)

    def judged(self, recording: Path, later: float = 0, *, secret_names: bool = False) -> Judged:
        """Return what all rules say about a recording whose time is moved forward by `later` seconds."""
        key = (recording, later, secret_names)
        if key not in self._done:
            cluster = Cluster(parsed(recording).after(timedelta(seconds=later)), secret_names=secret_names)
            judged = verdicts(cluster)
            written = {verdict.check: list(lines(cluster, verdict)) for verdict in judged}
            self._done[key] = Judged(cluster, judged, written, carried(judged))
        return self._done[key]

    def recorded(self, scenario: Scenario) -> bool:
        """Return whether a recording has the scenario; after a live run every scenario of the cluster must have one."""
        if scenario.recording == MANIFESTS:
            return self.live or scenario.name in self._namespaces
        return (self.live and not scenario.addon) or self.path(scenario.recording).exists()

    def skip_if_unrecorded(self, scenarios: Sequence[Scenario]) -> None:
        """Skip the test if none of its scenarios has a recording yet, and say how to make it."""
        if scenarios and not any(map(self.recorded, scenarios)):
            first = scenarios[0]
            file = f"{first.state.__module__.replace('.', '/')}.py"
            folder = RECORDINGS.relative_to(HERE.parent)
            addon = f" --addon {first.addon}=COMMAND" if first.addon else ""
            pytest.skip(f"{first.name} has no recording yet: pytest {file} --kind{addon} --record {folder}")

    @cached_property
    def _namespaces(self) -> frozenset[str]:
        """The namespaces in the recording that all scenarios of manifests share."""
        cluster = Cluster(parsed(self.path(MANIFESTS)))
        return frozenset(namespace.metadata.name for namespace in cluster.namespaces)

    def path_of(self, scenario: Scenario) -> Path:
        """Return the recording that shows a scenario."""
        return self.moments.get(scenario.state) or self.path(scenario.recording)

    def path(self, recording: str) -> Path:
        path = self.folder / f"{recording}.recording"
        return path if path.exists() else RECORDINGS / path.name


@cache
def of_repository() -> Judge:
    """Return the judge of the repository's recordings, which all tests of a process share."""
    return Judge()


def carried(judged: Iterable[Verdict]) -> frozenset[Ref]:
    """Return the workloads that are short of replicas because of a finding of another cause."""
    cases = [Case(v.cause, v.variant, finding) for v in judged for finding in v.all_findings]
    causes = explain(cases, declared(check_modules().values())).causes
    return frozenset(case.finding.obj for case in causes if case.cause == NET)
