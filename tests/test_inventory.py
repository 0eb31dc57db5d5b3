"""Return the continue token that a request was sent with."""

from collections.abc import Callable
from itertools import count
from pathlib import Path
from sys import getrefcount
from threading import Barrier
from urllib.parse import urlsplit

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.declared import Resource
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.inventory import listing
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.listing import Kind, Listing
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import NAMES_ONLY, Answer, Request
from kubevitals.source.scope import Scope
from tests.fakes import FakeSource, list_bytes, status_bytes, status_json
from tests.listed import EXPIRED, page, paged, pages, pod


def test_a_list_is_asked_for_once_however_often_it_is_read() -> None:
    source = FakeSource({"/api/v1/pods": Answer(200, list_bytes([pod()]))})
    cluster = Cluster(source)
    cluster.prefetch()
    assert [cluster.pods for _ in range(3)] == [(pod(),)] * 3
    cluster.close()
    assert [urlsplit(request.path).path for request in source.requests].count("/api/v1/pods") == 1
    assert source.closed


def test_a_cluster_can_forget_its_lists_and_what_is_derived_from_them() -> None:
    cluster = Cluster(FakeSource({"/api/v1/pods": Answer(200, list_bytes([pod()]))}))
    read: list[object] = [cluster.pods, cluster.alike_pods, cluster.derive(_names)]
    references = list(map(getrefcount, read))
    cluster.forget()
    assert list(map(getrefcount, read)) == [count - 1 for count in references]


def _names(cluster: Cluster) -> list[str]:
    return [each.metadata.name for each in cluster.pods]


def test_only_what_is_read_is_asked_for() -> None:
    source = FakeSource()
    cluster = Cluster(source)
    assert source.requests == []
    assert cluster.pods == ()
    assert len(source.requests) == 1


def test_lists_are_fetched_at_the_same_time() -> None:
    together = Barrier(4, timeout=10)

    def wait(request: Request) -> Answer:
        together.wait()
        return Answer(200, list_bytes())

    paths = ["/api/v1/nodes", "/api/v1/namespaces", "/api/v1/pods", "/api/v1/events"]
    source = FakeSource(dict.fromkeys(paths, wait))
    source.waits = True
    cluster = Cluster(source)
    cluster.prefetch()
    assert cluster.nodes == cluster.pods == ()
    cluster.close()


def test_secrets_are_only_listed_when_the_user_asks_for_it_and_then_by_name() -> None:
    for secret_names in (False, True):
        source = FakeSource()
        cluster = Cluster(source, secret_names=secret_names)
        cluster.prefetch()
        cluster.close()
        asked = [request for request in source.requests if "/secrets" in request.path]
        assert [request.accept for request in asked] == [NAMES_ONLY] * secret_names


def test_a_list_that_cannot_be_seen_raises_each_time_it_is_read() -> None:
    source = FakeSource({"/api/v1/pods": Answer(403, status_bytes("pods is forbidden"))})
    cluster = Cluster(source)
    for _ in range(2):
        with pytest.raises(NotObserved, match=r"^pods is forbidden") as caught:
            _ = cluster.pods
        assert caught.value.right == "list pods"
    with pytest.raises(NotObserved):
        _ = cluster.pods_by_claim
    assert len(source.requests) == 1


@pytest.mark.parametrize("encode", [status_bytes, status_json])
@pytest.mark.parametrize(
    ("status", "reason", "right"),
    [
        (403, "forbidden: no such luck", "list deployments.apps"),
        (401, r"rejects the credentials \(401\)", ""),
        (500, "list deployments.apps: HTTP 500: no such luck", ""),
    ],
)
def test_a_refusal_says_why_and_which_right_is_missing(
    encode: Callable[[str], bytes], status: int, reason: str, right: str
) -> None:
    cluster = Cluster(FakeSource({"/apis/apps/v1/deployments": Answer(status, encode("no such luck"))}))
    with pytest.raises(NotObserved, match=reason) as caught:
        _ = cluster.deployments
    assert caught.value.right == right


def test_what_is_no_list_is_not_observed() -> None:
    with pytest.raises(NotObserved, match="not a list of Node"):
        _ = Cluster(FakeSource({"/api/v1/nodes": Answer(200, b"<html>Sign in</html>")})).nodes


def test_pages_are_put_together() -> None:
    script = pages(("", paged("a", "2")), ("2", paged("b", "3")), ("3", paged("c")))
    assert Cluster(FakeSource({"/api/v1/pods": script})).pods == (pod("a"), pod("b"), pod("c"))


def test_a_list_whose_pages_expire_is_begun_anew_and_has_each_item_once() -> None:
    script = pages(("", paged("a", "2")), ("2", EXPIRED), ("", paged("a", "5")), ("5", paged("b")))
    assert Cluster(FakeSource({"/api/v1/pods": script})).pods == (pod("a"), pod("b"))


