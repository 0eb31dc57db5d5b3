"""Volumes that are kept for an earlier PVC of the same name, and volumes whose nodes do not exist any more."""

import pytest

from checks.test_volume_claim import attach_failed, unbound
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from tests.fakes import cluster_of
from tests.networks import judged, node
from tests.test_claims import CLASSES, OUT_OF_REACH, claim, waiting

PATCH = """kubectl patch persistentvolume/kept --type=json -p '[{"op": "remove", "path": "/spec/claimRef"}]'"""


def kept(of: str = "data", phase: str = "Released", size: str = "1Gi") -> pb.PersistentVolume:
    """Return a volume with reclaim policy Retain whose PVC was deleted."""
    volume = pb.PersistentVolume(metadata=pb.ObjectMeta(name="kept"))
    volume.spec.storageClassName, volume.status.phase = "static", phase
    volume.spec.claimRef.CopyFrom(pb.ObjectReference(namespace="shop", name=of, uid="earlier"))
    volume.spec.capacity["storage"].string = size
    return volume


def wanted(of: str = "static", named: str = "") -> pb.PersistentVolumeClaim:
    made = claim("data", of)
    made.metadata.uid, made.spec.volumeName = "present", named
    made.spec.resources.requests["storage"].string = "1Gi"
    return made


def found(volume: pb.PersistentVolume, of: pb.PersistentVolumeClaim | None = None) -> Finding:
    said = "0/1 nodes are available: 1 node(s) didn't find available persistent volumes to bind."
    pod, pvc = waiting("data", said=said), of or wanted()
    (finding,) = unbound(
        cluster_of(pods=[pod], volumes=[volume], claims=[pvc], nodes=[node("one")], storage_classes=CLASSES)
    )
    return finding


@pytest.mark.parametrize("named", ["", "kept"], ids=["by its class", "by volumeName"])
def test_a_volume_that_is_kept_for_an_earlier_pvc_can_be_used_again(named: str) -> None:
    """An application was removed with its PVC, and installed again: its volume is Released, and nothing binds it."""
    finding = found(kept(), wanted(named=named))
    assert "kept is Released: it was bound to an earlier PVC of this name" in finding.says
    assert finding.remedy.startswith(f"to use the data of the earlier PVC again: {PATCH}; else ")


def test_a_volume_without_a_class_can_be_used_again() -> None:
    volume = kept()
    volume.spec.storageClassName = ""
    assert PATCH in found(volume, wanted(of="")).remedy


@pytest.mark.parametrize(
    "volume",
    [kept(of="other"), kept(phase="Failed"), kept(size="500Mi")],
    ids=["another PVC's", "not reclaimed", "too small"],
)
def test_volumes_that_removing_the_reference_does_not_bind(volume: pb.PersistentVolume) -> None:
    assert "kubectl patch" not in found(volume).remedy


def out_of_reach(key: str, value: str) -> Finding:
    bound, volume = wanted(named="kept"), kept(phase="Bound")
    bound.status.phase = "Bound"
    terms = volume.spec.nodeAffinity.required.nodeSelectorTerms.add()
    terms.matchExpressions.add(key=key, operator="In", values=[value])
    made = node("one")
    made.metadata.labels.update({"kubernetes.io/hostname": "one", "topology.kubernetes.io/zone": "a"})
    cluster = cluster_of(pods=[waiting("data", said=OUT_OF_REACH)], claims=[bound], volumes=[volume], nodes=[made])
    (finding,), _ = judged(attach_failed, cluster)
    return finding


@pytest.mark.parametrize(
    ("key", "value", "why", "remedy"),
    [
        ("kubernetes.io/hostname", "gone", "gone, which do not exist", "bring the node back; if it is gone for good"),
        ("topology.kubernetes.io/zone", "b", "zone in b, which do not exist", "add a node with these labels"),
        ("topology.kubernetes.io/zone", "a", "zone in a, where the pod cannot run", "let the pod run on those nodes"),
    ],
    ids=["a node that was deleted", "a zone without nodes", "nodes that the pod does not fit"],
)
def test_a_volume_whose_nodes_do_not_exist(key: str, value: str, why: str, remedy: str) -> None:
    """A local volume stays behind when the autoscaler removes its node."""
    finding = out_of_reach(key, value)
    assert finding.says.endswith(why)
    assert finding.remedy.startswith(remedy)
