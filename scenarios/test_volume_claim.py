"""Claims that cannot be bound, attached or mounted, and those that only look like it."""

from typing import Any

from scenarios.harness import Seen, scenario
from scenarios.objects import (
    claim,
    claiming,
    csi_driver,
    daemon_set,
    mounting,
    pod,
    storage_class,
    volume,
)

UNBOUND = "volume-claim[unbound] PersistentVolumeClaim/data"
ATTACH_FAILED = "volume-claim[attach-failed] PersistentVolumeClaim/data"
MOUNT_FAILED = "volume-claim[mount-failed] PersistentVolumeClaim/data"


def plugin(driver: str, *, room: str = "", ready: bool = True) -> dict[str, object]:
    """A DaemonSet that looks like a CSI driver's node plugin."""
    made = daemon_set("plugin", room=room, volumes=mounting(hostPath={"path": f"/var/lib/kubelet/plugins/{driver}"}))
    if not ready:
        made["spec"]["template"]["spec"]["containers"][0]["readinessProbe"] = {"exec": {"command": ["false"]}}
    return made


def register(driver: str, node: str) -> str:
    """Put a driver on a node's list, as its registrar would."""
    return (
        f"patch csinode {{cluster}}-{node} "
        f'-p={{"spec":{{"drivers":[{{"name":"{driver}","nodeID":"{node}","topologyKeys":[]}}]}}}}'
    )


@scenario(claim(storage_class="standrad"), finds=[UNBOUND])
def test_storage_class_misspelt(seen: Seen) -> None:
    """The finding says which name looks like the missing one."""
    assert seen.says('StorageClass "standrad" does not exist (did you mean "standard"?)')
    assert seen.says("create that StorageClass, or name a StorageClass that exists")


@scenario(storage_class("unanswered", "example.com/nobody"), claim(storage_class="unanswered"), finds=[UNBOUND])
def test_provisioner_does_not_answer(seen: Seen) -> None:
    """The control plane waits for an external provisioner that is not there."""
    assert seen.says("provisioner example.com/nobody does not answer")
    assert seen.says("see whether the pods of provisioner example.com/nobody run")


@scenario(claim(storage_class="standard", mode="ReadWriteMany"), pod("app", volumes=claiming()), finds=[UNBOUND])
def test_provisioner_fails(seen: Seen) -> None:
    """The provisioner answers that it cannot."""
    assert seen.says("provisioner rancher.io/local-path fails")
    assert seen.says("mend what it complains about")


@scenario(volume("too-small", "small", size="1Gi"), claim(storage_class="small", size="5Gi"), finds=[UNBOUND])
def test_volume_too_small(seen: Seen) -> None:
    """Static volumes: the class need not exist as an object."""
    assert seen.says("too-small has 1Gi of the 5Gi asked for")
    assert seen.says("create that StorageClass or a volume that fits")


@scenario(
    storage_class("single"),
    volume("one-writer", "single"),
    claim(storage_class="single", mode="ReadWriteMany"),
    finds=[UNBOUND],
)
def test_access_mode_does_not_match(seen: Seen) -> None:
    """A volume for one node cannot serve a claim for many."""
    assert seen.says("one-writer is ReadWriteOnce, not ReadWriteMany")
    assert seen.says("create a volume of this class that fits")


@scenario(claim(storage_class=""), finds=[UNBOUND])
def test_no_volume_without_class(seen: Seen) -> None:
    """FailedBinding is a Normal event: a filter on warnings would lose it."""
    assert seen.says("no free volume of that class")
    assert seen.says("create a volume without class that fits")


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
    """A volume whose claim was deleted is kept for somebody to look at."""
    assert seen.get("PersistentVolume/kept").status.phase == "Released"
    assert seen.says("is Released, reserved for gone/old")


@scenario(
    storage_class("local-b", mode="WaitForFirstConsumer"),
    volume("in-room-b", "local-b", room="b"),
    claim(storage_class="local-b"),
    pod("app", volumes=claiming(), room="a"),
    finds=[UNBOUND],
)
def test_volume_on_another_node_than_the_pod(seen: Seen) -> None:
    """The scheduler finds no node that has both."""
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
    """A claim that has lost its volume."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Lost"
    assert seen.says("create the claim anew from a backup")


@scenario(claim("data-0"), pod("app", volumes=claiming("data")), finds=[UNBOUND])
def test_claim_does_not_exist(seen: Seen) -> None:
    """The pod names a claim that nobody made."""
    assert seen.says("does not exist")


@scenario(
    volume("tied-to-b", "tied", room="b"),
    claim(storage_class="tied"),
    pod("app", volumes=claiming(), room="a"),
    finds=[ATTACH_FAILED],
)
def test_bound_volume_out_of_the_pods_reach(seen: Seen) -> None:
    """Bound at once, to a volume that is only where the pod is not."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Bound"
    assert seen.says("is tied to nodes with kubevitals.test/room in b")
    assert seen.says("let the pod run on those nodes")


