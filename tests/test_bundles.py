"""Dumps of a recorded cluster in the formats of all known tools: the findings are those of the recording."""

import re
from collections.abc import Iterable
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from kubevitals.diagnosis.verdict import Verdict
from kubevitals.errors import NotObserved, Unusable
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.bundle.bundle import Bundle
from kubevitals.source.bundle.clock import EVENTS, HEARTBEATS
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.scope import Scope
from scenarios.harness import rules, verdicts
from tests.bundle_layouts import LAYOUTS, cluster_info_stream, cluster_info_yaml
from tests.bundle_tables import PAGE, SMALL, of_lists, replaced
from tests.bundles import Layout, Recorded, bundle, cluster_in, write
from tests.runs import Run

pytest_plugins = ["pytester"]


ALL_LAYOUTS = {**LAYOUTS, "stream": cluster_info_stream, "dump in YAML": cluster_info_yaml}


@cache
def recorded() -> Recorded:
    return Recorded(SMALL)


@cache
def judged() -> dict[str, Verdict]:
    return {verdict.check: verdict for verdict in verdicts(Cluster(recorded().snapshot))}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A folder in each format."""
    return {name: write(layout(recorded()), tmp_path_factory.mktemp("bundle")) for name, layout in ALL_LAYOUTS.items()}


@pytest.fixture(scope="module")
def bundles(folders: dict[str, Path]) -> dict[str, Bundle]:
    """The bundle in each of these folders, judged at the time of the recording."""
    return {name: bundle(folder, now=recorded().snapshot.now) for name, folder in folders.items()}


def found(verdict: Verdict) -> set[tuple[str, str]]:
    return {(str(finding.obj), finding.part) for finding in verdict.findings}


@pytest.mark.parametrize("name", ALL_LAYOUTS)
def test_the_findings_are_those_of_the_recording(name: str, bundles: dict[str, Bundle]) -> None:
    cluster = cluster_in(bundles[name])
    found_here = {verdict.check: verdict for verdict in verdicts(cluster)}
    cluster.close()
    assert sum(map(len, map(found, found_here.values()))) >= 3
    for check, verdict in found_here.items():
        assert found(verdict) <= found(judged()[check])
        assert verdict.unseen or found(verdict) == found(judged()[check])


@pytest.mark.parametrize("name", [*LAYOUTS, "dump in YAML"])
def test_all_namespaces_are_known_to_be_there_only_where_the_layout_says_so(
    name: str, bundles: dict[str, Bundle]
) -> None:
    extent = bundles[name].extent
    assert extent.namespaces == set(recorded().namespaces)
    assert extent.is_all is (name != "kubectl get")
    assert extent.incomplete == (extent.namespaces if name == "kubectl get" else set())


@pytest.mark.parametrize("name", ["kubectl cluster-info dump", "must-gather", "Sonobuoy"])
def test_a_part_of_a_cluster_shows_nothing_that_the_whole_does_not(name: str, tmp_path: Path) -> None:
    part = copy(recorded())
    part.namespaces = ["default", "kube-system"]
    opened = bundle(write(LAYOUTS[name](part), tmp_path), now=part.snapshot.now)
    assert opened.scope((), (), namespaced_only=False).chosen == ("default", "kube-system")
    seen = verdicts(cluster_in(opened))
    assert [verdict.check for verdict in seen if not found(verdict) <= found(judged()[verdict.check])] == []
    assert any(map(found, seen))


def test_answers_of_kubelets_are_read_where_a_tool_keeps_them(bundles: dict[str, Bundle]) -> None:
    assert recorded().kubelets
    both = {"storage-full[node-disk]", "cluster-dns[kubelet-mismatch]"}
    unseen = {v.check for v in verdicts(cluster_in(bundles["deploy/collect"])) if v.unseen}
    assert unseen & both == {check for check in both if judged()[check].unseen}


def test_a_run_on_a_bundle_says_its_time_and_records_it(folders: dict[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "incident.recording"
    opened = bundle(folders["deploy/collect"])
    assert opened.now == recorded().snapshot.now.replace(microsecond=0)
    assert opened.remarks == ["the time is that in its file kubevitals-bundle"]
    recording = Recording(opened, path, opened.scope(("kube-system",), (), namespaced_only=False))
    cluster = Cluster(recording, scope=opened.scope(("kube-system",), (), namespaced_only=False))
    before = verdicts(cluster)
    cluster.close()
    snapshot = Snapshot(path)
    again = verdicts(Cluster(snapshot, scope=Scope(within=snapshot.scope)))
    assert [(v.check, found(v), bool(v.unseen)) for v in again] == [(v.check, found(v), bool(v.unseen)) for v in before]
    assert not [v for v in again if v.check == "api-server[unreachable]" and v.findings]


def test_the_time_is_that_of_heartbeats_and_of_events_soon_after_them(folders: dict[str, Path]) -> None:
    opened = bundle(folders["kubectl cluster-info dump"])
    assert opened.remarks[0] == f"the time is {EVENTS}, after {HEARTBEATS}"
    assert 0 <= (recorded().snapshot.now - opened.now).total_seconds() < 60


def test_only_the_chosen_namespaces_of_a_bundle_are_checked(bundles: dict[str, Bundle]) -> None:
    opened = bundles["kubectl get"]
    assert opened.scope(("kube-*",), ("kube-public",), namespaced_only=False).chosen == (
        "kube-node-lease",
        "kube-system",
    )
    with pytest.raises(Unusable, match=r"--namespace kube-systm: .*\(did you mean \"kube-system\"\?\)"):
        opened.scope(("kube-systm",), (), namespaced_only=False)


def without(files: Layout, *ends: str) -> Layout:
    return {path: text for path, text in files.items() if not path.endswith(ends)}


def test_a_list_that_is_not_there_is_not_observed_by_name(tmp_path: Path) -> None:
    files = without(LAYOUTS["deploy/collect"](recorded()), "endpointslices.json", "version.json")
    cluster = cluster_in(bundle(write(files, tmp_path)))
    for look, reason in {
        "endpoint_slices": "the bundle has no endpointslices",
        "server_version": "the bundle has no answer to /version",
        "secrets": "the bundle has no secrets",
    }.items():
        with pytest.raises(NotObserved, match=reason):
            getattr(cluster, look)


def test_a_namespace_is_incomplete_if_a_list_is_missing_there(tmp_path: Path) -> None:
    files = without(LAYOUTS["must-gather"](recorded()), "kube-system/core/services.yaml")
    opened = bundle(write(files, tmp_path))
    assert opened.extent.incomplete == {"kube-system"}
    assert not cluster_in(opened).is_complete("kube-system")
    assert cluster_in(opened).is_complete("default")


def objects(cluster: Cluster) -> Iterable[Any]:
    return (obj for listing in (cluster.pods, cluster.nodes, cluster.services, cluster.daemon_sets) for obj in listing)


def test_what_is_read_equals_what_the_api_server_sent(bundles: dict[str, Bundle]) -> None:
    original = {str(obj) for obj in objects(Cluster(recorded().snapshot))}
    for name in ("deploy/collect", "must-gather", "kubectl cluster-info dump"):
        assert {str(obj) for obj in objects(cluster_in(bundles[name]))} == original


def test_logs_are_found_in_each_layout(bundles: dict[str, Bundle]) -> None:
    for name in ("deploy/collect", "must-gather", "Troubleshoot", "Rancher"):
        opened = bundles[name]
        for key, text in recorded().logs.items():
            assert log(opened, *key) == text
    for name in ("stream", "kubectl cluster-info dump", "Sonobuoy", "sos"):
        opened = bundles[name]
        for place, text in recorded().current_logs.items():
            assert log(opened, *place, previous=False) == text


def test_the_page_has_the_lists_of_each_format_and_no_check_that_is_gone() -> None:
    page = PAGE.read_text()
    assert replaced(page, "lists", of_lists()) == page, "run tools/bundles"
    named = set(re.findall(r"`([a-z-]+\[[a-z-]+\])`", page.partition("<!-- checks -->")[2]))
    assert named <= {f"{cause}[{variant}]" for cause, variant in rules()}, "run tools/bundles"


def test_a_run_says_what_it_reads(run: Run, folders: dict[str, Path]) -> None:
    result = run(f"--snapshot={folders['kubectl cluster-info dump']}", "--record=kept", "-k", "startup_error")
    result.stdout.fnmatch_lines([f"*the time is {EVENTS}, after {HEARTBEATS}*"])
    assert "(bundle)" in result.stdout.str()
    assert Snapshot(Path("kept")).header.context.endswith("(bundle)")


def log(opened: Bundle, namespace: str, pod: str, container: str, previous: bool) -> str:
    tail = opened.read.logs.tail(namespace, pod, container, 20, 4096, previous=previous)
    return (tail or b"").decode()
