"""PersistentVolumeClaims that wait for a volume: what is at fault, and when it is no fault yet."""

import pytest
from google.protobuf.message import Message

from checks.test_volume_claim import attach_failed, unbound
from kubevitals import schema_pb2 as pb
from kubevitals.facts.volumes.mounting import mount_remedy
from tests.fakes import CREATED, ago, cluster_of
from tests.networks import judged, node

NO_VOLUME = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."
OUT_OF_REACH = "0/1 nodes are available: 1 node(s) didn't match PersistentVolume's node affinity."


def storage_class(name: str, provisioner: str = "csi.example") -> pb.StorageClass:
    made = pb.StorageClass(provisioner=provisioner, volumeBindingMode="WaitForFirstConsumer")
    made.metadata.name = name
    return made


CLASSES: list[Message] = [storage_class("dynamic"), storage_class("static", "kubernetes.io/no-provisioner")]


def claim(name: str, of: str = "dynamic", on: str = "") -> pb.PersistentVolumeClaim:
    """Return a claim of yesterday that waits for its first pod, or for its volume on a node."""
    made = pb.PersistentVolumeClaim()
    made.metadata.CopyFrom(pb.AnnotatedMeta(name=name, namespace="shop", creationTimestamp=CREATED))
    if on:
        made.metadata.annotations["volume.kubernetes.io/selected-node"] = on
    made.spec.storageClassName, made.status.phase = of, "Pending"
    return made


def waiting(*claims: str, since: int = 600, said: str = "") -> pb.Pod:
    """Return a pod that the scheduler cannot place on any node."""
    made = pb.Pod(metadata=pb.ObjectMeta(name="app", namespace="shop", creationTimestamp=ago(since)))
    for name in claims:
        made.spec.volumes.add(name=name).volumeSource.persistentVolumeClaim.claimName = name
    scheduled = pb.PodCondition(type="PodScheduled", status="False", message=said, lastTransitionTime=ago(since))
    made.status.CopyFrom(pb.PodStatus(phase="Pending", conditions=[scheduled]))
    return made


def says(pod: pb.Pod, *claims: pb.PersistentVolumeClaim, events: list[Message] | None = None) -> dict[str, str]:
    cluster = cluster_of(
        pods=[pod], claims=list(claims), nodes=[node("one")], storage_classes=CLASSES, all_events=events or []
    )
    return {finding.obj.name: finding.says for finding in unbound(cluster)}


@pytest.mark.parametrize(("since", "found"), [(600, True), (5, False)])
def test_a_claim_that_waited_for_its_first_pod_is_due_once_the_pod_has_waited(since: int, *, found: bool) -> None:
    assert bool(says(waiting("data", since=since), claim("data", on="one"))) is found
    assert bool(says(waiting("data", since=since, said=NO_VOLUME), claim("data", "static"))) is found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ('0/1 nodes are available: persistentvolumeclaim "other" not found.', {"other"}),
        ("0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims.", {"other"}),
        (NO_VOLUME, {"other", "data"}),
    ],
)
def test_a_claim_is_not_blamed_for_another_claim_of_its_pod(said: str, found: set[str]) -> None:
    assert says(waiting("data", "other", said=said), claim("data")).keys() == found


def test_of_two_claims_the_one_without_a_provisioner_is_blamed() -> None:
    pod = waiting("data", "other", said=NO_VOLUME)
    assert says(pod, claim("data"), claim("other", "static")).keys() == {"other"}


def test_a_provisioner_does_not_respond_only_if_it_was_asked_and_reported_nothing() -> None:
    begun = pb.Event(reason="Provisioning", message="External provisioner is provisioning volume for claim")
    begun.involvedObject.CopyFrom(pb.ObjectReference(kind="PersistentVolumeClaim", namespace="shop", name="data"))
    asked = claim("data", on="one")
    assert says(waiting("data"), asked)["data"].endswith("provisioner csi.example does not respond")
    assert says(waiting("data"), asked, events=[begun])["data"].endswith(
        "has started to create the volume, and has not finished"
    )
    assert "no node fits" in says(waiting("data", said=NO_VOLUME), claim("data"))["data"]


def test_a_claim_may_have_its_class_in_an_annotation() -> None:
    old = claim("data")
    old.spec.ClearField("storageClassName")
    old.metadata.annotations["volume.beta.kubernetes.io/storage-class"] = "dynamic"
    assert says(waiting("other"), old).keys() == {"other"}
    old.metadata.annotations["volume.beta.kubernetes.io/storage-class"] = "dynamics"
    assert 'StorageClass "dynamics" does not exist' in says(waiting("data"), old)["data"]


@pytest.mark.parametrize(("since", "found"), [(600, True), (30, False)])
def test_a_node_that_can_use_the_volume_may_still_join(since: int, *, found: bool) -> None:
    bound = claim("data")
    bound.spec.volumeName, bound.status.phase = "disk", "Bound"
    disk = pb.PersistentVolume(metadata=pb.ObjectMeta(name="disk"))
    disk.spec.nodeAffinity.required.nodeSelectorTerms.add().matchExpressions.add(
        key="zone", operator="In", values=["b"]
    )
    pod = waiting("data", since=since, said=OUT_OF_REACH)
    cluster = cluster_of(pods=[pod], claims=[bound], volumes=[disk], nodes=[node("one")])
    assert bool(judged(attach_failed, cluster)[0]) is found


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("mount.nfs: mounting 10.0.0.9:/x failed, reason given by server: No such file or directory", "on the storage"),
        ("lstat /data: no such file or directory", "on the node"),
    ],
)
def test_a_path_is_missing_on_the_server_or_on_the_node(words: str, remedy: str) -> None:
    assert remedy in mount_remedy(words)
