"""Claims of a real CSI driver with an attacher: its calls fail, its pods are gone, and what only looks like it."""

from scenarios.faults_csi import (
    CLASS,
    CONTROLLER_LEAVES,
    DRIVER,
    IMMEDIATE,
    attach_limit,
    controller_back_afterwards,
    controller_gone,
    driver_object_gone,
    failing,
    plugin_selects,
    released_afterwards,
)
from scenarios.harness import Seen, scenario
from scenarios.objects import Object, claim, claiming, pod, stateful_set
from scenarios.undoing import together

ADDON = "csi-hostpath"
APP = (claim(storage_class=CLASS, size="32Mi"), pod("app", volumes=claiming(), room="a"))
"""A pod that needs a volume, which is made once it is scheduled."""

ATTACH_FAILED = "volume-claim[attach-failed] PersistentVolumeClaim/data"
DRIVER_DOWN = f"volume-claim[driver-down] CSIDriver/{DRIVER}"


def volumes_of_its_own(name: str, replicas: int) -> Object:
    """A StatefulSet whose pods have a volume each."""
    own = stateful_set(name, replicas, room="a", volumeMounts=[{"name": "data", "mountPath": "/data"}])
    own["spec"]["volumeClaimTemplates"] = [claim(storage_class=CLASS, size="32Mi")]
    return own


def copy(name: str, kind: str, group: str = "") -> Object:
    """A claim for the copy of an object with the name `gone`."""
    copied = claim(name, IMMEDIATE, size="32Mi")
    copied["spec"]["dataSource"] = {"kind": kind, "name": "gone"} | ({"apiGroup": group} if group else {})
    return copied


def later(name: str, of: str = "data") -> Object:
    """A pod that is not scheduled before `starting` it."""
    return pod(name, volumes=claiming(of), room="a", schedulingGates=[{"name": "example.com/later"}])


def starting(name: str) -> str:
    return f'patch pod {name} --type=json -p=[{{"op":"remove","path":"/spec/schedulingGates"}}]'


@scenario(*APP, claim("idle", CLASS), addon=ADDON)
def test_csi_healthy(seen: Seen) -> None:
    """A pod has its volume, and no pod needs the other one yet."""
    assert seen.get("PersistentVolumeClaim/data").status.phase == "Bound"
    assert seen.get("PersistentVolumeClaim/idle").status.phase == "Pending"
    assert seen.get("Pod/app").status.phase == "Running"


@scenario(*APP, claim("idle", CLASS), addon=ADDON, probe=True)
def test_csi_healthy_seen_from_inside(seen: Seen) -> None:
    """The probe runs as well, and nothing is left unseen."""
    assert seen.get("Pod/app").status.phase == "Running"
    assert not seen.unseen


@scenario(*APP, addon=ADDON, fault=driver_object_gone)
def test_csi_driver_object_gone(seen: Seen) -> None:
    """Without the CSIDriver the defaults hold, which suit this driver: its volumes are attached and mounted."""
    assert not seen.cluster.csi_drivers
    assert seen.get("Pod/app").status.phase == "Running"


@scenario(
    claim("big", IMMEDIATE, size="5Gi"),
    claim("growing", IMMEDIATE, size="32Mi"),
    copy("clone", "PersistentVolumeClaim"),
    copy("restored", "VolumeSnapshot", "snapshot.storage.k8s.io"),
    addon=ADDON,
    then=[
        "wait --for=jsonpath={.status.phase}=Bound pvc/growing",
        'patch pvc growing -p={"spec":{"resources":{"requests":{"storage":"5Gi"}}}}',
    ],
    finds=[
        "volume-claim[unbound] PersistentVolumeClaim/big",
        "volume-claim[expansion-failed] PersistentVolumeClaim/growing",
        "volume-claim[unbound] PersistentVolumeClaim/clone",
        "volume-claim[unbound] PersistentVolumeClaim/restored",
    ],
)
def test_csi_pool_full(seen: Seen) -> None:
    """The driver has no space for a new volume or for a larger one, and it can neither clone nor restore."""
    assert seen.says("not enough space in the storage pool: requested 5368709120 bytes")
    assert seen.says("it cannot be expanded from 32Mi to 5Gi")
    assert seen.says("free or add space in the storage")
    assert seen.says("CSI driver does not support clone operations")
    assert seen.says("CSI driver does not support snapshot restore")
    assert seen.says("create it again without dataSource")


HELD = claim("held", IMMEDIATE, size="32Mi")
HELD["metadata"]["finalizers"] = ["snapshot.storage.kubernetes.io/pvc-as-source-protection"]


