"""The ordered table of pod faults: a broken pod appears once, under the upper of two faults that it has."""

from collections.abc import Callable, Iterable
from itertools import combinations, product
from typing import Any, NamedTuple

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods import faults
from kubevitals.facts.pods.faults import SANDBOX_FAULTS, TABLE, PodFault
from tests.built import HEALTHZ, NO_NETWORK, BuiltPod, config_map, findings, node, owner_of, probe
from tests.fakes import ago, cluster_of

Mark = Callable[[BuiltPod], None]

POOL_EXHAUSTED, CNI_UNREACHABLE, CNI_MISCONFIGURED, SANDBOX_FAILED = SANDBOX_FAULTS
MISSING_OBJECT, MISSING_KEY, NODE_DISK_FULL = PodFault.MISSING_OBJECT, PodFault.MISSING_KEY, PodFault.NODE_DISK_FULL
SETUP_FAILED, ATTACH_FAILED, MOUNT_FAILED = PodFault.SETUP_FAILED, PodFault.ATTACH_FAILED, PodFault.MOUNT_FAILED
IMAGE, BAD_REFERENCE, BAD_COMMAND = PodFault.IMAGE, PodFault.BAD_REFERENCE, PodFault.BAD_COMMAND
OOM_KILLED, KILLED_BY_PROBE, POST_START = PodFault.OOM_KILLED, PodFault.KILLED_BY_PROBE, PodFault.POST_START
NO_SPACE_IN_LOG, INIT_CONTAINER, APP_EXIT = PodFault.NO_SPACE_IN_LOG, PodFault.INIT_CONTAINER, PodFault.APP_EXIT
INOTIFY, INIT_WAITS, NOT_STARTED = PodFault.INOTIFY, PodFault.INIT_WAITS, PodFault.NOT_STARTED
PROBE_FAILING, GATE_UNMET = UNREADY = PodFault.PROBE_FAILING, PodFault.GATE_UNMET

VOLUMES = (MISSING_OBJECT, MISSING_KEY, NODE_DISK_FULL, SETUP_FAILED, ATTACH_FAILED, MOUNT_FAILED)
REPEATED = tuple(fault for fault in VOLUMES if fault is not ATTACH_FAILED)
"""What can still happen to a mounted volume: the kubelet sets up ConfigMaps, Secrets and some CSI volumes again."""
UNSCHEDULED = (PodFault.UNSCHEDULABLE, PodFault.NO_SCHEDULER)
CONTAINERS = tuple(fault for fault in PodFault if fault not in UNSCHEDULED + SANDBOX_FAULTS + VOLUMES + UNREADY)

NO_SPACE = "write /data/x: no space left on device"
TOO_LITTLE = "container init was OOM-killed (memory limit too low?)"


# --- what a pod with one fault looks like: each has a volume or a container of its own ---


def no_sandbox(words: str) -> Mark:
    """No sandbox, or no longer: the status still says how its containers ended before."""

    def mark(built: BuiltPod) -> None:
        built.has_sandbox(yes=False)
        built.said("FailedCreatePodSandBox", f"Failed to create pod sandbox: {words}")

    return mark


def no_network(built: BuiltPod) -> None:
    built.has_sandbox(yes=False)
    built.node = node(message=NO_NETWORK)


def unmounted(fault: PodFault, words: str, **source: pb.ConfigMapVolumeSource | pb.CSIVolumeSource) -> Mark:
    def mark(built: BuiltPod) -> None:
        built.mounting(fault, **source)
        built.said("FailedMount", f'MountVolume.SetUp failed for volume "{fault}" : {words}', before=5)

    return mark


PRESENT = config_map("present")
CSI = pb.CSIVolumeSource(driver="example.com")


def unattached(built: BuiltPod) -> None:
    built.mounting(ATTACH_FAILED, csi=CSI)
    built.said("FailedAttachVolume", f'AttachVolume.Attach failed for volume "{ATTACH_FAILED}" : x', before=20)


