"""Each right of deploy/ is taken away in turn: the checks that need it are not observed, and none of them passes.

The recording of all manifests refuses the requests that need the right. With --kind a real cluster refuses them, too:
there containers come and go between two runs, so what is compared is which rights are missed, and the checks that the
overlay adds. The probe's rights are tested only there.
"""

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
from kubevitals.source.request import Request
from kubevitals.source.scope import Scope
from scenarios.harness import MANIFESTS, rules, scenarios, verdict, verdicts
from scenarios.judge import Judge
from scenarios.parsed import parsed
from scenarios.rights import DEPLOY, Refusing, Right, granted, named, requested
from scenarios.watched import Watched, WatchedCluster, rights_for

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")

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
UNASKED = "no request of this cluster needs the right: it does not have such a kind"

LIMITS = ("list", "limitranges")
"""A finding only names the LimitRange."""

KUBELET = Overlay("kubelet", granted("components/kubelet/rbac.yaml"), BASE)
PROBED = Overlay("probe", granted("components/probe/rbac.yaml"), BASE)
ADDED = (
    # One of these rights identifies the cluster; the other is for the Corefile and kube-proxy's configuration.
    Overlay("base", BASE, undeciding={("get", "configmaps"), LIMITS}),
    KUBELET,
)
RECORDED = (*ADDED, Overlay("namespace", granted("overlays/namespace/rbac.yaml"), undeciding={LIMITS}))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Take away each right of each overlay; at a real cluster only those that can be taken away."""
    live = "at_a_cluster" in metafunc.fixturenames
    overlays = RECORDED if not live else (*ADDED, PROBED) if metafunc.config.getoption("--kind") else ()
    cases = [
        pytest.param(overlay, right, id=f"{overlay.name}-{'-'.join(right)}")
        for overlay in overlays
        for right in sorted(set(overlay.rights) - set(overlay.others) - (PUBLIC if live else set()))
    ]
    metafunc.parametrize(("overlay", "right"), cases)


class Seen(NamedTuple):
    """The results of a run: a verdict for each check, and its remarks."""

    verdicts: list[Verdict]
    remarks: list[str]

    def misses(self, right: Right) -> bool:
        """Return whether the report names a right as missing."""
        reasons = (str(verdict.unseen) for verdict in self.verdicts)
        return any(named(right) in line for line in (*reasons, *self.remarks))


class RecordedLooks:
    """Looks at the recording of the broken cluster: without a right, only the rules that need it are applied again."""

    def __init__(self, judge: Judge) -> None:
        self._snapshot = parsed(judge.path(MANIFESTS))
        self._broken = _broken_namespaces(judge)
        self._whole: dict[str, Seen] = {}
        self._needed: dict[tuple[str, str], set[Right]] = {}

    def has(self, right: Right) -> bool:
        """Return whether the recording has an answer to a request that needs a right."""
        return right in self._recorded

    @cached_property
    def _recorded(self) -> frozenset[Right]:
        return frozenset(requested(f"GET {urlsplit(path).path}" for path in self._snapshot.paths))

    def whole(self, overlay: Overlay) -> Seen:
        """Return the results with all rights of an overlay, and note which of them each rule needs."""
        if overlay.name not in self._whole:
            source = Watched(self._granting(overlay, overlay.rights))
            judged, remarks = [], []
            for name in rules():
                source.asked = set()
                cluster = WatchedCluster(source, **self._options(overlay))
                judged.append(verdict(cluster, name))
                remarks += cluster.remarks
                requests = (asked for asked in source.asked if isinstance(asked, Request))
                self._needed[overlay.name, judged[-1].check] = {right for one in requests for right in rights_for(one)}
            self._whole[overlay.name] = Seen(judged, remarks)
        return self._whole[overlay.name]

    def without(self, overlay: Overlay, taken: Right) -> Seen:
        """Return the results without a right."""
        source = self._granting(overlay, [right for right in overlay.rights if right != taken])
        cluster = Cluster(source, **self._options(overlay))
        judged = [
            verdict(cluster, (before.cause, before.variant))
            if taken in self._needed[overlay.name, before.check]
            else before
            for before in self.whole(overlay).verdicts
        ]
        return Seen(judged, cluster.remarks)

    def _granting(self, overlay: Overlay, rights: Collection[Right]) -> Refusing:
        return Refusing(self._snapshot, [*rights, *overlay.others])

    def _options(self, overlay: Overlay) -> dict[str, Any]:
        """Return how the cluster is seen; the overlay for namespaces sees those with a fault of each kind."""
        chosen = self._broken if overlay.name == "namespace" else ()
        scope = Scope(chosen, within=self._snapshot.scope, namespaced_only=bool(chosen))
        return {"ask_kubelets": overlay == KUBELET, "scope": scope}


class LiveLooks:
    """Looks at the broken cluster itself, with all rights of an overlay or without one."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._whole: dict[str, Seen] = {}

    def whole(self, overlay: Overlay) -> Seen:
        """Return the results with all rights."""
        if overlay.name not in self._whole:
            self._whole[overlay.name] = self.without(overlay, None)
        return self._whole[overlay.name]

    def without(self, overlay: Overlay, taken: Right | None) -> Seen:
        """Return the results without a right."""
        cluster = self._open(overlay, [right for right in overlay.rights if right != taken])
        wait(cluster.prefetch())
        seen = Seen(verdicts(cluster), cluster.remarks)
        cluster.close()
        return seen

    def _open(self, overlay: Overlay, rights: Collection[Right]) -> Cluster:
        """Return the cluster; the rights of the probe are granted in its namespace only."""
        probe = PROBE if overlay == PROBED else None
        if probe:
            self._live.kubectl(["apply", "-f", str(DEPLOY / "components/probe/rbac.yaml")])
            self._live.kubectl(f"-n {probe.namespace} delete daemonsets,services --all")
            grants = {probe.namespace: rights, "": overlay.others}
        else:
            grants = {"": [*rights, *overlay.others]}
        kubeconfig = str(self._live.account(grants))
        source = Live(kubeconfig=kubeconfig, ask_kubelets_directly=True, kubelet_insecure_tls=True)
        return Cluster(source, ask_kubelets=overlay == KUBELET, probe=probe)


