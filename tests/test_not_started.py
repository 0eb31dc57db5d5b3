"""A pod that is stuck is found by its state, whatever events say; events only name the cause."""

from collections.abc import Callable

import pytest

from checks.test_config_mount import setup_failed
from checks.test_startup_error import app_exit, image, not_started
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.faults import PodFault
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.built import BuiltPod, config_map, findings, node, owner_of
from tests.fakes import ago, cluster_of
from tests.not_started import NOT_STARTED, since


def test_a_stuck_pod_without_an_event_is_found() -> None:
    pod = BuiltPod()
    assert findings(pod.cluster()) == [NOT_STARTED]
    (finding,) = not_started(pod.cluster())
    assert finding.says == 'container "app" stays in ContainerCreating, and no event says why'
    assert finding.remedy == "read the logs of the kubelet and the container runtime on node one"
    assert next(iter(finding.evidence)) == "ContainerCreating for 10m"


def test_a_young_pod_is_not_judged_yet() -> None:
    assert findings(since(30, BuiltPod()).cluster()) == []


CGROUP = (
    "unable to ensure pod container exists: failed to create container for [kubepods burstable pod1]: "
    "mkdir /sys/fs/cgroup/kubepods/pod1: no space left on device"
)


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("FailedCreatePodContainer", CGROUP),
        ("FailedKillPod", "error killing pod: failed to teardown network"),
        ("FailedPreStopHook", "PreStopHook failed"),
        ("NewReasonOfALaterKubelet", "something else"),
    ],
)
def test_every_warning_about_a_stuck_pod_is_read(reason: str, words: str) -> None:
    pod = BuiltPod()
    pod.said(reason, words)
    (finding,) = not_started(pod.cluster())
    assert finding.says.startswith(f'container "app" stays in ContainerCreating: {reason}: ')
    assert findings(pod.cluster()) == [NOT_STARTED]


def test_devices_that_a_driver_does_not_prepare_are_a_matter_of_that_driver() -> None:
    """kubernetes-sigs/dranet pull 221."""
    pod = BuiltPod()
    pod.said("FailedPrepareDynamicResources", "Failed to prepare dynamic resources: prepare dynamic resources: x")
    (finding,) = not_started(pod.cluster())
    assert finding.remedy.startswith("look at the DRA driver's pod on the node")


def test_what_was_reported_before_the_pod_had_a_node_is_not_the_cause() -> None:
    pod = BuiltPod()
    pod.said("FailedScheduling", "0/3 nodes are available", before=700)
    (finding,) = not_started(pod.cluster())
    assert finding.says.endswith("and no event says why")


def test_a_block_device_that_cannot_be_mapped_is_a_volumes_fault() -> None:
    pod = BuiltPod()
    pod.said("FailedMapVolume", 'MapVolume.MapPodDevice failed for volume "pvc-1" : rpc error: no such device')
    assert owner_of(pod.cluster()) is PodFault.MOUNT_FAILED


@pytest.mark.parametrize("reported", [True, False], ids=["sandbox reported", "not reported during the pull"])
@pytest.mark.parametrize(("age", "found"), [(600, False), (1000, True)])
def test_an_image_may_take_long_to_pull(age: int, *, found: bool, reported: bool) -> None:
    pod = since(age, BuiltPod())
    pod.has_sandbox(yes=reported)
    pod.said("Pulling", 'Pulling image "large"', before=age)
    assert [f.says for f in not_started(pod.cluster())] == (
        ['container "app" stays in ContainerCreating: its image is still being pulled'] if found else []
    )


def test_what_was_pulled_before_the_pod_got_its_node_is_no_sign_of_a_sandbox() -> None:
    pod = BuiltPod()
    pod.said("Pulled", "of an earlier pod of this name", before=700)
    assert owner_of(pod.cluster()) is PodFault.NOT_STARTED


def test_a_pull_counts_from_the_end_of_the_init_containers() -> None:
    pod = since(3600, BuiltPod())
    done = pb.ContainerStateTerminated(reason="Completed", finishedAt=ago(100))
    pod.container(pb.ContainerStatus(name="init", state=pb.ContainerState(terminated=done)), init=True)
    assert owner_of(pod.cluster()) is None