def creating(built: BuiltPod) -> None:
    """A container whose image has been pulled for too long."""
    built.waiting(NOT_STARTED, "ContainerCreating", "")
    for condition in built.pod.status.conditions:
        condition.lastTransitionTime.CopyFrom(ago(2000))


def waits_for_ever(built: BuiltPod) -> None:
    """An init container that repeats what it waits for."""
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(600)))
    built.container(pb.ContainerStatus(name=INIT_WAITS, state=running), init=True)
    built.logs[INIT_WAITS] = "waiting for db\n" * 5


def unready(built: BuiltPod) -> None:
    """A container that runs and fails its readiness probe."""
    running = pb.ContainerStateRunning(startedAt=ago(500))
    status = pb.ContainerStatus(name=PROBE_FAILING, state=pb.ContainerState(running=running))
    built.container(status, readinessProbe=probe(HEALTHZ))


def gated(built: BuiltPod) -> None:
    """A condition that nothing has set keeps the pod from being ready."""
    built.start()
    built.pod.spec.readinessGates.add(conditionType="example.com/registered")
    built.pod.status.conditions.add(type="ContainersReady", status="True", lastTransitionTime=ago(600))


def crashing(name: str, code: int = 1, reason: str = "Error", **how: Any) -> Mark:
    return lambda built: built.crashing(name, code, reason, **how)


def waiting(name: str, reason: str, message: str) -> Mark:
    return lambda built: built.waiting(name, reason, message)


def unscheduled(reason: str) -> Mark:
    def mark(built: BuiltPod) -> None:
        built.pod.spec.nodeName, built.pod.status.phase = "", "Pending"
        del built.pod.status.conditions[:]
        if reason:
            built.pod.status.conditions.add(
                type="PodScheduled", status="False", reason=reason, lastTransitionTime=ago(600)
            )

    return mark


ALONE: dict[PodFault, Mark] = {
    PodFault.UNSCHEDULABLE: unscheduled("Unschedulable"),
    PodFault.NO_SCHEDULER: unscheduled(""),
    POOL_EXHAUSTED: no_sandbox("no IP addresses available in range set: 10.0.0.1-10.0.0.6"),
    CNI_UNREACHABLE: no_sandbox("dial tcp 127.0.0.1:50051: connect: connection refused"),
    CNI_MISCONFIGURED: no_network,
    SANDBOX_FAILED: no_sandbox('no runtime for "absent" is configured'),
    MISSING_OBJECT: unmounted(MISSING_OBJECT, 'configmap "absent" not found', configMap=config_map("absent")),
    MISSING_KEY: unmounted(MISSING_KEY, "references non-existent config key: absent", configMap=PRESENT),
    NODE_DISK_FULL: unmounted(NODE_DISK_FULL, NO_SPACE, configMap=PRESENT),
    SETUP_FAILED: unmounted(SETUP_FAILED, 'configmaps "present" is forbidden', configMap=PRESENT),
    ATTACH_FAILED: unattached,
    MOUNT_FAILED: unmounted(MOUNT_FAILED, "rpc error: no such server", csi=CSI),
    IMAGE: waiting(IMAGE, "ImagePullBackOff", "Back-off pulling image"),
    BAD_REFERENCE: waiting(BAD_REFERENCE, "CreateContainerConfigError", 'secret "absent" not found'),
    BAD_COMMAND: crashing(BAD_COMMAND, 128, "StartError", message="executable file not found in $PATH"),
    OOM_KILLED: crashing(OOM_KILLED, 137, "OOMKilled"),
    KILLED_BY_PROBE: crashing(KILLED_BY_PROBE, 137, probed=True),
    POST_START: crashing(POST_START, 137, hooked=True),
    INOTIFY: crashing(INOTIFY, log="inotify_add_watch: No space left on device"),
    NO_SPACE_IN_LOG: crashing(NO_SPACE_IN_LOG, log=NO_SPACE),
    INIT_CONTAINER: crashing(INIT_CONTAINER, init=True),
    INIT_WAITS: waits_for_ever,
    APP_EXIT: crashing(APP_EXIT),
    NOT_STARTED: creating,
    PROBE_FAILING: unready,
    GATE_UNMET: gated,
}