def test_pages_that_always_expire_are_given_up() -> None:
    source = FakeSource({"/api/v1/pods": lambda request: EXPIRED if page(request) else paged("a", "2")})
    with pytest.raises(NotObserved, match="pages of pods expired 3 times"):
        _ = Cluster(source).pods
    assert len(source.requests) == 6


def test_a_first_page_that_is_gone_is_no_expired_page() -> None:
    with pytest.raises(NotObserved, match="HTTP 410"):
        _ = Cluster(FakeSource({"/api/v1/pods": EXPIRED})).pods


def test_a_list_that_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "PAGES", 20)
    tokens = count()
    source = FakeSource({"/api/v1/pods": lambda _: paged("a", f"page {next(tokens)}")})
    with pytest.raises(NotObserved, match="does not end after 20 pages"):
        _ = Cluster(source).pods
    assert len(source.requests) == 20


def test_a_token_that_comes_back_ends_a_list() -> None:
    source = FakeSource({"/api/v1/pods": lambda _: paged("a", "the same for ever")})
    with pytest.raises(NotObserved, match="repeats a continue token"):
        _ = Cluster(source).pods
    assert len(source.requests) == 2


def replica_set(name: str, wanted: int, has: int, namespace: str = "shop") -> pb.ReplicaSet:
    metadata = pb.ObjectMeta(name=name, namespace=namespace)
    spec, status = pb.ReplicaSetSpec(replicas=wanted), pb.ReplicaSetStatus(replicas=has)
    return pb.ReplicaSet(metadata=metadata, spec=spec, status=status)


@pytest.mark.parametrize(
    ("scope", "seen"),
    [(Scope(), ["new", "going", "refused", "other"]), (Scope(excluded=["elsewhere"]), ["new", "going", "refused"])],
)
def test_old_replica_sets_are_dropped_in_every_scope(scope: Scope, seen: list[str]) -> None:
    listed = [
        replica_set("old", 0, 0),
        replica_set("new", 3, 3),
        replica_set("going", 0, 1),
        replica_set("refused", 3, 0),
        replica_set("other", 1, 1, "elsewhere"),
    ]
    source = FakeSource({"/apis/apps/v1/replicasets": Answer(200, list_bytes(listed))})
    assert [one.metadata.name for one in Cluster(source, scope=scope).replica_sets] == seen


class Gateway(Resource, frozen=True):
    """A kind that a cluster may lack."""


GATEWAYS = Kind("/apis/gateway.networking.k8s.io/v1/gateways", Gateway, namespaced=True, optional=True)


def test_a_cluster_may_lack_an_optional_kind_also_in_a_recording(tmp_path: Path) -> None:
    lacking = r"^the cluster has no gateways\.gateway\.networking\.k8s\.io$"
    source = FakeSource({GATEWAYS.path: Answer(404, b"404 page not found")})
    live = Cluster(Recording(source, tmp_path / "r.recording"))
    with pytest.raises(NotApplicable, match=lacking):
        live.objects(GATEWAYS)
    live.close()
    with pytest.raises(NotApplicable, match=lacking):
        Cluster(Snapshot(tmp_path / "r.recording")).objects(GATEWAYS)


def test_an_optional_kind_that_may_not_be_listed_is_not_observed() -> None:
    source = FakeSource({GATEWAYS.path: Answer(403, status_json("gateways is forbidden"))})
    with pytest.raises(NotObserved) as refused:
        Cluster(source).objects(GATEWAYS)
    assert refused.value.right == "list gateways.gateway.networking.k8s.io"


def test_an_optional_kind_that_was_not_recorded_is_not_observed(tmp_path: Path) -> None:
    Recording(FakeSource(), tmp_path / "r.recording").close()
    with pytest.raises(NotObserved, match="the recording has no answer"):
        Cluster(Snapshot(tmp_path / "r.recording")).objects(GATEWAYS)


def test_a_kind_that_every_cluster_has_is_not_observed_without_an_answer() -> None:
    with pytest.raises(NotObserved, match="HTTP 404"):
        _ = Cluster(FakeSource({"/api/v1/pods": Answer(404, b"404 page not found")})).pods


def test_every_kind_has_the_name_that_rbac_gives_it() -> None:
    names = {listing.resource for listing in Cluster.listings()}
    assert {"pods", "persistentvolumeclaims", "deployments.apps", "csinodes.storage.k8s.io"} <= names
    assert isinstance(Cluster.__dict__["pods"], Listing)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"\xff", b'{"gitVersion": 3}', b'{"a":' + b"[" * 100_000], ids=lambda b: repr(b[:9])
)
def test_a_version_that_is_none_is_not_observed(body: bytes) -> None:
    with pytest.raises(NotObserved, match="/version does not answer like Kubernetes"):
        _ = Cluster(FakeSource({"/version": Answer(200, body)})).server_version
