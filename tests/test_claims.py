"""PersistentVolumeClaims that wait for a volume: what is at fault, and when it is no fault yet."""

import pytest
from google.protobuf.message import Message

from checks.test_volume_claim import attach_failed, unbound
from kubevitals import schema_pb2 as pb
from kubevitals.facts.volumes.mounting import mount_remedy, volume_words
from kubevitals.source.request import Answer
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


HANDLE = "error getting handle for DataSource Type VolumeSnapshot by Name old: "
GONE = f'{HANDLE}error getting snapshot old from api server: volumesnapshots.snapshot.storage.k8s.io "old" not found'
NO_CLONES = "CSI driver does not support clone operations: controller CLONE_VOLUME capability is not reported"


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        (GONE, "create the object that dataSource of the PVC references"),
        (f"{HANDLE}snapshot old is not Ready", "see what the object that dataSource of the PVC references waits for"),
        (NO_CLONES, "delete the PVC and create it again without dataSource"),
        ("rpc error: code = ResourceExhausted desc = disk quota", "free or add space in the storage"),
        ("rpc error: code = Internal desc = disk not found", "fix what the provisioner reports"),
    ],
)
def test_the_remedy_is_for_what_the_provisioner_reports(words: str, remedy: str) -> None:
    failed = pb.Event(reason="ProvisioningFailed", message=words)
    failed.involvedObject.CopyFrom(pb.ObjectReference(kind="PersistentVolumeClaim", namespace="shop", name="data"))
    cluster = cluster_of(claims=[claim("data", on="one")], storage_classes=CLASSES, all_events=[failed])
    (finding,) = unbound(cluster)
    assert finding.says.endswith(words)
    assert finding.remedy.startswith(remedy)


@pytest.mark.parametrize(
    ("name", "replicas", "expected"),
    [
        ("local-path-provisioner", 0, True),
        ("local-path-provisioner", 1, False),
        ("local-path-cleaner", 0, False),
        ("nfs-provisioner", 0, False),
    ],
)
def test_a_provisioner_that_is_scaled_to_zero_is_named(name: str, replicas: int, *, expected: bool) -> None:
    workload = pb.Deployment(metadata=pb.ObjectMeta(name=name, namespace="storage"))
    workload.spec.replicas = replicas
    cluster = cluster_of(
        pods=[waiting("data")],
        claims=[claim("data", "local", on="one")],
        nodes=[node("one")],
        storage_classes=[storage_class("local", "rancher.io/local-path")],
        deployments=[workload],
    )
    (finding,) = unbound(cluster)
    assert "provisioner rancher.io/local-path does not respond" in finding.says
    assert (f"Deployment/storage/{name} has 0 replicas" in finding.says) is expected
    assert ("kubectl -n storage scale deployment/" in finding.remedy) is expected


def test_a_provisioner_is_not_named_where_deployments_are_not_observed() -> None:
    cluster = cluster_of(
        {"/apis/apps/v1/deployments": Answer(403, b"")},
        pods=[waiting("data")],
        claims=[claim("data", on="one")],
        nodes=[node("one")],
        storage_classes=CLASSES,
    )
    (finding,) = unbound(cluster)
    assert finding.says.endswith("provisioner csi.example does not respond")


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


BLOCK = "Mounting arguments: -t ext4 /dev/nvme1n1: wrong fs type, bad option, bad superblock on /dev/nvme1n1, missing "
NFS = "Mounting arguments: -t nfs 192.0.2.1:/x /y\nOutput: mount: /y: bad option; for several filesystems "


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("mount.nfs: mounting 10.0.0.9:/x failed, reason given by server: No such file or directory", "on the storage"),
        ("lstat /data: no such file or directory", "on the node"),
        (BLOCK + "codepage or helper program", "fsck"),
        (NFS + "(e.g. nfs, cifs) you might need a /sbin/mount.<type> helper program.", "nfs-common"),
        (NFS.replace("bad option", "wrong fs type, bad option, bad superblock on 192.0.2.1:/x"), "nfs-common"),
        ("mount: unknown filesystem type 'nfs'", "nfs-common"),
        ("mount: /x: unknown filesystem type 'zfs'", "fsType"),
        ("'fsck' found errors on device /dev/sdb but could not correct them: /dev/sdb: Inodes", "fsck"),
        ('failed to mount the volume as "ext4", it already contains xfs. Mount error: exit status 32', "fsType"),
        ("mount.nfs: Connection refused", "storage server"),
        ("dial unix /var/lib/kubelet/plugins/x/csi.sock: connect: connection refused", "driver's pod"),
        ("mount: special device /dev/sdb does not exist", "attached"),
        ("Unable to attach or mount volumes: unmounted volumes=[x]: timed out waiting for the condition", "no event"),
        ("rpc error: code = Aborted desc = an operation with the given Volume ID 1 already exists", "has not ended"),
        ("rpc error: code = DeadlineExceeded desc = context deadline exceeded", "storage server"),
        ("rpc error: code = Internal desc = Volume a is not ready: Replicas yet to connect to controller", "replica"),
        ("mount: /x: /dev/longhorn/pvc-1 already mounted or mount point busy.", "multipathd"),
        ("rpc error: code = Internal desc = rbd image pool/csi-vol-1 is still being used", "stop the pod"),
        ("stat /x: stale NFS file handle", "mounted again"),
        ("applyFSGroup failed for vol x: lstat /x: input/output error", "kernel log"),
        ("mount.nfs: Failed to resolve server nfs.default.svc: Name or service not known", "a name that nodes know"),
        ("failed to find and re-link disk pvc-1 with udevadm after retrying for 3s", "its device is missing there"),
        ('no device path for device "/dev/xvdam" volume "vol-1" found', "its device is missing there"),
        ("hostPath type check failed: /etc/hosts is not a directory", "create the path"),
        ("hostPath type check failed: /etc/hosts is not a directory, it's a file", "hostPath.type"),
    ],
)
def test_the_remedy_is_for_the_file_system_and_the_device_of_the_message(words: str, remedy: str) -> None:
    assert remedy in mount_remedy(words)


