"""What a scenario is, and what it sees of a recording."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kubevitals.diagnosis.known_issues import KnownIssues
from kubevitals.diagnosis.verdict import Outcome, Verdict, judge
from kubevitals.findings.declaration import Rule, variant_name
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.plugin.collected import cause_of
from scenarios.faults import untouched
from scenarios.objects import Object

if TYPE_CHECKING:
    from scenarios.judge import Judge

HERE = Path(__file__).parent
RECORDINGS = HERE / "recordings"
CHECKS = HERE.parent / "checks"
MANIFESTS = "manifests"
NET = "workload-unavailable"
"""The cause that finds whatever keeps a workload from its replicas, also where another cause says why."""

Fault = Callable[[Any], AbstractContextManager[None]]
"""Breaks a cluster when it is entered, and repairs it when it is left."""


@dataclass(frozen=True)
class Scenario:
    """A fault, or a look-alike, with the exact findings it leads to.

    Attributes:
        name: the test's name, and the namespace of its objects.
        recording: the name of the recording that it is compared with.
        finds: ``cause[variant] Kind/name``, followed by `` (warning)`` if it is a warning.
        state: asserts that the cluster is in the state that the scenario is about.
        objects: the objects that are applied, in a separate namespace; after the fault, if there is one.
        then: kubectl commands that follow, for states that no manifest leads to; each is repeated until it succeeds.
        fault: breaks the cluster itself; such a scenario has its own recording.
        later: seconds by which the time of the recording is moved forward, or a function that computes them.
        secret_names: whether the names of Secrets are listed.
        on_demand: whether only a run with --record makes the fault, because it takes long.
        probe: whether the recorded run uses --probe.
        direct: whether the recorded run queries kubelets directly.
        addon: what the cluster has besides kind's own parts: ``calico``; such a scenario has its own recording.
    """

    name: str
    recording: str
    finds: frozenset[str]
    state: Callable[["Seen"], None]
    objects: Sequence[Object] = ()
    then: Sequence[str] = ()
    fault: Fault | None = None
    later: "float | Callable[[Seen], float]" = 0
    secret_names: bool = False
    on_demand: bool = False
    probe: bool = False
    direct: bool = False
    addon: str = ""


def scenario(
    *objects: Object,
    finds: Sequence[str] = (),
    then: Sequence[str] = (),
    fault: Fault | None = None,
    on: Any = None,
    later: "float | Callable[[Seen], float]" = 0,
    secret_names: bool = False,
    on_demand: bool = False,
    probe: bool = False,
    direct: bool = False,
    addon: str = "",
) -> Callable[[Callable[["Seen"], None]], Callable[..., None]]:
    """Turn a function that asserts the state in its docstring into a test.

    `on` is another scenario: its objects and its recording are used, with other arguments. With an `addon`, a scenario
    needs no `fault` to have its own recording.
    """

    def decorate(state: Callable[["Seen"], None]) -> Callable[..., None]:
        name = state.__name__.removeprefix("test_").replace("_", "-")
        base: Scenario | None = on.scenario if on else None
        scenario = Scenario(
            base.name if base else name,
            base.recording if base else (name if fault or addon else MANIFESTS),
            frozenset(finds),
            state,
            objects,
            then,
            fault or (untouched if addon and not base else None),
            later,
            secret_names,
            on_demand,
            probe,
            direct,
            base.addon if base else addon,
        )
        return _test_of(scenario)

    return decorate


def _test_of(scenario: Scenario) -> Callable[..., None]:
    def test(judged: "Judge") -> None:
        judged.skip_if_unrecorded([scenario])
        seen = judged(scenario)
        scenario.state(seen)
        more, less = sorted(seen.findings - scenario.finds), sorted(scenario.finds - seen.findings)
        assert not more + less, f"found, but not in finds: {more}; in finds, but not found: {less}"

    state = scenario.state
    test.scenario = scenario  # type: ignore[attr-defined]
    test.__doc__, test.__name__, test.__module__ = state.__doc__, state.__name__, state.__module__
    return test


@cache
def scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios in this folder."""
    modules = [import_module(f"scenarios.{path.stem}") for path in sorted(HERE.glob("test_*.py"))]
    tests = [(module, value) for module in modules for value in vars(module).values() if hasattr(value, "scenario")]
    return tuple(test.scenario for module, test in tests if getattr(test, "__module__", "") == module.__name__)


@cache
def check_modules() -> dict[str, ModuleType]:
    """Return the module of every check, by its name."""
    return {path.stem: import_module(f"checks.{path.stem}") for path in sorted(CHECKS.glob("test_*.py"))}


