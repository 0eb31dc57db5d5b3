"""Workloads that are short of replicas, and all states that pass by themselves or are meant."""

from collections.abc import Callable

import pytest

from checks.test_workload_unavailable import replicas_missing
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.findings.finding import Finding, Replicas, Severity
from kubevitals.objects import Ref
from kubevitals.source.request import Answer
from tests.built import node
from tests.fakes import ago, cluster_of, status_bytes
from tests.workloads import (
    LONG,
    SHORTLY,
    Listed,
    cluster,
    condition,
    daemon_set,
    deployment,
    missing,
    pod,
    pods,
    replica_set,
    stateful_set,
)

# --- short of replicas ---


def test_what_is_missing_is_counted_and_what_the_pods_wait_for_is_said() -> None:
    (finding,) = missing(deployment(1, 4), pods(1, 3))
    assert finding.says == 'has 1 of 4 replicas available: container "app" is not ready (3 pods)'
    assert finding.replicas == Replicas(3, 4)
    assert finding.remedy == "see what container app waits for: kubectl -n shop logs pod/web-5d-1 -c app --tail=50"
    assert finding.since == ago(LONG).seconds


def test_an_init_container_that_does_not_end_is_named() -> None:
    waits = pod("web-5d-0", ready=False)
    waits.status.phase = "Pending"
    waits.spec.initContainers.add(name="wait-for-db")
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(LONG)))
    waits.status.initContainerStatuses.add(name="wait-for-db", state=running)
    (finding,) = missing(deployment(0, 1), [waits])
    assert finding.says == 'has 0 of 1 replica available: init container "wait-for-db" has not completed (1 pod)'
    assert finding.remedy.endswith("-c wait-for-db --tail=50")


@pytest.mark.parametrize("workload", [deployment(2), stateful_set(2), daemon_set(2), replica_set(2)])
def test_every_kind_is_judged(workload: Listed) -> None:
    assert missing(workload, pods(2, 1, type(workload).__name__))


def test_a_pod_that_was_ready_before_has_no_more_time() -> None:
    assert missing(deployment(2), pods(2, 1, since=90))


def test_pods_that_wait_on_purpose_are_a_warning() -> None:
    gated = pod("web-5d-0", ready=False)
    gated.spec.nodeName, gated.status.phase = "", "Pending"
    gated.status.conditions[0].type, gated.status.conditions[0].reason = "PodScheduled", "SchedulingGated"
    (finding,) = missing(deployment(0, 1), [gated])
    assert finding.severity is Severity.WARNING
    assert finding.says == "has 0 of 1 replica available: has no node (SchedulingGated) (1 pod)"


def test_pods_that_are_refused_are_missing() -> None:
    refused = condition("ReplicaFailure", "True", "FailedCreate")
    (finding,) = missing(deployment(2, 3, refused), pods(2, 0))
    assert finding.says == "has 2 of 3 replicas available: 1 pod not created"


def test_a_workload_whose_namespace_is_being_deleted_is_to_have_no_pods() -> None:
    shop = pb.Namespace(metadata=pb.ObjectMeta(name="shop"), status=pb.NamespaceStatus(phase="Active"))
    gone = condition("Available", "False", "MinimumReplicasUnavailable")
    assert missing(deployment(0, 3, gone), [], namespaces=[shop])
    shop.status.phase = "Terminating"
    assert not missing(deployment(0, 3, gone), [], namespaces=[shop])


def test_pods_of_a_stateful_set_that_are_refused_are_missing() -> None:
    about = pb.ObjectReference(kind="StatefulSet", namespace="shop", name="web", uid="web")
    event = pb.Event(involvedObject=about, type="Warning", reason="FailedCreate", message="no")
    event.firstTimestamp.CopyFrom(ago(LONG))
    event.lastTimestamp.CopyFrom(ago(60))
    assert missing(stateful_set(2), pods(2, 0, "StatefulSet"), all_events=[event])


@pytest.mark.parametrize(
    ("kind", "name", "reason", "before", "found"),
    [
        ("Pod", "web-2", "Killing", 60, False),
        ("StatefulSet", "web", "SuccessfulDelete", 60, False),
        ("StatefulSet", "web", "SuccessfulCreate", 700, True),
        ("Pod", "web-api-2", "Killing", 60, True),
    ],
)
def test_a_stateful_set_without_a_pod_is_short_once_nothing_happens_to_it(
    kind: str, name: str, reason: str, before: int, *, found: bool
) -> None:
    """A pod that is being replaced is gone for a moment, too."""
    about = pb.ObjectReference(kind=kind, namespace="shop", name=name, uid="1")
    event = pb.Event(involvedObject=about, reason=reason, lastTimestamp=ago(before))
    left = missing(stateful_set(2), pods(2, 0, "StatefulSet"), all_events=[event])
    assert [finding.says for finding in left] == ["has 2 of 3 replicas available: 1 pod not created"] * found
    young = stateful_set(2)
    young.metadata.creationTimestamp.CopyFrom(ago(SHORTLY))
    assert not missing(young, pods(2, 0, "StatefulSet"))


def test_a_pod_that_another_check_finds_needs_no_more_time() -> None:
    broken = pod("web-5d-0", ready=False, age=SHORTLY, since=SHORTLY)
    broken.status.phase = "Pending"
    waiting = pb.ContainerStateWaiting(reason="ImagePullBackOff", message='Back-off pulling image "nope"')
    broken.status.containerStatuses[0].state.CopyFrom(pb.ContainerState(waiting=waiting))
    (finding,) = missing(deployment(0, 1), [broken])
    assert finding.remedy.endswith("describe pod/web-5d-0")  # no log: its container has not run