@scenario(
    claim(storage_class=IMMEDIATE, size="32Mi", mode="ReadWriteOncePod"),
    pod("first", volumes=claiming(), room="a"),
    later("second"),
    HELD,
    later("third", "held"),
    addon=ADDON,
    fault=released_afterwards("csi-claims-are-taken", "held"),
    then=[
        "wait --for=condition=Ready pod/first",
        starting("second"),
        "wait --for=jsonpath={.status.phase}=Bound pvc/held",
        "delete pvc held --wait=false",
        starting("third"),
    ],
    finds=[
        ATTACH_FAILED,
        "scheduling[unschedulable] Pod/second",
        "volume-claim[delete-failed] PersistentVolumeClaim/held",
        "scheduling[unschedulable] Pod/third",
    ],
)
def test_csi_claims_are_taken(seen: Seen) -> None:
    """One pod has a claim for one pod only; a snapshot that is not ready holds a claim that is being deleted."""
    assert seen.says("it is ReadWriteOncePod and Pod/csi-claims-are-taken/first uses it")
    assert seen.says("a VolumeSnapshot of it is not ready yet")


@scenario(
    volumes_of_its_own("db", 2),
    addon=ADDON,
    fault=attach_limit(1),
    finds=["volume-claim[attach-failed] PersistentVolumeClaim/data-db-1", "scheduling[unschedulable] Pod/db-*"],
)
def test_csi_attach_limit(seen: Seen) -> None:
    """A node can attach one volume, which the first pod has."""
    assert seen.says("the nodes where the pod can run have as many volumes as they can attach")


@scenario(*APP, addon=ADDON, fault=failing("control-plane", "ControllerPublishVolume", "hang"), finds=[ATTACH_FAILED])
def test_csi_attach_hangs(seen: Seen) -> None:
    """The driver does not answer the attacher."""
    assert seen.says("context deadline exceeded")
    assert seen.says("the driver has not answered its csi-attacher in time")


@scenario(
    *APP,
    addon=ADDON,
    fault=failing("control-plane", "ControllerPublishVolume", "Internal the disk is in state ERROR"),
    finds=[ATTACH_FAILED],
)
def test_csi_attach_fails(seen: Seen) -> None:
    """The driver refuses to attach the volume."""
    assert seen.says("the disk is in state ERROR")


@scenario(
    *APP,
    addon=ADDON,
    fault=failing(
        "worker", "NodeStageVolume", "Internal fsck found errors on device /dev/sdb but could not correct them"
    ),
    finds=["volume-claim[mount-failed] PersistentVolumeClaim/data"],
)
def test_csi_stage_fails(seen: Seen) -> None:
    """The node plugin cannot mount the volume."""
    assert seen.says("fsck found errors on device /dev/sdb but could not correct them")
    assert seen.says("repair the file system")


@scenario(
    *APP,
    claim("backup", IMMEDIATE, size="32Mi"),
    addon=ADDON,
    fault=controller_gone(),
    finds=[
        DRIVER_DOWN,
        "volume-claim[unbound] PersistentVolumeClaim/data",
        "volume-claim[unbound] PersistentVolumeClaim/backup",
    ],
)
def test_csi_controller_gone(seen: Seen) -> None:
    """The controller has no replicas: nothing is provisioned."""
    assert seen.says("has no controller pod: Deployment/kube-system/csi-hostpath-controller has 0 replicas")


@scenario(
    claim(storage_class=IMMEDIATE, size="32Mi"),
    later("app"),
    addon=ADDON,
    fault=together(driver_object_gone, controller_back_afterwards()),
    then=["wait --for=jsonpath={.status.phase}=Bound pvc/data", *CONTROLLER_LEAVES, starting("app")],
    finds=[ATTACH_FAILED],
)
def test_csi_driver_object_and_controller_gone(seen: Seen) -> None:
    """Nobody attaches the volume; whether it has to be attached, a CSIDriver would say."""
    assert seen.says(f"{DRIVER} does not respond, and its CSIDriver {DRIVER} does not exist")
    assert seen.says("check that the driver's controller pods (csi-attacher) run")


@scenario(
    *APP,
    addon=ADDON,
    fault=plugin_selects(**{"kubevitals.test_room": "b"}),
    finds=["volume-claim[driver-down] Node/worker", "volume-claim[mount-failed] PersistentVolumeClaim/data"],
)
def test_csi_node_plugin_gone(seen: Seen) -> None:
    """The driver's DaemonSet does not select the node."""
    assert seen.says(f"the node plugin of CSI driver {DRIVER} does not run here")
