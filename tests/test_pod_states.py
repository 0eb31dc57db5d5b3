"""Which fault a pod's state shows, and which it no longer shows."""

import pytest

from checks.test_memory_limit import node_oom, oom_killed
from checks.test_storage_full import evicted as storage_evicted
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, pod_faults
from tests.built import BuiltPod, config_map, findings, owner_of
from tests.fakes import ago, cluster_of

TOO_LITTLE = "runc create failed: container init was OOM-killed (memory limit too low?)"


@pytest.mark.parametrize(
    "words",
    [
        TOO_LITTLE,
        "set memory limit 1048576 too low; should be at least 12582912",
        "container create failed: OOM: the memory limit could be too low: read from the init process",
    ],
    ids=["runc", "CRI-O", "crun"],
)
def test_each_runtime_has_its_own_words_for_too_little_memory(words: str) -> None:
    pod = BuiltPod()
    pod.waiting("web", "CreateContainerError", words)
    assert owner_of(pod.cluster()) is PodFault.OOM_KILLED
    pod = BuiltPod()
    pod.said("FailedCreatePodSandBox", f"Failed to create pod sandbox: rpc error: code = Unknown desc = pod {words}")
    (finding,) = oom_killed(pod.cluster())
    assert "the pod sandbox cannot start" in finding.says


DIED = {
    "runc": "OCI runtime create failed: runc create failed: cannot start a container that has stopped",
    "runc start": "OCI runtime start failed: container process is already dead: unknown",
    "containerd": "failed to start containerd task: cannot start a stopped process: unknown",
    "namespace": "runc create failed: namespace path: lstat /proc/0/ns/ipc: no such file or directory",
    "sandbox": 'failed to create containerd container: sandbox container "5f2b" is not running',
}


@pytest.mark.parametrize("words", DIED.values(), ids=DIED)
@pytest.mark.parametrize(("limit", "is_small"), [("3Mi", True), ("15Mi", True), ("16Mi", False), ("", False)])
def test_a_process_that_is_gone_at_once_is_a_matter_of_memory_where_the_limit_is_tiny(
    words: str, limit: str, is_small: bool
) -> None:
    in_sandbox, waiting, ended = BuiltPod(), BuiltPod(), BuiltPod()
    in_sandbox.said("FailedCreatePodSandBox", f"Failed to create pod sandbox: rpc error: {words}")
    waiting.waiting("web", "CreateContainerError", words)
    ended.crashing("web", 128, "StartError", words)
    for pod in (in_sandbox, waiting, ended):
        if limit:
            pod.pod.spec.containers[-1].resources.limits["memory"].string = limit
        assert (owner_of(pod.cluster()) is PodFault.OOM_KILLED) is is_small
        found = list(oom_killed(pod.cluster()))
        assert [f"cannot start: its memory limit of {limit} is too small" in f.says for f in found] == [True] * is_small


@pytest.mark.parametrize("has_run", [True, False], ids=["containerd", "CRI-O"])
def test_a_container_that_cannot_start_in_so_little_memory_waits_in_the_words_of_its_runtime(has_run: bool) -> None:
    pod = BuiltPod()
    if has_run:
        pod.crashing("web", 128, "StartError", TOO_LITTLE, waiting="RunContainerError", why=TOO_LITTLE)
    else:
        pod.waiting("web", "CreateContainerError", TOO_LITTLE)
    assert owner_of(pod.cluster()) is PodFault.OOM_KILLED
    assert findings(pod.cluster()) == ["memory-limit[oom-killed] Pod/app"]


NO_CACHE = 'MountVolume.SetUp failed for volume "data" : failed to sync configmap cache: timed out waiting'


def test_a_mount_that_has_succeeded_since_is_no_fault_of_a_pod_whose_image_is_being_pulled() -> None:
    pod = BuiltPod()
    pod.mounting("data", configMap=config_map("deleted-since"))
    pod.said("FailedMount", NO_CACHE, before=500)
    assert owner_of(pod.cluster()) is PodFault.MISSING_OBJECT
    pod.has_sandbox(yes=True)
    assert owner_of(pod.cluster()) is None


@pytest.mark.parametrize(
    ("before", "expected"), [(500, PodFault.OOM_KILLED), (5, PodFault.MOUNT_FAILED)], ids=["succeeded", "fails again"]
)
def test_a_sandbox_is_tried_when_all_volumes_are_mounted(before: int, expected: PodFault) -> None:
    pod = BuiltPod()
    pod.said("FailedMount", NO_CACHE, before=before)
    pod.events[0].count = 2
    pod.said("FailedCreatePodSandBox", TOO_LITTLE, before=10)
    assert owner_of(pod.cluster()) is expected


NOT_REGISTERED = 'MountVolume.SetUp failed for volume "data" : object "shop"/"present" not registered'


