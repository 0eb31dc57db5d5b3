"""Each right of deploy/ is taken away in turn: the checks that need it are not observed, and none of them passes.

Without --kind, the recording of all manifests refuses the requests that need the right. The probe's rights are tested
only on a real cluster.
"""

import warnings
from collections.abc import Collection, Iterator
from concurrent.futures import wait
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref
from kubevitals.probe.plan import Options
from kubevitals.source.live import Live
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Source
from kubevitals.source.scope import Scope
from scenarios.harness import MANIFESTS, RECORDINGS, Judge, scenarios, verdicts
from scenarios.rights import DEPLOY, Refusing, Right, granted, named, requested

pytestmark = [
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
    pytest.mark.filterwarnings("default:repeated, because"),
]

PUBLIC = {("get", "/readyz"), ("get", "/version")}
"""Rights that every account has by Kubernetes' own role system:public-info-viewer."""

PROBE = Options(timeout=180)
"""The cluster with all manifests is busy, and a probe that times out there would observe less."""


class Overlay(NamedTuple):
    """A way to deploy the checks.

    Attributes:
        rights: the rights that it grants; they are taken away one by one.
        others: the rights that it builds on.
        undeciding: those of its rights without which a run on this cluster observes no less.
    """

    name: str
    rights: Collection[Right]
    others: Collection[Right] = ()
    undeciding: Collection[Right] = ()


def _broken_namespaces(judge: Judge) -> frozenset[str]:
    """Return recorded namespaces with every variant that manifests lead to at once, and every kind of object."""
    first: dict[str, str] = {}
    for scenario in scenarios():
        if (
            scenario.recording == MANIFESTS
            and scenario.finds
            and not scenario.later
            and not scenario.secret_names
            and judge.recorded(scenario)
        ):
            for what in (min(scenario.finds).partition(" ")[0], *(obj["kind"] for obj in scenario.objects)):
                first.setdefault(what, scenario.name)
    return frozenset(first.values())


BASE = granted("base/rbac.yaml")
GONE = "the kubelet no longer has the log"

LIMITS = ("list", "limitranges")
"""A finding only names the LimitRange."""