@pytest.fixture(scope="module")
def recorded(judged: Judge) -> RecordedLooks:
    return RecordedLooks(judged)


@pytest.fixture(scope="module")
def at_a_cluster(live: Any) -> LiveLooks:
    return LiveLooks(live)


def test_without_a_right_what_it_lets_be_seen_is_not_observed(
    recorded: RecordedLooks, overlay: Overlay, right: Right
) -> None:
    """On a cluster with all faults, what is no longer found is not observed, and the report names the missing right.

    A check that was not observed before may name another reason.
    """
    if not recorded.has(right):
        pytest.skip(UNASKED)
    whole, without = recorded.whole(overlay), recorded.without(overlay, right)
    affected = list(_affected(whole, without))
    assert not [_told(*changed) for changed in affected if not _is_unseen(changed[1])]
    assert not [_told(*changed) for changed in affected if not _names(right, *changed)]
    assert not _found_objects(without) - _found_objects(whole)
    assert without.misses(right) == (right not in overlay.undeciding)


def test_a_real_cluster_refuses_what_needs_a_right(
    at_a_cluster: LiveLooks, recorded: RecordedLooks, overlay: Overlay, right: Right
) -> None:
    """Without a right, the report names it and no other, and what the overlay adds to the base is not observed.

    On a busy cluster a probe may have other reasons, too.
    """
    if overlay == ADDED[0] and not recorded.has(right):
        pytest.skip(UNASKED)
    base, whole = at_a_cluster.whole(ADDED[0]), at_a_cluster.whole(overlay)
    without = at_a_cluster.without(overlay, right)
    added = {after.check for before, after in zip(base.verdicts, whole.verdicts, strict=True) if _gained(before, after)}
    affected = [changed for changed in _affected(whole, without) if changed[0].check in added]
    assert not [_told(*changed) for changed in affected if not _is_unseen(changed[1])]
    assert all(named(right) in missed for missed in _missed(without) - _missed(whole))
    assert without.misses(right) == (right not in overlay.undeciding)


def _is_unseen(after: Verdict) -> bool:
    """Return whether a check says that it could not see everything, although it may have found faults."""
    return after.unseen is not None and after.outcome in (Outcome.NOT_OBSERVED, Outcome.BROKEN)


def _names(right: Right, before: Verdict, after: Verdict) -> bool:
    """Return whether a check that could see everything names a right as the reason why it cannot now."""
    return before.unseen is not None or named(right) in str(after.unseen)


def _told(before: Verdict, after: Verdict) -> str:
    lost = ", ".join(sorted(map(str, _objects(before) - _objects(after))))
    return f"{after.check} is {after.outcome}: {after.unseen}; it does not find {lost or 'less'}"


def _affected(whole: Seen, without: Seen) -> Iterator[tuple[Verdict, Verdict]]:
    """Yield the verdicts that find less or name another missing right than before."""
    for before, after in zip(whole.verdicts, without.verdicts, strict=True):
        if _objects(before) - _objects(after) or _right_missed(before) != _right_missed(after):
            yield before, after


def _gained(before: Verdict, after: Verdict) -> bool:
    return before.unseen is not None and after.unseen is None


def _right_missed(verdict: Verdict) -> str | None:
    """Return the right that a verdict misses: empty if it is not observed for another reason."""
    return verdict.unseen.right if verdict.unseen else None


def _missed(seen: Seen) -> set[str]:
    return set(filter(None, map(_right_missed, seen.verdicts)))


def _found_objects(seen: Seen) -> set[Ref]:
    return {obj for verdict in seen.verdicts for obj in _objects(verdict)}


def _objects(verdict: Verdict) -> set[Ref]:
    return {finding.obj for finding in verdict.findings}
