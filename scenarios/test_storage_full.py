"""Full volumes, pods that used too much of their node's disk, and volumes that only look full."""

from scenarios.faults import host_path_full, volumes_full
from scenarios.harness import Seen, scenario
from scenarios.objects import limit, mounting, pod

WRITE = "dd if=/dev/zero of=/data/x bs=1M count=30; sleep 1d"
EVICTED = "storage-full[evicted] Pod/app"


@scenario(
    fault=volumes_full("worker"),
    finds=[
        "storage-full[volume] PersistentVolumeClaim/nearly (warning)",
        "storage-full[volume] PersistentVolumeClaim/wholly",
        "storage-full[volume] PersistentVolumeClaim/with-files",
    ],
)
def test_volumes_full(seen: Seen) -> None:
    """Space and inodes; no volume that is full by design, read-only, or a plain directory with the node's figures."""
    assert seen.says("of its inodes used")
    claims = {claim.metadata.name for claim in seen.cluster.claims if claim.status.phase == "Bound"}
    assert claims >= {"by-design", "read-only", "plain"}


@scenario(
    fault=host_path_full("worker"),
    finds=["storage-full[volume] PersistentVolumeClaim/data", "storage-full[no-space-in-log] Pod/app"],
)
def test_host_path_full(seen: Seen) -> None:
    """No kubelet has figures of a hostPath volume, but the log of its pod tells."""
    assert seen.says('its volume is full: container "app" reports "no space left on device"')
    assert seen.says('volume "data" (PersistentVolumeClaim "data") at /data is full')


@scenario(pod("app", WRITE, volumes=mounting(emptyDir={"sizeLimit": "20Mi"})), finds=[EVICTED])
def test_empty_dir_over_its_size(seen: Seen) -> None:
    """The kubelet evicts the pod; its message names the volume."""
    assert seen.says("Usage of EmptyDir volume")


@scenario(
    pod("app", WRITE.replace("/data/", "/tmp/"), resources=limit(ephemeral_storage="20Mi")),
    finds=[EVICTED],
)
def test_container_over_its_ephemeral_storage(seen: Seen) -> None:
    """What a container writes to its own file system counts."""
    assert seen.says("ephemeral local storage usage exceeds")


@scenario(
    pod(
        "app",
        "dd if=/dev/zero of=/data/x bs=1M count=30",
        volumes=mounting(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"}),
    ),
    finds=["storage-full[no-space-in-log] Pod/app"],
)
def test_container_finds_no_space(seen: Seen) -> None:
    """The end of its log says why it crashes."""
    assert seen.says("No space left on device")


@scenario(
    pod(
        "app",
        WRITE,
        volumes=mounting(emptyDir={"medium": "Memory", "sizeLimit": "1Mi"}),
        readinessProbe={"exec": {"command": ["sh", "-c", "echo x >> /data/log"]}, "timeoutSeconds": 20},
    ),
    finds=["storage-full[no-space-in-log] Pod/app"],
)
def test_container_finds_no_space_and_is_not_ready(seen: Seen) -> None:
    """It does not crash: the answer of its readiness probe says why it is not ready."""
    assert not seen.get("Pod/app").status.containerStatuses[0].restartCount
    assert seen.says('container "app" is not ready because')
