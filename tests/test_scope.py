"""Namespaces that are chosen or left out: what is asked for, what is seen of it, and what cannot be judged then."""

import json
from collections.abc import Sequence
from concurrent.futures import wait
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from checks.test_ip_allocation import headroom
from checks.test_kube_proxy import not_running
from checks.test_memory_limit import node_oom
from checks.test_volume_claim import driver_down
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, Unusable
from kubevitals.findings.declaration import Rule
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer
from kubevitals.source.scope import LISTED, Scope
from tests.fakes import FakeSource, list_bytes, status_json

NAMES = ("default", "kube-system", "shop", "shop-test")


def pod(namespace: str) -> pb.Pod:
    return pb.Pod(metadata=pb.ObjectMeta(name="web-0", namespace=namespace))


def event(namespace: str, kind: str = "Pod") -> pb.Event:
    about = pb.ObjectReference(kind=kind, namespace=namespace, name="web-0")
    return pb.Event(involvedObject=about, metadata=pb.ObjectMeta(namespace=namespace or "default"))


def source(names: Sequence[str] = NAMES) -> FakeSource:
    """Return a cluster with a pod and an event in each namespace, and an event of a node."""
    spaces = [pb.Namespace(metadata=pb.ObjectMeta(name=name)) for name in names]
    each = {f"/api/v1/namespaces/{name}/pods": Answer(200, list_bytes([pod(name)])) for name in names}
    told = {f"/api/v1/namespaces/{name}/events": Answer(200, list_bytes([event(name)])) for name in names}
    return FakeSource(
        each
        | told
        | {
            "/api/v1/namespaces": Answer(200, list_bytes(spaces)),
            "/api/v1/pods": Answer(200, list_bytes([pod(name) for name in names])),
            "/api/v1/events": Answer(200, list_bytes([*(event(name) for name in names), event("", "Node")])),
            "/api/v1/namespaces/default/events": Answer(200, list_bytes([event("", "Node")])),
        }
    )


def seen(cluster: Cluster) -> list[str]:
    return [pod.metadata.namespace for pod in cluster.pods]


def asked(source: FakeSource, kind: str) -> list[str]:
    return [urlsplit(r.path).path for r in source.requests if urlsplit(r.path).path.endswith(f"/{kind}")]


# --- what is asked for ---


@pytest.mark.parametrize("chosen", [["shop", "shop-test"], ["shop*"], ["shop*", "kube-*"]])
def test_chosen_namespaces_are_listed_one_by_one(chosen: list[str]) -> None:
    told = source()
    cluster = Cluster(told, scope=Scope(chosen, ["kube-system"] if "kube-*" in chosen else []))
    cluster.prefetch()
    assert seen(cluster) == ["shop", "shop-test"]
    cluster.close()
    assert asked(told, "pods") == ["/api/v1/namespaces/shop/pods", "/api/v1/namespaces/shop-test/pods"]
    assert asked(told, "deployments") == [f"/apis/apps/v1/namespaces/{n}/deployments" for n in ("shop", "shop-test")]
    assert asked(told, "nodes") == ["/api/v1/nodes"]
    assert "/api/v1/namespaces/kube-system" not in "".join(request.path for request in told.requests)


def test_of_very_many_chosen_namespaces_whole_lists_are_asked_for() -> None:
    names = [f"team-{n:02}" for n in range(LISTED + 1)]
    told = source([*names, "other"])
    assert seen(Cluster(told, scope=Scope(["team-*"]))) == names
    assert asked(told, "pods") == ["/api/v1/pods"]


def test_what_is_left_out_by_name_is_not_sent_and_what_is_left_out_by_pattern_is_dropped() -> None:
    told = source()
    cluster = Cluster(told, scope=Scope((), ["default", "shop-*"]))
    assert seen(cluster) == ["kube-system", "shop"]
    assert {e.involvedObject.namespace for e in cluster.all_events} == {"kube-system", "shop", ""}
    queries = {urlsplit(r.path).path: parse_qs(urlsplit(r.path).query).get("fieldSelector") for r in told.requests}
    assert queries["/api/v1/pods"] == ["metadata.namespace!=default"]
    assert queries["/api/v1/events"] == ["involvedObject.namespace!=default"]


def test_without_a_choice_nothing_is_narrowed() -> None:
    told = source()
    assert len(seen(Cluster(told))) == 4
    assert "fieldSelector" not in told.requests[0].path
    assert told.requests[0].wanted is None


def test_events_of_nodes_are_seen_whatever_is_chosen() -> None:
    node = pb.Node(metadata=pb.ObjectMeta(name="web-0"))
    for scope in (Scope(), Scope(["shop"]), Scope((), ["shop"]), Scope((), ["default"])):
        assert len(Cluster(source(), scope=scope).events(node)) == 1


