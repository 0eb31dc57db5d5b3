"""Workloads that are short of replicas for a reason that no other check sees, and those that only look like it."""

from scenarios import test_control_plane
from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import Object, container, daemon_set, deployment, stateful_set

STALLED = "workload-unavailable[rollout-stalled] Deployment/web"
SILENT = {"initContainers": [container(name="setup")]}
"""An init container that does not end, and does not say what it waits for."""


def changed(workload: Object, **fields: object) -> Object:
    """Return a workload with other fields in its specification."""
    return workload | {"spec": workload["spec"] | fields}


@scenario(changed(deployment("web", 2, **SILENT), progressDeadlineSeconds=30), finds=[STALLED])
def test_rollout_past_its_deadline(seen: Seen) -> None:
    """Its owner has said that 30 seconds are enough."""
    assert seen.says("has 0 of 2 replicas available, and its rollout has made no progress for 30s")
    assert seen.says('init container "setup" has not completed (2 pods)')


@scenario(
    changed(deployment("web", 2), progressDeadlineSeconds=60),
    then=[
        "rollout status deployment/web",
        'patch deployment/web -p={"spec":{"template":{"spec":{"schedulingGates":[{"name":"x.io/wait"}]}}}}',
    ],
    finds=[f"{STALLED} (warning)"],
)
def test_new_version_does_not_come_up_while_the_old_one_serves(seen: Seen) -> None:
    """Its new pod waits on purpose, and the old ones stay."""
    web = seen.get("Deployment/web")
    assert web.status.availableReplicas == web.spec.replicas
    assert seen.says("has 2 of 2 replicas available, and its rollout has made no progress")


@scenario(stateful_set("db", 2, **SILENT), later=within(300, created("StatefulSet/db")))
def test_new_pod_has_time_to_start(seen: Seen) -> None:
    """It may be a migration; the second pod waits for the first one."""
    assert not seen.get("StatefulSet/db").status.availableReplicas
    assert any("StatefulSet/new-pod-has-time-to-start/db: 2 of 2" in line for line in seen.cluster.remarks)


@scenario(
    on=test_new_pod_has_time_to_start,
    later=700,
    finds=["workload-unavailable[replicas-missing] StatefulSet/db"],
)
def test_pod_does_not_become_ready_in_ten_minutes(seen: Seen) -> None:
    """No migration is known to run, and the StatefulSet has no pod."""
    assert seen.says("has 0 of 2 replicas available")


@scenario(
    on=test_control_plane.test_controller_manager_stopped,
    later=900,
    finds=["workload-unavailable[not-acted-on] Deployment/web"],
)
def test_no_controller_looks_at_a_deployment(seen: Seen) -> None:
    """No Lease is renewed any more in an old recording, so that only the Deployment tells."""
    assert not seen.get("Deployment/web").status.observedGeneration


@scenario(changed(deployment("web", 2), paused=True))
def test_deployment_is_paused(seen: Seen) -> None:
    """It was created paused, so it has no pods yet."""
    web = seen.get("Deployment/web")
    assert web.status.observedGeneration
    assert not web.status.replicas


@scenario(changed(deployment("web", 2), minReadySeconds=3000, progressDeadlineSeconds=3600))
def test_pods_are_ready_and_not_yet_available(seen: Seen) -> None:
    """They count as available after minReadySeconds."""
    status = seen.get("Deployment/web").status
    assert status.readyReplicas == 2
    assert not status.availableReplicas


@scenario(daemon_set("agent", nodeSelector={"disk": "ssd"}))
def test_daemon_set_for_no_node(seen: Seen) -> None:
    """No node has the label."""
    assert not seen.get("DaemonSet/agent").status.desiredNumberScheduled


@scenario(
    changed(daemon_set("agent"), updateStrategy={"type": "OnDelete"}),
    then=["wait --for=jsonpath={.status.numberAvailable}=2 daemonset/agent", "set env daemonset/agent VERSION=2"],
)
def test_daemon_set_is_updated_on_delete(seen: Seen) -> None:
    """Its pods are of the old version until a user deletes them."""
    status = seen.get("DaemonSet/agent").status
    assert status.numberAvailable == status.desiredNumberScheduled > status.updatedNumberScheduled


@scenario(
    changed(stateful_set("db", 2), updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"partition": 2}}),
    then=["set env statefulset/db VERSION=2"],
)
def test_stateful_set_is_updated_by_partition(seen: Seen) -> None:
    """The partition keeps both pods on the old version."""
    status = seen.get("StatefulSet/db").status
    assert status.availableReplicas == 2
    assert not status.updatedReplicas


@scenario(changed(deployment("web", 0), progressDeadlineSeconds=30))
def test_deployment_is_scaled_to_nothing(seen: Seen) -> None:
    """It asks for no replicas."""
    assert seen.get("Deployment/web").status.observedGeneration