@pytest.mark.parametrize("words", [NO_CACHE, NOT_REGISTERED], ids=["no cache", "not registered"])
@pytest.mark.parametrize(("count", "expected"), [(1, PodFault.NOT_STARTED), (4, PodFault.SETUP_FAILED)])
def test_a_kubelet_that_does_not_know_a_config_map_once_is_not_the_cause(
    words: str, count: int, expected: PodFault | None
) -> None:
    pod = BuiltPod()
    pod.mounting("data", configMap=config_map("present"))
    pod.said("FailedMount", words, before=300)
    pod.events[0].count = count
    assert owner_of(pod.cluster()) is expected


@pytest.mark.parametrize(
    ("name", "expected"), [("present", None), ("absent", PodFault.MISSING_OBJECT)], ids=["there by now", "absent"]
)
def test_what_was_absent_and_is_there_by_now_is_mounted_at_the_next_try(name: str, expected: PodFault | None) -> None:
    pod = BuiltPod()
    pod.mounting("data", configMap=config_map(name))
    pod.said("FailedMount", f'MountVolume.SetUp failed for volume "data" : configmap "{name}" not found', before=40)
    pod.said("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]: timed out", before=20)
    assert owner_of(pod.cluster()) is expected


@pytest.mark.parametrize(("attached", "expected"), [(False, "attach-failed"), (True, "mount-failed")])
def test_a_volume_that_is_not_attached_is_reported_once(attached: bool, expected: str) -> None:
    pod = BuiltPod()
    disk = pod.mounting_disk("one", attached=attached)
    pod.said("FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data]: timed out")
    cluster = cluster_of(pods=[pod.pod], nodes=[pod.node], all_events=pod.events, **disk)
    assert findings(cluster) == [f"volume-claim[{expected}] PersistentVolumeClaim/data"]


HOURS = 7200
OOM = "memory-limit[oom-killed] Pod/app"


def test_an_oom_kill_of_the_past_does_not_hide_a_present_crash_loop() -> None:
    pod = BuiltPod()
    pod.crashing("proxy", 137, "OOMKilled", waiting="", ended=HOURS, restarts=1)
    assert findings(pod.cluster()) == [f"{OOM} (warning)"]
    pod.crashing("web")
    assert findings(pod.cluster()) == ["startup-error[app-exit] Pod/app"]


def test_a_recent_oom_kill_is_a_fault_like_any_other() -> None:
    pod = BuiltPod()
    pod.crashing("proxy", 137, "OOMKilled", waiting="", ended=HOURS // 4, restarts=1)
    pod.crashing("web")
    assert findings(pod.cluster()) == [OOM]


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        ("Memory cgroup out of memory: Killed process 4711 (java)", PodFault.KILLED_BY_PROBE),
        ("Out of memory: Killed process 4711 (java)", PodFault.OOM_KILLED),
    ],
    ids=["a container's limit", "the node"],
)
def test_an_oom_kill_of_another_container_is_not_mistaken_for_a_probes_kill(kernel: str, expected: PodFault) -> None:
    pod = BuiltPod()
    pod.crashing("web", 137, probed=True)
    pod.node_said("OOMKilling", before=32)
    pod.events[-1].message = kernel
    assert owner_of(pod.cluster()) is expected


def test_a_sidecar_may_have_a_post_start_hook() -> None:
    pod = BuiltPod(sidecars=True)
    pod.crashing("proxy", 137, hooked=True)
    assert findings(pod.cluster()) == ["startup-error[post-start] Pod/app"]


@pytest.mark.parametrize(("started", "expected"), [(85, PodFault.APP_EXIT), (None, PodFault.POST_START)])
def test_a_hook_failure_of_an_earlier_run_counts_only_where_no_event_shows_the_last_start(
    started: int | None, expected: PodFault
) -> None:
    pod = BuiltPod()
    pod.crashing("web", hooked=True)
    pod.events.clear()
    pod.said("FailedPostStartHook", "PostStartHook failed", before=1800, container="web")
    if started:
        pod.said("Started", "Started container web", before=started, container="web")
    assert owner_of(pod.cluster()) is expected


def test_an_evicted_pod_is_reported_for_its_eviction_alone() -> None:
    pod = BuiltPod()
    pod.crashing("web", 137, probed=True, waiting="", restarts=2)
    pod.said("Killing", "Container web failed liveness probe, will be restarted", before=100, container="web")
    assert findings(pod.cluster()) == ["liveness-probe[killed-by-probe] Pod/app"]
    web = pod.pod.status.containerStatuses[1]
    web.state.CopyFrom(web.lastState)
    pod.pod.status.phase, pod.pod.status.reason = "Failed", "Evicted"
    pod.pod.status.message = "Pod ephemeral local storage usage exceeds the total limit of containers 30Mi."
    assert findings(pod.cluster()) == ["storage-full[evicted] Pod/app"]


def test_a_container_close_to_its_limit_is_reported_only_where_the_pod_is_not_broken() -> None:
    pod = BuiltPod()
    pod.pod.spec.containers[0].resources.limits["memory"].string = "64Mi"
    pod.memory = 63 << 20
    pod.start()
    assert findings(pod.cluster()) == ["memory-limit[near-limit] Pod/app (warning)"]
    pod.crashing("web", 137, "OOMKilled")
    assert findings(pod.cluster()) == [OOM]