# --- two faults at once ---


class Pair(NamedTuple):
    """Two faults that one pod has, and where. The one above owns the pod."""

    over: PodFault
    under: PodFault
    where: str
    marks: tuple[Mark, ...]

    def built(self) -> BuiltPod:
        """Return a pod that has both. What runs beside an init container is a sidecar."""
        pod = BuiltPod(sidecars=INIT_CONTAINER in self[:2])
        for mark in self.marks:
            mark(pod)
        return pod

    def __str__(self) -> str:
        return f"{self.over} over {self.under}{self.where and f', {self.where}'}"


def apart(over: PodFault, under: PodFault) -> Pair:
    """Two volumes, or two containers, or one that ended before its sandbox was lost."""
    return Pair(over, under, "", (ALONE[under], ALONE[over]))


def each(over: Iterable[PodFault], under: Iterable[PodFault]) -> list[Pair]:
    return [apart(*pair) for pair in product(over, under)]


def in_one(over: PodFault, under: PodFault, mark: Mark, where: str = "in one container") -> Pair:
    return Pair(over, under, where, (mark,))


def in_a_sandbox(over: PodFault) -> Pair:
    """A volume that cannot be mounted again, in a pod whose memory limit is too low for its sandbox."""
    return Pair(over, OOM_KILLED, "of its sandbox", (no_sandbox(TOO_LITTLE), ALONE[over]))


def under_pressure(over: PodFault) -> Pair:
    def pressure(built: BuiltPod) -> None:
        built.node.status.conditions.append(pb.NodeCondition(type="DiskPressure", status="True"))

    return Pair(over, NODE_DISK_FULL, "in one volume", (ALONE[over], pressure))


def node_without_memory(built: BuiltPod) -> None:
    built.crashing("app-2", 137, probed=True)
    built.node_said("SystemOOM", before=32)