def test_a_new_pod_whose_log_cannot_be_read_may_be_broken() -> None:
    made = pods(2, 1, age=400, since=400)
    initializing(made)
    assert not missing(deployment(2), made)
    refused = {"/api/v1/namespaces/shop/pods/web-5d-2/log": Answer(403, status_bytes("no"))}
    with pytest.raises(NotObserved, match="get pods/log"):
        list(replicas_missing(cluster_of(refused, deployments=[deployment(2)], pods=made)))


def test_a_replica_set_of_a_deployment_is_not_found_beside_it() -> None:
    assert not missing(replica_set(2, "Deployment"), pods(2, 1, "ReplicaSet"))


def test_what_is_not_observed_hides_no_workload_of_another_kind() -> None:
    refused = Answer(403, status_bytes("no"))
    seen = cluster_of({"/apis/apps/v1/replicasets": refused}, deployments=[deployment(2)], pods=pods(2, 1))
    found = replicas_missing(seen)
    assert next(iter(found)).obj == Ref("Deployment", "shop", "web")
    with pytest.raises(NotObserved):
        list(found)


# --- what passes by itself, or is meant ---


def initializing(made: list[pb.Pod]) -> None:
    """Have the pods that are not ready run an init container, which says nothing."""
    for one in made:
        if one.status.conditions[0].status == "False":
            running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=one.metadata.creationTimestamp))
            one.status.phase = "Pending"
            one.spec.initContainers.add(name="setup")
            one.status.initContainerStatuses.add(name="setup", state=running)


def new(workload: Listed, made: list[pb.Pod]) -> None:
    initializing(made)
    for one in made:
        one.metadata.creationTimestamp.CopyFrom(ago(SHORTLY))
        one.status.conditions[0].lastTransitionTime.CopyFrom(ago(SHORTLY))


def ready_since(workload: Listed, made: list[pb.Pod]) -> None:
    """The status is older than the pods, or minReadySeconds is not over."""
    for one in made:
        one.status.conditions[0].status = "True"


def with_a_long_deadline(workload: Listed, made: list[pb.Pod]) -> None:
    assert isinstance(workload, pb.Deployment)
    initializing(made)
    workload.spec.progressDeadlineSeconds = 2 * LONG


def lost_just_now(workload: Listed, made: list[pb.Pod]) -> None:
    for one in made:
        one.status.conditions[0].lastTransitionTime.CopyFrom(ago(30))


def not_created_yet(workload: Listed, made: list[pb.Pod]) -> None:
    made.pop()


def replaced(workload: Listed, made: list[pb.Pod]) -> None:
    made[-1].metadata.deletionTimestamp.CopyFrom(ago(LONG))


def deleted(workload: Listed, made: list[pb.Pod]) -> None:
    workload.metadata.deletionTimestamp.CopyFrom(ago(10))


def scaled_to_nothing(workload: Listed, made: list[pb.Pod]) -> None:
    assert isinstance(workload, pb.Deployment)
    workload.spec.replicas = 0


@pytest.mark.parametrize(
    "change",
    [
        new,
        ready_since,
        with_a_long_deadline,
        lost_just_now,
        not_created_yet,
        replaced,
        deleted,
        scaled_to_nothing,
    ],
)
def test_what_is_no_fault(change: Callable[[Listed, list[pb.Pod]], None]) -> None:
    workload, made = deployment(2), pods(2, 1)
    assert missing(workload, made)
    change(workload, made)
    assert not missing(workload, made)


def awaiting_a_node(reason: str) -> list[Finding]:
    """Return what is found on a pod that has had no node for 700 s, after an event about it."""
    waits = pod("web-5d-0", ready=False, age=700, since=700)
    waits.spec.nodeName, waits.status.phase, waits.spec.schedulerName = "", "Pending", "other"
    waits.status.conditions[0].type = "PodScheduled"
    about = pb.ObjectReference(kind="Pod", namespace="shop", name=waits.metadata.name, uid=waits.metadata.uid)
    return missing(
        deployment(0, 1), [waits], all_events=[pb.Event(involvedObject=about, reason=reason, lastTimestamp=ago(650))]
    )


def test_a_node_that_is_on_its_way_takes_more_time() -> None:
    assert awaiting_a_node("FailedScheduling")
    assert not awaiting_a_node("TriggeredScaleUp")


@pytest.mark.parametrize(
    "there",
    [
        [],
        [node("worker-0", message="kubelet stopped")],
        [pb.Node(metadata=pb.ObjectMeta(name="worker-0", labels={"type": "virtual-kubelet"}))],
        [node("worker-0", created=ago(60))],
    ],
    ids=["gone", "down", "virtual", "just joined"],
)
def test_daemons_of_nodes_that_are_not_ready_or_not_judged(there: list[pb.Node]) -> None:
    workload, made = daemon_set(0, 1, 1), pods(0, 1, "DaemonSet")
    assert missing(workload, made)
    assert not missing(workload, made, nodes=there)


def test_a_daemon_set_without_a_node() -> None:
    assert not missing(daemon_set(0, 0, 0), [])


def test_workloads_that_have_time_are_named_in_a_remark() -> None:
    made = pods(2, 1, age=SHORTLY, since=SHORTLY)
    initializing(made)
    seen = cluster(deployment(2), made)
    assert not list(replicas_missing(seen))
    assert "not judged yet: 1 workload with replicas that are starting (Deployment/shop/web: 1 of 3)" in seen.remarks


def test_workloads_without_status_are_not_observed() -> None:
    old = deployment(0)
    old.status.Clear()
    with pytest.raises(NotObserved, match="no Deployment has a status"):
        missing(old, pods(0, 3))
