"""Pods that are too young to be judged, and PVCs that they wait for."""

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import pod_faults
from kubevitals.source.request import Answer
from tests.built import BuiltPod, node, owner_of
from tests.fakes import ago, cluster_of
from tests.not_started import named, since


def test_a_run_says_which_pods_are_too_young_to_be_judged() -> None:
    creating = [named(f"web-{n}", since(30, BuiltPod())) for n in range(5)]
    pulling = since(100, BuiltPod())
    pulling.has_sandbox(yes=True)
    cluster = cluster_of(pods=[*creating, named("large", pulling)], nodes=[node()])
    pod_faults(cluster)
    assert cluster.remarks == [
        "too young to be judged: 5 pods in ContainerCreating for less than 1m (shop/web-0, shop/web-1, shop/web-2 and "
        "2 more)",
        "too young to be judged: 1 pod in ContainerCreating for less than 15m (shop/large)",
    ]


def waiting_for_data(name: str, words: str, age: int) -> pb.Pod:
    """Return a pod without a node that uses the PVC `data`."""
    made = pb.Pod(metadata=pb.ObjectMeta(name=name, namespace="shop", creationTimestamp=ago(age)))
    made.status.phase = "Pending"
    made.spec.volumes.add(name="data").volumeSource.persistentVolumeClaim.claimName = "data"
    if words:
        unschedulable = pb.PodCondition(type="PodScheduled", status="False", reason="Unschedulable", message=words)
        unschedulable.lastTransitionTime.CopyFrom(ago(age))
        made.status.conditions.append(unschedulable)
    return made


UNBOUND = "pod has unbound immediate PersistentVolumeClaims"


@pytest.mark.parametrize(
    ("phase", "words", "age", "claim_age", "named"),
    [
        ("Pending", "", 4, 4, "1 PVC in Pending for less than 1m (shop/data)"),
        ("Pending", UNBOUND, 4, 900, "1 PVC in Pending"),
        ("Pending", "", 900, 4, "1 PVC in Pending"),
        ("Pending", "0/3 nodes are available: 3 Insufficient cpu.", 4, 4, "2 pods in Unschedulable"),
        ("Bound", "", 4, 4, "2 pods in Pending"),
    ],
    ids=["both young", "young pods", "young claim", "other words", "bound"],
)
def test_a_young_pod_that_waits_for_a_claim_is_not_counted_but_the_claim_is(
    phase: str, words: str, age: int, claim_age: int, named: str
) -> None:
    pods = [waiting_for_data(name, words, age) for name in ("one", "two")]
    cluster = cluster_of(pods=pods, claims=[claim_of(phase, claim_age)], nodes=[node()])
    pod_faults(cluster)
    (remark,) = cluster.remarks
    assert named in remark


def claim_of(phase: str, age: int) -> pb.PersistentVolumeClaim:
    metadata = pb.AnnotatedMeta(name="data", namespace="shop", creationTimestamp=ago(age))
    metadata.annotations["volume.kubernetes.io/selected-node"] = "one"
    return pb.PersistentVolumeClaim(metadata=metadata, status=pb.PersistentVolumeClaimStatus(phase=phase))


def test_a_claim_that_has_been_pending_for_long_is_not_young() -> None:
    cluster = cluster_of(pods=[waiting_for_data("one", "", 900)], claims=[claim_of("Pending", 900)], nodes=[node()])
    pod_faults(cluster)
    assert cluster.remarks == []


def test_without_the_claims_the_pod_is_named() -> None:
    forbidden = {"/api/v1/persistentvolumeclaims": Answer(403, b"")}
    cluster = cluster_of(forbidden, pods=[waiting_for_data("one", "", 4)], nodes=[node()])
    pod_faults(cluster)
    (remark,) = cluster.remarks
    assert "1 pod in Pending" in remark


def test_pods_that_run_or_are_found_are_no_remark() -> None:
    running = BuiltPod()
    running.start()
    cluster = cluster_of(pods=[named("runs", running), named("stuck", BuiltPod())], nodes=[node()])
    pod_faults(cluster)
    assert cluster.remarks == []


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("FailedCreatePodSandBox", "failed to assign an IP address to container"),
        ("FailedMount", 'MountVolume.SetUp failed for volume "data" : rpc error: no such server'),
    ],
)
def test_what_failed_before_an_image_is_pulled_is_over(reason: str, words: str) -> None:
    """The kubelet does not report the sandbox before the pull ends."""
    pod = since(300, BuiltPod())
    pod.said(reason, words, before=200)
    assert owner_of(pod.cluster()) is not None
    pod.said("Pulling", 'Pulling image "large"', before=100)
    assert owner_of(pod.cluster()) is None