OVERLAYS = (
    # One of these rights identifies the cluster; the other is for the Corefile and kube-proxy's configuration.
    Overlay("base", BASE, undeciding={("get", "configmaps"), LIMITS}),
    Overlay("kubelet", granted("components/kubelet/rbac.yaml"), BASE),
    Overlay("namespace", granted("overlays/namespace/rbac.yaml"), undeciding={LIMITS}),
    Overlay("probe", granted("components/probe/rbac.yaml"), BASE),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take away each right of an overlay; on a real cluster only those that can be taken away."""
    kind = metafunc.config.getoption("--kind")
    cases = [
        pytest.param(overlay, right, id=f"{overlay.name}-{'-'.join(right)}")
        for overlay in OVERLAYS
        for right in sorted(set(overlay.rights) - set(overlay.others))
        if (right not in PUBLIC if kind else overlay.name != "probe")
    ]
    metafunc.parametrize(("overlay", "right"), cases)


class Seen(NamedTuple):
    """The results of a run: a verdict for each check, and its remarks."""

    verdicts: list[Verdict]
    remarks: list[str]


class Looks:
    """Runs the checks on the broken cluster, or on its recording, with all rights of an overlay or without one."""

    def __init__(self, live: Any, judge: Judge) -> None:
        self._live = live
        self._places = {"namespace": _broken_namespaces(judge), "probe": frozenset([PROBE.namespace])}
        """The namespaces in which an overlay grants its rights, unless it grants them in the whole cluster."""
        self.at_a_cluster = live is not None
        self._whole: dict[str, Seen] = {}

    def has_recorded(self, right: Right) -> bool:
        """Return whether the recording has an answer to a request that needs a right, or there is a real cluster."""
        return self.at_a_cluster or right in self._recorded

    @cached_property
    def _recorded(self) -> frozenset[Right]:
        paths = Snapshot(RECORDINGS / f"{MANIFESTS}.recording").paths
        return frozenset(requested(f"GET {urlsplit(path).path}" for path in paths))

    def whole(self, overlay: Overlay, *, again: bool = False) -> Seen:
        """Return the results with all rights, from an earlier run unless `again` is set."""
        if again or overlay.name not in self._whole:
            self._whole[overlay.name] = self.without(overlay, None)
        return self._whole[overlay.name]

    def without(self, overlay: Overlay, taken: Right | None) -> Seen:
        """Return the results without a right."""
        left = [right for right in overlay.rights if right != taken]
        recorded = None if self._live else Snapshot(RECORDINGS / f"{MANIFESTS}.recording")
        source = Refusing(recorded, [*left, *overlay.others]) if recorded else self._open(overlay, left)
        chosen = self._places[overlay.name] if overlay.name == "namespace" else ()
        cluster = Cluster(
            source,
            ask_kubelets=overlay.name == "kubelet",
            probe=PROBE if overlay.name == "probe" else None,
            scope=Scope(chosen, within=recorded.scope if recorded else None, namespaced_only=bool(chosen)),
        )
        wait(cluster.prefetch())
        seen = Seen(verdicts(cluster), cluster.remarks)
        cluster.close()
        return seen

    def _open(self, overlay: Overlay, rights: Collection[Right]) -> Source:
        """Return the cluster as seen by an account that has these rights, and those that the overlay builds on."""
        if overlay.name == "probe":
            self._live.kubectl(["apply", "-f", str(DEPLOY / "components/probe/rbac.yaml")])
            self._live.kubectl(f"-n {PROBE.namespace} delete daemonsets,services --all")
        grants = dict.fromkeys(self._places.get(overlay.name, [""]), rights)
        if overlay.others:
            grants[""] = [*grants.get("", ()), *overlay.others]
        return Live(kubeconfig=str(self._live.account(grants)), ask_kubelets_directly=True, kubelet_insecure_tls=True)


@pytest.fixture(scope="module")
def looks(live: Any, judged: Judge) -> Looks:
    return Looks(live, judged)


def test_without_a_right_what_it_lets_be_seen_is_not_observed(looks: Looks, overlay: Overlay, right: Right) -> None:
    """On a cluster with all faults, what is no longer found is not observed, and the report names the missing right.

    A check that was not observed before may name another reason. A real cluster changes between two runs: a container
    crashes or runs again, so a difference counts only if a second pair of runs has it too. The log of a container that
    restarts is missing for a moment, which no right changes.
    """
    if not looks.has_recorded(right):
        pytest.skip(f"the recording is older than the request for {named(right)}")
    whole, without = looks.whole(overlay), looks.without(overlay, right)
    wrong = _misjudged(whole, without, right)
    if wrong and looks.at_a_cluster:
        warnings.warn(f"repeated, because of: {'; '.join(sorted(wrong))}", stacklevel=1)
        whole, without = looks.whole(overlay, again=True), looks.without(overlay, right)
        wrong &= _misjudged(whole, without, right)
    assert not wrong
    reasons = [*(str(after.unseen) for _, after in _affected(whole, without)), *without.remarks]
    assert any(named(right) in line for line in reasons) == (right not in overlay.undeciding)


def _misjudged(whole: Seen, without: Seen, right: Right) -> set[str]:
    """Describe checks that pass or find faults wrongly without a right, or name another reason."""
    wrong = set()
    for before, after in _affected(whole, without):
        if after.unseen is None or after.outcome not in (Outcome.NOT_OBSERVED, Outcome.BROKEN):
            lost = sorted(map(str, _objects(before) - _objects(after)))
            wrong.add(f"{after.check} is {after.outcome}, without {', '.join(lost) or 'the missing right'}")
        elif not before.unseen and not any(words in str(after.unseen) for words in (named(right), GONE)):
            wrong.add(f"{after.check} is not observed: {after.unseen}")
    return wrong | {
        f"{obj} has a finding only without the right" for obj in _found_objects(without) - _found_objects(whole)
    }


def _found_objects(seen: Seen) -> set[Ref]:
    return {obj for verdict in seen.verdicts for obj in _objects(verdict)}


def _affected(whole: Seen, without: Seen) -> Iterator[tuple[Verdict, Verdict]]:
    """Yield the verdicts that find less or name another missing right than before."""
    for before, after in zip(whole.verdicts, without.verdicts, strict=True):
        if _objects(before) - _objects(after) or _unseen(before) != _unseen(after):
            yield before, after


def _unseen(verdict: Verdict) -> str | None:
    """Return the right that a verdict misses: empty if it is not observed for another reason."""
    return verdict.unseen.right if verdict.unseen else None


def _objects(verdict: Verdict) -> set[Ref]:
    return {finding.obj for finding in verdict.findings}
