"""What is derived from lists: events of an object, ages, what is computed once."""

from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from tests.fakes import FakeSource, ago, cluster_of
from tests.listed import pod

# --- events ---


def event(kind: str, name: str, uid: str = "", seconds: int = 0, **fields: Any) -> pb.Event:
    about = pb.ObjectReference(kind=kind, namespace="shop" if kind == "Pod" else "", name=name, uid=uid)
    return pb.Event(involvedObject=about, lastTimestamp=pb.Time(seconds=seconds), **fields)


def test_events_are_those_of_the_object_and_not_of_its_predecessor() -> None:
    events = [
        event("Pod", "web-0", "old", 1, reason="Killing"),
        event("Pod", "web-0", "new", 3, reason="BackOff"),
        event("Pod", "web-0", "", 2, reason="Unknown"),
        event("Pod", "web-1", "new", 4, reason="Other"),
    ]
    cluster = cluster_of(all_events=events)
    assert [e.reason for e in cluster.events(pod(uid="new"))] == ["Unknown", "BackOff"]
    assert cluster.events(pod("web-9")) == []


def test_events_of_a_node_carry_its_name_for_a_uid() -> None:
    node = pb.Node(metadata=pb.ObjectMeta(name="worker", uid="4711"))
    cluster = cluster_of(all_events=[event("Node", "worker", "worker")])
    assert len(cluster.events(node)) == 1


def test_events_of_the_old_and_the_new_api_are_in_one_order() -> None:
    events = [
        event("Pod", "web-0", seconds=5, reason="third"),
        event("Pod", "web-0", reason="second", eventTime=pb.Time(seconds=3)),
        event(
            "Pod",
            "web-0",
            reason="fourth",
            eventTime=pb.Time(seconds=1),
            series=pb.EventSeries(lastObservedTime=pb.Time(seconds=9)),
        ),
        event("Pod", "web-0", reason="first", metadata=pb.ObjectMeta(creationTimestamp=pb.Time(seconds=2))),
    ]
    assert [e.reason for e in cluster_of(all_events=events).events(pod())] == ["first", "second", "third", "fourth"]


# --- time, derived views ---


def test_ages_are_counted_from_the_clusters_time() -> None:
    cluster = Cluster(FakeSource())
    assert cluster.age(ago(90)) == 90
    assert cluster.age(pb.Time()) == float("inf")


def test_what_is_derived_is_computed_once_and_again_if_it_could_not_be_seen() -> None:
    cluster = Cluster(FakeSource({"/api/v1/nodes": "no answer"}))
    calls: list[str] = []

    def count(of: Cluster) -> int:
        calls.append("pods")
        return len(of.pods)

    def unseen(of: Cluster) -> int:
        calls.append("nodes")
        return len(of.nodes)

    assert [cluster.derive(count) for _ in range(3)] == [0, 0, 0]
    for _ in range(2):
        with pytest.raises(NotObserved, match="no answer"):
            cluster.derive(unseen)
    assert calls == ["pods", "nodes", "nodes"]


def test_claims_are_found_by_the_pods_that_use_them_ephemeral_ones_too() -> None:
    named = pb.VolumeSource(persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName="data"))
    ephemeral = pb.VolumeSource(ephemeral=pb.Present())
    user = pod()
    user.spec.volumes.extend(
        [pb.Volume(name="v", volumeSource=named), pb.Volume(name="tmp", volumeSource=ephemeral), pb.Volume(name="x")]
    )
    done = pod("web-1")
    done.spec.volumes.append(pb.Volume(name="v", volumeSource=named))
    done.status.phase = "Succeeded"
    found = cluster_of(pods=[user, done]).pods_by_claim
    assert {name: [p.metadata.name for p in users] for (_, name), users in found.items()} == {
        "data": ["web-0"],
        "web-0-tmp": ["web-0"],
    }