def attached(name: str, on: str, error: str = "", *, leaves: int = 0) -> pb.VolumeAttachment:
    """Return a VolumeAttachment of the volume `disk`, which waits for its node or has been leaving it for so long."""
    made = pb.VolumeAttachment(metadata=pb.ObjectMeta(name=name, creationTimestamp=ago(600)))
    made.spec.CopyFrom(pb.VolumeAttachmentSpec(nodeName=on, attacher="disk.example"))
    made.spec.source.persistentVolumeName = "disk"
    if leaves:
        made.metadata.deletionTimestamp.CopyFrom(ago(leaves))
        made.status.attached, made.status.detachError.message = True, error
    else:
        made.status.attachError.message = error
    return made


@pytest.mark.parametrize(
    ("attachments", "expected"),
    [
        ([attached("a", "one", "busy", leaves=200), attached("b", "two", "in use")], ["from node one, and node two"]),
        ([attached("a", "one", "busy", leaves=200)], []),
        ([attached("a", "one", "busy", leaves=400)], ["still not detached from node one after 6m: busy"]),
        ([attached("a", "one", leaves=200), attached("b", "two", "in use")], ["attached to node two: in use"]),
    ],
    ids=["another node waits", "no node waits", "past its time", "no error yet"],
)
def test_a_detachment_that_fails_is_the_cause_once_another_node_waits(
    attachments: list[pb.VolumeAttachment], expected: list[str]
) -> None:
    findings, _ = judged(attach_failed, cluster_of(attachments=attachments))
    assert len(findings) == len(expected)
    for finding, part in zip(findings, expected, strict=True):
        assert part in finding.says


NO_ATTACHER = 'AttachVolume.FindAttachablePluginBySpec failed for volume "pvc-1"'
"""The attach/detach controller says nothing behind this (openebs-archive/cstor-operators issue 258)."""

SOCKET = "dial unix /var/lib/kubelet/plugins/csi.example/csi.sock: connect: connection refused"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            'MountVolume.SetUp failed for volume "data" : mount failed: exit status 32\nMounting command: mount\n'
            "Mounting arguments: -t nfs -o vers=4 192.0.2.1:/export /var/lib/kubelet/pods/1/volumes/data\n"
            "Output: mount.nfs: Connection refused",
            "nfs 192.0.2.1:/export: mount.nfs: Connection refused",
        ),
        (
            'MountVolume.SetUp failed for volume "x" : Mounting arguments: -t efs fs-1:/ /y Output: access denied',
            "efs fs-1:/: access denied",
        ),
        (NO_ATTACHER, NO_ATTACHER),
        (f'MountVolume.MountDevice failed for volume "pvc-1" : rpc error: {SOCKET}', f"rpc error: {SOCKET}"),
        (
            'MountVolume.SetUp failed for volume "x" : open /var/lib/kubelet/pods/1/x: no such file',
            "open no such file",
        ),
        *(
            (
                f'{start} for volume "pvc-1" Volume is already used by pod(s) web-0',
                "Volume is already used by pod(s) web-0",
            )
            for start in ("Multi-Attach error", "Waiting for detach")
        ),
    ],
)
def test_what_names_the_cause_of_a_failed_mount_is_kept(words: str, expected: str) -> None:
    assert volume_words(words) == expected
