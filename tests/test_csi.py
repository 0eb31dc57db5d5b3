"""Which pods belong to a CSI driver, when it is down, and where it should be registered but is not."""

import pytest

from checks.test_volume_claim import driver_down
from kubevitals import schema_pb2 as pb
from tests.fakes import CREATED, ago, cluster_of
from tests.networks import daemon, daemon_set, found, node, pod

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
