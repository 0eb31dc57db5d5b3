"""What has no space left, by what a message says and by the figures of the node's disk."""

import json

import pytest

from checks.test_config_mount import node_disk_full
from checks.test_storage_full import no_space_in_log
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.no_space import READ, explain_no_space
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests.built import BuiltPod, config_map, node
from tests.fakes import cluster_of

GI = 1 << 30
ENOSPC = "No space left on device"


def pod() -> pb.Pod:
    mounts = [pb.VolumeMount(name=name, mountPath=path) for name, path in MOUNTS.items()]
    claim = pb.PersistentVolumeClaimVolumeSource(claimName="orders")
    sources = {
        "data": pb.VolumeSource(persistentVolumeClaim=claim),
        "cache": pb.VolumeSource(emptyDir=pb.EmptyDirVolumeSource(medium="Memory")),
        "scratch": pb.VolumeSource(emptyDir=pb.EmptyDirVolumeSource()),
    }
    volumes = [pb.Volume(name=name, volumeSource=source) for name, source in sources.items()]
    container = pb.Container(name="app", volumeMounts=mounts)
    return pb.Pod(spec=pb.PodSpec(nodeName="one", containers=[container], volumes=volumes))


MOUNTS = {"data": "/data", "cache": "/data/cache/", "scratch": "/run/app"}


def cluster(used: int | None = None) -> Cluster:
    """Return a cluster whose node uses so many percent of its disk, if that is known."""
    figures = {} if used is None else {"capacityBytes": 100 * GI, "availableBytes": (100 - used) * GI}
    answer = Answer(200, json.dumps({"node": {"fs": figures}}).encode())
    return cluster_of({"/api/v1/nodes/one/proxy/stats/summary": answer}, nodes=[node()])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        (f"dd: error writing '/data/x': {ENOSPC}", 'volume "data" (PersistentVolumeClaim "orders") at /data is full'),
        (f"[Errno 28] {ENOSPC}: '/data/cache/x'", 'volume "cache" (in memory) at /data/cache/ is full'),
        (f"open /run/app/pid: {ENOSPC}", 'volume "scratch" at /run/app is full'),
        (f"open /database/x: {ENOSPC}", "no space is left on node one"),
        (f"write error: {ENOSPC}", "no space is left on node one"),
        (f"inotify_add_watch: {ENOSPC}", "the inotify watches of the node are used up"),
        (f'could not resize shared memory segment "/PostgreSQL.1" to 8 bytes: {ENOSPC}', "shared memory (/dev/shm)"),
        (f"shm_open /dev/shm/x: {ENOSPC}", "shared memory (/dev/shm)"),
        (f"unshare(CLONE_NEWUSER): {ENOSPC}", "can create no more namespaces"),
        (f"could not create semaphores: {ENOSPC}", "System V semaphores"),
        (f"{'x' * READ}inotify: {ENOSPC}", "no space is left on node one"),
    ],
)
def test_a_container_says_what_is_full(text: str, what: str) -> None:
    assert what in explain_no_space(text, pod(), cluster(), "app").what


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("mkdir /sys/fs/cgroup/kubepods.slice/x: no space left on device", "can create no more cgroups"),
        ("write /sys/fs/cgroup/cpuset/x/cgroup.procs: no space left on device", "cpuset has no CPUs"),
        ("for unshare: fork/exec /proc/self/exe: no space left on device", "no more namespaces"),
        ("mkdir /run/containerd/io/x: no space left on device", "/run of node one is full"),
        ("mkdir /run/containerd/io/x/rootfs/data: no space left on device", "no space is left on node one"),
        ("write /var/lib/kubelet/pods/x: no space left on device", "no space is left on node one"),
    ],
)
def test_a_kubelet_says_what_is_full(text: str, what: str) -> None:
    assert what in explain_no_space(text, pod(), cluster()).what


def test_a_disk_is_called_full_only_if_its_figures_say_so() -> None:
    words = "write /var/lib/containerd/x: no space left on device"
    assert explain_no_space(words, pod(), cluster(95)).what == "the disk of node one is full"
    assert "although the disk of node one is not full" in explain_no_space(words, pod(), cluster(20)).what


def test_without_nodes_the_disk_is_not_judged() -> None:
    unseen = cluster_of({"/api/v1/nodes": "no right"})
    words = "write /var/lib/containerd/x: no space left on device"
    assert explain_no_space(words, pod(), unseen).what == "no space is left on node one"


def test_the_findings_say_what_is_full() -> None:
    crashing = BuiltPod()
    crashing.crashing("web", log=f"semget: {ENOSPC}")
    (finding,) = no_space_in_log(crashing.cluster())
    assert "the limit for System V semaphores or shared memory is reached, which is not about a disk" in finding.says
    assert "kernel.sem" in finding.remedy
    waiting = BuiltPod()
    waiting.mounting("config", configMap=config_map("present"))
    waiting.said("FailedMount", 'MountVolume.SetUp failed for volume "config" : write /x: no space left on device')
    (finding,) = node_disk_full(waiting.cluster())
    assert finding.says == "volumes cannot be mounted: no space is left on node one"