# --- what cannot be ---


def test_a_namespace_that_does_not_exist_is_refused() -> None:
    cluster = Cluster(source(), scope=Scope(["shpo"]))
    with pytest.raises(Unusable, match=r'the cluster has no such namespace \(did you mean "shop"\?\)'):
        cluster.fetcher.check_scope()
    with pytest.raises(NotObserved, match="no such namespace"):
        _ = cluster.pods


def test_an_excluded_namespace_that_does_not_exist_is_told() -> None:
    cluster = Cluster(source(), scope=Scope((), ["shpo", "sh*"]))
    assert cluster.fetcher.check_scope() == [
        '--exclude-namespace shpo: the cluster has no such namespace (did you mean "shop"?)'
    ]


def test_who_may_not_list_namespaces_can_choose_by_name_but_not_by_pattern() -> None:
    told = source()
    told.answers["/api/v1/namespaces"] = Answer(403, status_json("no"))
    cluster = Cluster(told, scope=Scope(["shop"]))
    cluster.fetcher.check_scope()
    assert seen(cluster) == ["shop"]
    with pytest.raises(NotObserved, match="forbidden: no"):
        _ = Cluster(told, scope=Scope(["shop*"])).pods


def test_with_rights_in_namespaces_only_nothing_else_is_asked_for(tmp_path: Path) -> None:
    names = [f"team-{n:02}" for n in range(LISTED + 1)]
    scope, path = Scope(names, namespaced_only=True), tmp_path / "some.recording"
    told = source(names)
    cluster = Cluster(Recording(told, path, scope), scope=scope)
    wait(cluster.prefetch())
    cluster.close()
    replay = Snapshot(path)
    for seeing in (cluster, Cluster(replay, scope=Scope(within=replay.scope))):
        assert seen(seeing) == names
        for listing in ("nodes", "namespaces", "node_events"):
            with pytest.raises(NotObserved, match="--namespaced-only") as caught:
                getattr(seeing, listing)
            assert caught.value.unasked
    assert not [r.path for r in told.requests if "/namespaces/team-" not in r.path]


@pytest.mark.parametrize("names", [[], ["team-*"], ["shop", "team-*"]])
def test_rights_in_namespaces_only_take_namespaces_that_are_named(names: list[str]) -> None:
    with pytest.raises(Unusable, match="give --namespace with names"):
        Scope(names, namespaced_only=True)


def test_a_namespace_that_is_refused_is_not_observed() -> None:
    told = source()
    told.answers["/api/v1/namespaces/shop-test/pods"] = Answer(403, status_json("no"))
    with pytest.raises(NotObserved) as caught:
        _ = Cluster(told, scope=Scope(["shop", "shop-test"])).pods
    assert caught.value.right == "list pods"


@pytest.mark.parametrize("name", ["", "Shop", "a/b", "../x", "a b", "a=b", "x" * 64])
def test_what_can_be_no_namespace_is_refused(name: str) -> None:
    with pytest.raises(Unusable, match="neither a namespace's name"):
        Scope([name])


@pytest.mark.parametrize("rule", [headroom, not_running, node_oom, driver_down])
def test_what_takes_other_namespaces_is_not_observed(rule: Rule) -> None:
    told = source()
    told.answers["/apis/storage.k8s.io/v1/csidrivers"] = Answer(200, list_bytes([pb.CSIDriver()]))
    with pytest.raises(NotObserved, match="this run's scope") as caught:
        list(rule(Cluster(told, scope=Scope(["shop"]))))
    assert caught.value.unasked


# --- recordings ---


def test_a_recording_of_some_namespaces_is_replayed_as_it_was(tmp_path: Path) -> None:
    path, scope = tmp_path / "some.recording", Scope(["shop*"], ["shop-test"])
    cluster = Cluster(Recording(source(), path, scope), scope=scope)
    assert seen(cluster) == ["shop"]
    cluster.close()
    replay = Snapshot(path)
    assert seen(Cluster(replay, scope=Scope(within=replay.scope))) == ["shop"]
    assert not Scope(within=replay.scope).is_all
    with pytest.raises(NotObserved, match="not in this run's scope"):
        Scope(within=replay.scope).need("kube-system")


def test_of_a_whole_recording_some_namespaces_can_be_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "whole.recording"
    cluster = Cluster(Recording(source(), path))
    for future in cluster.prefetch():
        future.result()
    cluster.close()
    replay = Snapshot(path)
    cluster = Cluster(replay, scope=Scope(["shop*"], within=replay.scope))
    assert seen(cluster) == ["shop", "shop-test"]
    assert [e.involvedObject.namespace for e in cluster.all_events] == ["shop", "shop-test", ""]
    assert json.dumps(cluster.remarks) == '["namespaces: shop*"]'