def test_a_sidecar_that_ended_with_its_failed_pod_is_not_at_fault() -> None:
    pod = BuiltPod(sidecars=True)
    pod.crashing("proxy", 137, probed=True)
    pod.events.clear()
    own, proxy = pod.pod.status.containerStatuses[0], pod.pod.status.initContainerStatuses[0]
    own.state.terminated.exitCode = 3
    proxy.state.CopyFrom(proxy.lastState)
    pod.pod.status.phase, pod.pod.spec.restartPolicy = "Failed", "Never"
    (symptom,) = pod_faults(pod.cluster()).symptoms[PodFault.APP_EXIT]
    assert symptom.status.name == "app"


@pytest.mark.parametrize(("own", "expected"), [("", PodFault.APP_EXIT), ("OnFailure", None)])
def test_the_restart_policy_of_a_container_counts_before_its_pods(own: str, expected: PodFault | None) -> None:
    pod = BuiltPod()
    pod.crashing("setup", restarts=1)
    pod.pod.spec.containers[1].restartPolicy = own
    setup = pod.pod.status.containerStatuses[1]
    completed = pb.ContainerStateTerminated(reason="Completed", finishedAt=ago(20))
    setup.state.CopyFrom(pb.ContainerState(terminated=completed))
    assert owner_of(pod.cluster()) is expected


@pytest.mark.parametrize(("where", "limit"), [("container", "128Mi"), ("resized", "64Mi"), ("pod", "32Mi")])
def test_the_limit_that_counts_is_the_one_that_the_container_has(where: str, limit: str) -> None:
    """Not the one that a resize in place waits for; its pod's, where the container has no limit itself."""
    pod = BuiltPod()
    if where == "pod":
        pod.pod.spec.resources.limits["memory"].string = "32Mi"
    else:
        pod.pod.spec.containers[0].resources.limits["memory"].string = "128Mi"
    if where == "resized":
        pod.pod.status.containerStatuses[0].resources.limits["memory"].string = "64Mi"
    pod.start()
    ended = pb.ContainerStateTerminated(exitCode=137, reason="OOMKilled", finishedAt=ago(30))
    pod.pod.status.containerStatuses[0].lastState.terminated.CopyFrom(ended)
    pod.pod.status.containerStatuses[0].restartCount = 1
    (finding,) = oom_killed(pod.cluster())
    assert finding.says.endswith(f"limit is {limit}")


def evicted(ago_: int, message: str, *, owned: bool = True) -> BuiltPod:
    """What is left of a pod that was created a month ago."""
    pod = BuiltPod()
    pod.pod.status.startTime.CopyFrom(ago(30 * 86400))
    for condition in pod.pod.status.conditions:
        condition.lastTransitionTime.CopyFrom(pod.pod.status.startTime)
    pod.pod.status.phase, pod.pod.status.reason, pod.pod.status.message = "Failed", "Evicted", message
    pod.pod.status.conditions.add(type="DisruptionTarget", status="True").lastTransitionTime.CopyFrom(ago(ago_))
    if owned:
        pod.pod.metadata.ownerReferences.add(kind="ReplicaSet", name="app-1", controller=True)
    return pod


@pytest.mark.parametrize(("before", "expected"), [(60, ["error"]), (HOURS, ["warning"]), (14 * 86400, [])])
def test_pods_evicted_for_memory_are_a_fault_of_their_node_for_as_long_as_an_oom_kill(
    before: int, expected: list[str]
) -> None:
    pod = evicted(before, "The node was low on resource: memory. Threshold quantity: 100Mi")
    assert [finding.severity for finding in node_oom(pod.cluster())] == expected


@pytest.mark.parametrize(
    ("before", "owned", "expected"),
    [(60, True, ""), (HOURS, True, " (warning)"), (HOURS, False, " (warning)")],
    ids=["now", "replaced", "alone"],
)
def test_a_pod_evicted_for_its_disk_and_replaced_is_past(before: int, owned: bool, expected: str) -> None:
    pod = evicted(before, 'Usage of EmptyDir volume "data" exceeds the limit "1Mi".', owned=owned)
    assert findings(pod.cluster()) == [f"storage-full[evicted] Pod/app{expected}"]


@pytest.mark.parametrize(
    ("message", "remedy"),
    [
        ('Usage of EmptyDir volume "data" exceeds the limit "1Mi".', "raise sizeLimit"),
        ("The node was low on resource: ephemeral-storage. Threshold quantity: 10, available: 5.", "the node's disk"),
    ],
)
def test_a_pod_that_its_full_node_evicts_need_not_have_written_too_much(message: str, remedy: str) -> None:
    (finding,) = storage_evicted(evicted(60, message).cluster())
    assert remedy in finding.remedy
