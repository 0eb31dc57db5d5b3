"""PersistentVolumeClaims and volumes that are expanded, deleted or shared, and do not get there."""

import json

from scenarios.harness import Seen, scenario
from scenarios.moments import deleted, within
from scenarios.objects import claim, claiming, pod, volume

EXPANSION_FAILED = "volume-claim[expansion-failed] PersistentVolumeClaim/data"


def report(kind: str, message: str) -> str:
    """Return the command that sets a condition of the PVC, as the driver's csi-resizer or the kubelet would."""
    condition = {"type": kind, "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z", "message": message}
    patch = json.dumps({"status": {"conditions": [condition]}}, separators=(",", ":"))
    return f"patch pvc data --subresource=status -p={patch}"


@scenario(
    volume("cooling-down", "cooling-down"),
    claim(storage_class="cooling-down"),
    then=[
        "wait --for=jsonpath={.status.phase}=Bound pvc/data",
        report("ControllerResizeError", "volume-is-in-cooldown-for-6-hours"),
    ],
    finds=[EXPANSION_FAILED],
)
def test_expansion_fails(seen: Seen) -> None:
    """The driver refuses to expand the volume."""
    assert seen.says("volume-is-in-cooldown-for-6-hours")
    assert seen.says("fix what the driver reports")


@scenario(
    volume("growing", "growing"),
    claim(storage_class="growing"),
    then=[
        "wait --for=jsonpath={.status.phase}=Bound pvc/data",
        report("FileSystemResizePending", "waiting-for-a-pod"),
    ],
)
def test_expansion_waits_for_a_pod(seen: Seen) -> None:
    """The volume has been expanded; its file system follows once a pod mounts it."""
    assert seen.get("PersistentVolumeClaim/data").status.conditions


@scenario(
    volume(
        "undeletable",
        "undeletable",
        claimRef={"namespace": "gone", "name": "old", "uid": "00000000-0000-0000-0000-000000000001"},
        hostPath={"path": "/mnt/elsewhere"},
        persistentVolumeReclaimPolicy="Delete",
    ),
    finds=["volume-claim[delete-failed] PersistentVolume/undeletable (warning)"],
)
def test_volume_cannot_be_deleted(seen: Seen) -> None:
    """The control plane deletes hostPath volumes below /tmp only."""
    assert seen.get("PersistentVolume/undeletable").status.phase == "Failed"
    assert seen.says("host_path deleter only supports /tmp/")


@scenario(
    volume("held-by-a-finalizer", "held-by-a-finalizer"),
    claim(storage_class="held-by-a-finalizer") | {"metadata": {"name": "data", "finalizers": ["example.com/backup"]}},
    then=["wait --for=jsonpath={.status.phase}=Bound pvc/data", "delete pvc data --wait=false"],
    later=within(60, deleted("PersistentVolumeClaim/data")),
)
def test_deletion_in_its_first_minutes(seen: Seen) -> None:
    """A controller still has to finish something before the PVC is deleted."""
    assert seen.get("PersistentVolumeClaim/data").metadata.HasField("deletionTimestamp")


@scenario(
    on=test_deletion_in_its_first_minutes,
    later=3600,
    finds=["volume-claim[delete-failed] PersistentVolumeClaim/data (warning)"],
)
def test_deletion_held_by_a_finalizer(seen: Seen) -> None:
    """An hour later it still has not finished."""
    assert seen.says("its finalizer example.com/backup is not removed")


@scenario(
    volume("one-pod-only", "one-pod-only", accessModes=["ReadWriteOncePod"], hostPath={"path": "/tmp"}),
    claim(storage_class="one-pod-only", mode="ReadWriteOncePod"),
    pod("first", volumes=claiming()),
    pod("second", volumes=claiming(), schedulingGates=[{"name": "example.com/later"}]),
    then=[
        "wait --for=condition=Ready pod/first",
        'patch pod second --type=json -p=[{"op":"remove","path":"/spec/schedulingGates"}]',
    ],
    finds=["volume-claim[attach-failed] PersistentVolumeClaim/data", "scheduling[unschedulable] Pod/second"],
)
def test_claim_for_one_pod_is_used_by_another(seen: Seen) -> None:
    """ReadWriteOncePod: the second pod is not scheduled while the first one runs."""
    assert seen.says("it is ReadWriteOncePod and Pod/claim-for-one-pod-is-used-by-another/first uses it")
