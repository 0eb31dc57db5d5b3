"""Which pods belong to a CSI driver, when it is down, and where it should be registered but is not."""

from collections.abc import Mapping, Sequence

import pytest
from google.protobuf.message import Message

from checks.test_volume_claim import attach_failed, driver_down, mount_failed
from kubevitals import schema_pb2 as pb
from tests.built import BuiltPod
from tests.fakes import CREATED, ago, cluster_of
from tests.networks import daemon, daemon_set, found, judged, node, pod

EBS, EFS = "ebs.csi.example", "efs.csi.example"


def driver(name: str) -> pb.CSIDriver:
    return pb.CSIDriver(metadata=pb.ObjectMeta(name=name))


def socket(of: str) -> pb.Volume:
    source = pb.VolumeSource(hostPath=pb.HostPathVolumeSource(path=f"/var/lib/kubelet/plugins/{of}"))
    return pb.Volume(name="plugin", volumeSource=source)


def plugin(name: str, of: str, ready: str = "True", on: str = "one") -> pb.Pod:
    made = pod(name, on, ready)
    made.spec.volumes.append(socket(of))
    return made


def controller(name: str, ready: str = "True", phase: str = "Running") -> pb.Pod:
    made = pod(name, "one", ready)
    made.spec.containers.append(pb.Container(name="csi-provisioner"))
    made.status.phase = phase
    return made


def test_a_controller_belongs_to_the_driver_whose_plugin_is_named_like_it() -> None:
    pods = [
        plugin("ebs-csi-node-1", EBS),
        plugin("efs-csi-node-1", EFS),
        controller("ebs-csi-controller-1"),
        controller("efs-csi-controller-1", "False"),
    ]
    both = cluster_of(pods=pods, nodes=[node("one")], csi_drivers=[driver(EBS), driver(EFS)])
    assert found(driver_down, both) == [f"CSIDriver/{EFS}"]
    apart = cluster_of(pods=pods, nodes=[node("one")], csi_drivers=[driver(EBS)])
    assert found(driver_down, apart) == [f"CSIDriver/{EBS}"]


def test_a_controller_that_was_evicted_and_replaced_is_not_down() -> None:
    pods = [
        plugin("ebs-csi-node-1", EBS),
        controller("ebs-csi-controller-1", "False", "Failed"),
        controller("ebs-csi-controller-2"),
    ]
    assert found(driver_down, cluster_of(pods=pods, nodes=[node("one")], csi_drivers=[driver(EBS)])) == []


@pytest.mark.parametrize(("ready", "expected"), [("True", [f"CSIDriver/{EBS}"]), ("Unknown", []), ("False", [])])
def test_pods_on_a_node_that_is_down_are_its_fault(ready: str, expected: list[str]) -> None:
    pods = [plugin("ebs-csi-node-1", EBS, "False")]
    assert found(driver_down, cluster_of(pods=pods, nodes=[node("one", ready)], csi_drivers=[driver(EBS)])) == expected


@pytest.mark.parametrize(
    ("installed", "started", "expected"), [(CREATED, 600, ["Node/two"]), (CREATED, 20, []), (ago(20), None, [])]
)
def test_a_driver_has_time_to_register(installed: pb.Time, started: int | None, expected: list[str]) -> None:
    made = daemon_set("ebs-csi-node", created=installed)
    made.spec.template.spec.volumes.append(socket(EBS))
    pods = [daemon(made, "two", "True", started)] if started else []
    for plugin_pod in pods:
        plugin_pod.spec.volumes.append(socket(EBS))
    registered = pb.CSINode(
        metadata=pb.ObjectMeta(name="one"), spec=pb.CSINodeSpec(drivers=[pb.CSINodeDriver(name=EBS)])
    )
    cluster = cluster_of(
        pods=pods,
        daemon_sets=[made],
        nodes=[node("one"), node("two")],
        csi_nodes=[registered],
        csi_drivers=[driver(EBS)],
    )
    assert found(driver_down, cluster) == expected


def deployment(name: str, replicas: int) -> pb.Deployment:
    template = pb.PodTemplateSpec(spec=pb.PodSpec(containers=[pb.Container(name="csi-attacher")]))
    return pb.Deployment(
        metadata=pb.ObjectMeta(name=name, namespace="kube-system", creationTimestamp=CREATED),
        spec=pb.DeploymentSpec(replicas=replicas, template=template),
    )


def plugin_set(of: str, name: str = "ebs-csi-node", selector: Mapping[str, str] = {}) -> pb.DaemonSet:
    made = daemon_set(name, selector=selector)
    made.spec.template.spec.volumes.append(socket(of))
    return made


def waiting_claim(attacher: str) -> dict[str, Sequence[Message]]:
    """Return a volume that the driver should attach, with its claim."""
    disk = pb.PersistentVolume(metadata=pb.ObjectMeta(name="disk"))
    disk.spec.claimRef.CopyFrom(pb.ObjectReference(namespace="shop", name="data"))
    attachment = pb.VolumeAttachment(metadata=pb.ObjectMeta(name="csi-1", creationTimestamp=ago(500)))
    attachment.spec.CopyFrom(pb.VolumeAttachmentSpec(nodeName="one", attacher=attacher))
    attachment.spec.source.persistentVolumeName = "disk"
    claim = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(name="data", namespace="shop"))
    claim.spec.volumeName, claim.status.phase = "disk", "Bound"
    return {"volumes": [disk], "attachments": [attachment], "claims": [claim]}


