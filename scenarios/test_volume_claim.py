"""PersistentVolumeClaims that cannot be bound, attached or mounted, and those that only look like it."""

from typing import Any

from scenarios.harness import Seen, scenario
from scenarios.moments import deleted, within
from scenarios.objects import claim, claiming, csi_driver, deployment, mounting, pod, storage_class, volume

UNSCHEDULABLE = "scheduling[unschedulable] Pod/app"
UNBOUND = "volume-claim[unbound] PersistentVolumeClaim/data"
ATTACH_FAILED = "volume-claim[attach-failed] PersistentVolumeClaim/data"
MOUNT_FAILED = "volume-claim[mount-failed] PersistentVolumeClaim/data"


@scenario(claim(storage_class="standrad"), finds=[UNBOUND])
def test_storage_class_misspelt(seen: Seen) -> None:
    """The finding suggests the existing name that is most like the missing one."""
    assert seen.says('StorageClass "standrad" does not exist (did you mean "standard"?)')
    assert seen.says("create that StorageClass, or use a StorageClass that exists")


@scenario(storage_class("unanswered", "example.com/nobody"), claim(storage_class="unanswered"), finds=[UNBOUND])
def test_provisioner_does_not_answer(seen: Seen) -> None:
    """The control plane waits for an external provisioner that does not run."""
    assert seen.says("provisioner example.com/nobody does not respond")
    assert seen.says("check that the pods of provisioner example.com/nobody run")


@scenario(
    storage_class("slow", "example.com/slow-disk"),
    deployment("slow-disk-provisioner", replicas=0),
    claim(storage_class="slow"),
    finds=[UNBOUND],
)
def test_provisioner_scaled_to_zero(seen: Seen) -> None:
    """The Deployment that is named like the provisioner has no replicas."""
    assert seen.says("does not respond: Deployment/provisioner-scaled-to-zero/slow-disk-provisioner has 0 replicas")


@scenario(claim(storage_class="standard", mode="ReadWriteMany"), pod("app", volumes=claiming()), finds=[UNBOUND])
def test_provisioner_fails(seen: Seen) -> None:
    """The provisioner reports that it cannot provision such a volume."""
    assert seen.says("provisioner rancher.io/local-path fails")
    assert seen.says("fix what the provisioner reports")


@scenario(volume("too-small", "small", size="1Gi"), claim(storage_class="small", size="5Gi"), finds=[UNBOUND])
def test_volume_too_small(seen: Seen) -> None:
    """The class of static volumes need not exist as an object."""
    assert seen.says("too-small has 1Gi, the PVC asks for 5Gi")
    assert seen.says("create that StorageClass or a PersistentVolume that matches the PVC")


@scenario(
    storage_class("single"),
    volume("one-writer", "single"),
    claim(storage_class="single", mode="ReadWriteMany"),
    finds=[UNBOUND],
)
def test_access_mode_does_not_match(seen: Seen) -> None:
    """A volume for one node cannot be bound to a PVC for many."""
    assert seen.says('StorageClass "single" does not provision volumes (no-provisioner)')
    assert seen.says("one-writer is ReadWriteOnce, the PVC asks for ReadWriteMany")
    assert seen.says("create a PersistentVolume of this class that matches")


@scenario(claim(storage_class=""), finds=[UNBOUND])
def test_no_volume_without_class(seen: Seen) -> None:
    """FailedBinding is a Normal event: a filter on warnings would drop it."""
    assert seen.says("no PersistentVolume of that class is available")
    assert seen.says("create a PersistentVolume without a class that matches")


@scenario(
    volume(
        "kept",
        "retained",
        claimRef={"namespace": "gone", "name": "old", "uid": "00000000-0000-0000-0000-000000000000"},
        hostPath={"path": "/tmp"},
    ),
    claim(storage_class="retained"),
    finds=[UNBOUND],
)
def test_volume_released_and_still_reserved(seen: Seen) -> None:
    """A volume whose PVC was deleted is retained until a person releases it."""
    assert seen.get("PersistentVolume/kept").status.phase == "Released"
    assert seen.says("is Released, reserved for gone/old")


@scenario(
    storage_class("local-b", mode="WaitForFirstConsumer"),
    volume("in-room-b", "local-b", room="b"),
    claim(storage_class="local-b"),
    pod("app", volumes=claiming(), room="a"),
    finds=[UNBOUND, UNSCHEDULABLE],
)
def test_volume_on_another_node_than_the_pod(seen: Seen) -> None:
    """The scheduler finds no node where both the volume and the pod can be."""
    assert seen.says("in-room-b can only be used on nodes with kubevitals.test/room in b")


@scenario(
    volume("vanishing", "vanishing"),
    claim(storage_class="vanishing"),
    then=[
        "wait --for=jsonpath={.status.phase}=Bound pvc/data",
        "delete pv vanishing --wait=false",
        'patch pv vanishing -p={"metadata":{"finalizers":null}}',
        "wait --for=jsonpath={.status.phase}=Lost pvc/data",
    ],
    finds=[UNBOUND],
)
def test_volume_gone(seen: Seen) -> None:
    """A PVC whose PersistentVolume was deleted."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Lost"
    assert seen.says("create the PVC again from a backup")


@scenario(claim("data-0"), pod("app", volumes=claiming("data")), finds=[UNBOUND, UNSCHEDULABLE])
def test_claim_does_not_exist(seen: Seen) -> None:
    """The pod references a PVC that does not exist."""
    assert seen.says("does not exist")


@scenario(
    volume("tied-to-b", "tied", room="b"),
    claim(storage_class="tied"),
    pod("app", volumes=claiming(), room="a"),
    finds=[ATTACH_FAILED, UNSCHEDULABLE],
)
def test_bound_volume_out_of_the_pods_reach(seen: Seen) -> None:
    """The PVC is bound at once, to a volume that exists only where the pod cannot run."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Bound"
    assert seen.says("its volume can only be used on nodes with kubevitals.test/room in b")
    assert seen.says("let the pod run on those nodes")


