"""Which of the reports about a volume tells why its pod waits, and what helps."""

import pytest

from checks.test_volume_claim import attach_failed, mount_failed, unbound
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from tests.built import BuiltPod
from tests.fakes import ago, cluster_of
from tests.networks import node
from tests.test_claims import CLASSES, claim

HANGS = "rpc error: code = DeadlineExceeded desc = context deadline exceeded"
BUSY = "rpc error: code = Aborted desc = an operation with the given Volume ID 0001-0009-rook-ceph-1 already exists"


def waiting(reason: str, *messages: str, attached: bool) -> list[Finding]:
    """Return what is found on a pod with these reports, the latest last."""
    pod = BuiltPod()
    lists = pod.mounting_disk(on="one", attached=attached)
    if not attached:
        lists["attachments"] = []
    for age, message in enumerate(reversed(messages)):
        pod.said(reason, message, 10 + 60 * age)
    cluster = cluster_of(pods=[pod.pod], nodes=[pod.node], all_events=pod.events, **lists)
    return list((mount_failed if attached else attach_failed)(cluster))


def test_what_an_earlier_attempt_said_tells_more_than_that_it_has_not_ended() -> None:
    """rook/rook issue 6280: the driver answers every retry like this while the first one hangs."""
    said = 'MountVolume.MountDevice failed for volume "disk" : '
    (finding,) = waiting("FailedMount", said + HANGS, said + BUSY, attached=True)
    assert finding.says.endswith(HANGS)
    (finding,) = waiting("FailedMount", said + BUSY, attached=True)
    assert "an earlier attempt has not ended" in finding.remedy


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('AttachVolume.Attach failed for volume "disk" : CSINode one does not contain driver x', "node plugin"),
        ('AttachVolume.FindAttachablePluginBySpec failed for volume "disk"', "attachRequired"),
        ('AttachVolume.Attach failed for volume "disk" : volume disk is not ready for workloads', "no replica"),
        ('Multi-Attach error for volume "disk" Volume is already exclusively attached', "stop the pod"),
        ('AttachVolume.Attach failed for volume "disk" : code = ResourceExhausted desc = limit', "as it can attach"),
        ('AttachVolume.Attach failed for volume "disk" : InvalidVolume.NotFound: The volume', "from a snapshot"),
        (
            'AttachVolume.Attach failed for volume "disk" : code = NotFound desc = Instance "i-1" not found',
            "delete the Node",
        ),
        ('AttachVolume.Attach failed for volume "disk" : Disk x cannot be attached: not in zone 1', "another zone"),
        ('AttachVolume.Attach failed for volume "disk" : quota', "csi-attacher"),
    ],
)
def test_the_remedy_is_for_what_keeps_the_volume_from_being_attached(message: str, remedy: str) -> None:
    (finding,) = waiting("FailedAttachVolume", message, attached=False)
    assert not finding.says.endswith(": ")
    assert remedy in finding.remedy


def of_deployment(name: str, on: str, *, ready: bool) -> BuiltPod:
    """Return a pod of the Deployment web that mounts the claim `data`."""
    built = BuiltPod()
    built.pod.metadata.name = built.pod.metadata.uid = name
    built.pod.metadata.labels["pod-template-hash"] = "5d"
    built.pod.metadata.ownerReferences.add(kind="ReplicaSet", name="web-5d", controller=True)
    built.pod.spec.nodeName = on
    if ready:
        built.start()
        built.pod.status.conditions.add(type="Ready", status="True")
    return built


@pytest.mark.parametrize(
    ("other", "remedy"),
    [
        (
            of_deployment("web-0", "two", ready=True),
            "Pod/shop/web-0 of the same Deployment has the volume: set strategy",
        ),
        (of_deployment("web-0", "two", ready=False), "stop the pod that uses the volume"),
        (of_deployment("web-0", "one", ready=True), "stop the pod that uses the volume"),
    ],
    ids=["ready on another node", "not ready", "on the same node"],
)
def test_replicas_of_a_deployment_cannot_share_a_volume_of_one_node(other: BuiltPod, remedy: str) -> None:
    """With RollingUpdate the new pod waits for a volume that the old one keeps until the new one is ready."""
    one = of_deployment("app", "one", ready=False)
    disk = one.mounting_disk("two")
    other.mounting("data", persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName="data"))
    one.pod.metadata.uid = "1"
    one.said("FailedAttachVolume", 'Multi-Attach error for volume "disk" Volume is already used by pod(s) web-0')
    seen = cluster_of(pods=[one.pod, other.pod], nodes=[one.node, node("two")], all_events=one.events, **disk)
    (finding,) = attach_failed(seen)
    assert finding.remedy.startswith(remedy)


def provisioned(message: str, *, on: str = "one", created: int = 600, pods_node: str = "") -> list[Finding]:
    """Return what is found on a claim whose provisioner says this, and whose pod may have a node."""
    pod = BuiltPod()
    pod.mounting("data", persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName="data"))
    pod.pod.spec.nodeName = pods_node
    pod.pod.metadata.creationTimestamp.CopyFrom(ago(created))
    about = pb.ObjectReference(kind="PersistentVolumeClaim", namespace="shop", name="data")
    failed = pb.Event(involvedObject=about, type="Warning", reason="ProvisioningFailed", message=message)
    seen = cluster_of(
        pods=[pod.pod],
        claims=[claim("data", on=on)],
        nodes=[pod.node],
        storage_classes=CLASSES,
        all_events=[failed] if message else [],
    )
    return list(unbound(seen))


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ("error generating accessibility requirements: no available topology found", "topologyKeys"),
        ('failed to get target node: node "gone" not found', "remove the annotation"),
        ('persistentvolumes is forbidden: User "x" cannot create resource "persistentvolumes"', "the right"),
        ("api error UnauthorizedOperation: You are not authorized to perform this operation.", "the right"),
        ("get credentials: failed to refresh cached credentials, no EC2 IMDS role found", "an identity in the cloud"),
        (
            "Volume capabilities MULTI_NODE_MULTI_WRITER not supported. Only AccessModes[ReadWriteOnce] supported.",
            "ask for ReadWriteOnce",
        ),
        ("Only support ReadWriteOnce access mode", "ask for ReadWriteOnce"),
        ("no room", "fix what the provisioner reports"),
    ],
)
def test_the_remedy_is_for_what_the_provisioner_reports(message: str, remedy: str) -> None:
    (finding,) = provisioned(f'failed to provision volume with StorageClass "dynamic": {message}')
    assert remedy in finding.remedy


def test_a_pod_that_has_its_node_from_elsewhere_never_gets_a_volume() -> None:
    """kubernetes/kubernetes issue 86262: the claim waits for a scheduler that never sees the pod."""
    (finding,) = provisioned("", on="", pods_node="one")
    assert "Pod/shop/app has been put on node one past the scheduler" in finding.says
    assert "nodeSelector" in finding.remedy
    assert not provisioned("", on="", pods_node="one", created=30)
    assert not provisioned("", on="", pods_node="")