@pytest.mark.parametrize(
    ("replicas", "pods", "waits", "expected"),
    [
        (0, [], True, [f"CSIDriver/{EBS}"]),
        (0, [], False, [f"CSIDriver/{EBS} (warning)"]),
        (2, [], True, [f"CSIDriver/{EBS}"]),
        (1, ["ebs-csi-controller"], True, []),
    ],
)
def test_a_driver_whose_controller_has_no_pod_is_down(
    replicas: int, pods: list[str], *, waits: bool, expected: list[str]
) -> None:
    controllers = [controller(name) for name in pods]
    for pod_of_it in controllers:
        pod_of_it.metadata.ownerReferences.add(kind="ReplicaSet", name="ebs-csi-controller-5f", controller=True)
        pod_of_it.metadata.labels["pod-template-hash"] = "5f"
    cluster = cluster_of(
        pods=[plugin("ebs-csi-node-1", EBS), *controllers],
        nodes=[node("one")],
        csi_drivers=[driver(EBS)],
        daemon_sets=[plugin_set(EBS)],
        deployments=[deployment("ebs-csi-controller", replicas)],
        csi_nodes=[registration("one", EBS)],
        **(waiting_claim(EBS) if waits else {}),
    )
    assert found(driver_down, cluster) == expected


def registration(on: str, of: str) -> pb.CSINode:
    spec = pb.CSINodeSpec(drivers=[pb.CSINodeDriver(name=of)])
    return pb.CSINode(metadata=pb.ObjectMeta(name=on), spec=spec)


REFUSED = "transport: Error while dialing: dial unix /var/lib/kubelet/plugins/{}/csi.sock: connect: connection refused"


@pytest.mark.parametrize(
    ("folder", "selector", "expected"),
    [
        (EBS, {"storage": "yes"}, ["Node/one"]),
        ("csi-ebsplugin", {"storage": "yes"}, ["Node/one"]),
        (EFS, {}, []),
    ],
    ids=["excluded", "a folder that is not named like the driver", "another driver's, without a DaemonSet"],
)
def test_a_node_without_the_driver_that_a_pod_needs_is_the_root(
    folder: str, selector: Mapping[str, str], expected: list[str]
) -> None:
    built = BuiltPod()
    lists = built.mounting_disk("one")
    built.said("FailedMount", f'MountVolume.MountDevice failed for volume "disk" : {REFUSED.format(folder)}')
    cluster = cluster_of(
        pods=[built.pod],
        nodes=[node("one")],
        all_events=built.events,
        csi_drivers=[driver(EBS)],
        daemon_sets=[plugin_set(folder if folder != EFS else EBS, selector=selector)] if expected else [],
        csi_nodes=[registration("one", EBS)],
        **lists,
    )
    assert found(driver_down, cluster) == expected
    (mount,) = mount_failed(cluster)
    assert folder in mount.says
    assert "storage server" not in mount.remedy
    for root in driver_down(cluster):
        assert "its nodeSelector requires storage=yes, and no other node fits either" in root.says
        assert root.missing == mount.missing


def test_a_volume_waits_for_the_pod_of_its_driver_on_the_node() -> None:
    built, daemon_set_ = BuiltPod(), plugin_set(EBS)
    lists = built.mounting_disk("one")
    built.said("FailedMount", f'MountVolume.MountDevice failed for volume "disk" : {REFUSED.format(EBS)}')
    crashing = daemon(daemon_set_, "one", "False")
    crashing.spec.volumes.append(socket(EBS))
    cluster = cluster_of(
        pods=[built.pod, crashing],
        nodes=[node("one")],
        all_events=built.events,
        csi_drivers=[driver(EBS)],
        daemon_sets=[daemon_set_],
        **lists,
    )
    (root,), (mount,) = driver_down(cluster), mount_failed(cluster)
    assert root.says == "is not ready: 1 pod of it is down on node one"
    assert root.missing == mount.missing
    assert "read the log of Pod/kube-system/ebs-csi-node-one" in mount.remedy


@pytest.mark.parametrize(
    ("drivers", "says", "remedy"),
    [
        (["csi.example"], "csi.example does not respond", "check that the driver's controller pods (csi-attacher) run"),
        ([], "csi.example does not respond, and its CSIDriver csi.example does not exist", "create the CSIDriver"),
    ],
)
def test_a_driver_without_its_csi_driver_is_waited_for(drivers: list[str], says: str, remedy: str) -> None:
    """It may attach nothing, and Kubernetes waits for that because no object says so."""
    waiting = pb.VolumeAttachment(metadata=pb.ObjectMeta(name="a", creationTimestamp=ago(600)))
    waiting.spec.CopyFrom(pb.VolumeAttachmentSpec(nodeName="one", attacher="csi.example"))
    waiting.spec.source.persistentVolumeName = "disk"
    made = [pb.CSIDriver(metadata=pb.ObjectMeta(name=name)) for name in drivers]
    ((finding,), _) = judged(attach_failed, cluster_of(attachments=[waiting], csi_drivers=made))
    assert finding.says.endswith(says)
    assert finding.remedy.startswith(remedy)