def test_an_init_container_at_work_is_not_a_fault() -> None:
    pod = since(3600, BuiltPod())
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(3500)))
    pod.container(pb.ContainerStatus(name="wait", state=running), init=True)
    assert owner_of(pod.cluster()) is None


def test_a_kubelet_that_reports_nothing_is_named() -> None:
    pod = BuiltPod()
    del pod.pod.status.containerStatuses[:]
    (finding,) = not_started(pod.cluster())
    assert finding.says == "the kubelet of node one has not reported any container of the pod"


def rejected(reason: str, *, owned: bool = False) -> BuiltPod:
    pod = BuiltPod()
    pod.pod.status.phase, pod.pod.status.reason, pod.pod.status.message = "Failed", reason, "Node didn't have enough"
    if owned:
        pod.pod.metadata.ownerReferences.add(kind="ReplicaSet", name="app-1", uid="rs", controller=True)
    return pod


def test_a_pod_that_its_kubelet_rejects_is_found() -> None:
    (finding,) = not_started(rejected("OutOfcpu").cluster())
    assert finding.says == "the kubelet rejected the pod: OutOfcpu: Node didn't have enough"


def test_a_rejected_pod_that_its_controller_replaces_is_not() -> None:
    assert findings(rejected("OutOfcpu", owned=True).cluster()) == []


@pytest.mark.parametrize(("owned", "ended", "found"), [(False, 60, ""), (False, 7200, " (warning)"), (True, 60, None)])
def test_a_pod_that_was_shut_down_with_its_node_is_lost_unless_a_controller_replaces_it(
    ended: int, found: str | None, *, owned: bool
) -> None:
    pod = rejected("Terminated", owned=owned)
    end = pb.ContainerStateTerminated(exitCode=137, finishedAt=ago(ended))
    pod.pod.status.containerStatuses[0].state.CopyFrom(pb.ContainerState(terminated=end))
    assert findings(pod.cluster()) == ([] if found is None else [NOT_STARTED + found])


@pytest.mark.parametrize(("name", "found"), [("node-debugger-one-x7k2p", 0), ("node-debugger-two-x7k2p", 1)])
def test_a_shell_on_a_node_says_nothing_by_its_exit_code(name: str, found: int) -> None:
    """`kubectl debug node/one` leaves the pod, which failed if the last command did."""
    pod = BuiltPod()
    pod.pod.metadata.name, pod.pod.status.phase = name, "Failed"
    end = pb.ContainerStateTerminated(exitCode=130, reason="Error", finishedAt=ago(300))
    pod.pod.status.containerStatuses[0].state.CopyFrom(pb.ContainerState(terminated=end))
    assert len(list(app_exit(cluster_of(pods=[pod.pod], nodes=[node()])))) == found


@pytest.mark.parametrize(
    ("policy", "code", "ended", "found"),
    [("Never", 3, 300, True), ("Never", 0, 300, False), ("Never", 3, 10, False), ("OnFailure", 3, 300, False)],
)
def test_a_container_that_failed_beside_a_running_one_stays_failed(
    policy: str, code: int, ended: int, *, found: bool
) -> None:
    pod = BuiltPod()
    pod.pod.spec.restartPolicy = policy
    end = pb.ContainerStateTerminated(exitCode=code, reason="Error" if code else "Completed", finishedAt=ago(ended))
    pod.container(pb.ContainerStatus(name="main", state=pb.ContainerState(terminated=end)))
    assert [f.says for f in app_exit(pod.cluster())] == (['container "main" failed: exit code 3'] if found else [])


def test_a_job_whose_helper_runs_on_has_failed_all_the_same() -> None:
    pod = BuiltPod()
    pod.pod.spec.restartPolicy = "Never"
    pod.pod.metadata.ownerReferences.add(kind="Job", name="report", uid="job", controller=True)
    end = pb.ContainerStateTerminated(exitCode=3, reason="Error", finishedAt=ago(300))
    pod.container(pb.ContainerStatus(name="main", state=pb.ContainerState(terminated=end)))
    assert findings(pod.cluster()) == ["startup-error[app-exit] Pod/app"]