@cache
def rules() -> dict[tuple[str, str], tuple[Callable[..., Any], Rule]]:
    """Return the test function and the rule of every check's variant, by cause and variant."""
    named = {}
    for file, module in check_modules().items():
        cause = cause_of(Path(file))
        for name, function in vars(module).items():
            if name.startswith("test_"):
                marks = {mark.name: mark for mark in function.pytestmark}
                for rule in marks["parametrize"].args[1]:
                    named[cause, variant_name(rule)] = (function, rule)
    return named


@dataclass
class Seen:
    """A recording as one scenario sees it: the cluster, and those findings that belong to the scenario.

    Attributes:
        written: the findings of each check as scenarios write them, with their objects.
        carried: the workloads that are short of replicas because of another finding; scenarios need not state that.
    """

    cluster: Cluster
    verdicts: list[Verdict]
    scenario: Scenario
    written: Mapping[str, Sequence[tuple[Ref, str]]]
    carried: frozenset[Ref] = frozenset()

    def get(self, name: str) -> Any:
        """Return the scenario's object by ``Kind/name``."""
        kind, _, object_name = name.partition("/")
        listing = next(listing for listing in Cluster.listings() if listing.schema.__name__ == kind)
        objects: tuple[Any, ...] = self.cluster.fetcher.list(listing)
        for obj in objects:
            if ref(obj) in (Ref(kind, self.scenario.name, object_name), Ref(kind, "", object_name)):
                return obj
        raise LookupError(f"the recording has no {name} of {self.scenario.name}")

    def node(self, role: str) -> Any:
        """Return a node by its name without the cluster's name: ``worker2``."""
        return next(node for node in self.cluster.nodes if short(self.cluster, ref(node)) == f"Node/{role}")

    def without(self, name: tuple[str, str]) -> "Seen":
        """Return what would be seen if the rule of a variant were disabled: rules do not depend on each other."""
        (disabled,) = [v for v in self.verdicts if (v.cause, v.variant) == name]
        if not any(line in self.findings for _, line in self.written[disabled.check]):
            return self
        return replace(self, verdicts=[v for v in self.verdicts if v is not disabled])

    @cached_property
    def findings(self) -> frozenset[str]:
        """The findings on the scenario's objects, and those on cluster-scoped objects that it expects."""
        seen = set(self.lines)
        if self.scenario.recording != MANIFESTS:
            return frozenset(line for _, line in seen)
        return frozenset(
            line
            for obj, line in seen
            if obj.namespace == self.scenario.name or (not obj.namespace and line in self.scenario.finds)
        )

    @property
    def lines(self) -> Iterator[tuple[Ref, str]]:
        """The object of each finding in the recording, and the finding as scenarios write it."""
        for verdict in self.verdicts:
            for obj, line in self.written[verdict.check]:
                if verdict.cause != NET or obj not in self.carried or line in self.scenario.finds:
                    yield obj, line

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """The outcome of every item that is not healthy."""
        return {v.check: v.outcome for v in self.verdicts if v.outcome is not Outcome.HEALTHY}

    @property
    def unseen(self) -> dict[str, str]:
        """Why checks are not observed, although the run asked for what they need."""
        return {v.check: str(v.unseen) for v in self.verdicts if v.unseen and not v.unasked}

    def says(self, part: str) -> bool:
        """Return whether the text of a finding on the scenario's objects contains `part`."""
        return any(
            part in "\n".join([finding.says, finding.remedy, finding.look, *finding.evidence])
            for verdict in self.verdicts
            for finding in verdict.findings
            if self.scenario.recording != MANIFESTS or finding.obj.namespace in (self.scenario.name, "")
        )


def lines(cluster: Cluster, verdict: Verdict) -> Iterator[tuple[Ref, str]]:
    """Yield the object of each finding, and the finding as scenarios write it."""
    for finding in verdict.findings:
        note = " (warning)" if finding.severity is Severity.WARNING else ""
        yield finding.obj, f"{verdict.check} {short(cluster, finding.obj, finding)}{note}"


def short(cluster: Cluster, obj: Ref, finding: Finding | None = None) -> str:
    """Return ``Kind/name`` without the parts that differ between runs: the cluster's name and generated suffixes."""
    name = obj.name.removeprefix(cluster.context.removesuffix(" (recording)").removeprefix("kind-") + "-")
    if finding and finding.owner and obj.kind == "Pod" and name.startswith(f"{finding.owner.name}-"):
        name = f"{finding.owner.name}-*"
    return f"{obj.kind}/{name}"


def verdicts(cluster: Cluster) -> list[Verdict]:
    """Apply all rules to a cluster."""
    return [verdict(cluster, name) for name in rules()]


def verdict(cluster: Cluster, name: tuple[str, str]) -> Verdict:
    """Apply the rule of a variant to a cluster."""
    function, rule = rules()[name]
    return judge(*name, lambda: function(cluster, rule), KnownIssues([], datetime.now(UTC).date()))