PAIRS = [
    # The kubelet mounts some volumes repeatedly while the pod's sandbox cannot be created.
    *each(SANDBOX_FAULTS, REPEATED),
    # The control plane attaches volumes, whatever the state of the node's network.
    apart(CNI_MISCONFIGURED, ATTACH_FAILED),
    # A sandbox that was lost and cannot be recreated: the status still says how its containers ended.
    *each(UNSCHEDULED, CONTAINERS[:-1]),
    *each(SANDBOX_FAULTS, CONTAINERS),
    # Every volume is set up by itself; one event may match two faults.
    *(apart(*pair) for pair in combinations(VOLUMES, 2)),
    *(in_one(fault, SETUP_FAILED, ALONE[fault], "in one volume") for fault in (MISSING_KEY, NODE_DISK_FULL)),
    # Whatever a volume's fault, the pod's containers do not start.
    *(in_one(fault, NOT_STARTED, ALONE[fault], "for its volume") for fault in VOLUMES),
    under_pressure(MISSING_OBJECT),
    under_pressure(MISSING_KEY),
    *map(in_a_sandbox, REPEATED),
    # Every container is in a state of its own.
    *(apart(*pair) for pair in combinations(CONTAINERS, 2) if pair != (INIT_WAITS, NOT_STARTED)),
    # A pod that runs has containers in other states, too, or has lost its sandbox.
    *each((POOL_EXHAUSTED, CNI_UNREACHABLE, SANDBOX_FAILED), UNREADY),
    *each((fault for fault in CONTAINERS if fault not in (INIT_CONTAINER, INIT_WAITS)), UNREADY),
    apart(*UNREADY),
    # What a container waits for now, and how it ended before: its image is gone, its ConfigMap, its command.
    in_one(IMAGE, OOM_KILLED, crashing("app-2", 137, "OOMKilled", waiting="ImagePullBackOff")),
    in_one(IMAGE, KILLED_BY_PROBE, crashing("app-2", 137, probed=True, waiting="ErrImagePull")),
    in_one(IMAGE, INIT_CONTAINER, crashing("app-2", init=True, waiting="ImagePullBackOff")),
    in_one(IMAGE, APP_EXIT, crashing("app-2", waiting="ImagePullBackOff")),
    in_one(BAD_REFERENCE, BAD_COMMAND, ALONE[BAD_REFERENCE]),
    in_one(
        BAD_REFERENCE,
        INIT_CONTAINER,
        crashing("app-2", init=True, waiting="CreateContainerConfigError", why='configmap "a" not found'),
    ),
    in_one(
        BAD_REFERENCE, APP_EXIT, crashing("app-2", waiting="CreateContainerConfigError", why='configmap "a" not found')
    ),
    in_one(BAD_COMMAND, OOM_KILLED, crashing("app-2", 137, "OOMKilled", waiting="CreateContainerError", why="mount x")),
    in_one(BAD_COMMAND, INIT_CONTAINER, crashing("app-2", 128, "StartError", init=True)),
    in_one(BAD_COMMAND, APP_EXIT, ALONE[BAD_COMMAND]),
    # One end of a container, which several lines could explain.
    in_one(OOM_KILLED, KILLED_BY_PROBE, node_without_memory),
    in_one(OOM_KILLED, POST_START, crashing("app-2", 137, "OOMKilled", hooked=True)),
    in_one(OOM_KILLED, NO_SPACE_IN_LOG, crashing("app-2", 137, "OOMKilled", log=NO_SPACE)),
    in_one(OOM_KILLED, INIT_CONTAINER, crashing("app-2", 137, "OOMKilled", init=True)),
    in_one(OOM_KILLED, APP_EXIT, ALONE[OOM_KILLED]),
    in_one(KILLED_BY_PROBE, POST_START, crashing("app-2", 137, probed=True, hooked=True)),
    in_one(KILLED_BY_PROBE, NO_SPACE_IN_LOG, crashing("app-2", 137, probed=True, log=NO_SPACE)),
    in_one(KILLED_BY_PROBE, APP_EXIT, ALONE[KILLED_BY_PROBE]),
    in_one(POST_START, NO_SPACE_IN_LOG, crashing("app-2", 137, hooked=True, log=NO_SPACE)),
    in_one(POST_START, APP_EXIT, ALONE[POST_START]),
    in_one(NO_SPACE_IN_LOG, INIT_CONTAINER, crashing("app-2", init=True, log=NO_SPACE)),
    in_one(NO_SPACE_IN_LOG, APP_EXIT, ALONE[NO_SPACE_IN_LOG]),
    in_one(INIT_CONTAINER, APP_EXIT, ALONE[INIT_CONTAINER]),
]

NEVER = {
    "a pod without a node has no sandbox and no volumes": product(
        UNSCHEDULED, (*SANDBOX_FAULTS, *VOLUMES, NOT_STARTED)
    ),
    "a scheduler has looked at it or has not": [UNSCHEDULED],
    "of a sandbox the latest failure counts": combinations(SANDBOX_FAULTS, 2),
    "a sandbox is tried when all volumes are attached": product(
        (POOL_EXHAUSTED, CNI_UNREACHABLE, SANDBOX_FAILED), [ATTACH_FAILED]
    ),
    "a container is tried when all volumes are mounted": [
        pair
        for pair in product(VOLUMES, CONTAINERS)
        if pair[1] is not NOT_STARTED and pair not in {(fault, OOM_KILLED) for fault in REPEATED}
    ],
    "a node without network is not ready, which is its own fault": product([CNI_MISCONFIGURED], UNREADY),
    "a pod runs when it has a node and its volumes, and its init containers have ended": product(
        (*UNSCHEDULED, *VOLUMES, INIT_CONTAINER, INIT_WAITS), UNREADY
    ),
    "no container starts while an init container runs": [(INIT_WAITS, NOT_STARTED)],
}
"""The other pairs of lines, and why no pod matches both."""

EXCLUSIVE = {f"{' or '.join(pair)}: {why}": pair for why, pairs in NEVER.items() for pair in pairs}