def test_an_image_pull_secret_that_cannot_be_read_is_named() -> None:
    pod = BuiltPod()
    pod.waiting("web", "ErrImagePull", "pull access denied, repository does not exist or may require authorization")
    pod.said("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (regcred); attempting …")
    (finding,) = image(pod.cluster())
    assert 'the kubelet cannot read imagePullSecret "regcred"' in finding.says
    assert finding.missing == (Ref("Secret", "shop", "regcred"),)


def test_a_registry_out_of_reach_is_not_a_matter_of_secrets() -> None:
    pod = BuiltPod()
    pod.waiting("web", "ErrImagePull", "dial tcp: lookup registry: Temporary failure in name resolution")
    pod.said("FailedToRetrieveImagePullSecret", "Unable to retrieve some image pull secrets (regcred); attempting …")
    (finding,) = image(pod.cluster())
    assert finding.says.endswith("the registry cannot be reached from the node")
    assert not finding.missing


def configured(pod: BuiltPod) -> None:
    pod.mounting("data", configMap=config_map("present"))


def projected(pod: BuiltPod) -> None:
    pod.mounting("data", projected=pb.ProjectedVolumeSource())


def downward(pod: BuiltPod) -> None:
    pod.mounting("data", downwardAPI=pb.Present())


@pytest.mark.parametrize(
    ("volume", "words", "meaning"),
    [
        (configured, 'configmaps "present" is forbidden: User "system:node:one" cannot get', "forbids the kubelet"),
        (configured, 'object "shop"/"present" not registered', "does not get it from the API server"),
        (projected, 'object "shop"/"kube-root-ca.crt" not registered', "does not get it from the API server"),
        (projected, 'failed to fetch token: serviceaccounts "x" not found', "no ServiceAccount token"),
        (
            projected,
            'failed to fetch token: Post "https://127.0.0.1:6443/api": dial tcp 127.0.0.1:6443: connection refused',
            "does not reach the API server",
        ),
        (projected, "failed to fetch token: Unauthorized", "each other's certificates"),
        (projected, 'failed to fetch token: Post "https://lb": x509: certificate has expired', "certificates"),
        (projected, r"chown c:\var\lib\kubelet\pods\1\..data\token: not supported by windows", "a Windows node"),
        (projected, "mkdir /var/lib/kubelet/pods/1: read-only file system", "cannot write to the node's disk"),
        (downward, "container absent not found", "a field or container that does not exist"),
    ],
)
def test_what_the_kubelet_writes_itself_is_not_a_claims_fault(
    volume: Callable[[BuiltPod], None], words: str, meaning: str
) -> None:
    pod = BuiltPod()
    volume(pod)
    pod.said("FailedMount", f'MountVolume.SetUp failed for volume "data" : {words}')
    pod.events[-1].count = 4
    assert findings(pod.cluster()) == ["config-mount[setup-failed] Pod/app"]
    (finding,) = setup_failed(pod.cluster())
    assert meaning in finding.says


def test_a_claim_beside_it_stays_a_claims_fault() -> None:
    pod = BuiltPod()
    downward(pod)
    disk = pod.mounting_disk("one")
    pod.said("FailedMount", 'MountVolume.SetUp failed for volume "disk" : rpc error: no such server')
    cluster = cluster_of(pods=[pod.pod], nodes=[pod.node], all_events=pod.events, **disk)
    assert owner_of(cluster) is PodFault.MOUNT_FAILED


def test_a_stuck_pod_without_events_is_not_observed() -> None:
    """They may give the pod to another cause."""
    with pytest.raises(NotObserved):
        list(not_started(cluster_of({"/api/v1/events": Answer(403, b"")}, pods=[BuiltPod().pod], nodes=[node()])))


def test_a_stuck_pod_is_found_without_nodes() -> None:
    (finding,) = not_started(cluster_of({"/api/v1/nodes": Answer(403, b"")}, pods=[BuiltPod().pod]))
    assert finding.says == 'container "app" stays in ContainerCreating, and no event says why'