@scenario(
    csi_driver("attacher-gone.example"),
    volume("unattached", "csi-1", csi={"driver": "attacher-gone.example", "volumeHandle": "1"}),
    claim(storage_class="csi-1"),
    pod("app", volumes=claiming(), room="a"),
    finds=[ATTACH_FAILED],
)
def test_attacher_does_not_answer(seen: Seen) -> None:
    """No attacher runs, and the control plane waits for it."""
    assert seen.says("attacher-gone.example does not respond")
    assert seen.says("check that the driver's controller pods (csi-attacher) run")


def _attachment(seen: Seen) -> Any:
    return next(a for a in seen.cluster.attachments if a.spec.attacher == "attacher-gone.example")


@scenario(on=test_attacher_does_not_answer, later=within(60, lambda seen: _attachment(seen).metadata.creationTimestamp))
def test_attach_in_its_first_two_minutes(seen: Seen) -> None:
    """The same volume a minute earlier: attaching takes time."""
    assert not _attachment(seen).status.attached


@scenario(
    csi_driver("attached-elsewhere.example"),
    volume("exclusive", "csi-2", csi={"driver": "attached-elsewhere.example", "volumeHandle": "2"}),
    claim(storage_class="csi-2"),
    pod("first", volumes=claiming(), room="a"),
    pod("second", volumes=claiming(), room="b"),
    then=[
        "wait --for=jsonpath={.spec.attacher}=attached-elsewhere.example volumeattachment {attachment:exclusive}",
        'patch volumeattachment {attachment:exclusive} --subresource=status -p={"status":{"attached":true}}',
    ],
    finds=[ATTACH_FAILED, MOUNT_FAILED],
)
def test_volume_attached_to_another_node(seen: Seen) -> None:
    """The second pod waits; the volume is attached for the first, but no driver mounts it.

    Before Kubernetes 1.37 the event says `Multi-Attach error`, since then `Waiting for detach`.
    """
    assert seen.says("Volume is already ")
    assert seen.says("stop the pod that uses the volume")


@scenario(
    csi_driver("detacher-gone.example"),
    volume("held", "csi-3", csi={"driver": "detacher-gone.example", "volumeHandle": "3"}),
    claim(storage_class="csi-3"),
    {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "VolumeAttachment",
        "metadata": {"name": "held-by-worker", "finalizers": ["example.com/detacher-gone"]},
        "spec": {
            "attacher": "detacher-gone.example",
            "nodeName": "{cluster}-worker",
            "source": {"persistentVolumeName": "held"},
        },
    },
    then=["delete volumeattachment held-by-worker --wait=false"],
    later=within(60, deleted("VolumeAttachment/held-by-worker")),
)
def test_detach_in_its_first_minutes(seen: Seen) -> None:
    """A detach that has just begun."""
    assert seen.get("VolumeAttachment/held-by-worker").metadata.HasField("deletionTimestamp")


@scenario(on=test_detach_in_its_first_minutes, later=600, finds=[ATTACH_FAILED])
def test_detach_still_pending(seen: Seen) -> None:
    """Ten minutes later the volume is still attached to the node."""
    assert seen.says("still not detached from node")
    assert seen.says("check that the driver's controller pods (csi-attacher) run")


@scenario(
    volume("no-such-path", "local-path-gone", room="a", local={"path": "/mnt/absent"}),
    claim(storage_class="local-path-gone"),
    pod("app", volumes=claiming()),
    finds=[MOUNT_FAILED],
)
def test_local_path_absent(seen: Seen) -> None:
    """The folder does not exist on the node."""
    assert seen.says("/mnt/absent")


@scenario(
    pod("app", volumes=mounting(hostPath={"path": "/mnt/absent", "type": "Directory"})),
    finds=["volume-claim[mount-failed] Pod/app"],
)
def test_host_path_absent(seen: Seen) -> None:
    """The volume has no PVC, so the finding is on the pod."""
    assert seen.says("hostPath type check failed")


@scenario(
    pod("app", volumes=mounting(nfs={"server": "192.0.2.1", "path": "/export"})),
    finds=["volume-claim[mount-failed] Pod/app"],
)
def test_nfs_cannot_be_mounted(seen: Seen) -> None:
    """The node cannot mount the NFS export."""
    assert seen.says('volume "data" cannot be mounted')


@scenario(claim(storage_class="standard"))
def test_claim_waits_for_its_first_pod(seen: Seen) -> None:
    """WaitForFirstConsumer: no pod needs the volume yet."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Pending"


@scenario(
    claim(storage_class="standard"),
    pod("app", volumes=claiming(), nodeSelector={"absent": "yes"}),
    finds=[UNSCHEDULABLE],
)
def test_claim_of_a_pod_that_fits_no_node(seen: Seen) -> None:
    """The pod cannot be scheduled for another reason; the PVC waits with it."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Pending"


@scenario(claim(storage_class="standard"), pod("app", volumes=claiming()))
def test_claim_in_use(seen: Seen) -> None:
    """The ordinary case."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Bound"
    assert seen.get("Pod/app").status.phase == "Running"