def test_the_table_has_a_line_for_every_fault_in_their_order() -> None:
    assert list(TABLE) == list(PodFault)


def test_every_two_lines_are_compared() -> None:
    compared = {(pair.over, pair.under) for pair in PAIRS}
    assert compared.isdisjoint(EXCLUSIVE.values())
    assert compared | set(EXCLUSIVE.values()) == set(combinations(PodFault, 2))


@pytest.mark.parametrize("fault", PodFault)
def test_a_pod_with_one_fault_is_owned_by_it(fault: PodFault) -> None:
    built = BuiltPod()
    ALONE[fault](built)
    assert owner_of(built.cluster()) is fault
    (finding,) = findings(built.cluster())
    assert finding.endswith(f"[{fault}] Pod/app")


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_of_two_faults_the_upper_one_owns_the_pod(pair: Pair) -> None:
    cluster = pair.built().cluster()
    assert owner_of(cluster) is pair.over
    (finding,) = findings(cluster)
    assert finding.endswith(f"[{pair.over}] Pod/app")


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_it_is_the_order_that_decides(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    swapped = {pair.over: pair.under, pair.under: pair.over}
    order = [swapped.get(fault, fault) for fault in TABLE]
    monkeypatch.setattr(faults, "TABLE", {fault: TABLE[fault] for fault in order})
    assert owner_of(pair.built().cluster()) is pair.under


@pytest.mark.parametrize(("one", "other"), EXCLUSIVE.values(), ids=EXCLUSIVE)
def test_no_pod_matches_both(one: PodFault, other: PodFault) -> None:
    built = apart(one, other).built()
    cluster = built.cluster()
    (matching,) = [fault for fault in (one, other) if TABLE[fault](built.pod, cluster)]
    assert matching is owner_of(cluster)


@pytest.mark.parametrize(
    ("name", "code", "reason", "found"),
    [
        ("kubevitals", 1, "Error", False),
        ("kubevitals", 2, "Error", False),
        ("kubevitals-fleet", 1, "Error", False),
        ("kubevitals", 4, "Error", True),
        ("kubevitals", 137, "OOMKilled", True),
        ("shop", 1, "Error", True),
    ],
)
def test_a_run_of_this_suite_that_found_a_fault_is_not_a_fault_itself(
    name: str, code: int, reason: str, *, found: bool
) -> None:
    end = pb.ContainerStateTerminated(exitCode=code, reason=reason, finishedAt=ago(60))
    status = pb.ContainerStatus(name="app", state=pb.ContainerState(terminated=end))
    pod = pb.Pod(
        metadata=pb.ObjectMeta(name="run", namespace="shop", labels={"app.kubernetes.io/name": name}),
        spec=pb.PodSpec(nodeName="one", containers=[pb.Container(name="app")]),
        status=pb.PodStatus(phase="Failed", startTime=ago(90), containerStatuses=[status]),
    )
    assert (owner_of(cluster_of(pods=[pod], nodes=[node()])) is not None) is found


def test_the_pods_of_which_most_are_broken_come_first_and_then_those_that_restart_most() -> None:
    def broken(name: str, restarts: int, set_: str = "") -> pb.Pod:
        waiting = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason="CrashLoopBackOff"))
        status = pb.ContainerStatus(name="app", restartCount=restarts, state=waiting)
        owners = [pb.OwnerReference(kind="StatefulSet", name=set_, controller=True)] if set_ else []
        return pb.Pod(
            metadata=pb.ObjectMeta(name=name, namespace="shop", ownerReferences=owners),
            status=pb.PodStatus(phase="Running", containerStatuses=[status]),
        )

    pods = [broken("calm", 1), broken("wild", 90), broken("web-0", 2, "web"), broken("web-1", 3, "web")]
    found = faults.pod_faults(cluster_of(pods=[*pods])).symptoms
    assert [[s.pod.metadata.name for s in symptoms] for symptoms in found.values()] == [
        ["web-1", "web-0", "wild", "calm"]
    ]