@scenario(
    csi_driver("attacher-gone.example"),
    volume("unattached", "csi-1", csi={"driver": "attacher-gone.example", "volumeHandle": "1"}),
    claim(storage_class="csi-1"),
    pod("app", volumes=claiming(), room="a"),
    finds=[ATTACH_FAILED],
)
def test_attacher_does_not_answer(seen: Seen) -> None:
    """Nobody attaches the volume, and the control plane waits."""
    assert seen.says("no answer from attacher-gone.example")
    assert seen.says("see whether the driver's controller pods (csi-attacher) run")


def _attachment(seen: Seen) -> Any:
    return next(a for a in seen.cluster.attachments if a.spec.attacher == "attacher-gone.example")


def _after_a_minute(seen: Seen) -> float:
    return 60 - seen.cluster.age(_attachment(seen).metadata.creationTimestamp)


@scenario(on=test_attacher_does_not_answer, later=_after_a_minute)
def test_attach_in_its_first_two_minutes(seen: Seen) -> None:
    """The same volume a while before: attaching takes its time."""
    assert not _attachment(seen).status.attached
    assert seen.cluster.age(_attachment(seen).metadata.creationTimestamp) == 60


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
    """Multi-Attach: the second pod waits; the first has its volume attached and no driver to mount it."""
    assert seen.says("Multi-Attach error")
    assert seen.says("let the pod that holds the volume end")


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
)
def test_detach_in_its_first_minutes(seen: Seen) -> None:
    """A detach that has just begun."""
    assert seen.get("VolumeAttachment/held-by-worker").metadata.HasField("deletionTimestamp")


@scenario(on=test_detach_in_its_first_minutes, later=600, finds=[ATTACH_FAILED])
def test_detach_still_pending(seen: Seen) -> None:
    """Ten minutes later the node still holds the volume."""
    assert seen.says("still being detached from node")
    assert seen.says("see whether the driver's controller pods (csi-attacher) run")


@scenario(
    volume("no-such-path", "local-path-gone", room="a", local={"path": "/mnt/absent"}),
    claim(storage_class="local-path-gone"),
    pod("app", volumes=claiming()),
    finds=[MOUNT_FAILED],
)
def test_local_path_absent(seen: Seen) -> None:
    """The node has no such folder."""
    assert seen.says("/mnt/absent")


@scenario(
    csi_driver("not-here.example", attach=False),
    volume("no-driver", "csi-4", csi={"driver": "not-here.example", "volumeHandle": "4"}),
    claim(storage_class="csi-4"),
    pod("app", volumes=claiming(), room="a"),
    finds=[MOUNT_FAILED],
)
def test_driver_not_on_the_node(seen: Seen) -> None:
    """No plugin on the node answers for the driver."""
    assert seen.says("not found in the list of registered CSI drivers")


@scenario(
    pod("app", volumes=mounting(hostPath={"path": "/mnt/absent", "type": "Directory"})),
    finds=["volume-claim[mount-failed] Pod/app"],
)
def test_host_path_absent(seen: Seen) -> None:
    """A volume without a claim: the finding is the pod's."""
    assert seen.says("hostPath type check failed")


@scenario(
    pod("app", volumes=mounting(nfs={"server": "192.0.2.1", "path": "/export"})),
    finds=["volume-claim[mount-failed] Pod/app"],
)
def test_nfs_cannot_be_mounted(seen: Seen) -> None:
    """The node cannot mount what the server exports."""
    assert seen.says("cannot mount volume data")


@scenario(
    csi_driver("plugin-down.example"),
    plugin("plugin-down.example", ready=False),
    finds=["volume-claim[driver-down] CSIDriver/plugin-down.example"],
)
def test_driver_pods_down(seen: Seen) -> None:
    """No volume needs it yet; the next one will."""
    assert seen.says("is not ready: 2 pods of it are down")


@scenario(
    csi_driver("half-registered.example"),
    plugin("half-registered.example"),
    then=[register("half-registered.example", "worker2")],
    finds=["volume-claim[driver-down] Node/worker"],
)
def test_driver_missing_on_one_node(seen: Seen) -> None:
    """The plugin runs on both workers and is registered on one."""
    assert seen.says("lacks the CSI driver half-registered.example")


@scenario(
    csi_driver("room-b-only.example"),
    plugin("room-b-only.example", room="b"),
    then=[register("room-b-only.example", "worker2")],
)
def test_driver_limited_to_some_nodes(seen: Seen) -> None:
    """A node selector says where the driver belongs."""
    assert any(d.name == "room-b-only.example" for n in seen.cluster.csi_nodes for d in n.spec.drivers)


@scenario(claim(storage_class="standard"))
def test_claim_waits_for_its_first_pod(seen: Seen) -> None:
    """WaitForFirstConsumer: nobody has asked for the volume yet."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Pending"


@scenario(claim(storage_class="standard"), pod("app", volumes=claiming(), nodeSelector={"absent": "yes"}))
def test_claim_of_a_pod_that_fits_no_node(seen: Seen) -> None:
    """The pod cannot be scheduled for a reason of its own; the claim waits with it."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Pending"


@scenario(claim(storage_class="standard"), pod("app", volumes=claiming()))
def test_claim_in_use(seen: Seen) -> None:
    """The ordinary case."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Bound"
    assert seen.get("Pod/app").status.phase == "Running"
