"""Warning events that no finding explains are listed while what they describe is not over."""

from pathlib import Path

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.unexplained_events import unexplained
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Snapshot
from scenarios.harness import RECORDINGS
from tests.fakes import ago, cluster_of
from tests.test_field import FIELD


def pod(*, ready: str = "True", since: int = 600, phase: str = "Running") -> pb.Pod:
    condition = pb.PodCondition(type="Ready", status=ready, lastTransitionTime=ago(since))
    return pb.Pod(
        metadata=pb.ObjectMeta(name="app", namespace="shop", uid="1"),
        status=pb.PodStatus(phase=phase, conditions=[condition]),
    )


def warning(kind: str = "Pod", *, count: int = 1, last: int = 30, lasted: int | None = None) -> pb.Event:
    about = pb.ObjectReference(kind=kind, namespace="shop", name="app")
    return pb.Event(
        type="Warning",
        reason="Unhealthy",
        message="it hangs",
        involvedObject=about,
        count=count,
        firstTimestamp=ago(last + (10 * (count - 1) if lasted is None else lasted)),
        lastTimestamp=ago(last),
    )


def listed(event: pb.Event, *pods: pb.Pod) -> list[str]:
    return unexplained(cluster_of(pods=pods, all_events=[event]), [])


@pytest.mark.parametrize(
    ("event", "pods"),
    [
        (warning(count=9), [pod(since=600)]),
        (warning(last=3000), [pod(ready="False")]),
        (warning("ReplicaSet", count=9), []),
        (warning("PersistentVolumeClaim", count=2, last=4, lasted=90), []),
    ],
    ids=[
        "a-ready-pod-again-and-again",
        "a-pod-that-is-not-ready",
        "another-object-again-and-again",
        "since-before-a-minute",
    ],
)
def test_an_event_of_the_present_is_listed(event: pb.Event, pods: list[pb.Pod]) -> None:
    (line,) = listed(event, *pods)
    assert line.endswith("it hangs")


@pytest.mark.parametrize(
    ("event", "pods"),
    [
        (warning(count=9), []),
        (warning(count=9), [pod(since=10)]),
        (warning(count=1), [pod(since=600)]),
        (warning(count=9, last=500), [pod(since=600)]),
        (warning(count=9), [pod(ready="False", phase="Succeeded")]),
        (warning("Node"), []),
        (warning("Node", count=9, last=900), []),
        (warning("PersistentVolumeClaim", count=2, last=4), []),
        (warning(count=3, last=10), [pod(ready="False", since=30)]),
    ],
    ids=[
        "the-pod-is-gone",
        "ready-since",
        "only-once",
        "not-any-more",
        "the-pod-has-finished",
        "another-object-only-once",
        "another-object-not-any-more",
        "too-young-to-be-judged",
        "a-pod-too-young-to-be-judged",
    ],
)
def test_an_event_of_the_past_or_of_the_last_minute_is_not_listed(event: pb.Event, pods: list[pb.Pod]) -> None:
    assert listed(event, *pods) == []


def test_pods_that_cannot_be_listed_do_not_count_as_gone() -> None:
    cluster = cluster_of({"/api/v1/pods": "it is forbidden"}, all_events=[warning(count=9)])
    assert unexplained(cluster, []) == ["events not observed: it is forbidden"]


HEALTHY = [
    RECORDINGS / "shop-after-maintenance.recording",
    RECORDINGS / "untouched-cluster.recording",
    FIELD / "calico-healthy-node-restarted-probe.recording",
    FIELD / "csi-healthy-with-poolfull-young.recording",
    RECORDINGS / "flannel-healthy.recording",
]


@pytest.mark.parametrize("recording", HEALTHY, ids=[path.stem for path in HEALTHY])
def test_a_healthy_cluster_has_no_unexplained_events(recording: Path) -> None:
    assert unexplained(Cluster(Snapshot(recording)), []) == []
