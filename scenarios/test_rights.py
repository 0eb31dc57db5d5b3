"""The rights of deploy/, each taken away in turn: what it lets be seen is not observed then, and nothing passes for it.

Without --kind the recording of all manifests refuses what the right is for; the probe's rights take a real cluster.
"""

import warnings
from collections.abc import Collection, Iterator
from concurrent.futures import wait
from typing import Any, NamedTuple

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
from scenarios.rights import DEPLOY, Refusing, Right, granted, named

pytestmark = [
    pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning"),
    pytest.mark.filterwarnings("default:looked again"),
]

EVERYBODYS = {("get", "/readyz"), ("get", "/version")}
"""What Kubernetes' own role system:public-info-viewer lets everybody get, with ours or without."""

PROBE = Options(timeout=180)
"""The cluster that manifests break keeps its machine busy: what a probe cannot see then is not what is asked here."""


class Overlay(NamedTuple):
    """A way to deploy the checks.

    Attributes:
        own: the rights that it adds to others; they are taken away one by one, unless those have them everywhere.
        undeciding: those of its rights without which a look at this cluster observes no less.
    """

    name: str
    own: Collection[Right]
    others: Collection[Right] = ()
    undeciding: Collection[Right] = ()


def _broken_namespaces(judge: Judge) -> frozenset[str]:
    """Return a recorded namespace for each variant that manifests lead to, and for each kind of object they have."""
    first: dict[str, str] = {}
    for scenario in scenarios():
        if (
            scenario.recording == MANIFESTS
            and scenario.finds
            and not scenario.secret_names
            and judge.recorded(scenario)
        ):
            for what in (min(scenario.finds).partition(" ")[0], *(obj["kind"] for obj in scenario.objects)):
                first.setdefault(what, scenario.name)
    return frozenset(first.values())


BASE = granted("base/rbac.yaml")
OVERLAYS = (
    # They tell which cluster it is.
    Overlay("base", BASE, undeciding={("get", "/version"), ("list", "namespaces")}),
    Overlay("kubelet", granted("components/kubelet/rbac.yaml"), BASE),
    # Endpoints are read of DNS, which is elsewhere.
    Overlay(
        "namespace",
        granted("overlays/namespace/rbac.yaml"),
        undeciding={("list", "endpointslices.discovery.k8s.io")},
    ),
    Overlay("probe", granted("components/probe/rbac.yaml"), BASE),
)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take away each right that a run could do without; on a real cluster none that everybody has."""
    kind = metafunc.config.getoption("--kind")
    cases = [
        pytest.param(overlay, right, id=f"{overlay.name}-{'-'.join(right)}")
        for overlay in OVERLAYS
        for right in sorted(set(overlay.own) - set(overlay.others))
        if (right not in EVERYBODYS if kind else overlay.name != "probe")
    ]
    metafunc.parametrize(("overlay", "right"), cases)


class Seen(NamedTuple):
    """What a run told: a verdict for each check, and what it remarks."""

    verdicts: list[Verdict]
    remarks: list[str]


class Looks:
    """Looks at the broken cluster, or at its recording, with all of an overlay's rights or without one."""

    def __init__(self, live: Any, judge: Judge) -> None:
        self._live = live
        self._places = {"namespace": _broken_namespaces(judge), "probe": frozenset([PROBE.namespace])}
        """The namespaces that an overlay grants its rights in, if it does not grant them in the whole cluster."""
        self.at_a_cluster = live is not None
        self._whole: dict[str, Seen] = {}

    def whole(self, overlay: Overlay, *, anew: bool = False) -> Seen:
        """Return what is seen with all rights, looked at once unless it is to be anew."""
        if anew or overlay.name not in self._whole:
            self._whole[overlay.name] = self.without(overlay, None)
        return self._whole[overlay.name]

    def without(self, overlay: Overlay, taken: Right | None) -> Seen:
        """Return what is seen without a right."""
        own = [right for right in overlay.own if right != taken]
        recorded = None if self._live else Snapshot(RECORDINGS / f"{MANIFESTS}.recording")
        source = Refusing(recorded, [*own, *overlay.others]) if recorded else self._open(overlay, own)
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

    def _open(self, overlay: Overlay, own: Collection[Right]) -> Source:
        """Return the cluster as an account sees it that has these rights of the overlay's own."""
        if overlay.name == "probe":
            self._live.kubectl(["apply", "-f", str(DEPLOY / "components/probe/rbac.yaml")])
            self._live.kubectl(f"-n {PROBE.namespace} delete daemonsets,services --all")
        grants = dict.fromkeys(self._places.get(overlay.name, [""]), own)
        if overlay.others:
            grants[""] = [*grants.get("", ()), *overlay.others]
        return Live(kubeconfig=str(self._live.account(grants)), ask_kubelets_directly=True, kubelet_insecure_tls=True)


@pytest.fixture(scope="module")
def looks(live: Any, judged: Judge) -> Looks:
    return Looks(live, judged)


def test_without_a_right_what_it_lets_be_seen_is_not_observed(looks: Looks, overlay: Overlay, right: Right) -> None:
    """On a cluster with faults of every kind, whatever is no longer found is not observed, with the missing right.

    A check that lacked something before names that. A real cluster changes between two looks: a container crashes twice
    and runs again, the log of one that restarts is gone for a moment. What comes of that is not so in a second pair.
    """
    whole, without = looks.whole(overlay), looks.without(overlay, right)
    wrong = _misjudged(whole, without, right)
    if wrong and looks.at_a_cluster:
        warnings.warn(f"looked again, since {'; '.join(sorted(wrong))}", stacklevel=1)
        whole, without = looks.whole(overlay, anew=True), looks.without(overlay, right)
        wrong &= _misjudged(whole, without, right)
    assert not wrong
    told = [*(str(after.unseen) for _, after in _affected(whole, without)), *without.remarks]
    assert any(named(right) in line for line in told) == (right not in overlay.undeciding)


def _misjudged(whole: Seen, without: Seen, right: Right) -> set[str]:
    """Return what passes or blames wrongly without a right, and what is not observed for another reason."""
    wrong = set()
    for before, after in _affected(whole, without):
        if after.unseen is None or after.outcome not in (Outcome.NOT_OBSERVED, Outcome.BROKEN):
            lost = sorted(map(str, _objects(before) - _objects(after)))
            wrong.add(f"{after.check} is {after.outcome}, without {', '.join(lost) or 'what it lacked'}")
        elif not before.unseen and named(right) not in str(after.unseen):
            wrong.add(f"{after.check} is not observed: {after.unseen}")
    return wrong | {f"{obj} is blamed" for obj in _blamed(without) - _blamed(whole)}


def _blamed(seen: Seen) -> set[Ref]:
    return {obj for verdict in seen.verdicts for obj in _objects(verdict)}


def _affected(whole: Seen, without: Seen) -> Iterator[tuple[Verdict, Verdict]]:
    """Yield the verdicts that find less, or are not observed though they were, or lack another right."""
    for before, after in zip(whole.verdicts, without.verdicts, strict=True):
        if _objects(before) - _objects(after) or _unseen(before) != _unseen(after):
            yield before, after


def _unseen(verdict: Verdict) -> str | None:
    """Return the right that a verdict lacks; nothing where it lacks none, but observed less than all."""
    return verdict.unseen.right if verdict.unseen else None


def _objects(verdict: Verdict) -> set[Ref]:
    return {finding.obj for finding in verdict.findings}
