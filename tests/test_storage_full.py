"""Disks of nodes: kubelets' figures and thresholds, and what is said without them."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest
from google.protobuf.message import Message

from checks.test_config_mount import node_disk_full
from checks.test_storage_full import node_disk, volume
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.evictions import DISK, MEMORY, evicted_for
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests import fakes
from tests.fakes import ago

SUMMARY, CONFIGZ = "/api/v1/nodes/one/proxy/stats/summary", "/api/v1/nodes/one/proxy/configz"
DEFAULTS = {"nodefs.available": "10%", "nodefs.inodesFree": "5%", "imagefs.available": "15%"}
"""Thresholds of a kubelet whose configuration names none."""
GI = 1 << 30


def disk(used: int = 10, inodes_used: int = 10, size: int = 100 * GI) -> dict[str, int]:
    """A file system of which so many percent are used."""
    return {
        "capacityBytes": size,
        "availableBytes": size * (100 - used) // 100,
        "inodes": 1000,
        "inodesFree": 10 * (100 - inodes_used),
    }


def node(pressure: str = "False") -> pb.Node:
    conditions = [
        pb.NodeCondition(type="Ready", status="True"),
        pb.NodeCondition(type="DiskPressure", status=pressure),
    ]
    return pb.Node(metadata=pb.ObjectMeta(name="one"), status=pb.NodeStatus(conditions=conditions))


def cluster_of(
    node: pb.Node,
    figures: dict[str, Any] | Answer,
    evicts: dict[str, str] | Answer = DEFAULTS,
    **lists: Sequence[Message],
) -> Cluster:
    def answer_of(answer: dict[str, Any] | Answer, body: object) -> Answer:
        return answer if isinstance(answer, Answer) else Answer(200, json.dumps(body).encode())

    answers = {
        SUMMARY: answer_of(figures, {"node": figures}),
        CONFIGZ: answer_of(evicts, {"kubeletconfig": {"evictionHard": evicts}}),
    }
    return fakes.cluster_of(answers, nodes=[node], **lists)


def says(cluster: Cluster) -> list[str]:
    return [finding.says for finding in node_disk(cluster)]


@pytest.mark.parametrize(
    ("figures", "evicts", "expected"),
    [
        ({"fs": disk(84)}, DEFAULTS, []),
        ({"fs": disk(85)}, DEFAULTS, ["85 % of its disk is used"]),
        ({"fs": disk(89)}, {"nodefs.available": "0%"}, []),
        ({"fs": disk(90)}, {"nodefs.available": "0%"}, ["90 % of its disk is used"]),
        ({"fs": disk(76)}, {"nodefs.available": "20Gi"}, ["76 % of its disk is used"]),
        ({"fs": disk(74)}, {"nodefs.available": "20Gi"}, []),
        ({"fs": disk(inodes_used=90)}, DEFAULTS, ["90 % of its disk's inodes are used"]),
        ({"fs": disk(), "runtime": {"imageFs": disk(84, size=50 * GI)}}, DEFAULTS, []),
        ({"fs": disk(), "runtime": {"imageFs": disk(86, size=50 * GI)}}, DEFAULTS, ["86 % of its image disk is used"]),
        ({"fs": disk(), "runtime": {"imageFs": disk(91, size=50 * GI)}}, {}, ["91 % of its image disk is used"]),
        ({"fs": disk(87), "runtime": {"imageFs": disk(86)}}, DEFAULTS, []),
        ({"fs": disk(87), "runtime": {"imageFs": disk(5, size=50 * GI)}}, DEFAULTS, ["87 % of its disk is used"]),
        ({"fs": disk(95), "runtime": {"imageFs": disk(95)}}, DEFAULTS, ["95 % of its disk is used"]),
        ({"fs": disk(95)}, {"nodefs.available": "nonsense"}, ["95 % of its disk is used"]),
        ({"fs": {}}, DEFAULTS, []),
        ({}, DEFAULTS, []),
    ],
)
def test_a_disk_close_to_eviction_or_nine_tenths_full(
    figures: dict[str, Any], evicts: dict[str, str], expected: list[str]
) -> None:
    assert says(cluster_of(node(), figures, evicts)) == expected


GARBAGE = "Failed to garbage collect required amount of images. Attempted to free 4 bytes, but only found 0 eligible."
NOT_YET = "failed to get imageFs stats: unable to find data in memory cache"


def node_event(reason: str, message: str, before: int) -> pb.Event:
    about = pb.ObjectReference(kind="Node", name="one")
    return pb.Event(involvedObject=about, reason=reason, message=message, count=3, lastTimestamp=ago(before))


IMAGES = {"fs": disk(), "runtime": {"imageFs": disk(84, size=50 * GI)}}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (
            node_event("FreeDiskSpaceFailed", GARBAGE, 200),
            [f"84 % of its image disk is used, and the kubelet cannot delete enough images: {GARBAGE}"],
        ),
        (node_event("FreeDiskSpaceFailed", GARBAGE, 2000), []),
        (node_event("ImageGCFailed", NOT_YET, 20), []),
    ],
    ids=["present", "over", "the kubelet has just started"],
)
def test_a_disk_whose_images_cannot_be_collected_is_found_early(event: pb.Event, expected: list[str]) -> None:
    assert says(cluster_of(node(), IMAGES, all_events=[event])) == expected


def test_a_failed_collection_is_found_without_figures() -> None:
    event = node_event("ImageGCFailed", GARBAGE, 200)
    (said,) = says(cluster_of(node(), {}, all_events=[event]))
    assert said.startswith("its image disk fills up, and the kubelet cannot delete enough images: ")


def test_without_image_collection_an_image_disk_counts_near_its_threshold() -> None:
    body = json.dumps({"kubeletconfig": {"evictionHard": DEFAULTS, "imageGCHighThresholdPercent": 100}}).encode()
    assert says(cluster_of(node(), IMAGES, Answer(200, body))) == ["84 % of its image disk is used"]


def test_a_soft_threshold_counts_where_it_comes_first() -> None:
    both = {"evictionHard": {"nodefs.available": "5%"}, "evictionSoft": {"nodefs.available": "30%"}}
    body = json.dumps({"kubeletconfig": both}).encode()
    assert says(cluster_of(node(), {"fs": disk(70)}, Answer(200, body))) == ["70 % of its disk is used"]


REFUSED = Answer(403, b"Forbidden (subresource(s)=[configz])")


def seen_and_unseen(cluster: Cluster) -> tuple[list[Finding], str]:
    found: list[Finding] = []
    with pytest.raises(NotObserved) as caught:
        found.extend(node_disk(cluster))
    return found, caught.value.right


def test_pressure_is_told_without_any_figures() -> None:
    (finding,), right = seen_and_unseen(cluster_of(node("True"), REFUSED, REFUSED))
    assert finding.says == "its disk is full"
    assert "the kubelet reports DiskPressure" in finding.evidence
    assert right == "get nodes/configz"


def test_without_a_kubelets_thresholds_nine_tenths_are_the_limit() -> None:
    (finding,), _ = seen_and_unseen(cluster_of(node(), {"fs": disk(91)}, REFUSED))
    assert finding.says == "91 % of its disk is used"
    assert seen_and_unseen(cluster_of(node(), {"fs": disk(89)}, REFUSED))[0] == []


@pytest.mark.parametrize(("used", "expected"), [(86, 1), (50, 0)])
def test_a_full_disk_explains_a_config_map_that_cannot_be_written(used: int, expected: int) -> None:
    time = ago(90)
    waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="ContainerCreating"))
    pod = pb.Pod(
        metadata=pb.ObjectMeta(name="app", namespace="shop", uid="1"),
        spec=pb.PodSpec(
            nodeName="one",
            volumes=[pb.Volume(name="data", volumeSource=pb.VolumeSource(configMap=pb.ConfigMapVolumeSource()))],
        ),
        status=pb.PodStatus(
            phase="Pending",
            conditions=[
                pb.PodCondition(type="PodScheduled", status="True", lastTransitionTime=time),
                pb.PodCondition(type="PodReadyToStartContainers", status="False", lastTransitionTime=time),
            ],
            containerStatuses=[pb.ContainerStatus(state=waiting)],
        ),
    )
    failed = pb.Event(
        involvedObject=pb.ObjectReference(kind="Pod", namespace="shop", name="app", uid="1"),
        reason="FailedMount",
        message='MountVolume.SetUp failed for volume "data" : cannot write',
        lastTimestamp=time,
    )
    cluster = cluster_of(node(), {"fs": disk(used)}, pods=[pod], all_events=[failed])
    assert len(list(node_disk_full(cluster))) == expected


@pytest.mark.parametrize(("mode", "expected"), [("Filesystem", ["data"]), ("Block", [])])
def test_a_block_device_has_no_figures(mode: str, expected: list[str]) -> None:
    spec = pb.PersistentVolumeClaimSpec(volumeMode=mode)
    claim = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(name="data", namespace="shop"), spec=spec)
    name = {"name": "data", "namespace": "shop"}
    figures = {"name": "data", "pvcRef": name, "capacityBytes": GI, "availableBytes": 0, "inodes": 0, "inodesFree": 0}
    summary = {"node": {}, "pods": [{"podRef": name, "volume": [figures]}]}
    answers = {SUMMARY: Answer(200, json.dumps(summary).encode())}
    cluster = fakes.cluster_of(answers, nodes=[node()], claims=[claim])
    assert [finding.obj.name for finding in volume(cluster)] == expected


LOW = "The node was low on resource: {}. Threshold quantity: 9Gi. Container {} was using 2Gi, request is 0. "


@pytest.mark.parametrize(
    ("message", "resource"),
    [
        (LOW.format("memory", "disk-cache"), MEMORY),
        (LOW.format("ephemeral-storage", "in-memory"), DISK),
        (LOW.format("inodes", "app"), DISK),
        (LOW.format("pids", "memory-disk-storage"), None),
        ("The node had condition: [PIDPressure, MemoryPressure]. ", MEMORY),
        ("Pod was rejected: The node had condition: [MemoryPressure]. ", MEMORY),
        ("Pod was rejected: The node had condition: [DiskPressure]. ", DISK),
        ('Usage of EmptyDir volume "memory" exceeds the limit "20Mi". ', DISK),
        ("Pod ephemeral local storage usage exceeds the total limit of containers 30Mi. ", DISK),
        ('Container in-memory exceeded its local ephemeral storage limit "20Mi". ', DISK),
        ("Preempted to admit a critical pod", None),
    ],
)
def test_an_eviction_belongs_to_the_resource_that_ran_out(message: str, resource: re.Pattern[str] | None) -> None:
    pod = pb.Pod(status=pb.PodStatus(reason="Evicted", message=message))
    assert [each for each in (MEMORY, DISK) if evicted_for(pod, each)] == [each for each in (resource,) if each]
