"""Containers that keep crashing or have failed for good, and what only looks like it."""

from typing import Any

from kubevitals.facts.pods.restarts import RECOVERED
from kubevitals.facts.pods.states import STUCK
from scenarios.harness import Seen, scenario
from scenarios.objects import container, cron_job, deployment, job, mounting, pod

COUNT = "n=$(cat /state/n 2>/dev/null || echo 0); echo $((n + 1)) > /state/n; "
STATE = [{"name": "data", "mountPath": "/state"}]
KEPT: dict[str, Any] = {"volumeMounts": STATE, "volumes": mounting(emptyDir={})}
"""A volume that outlives the container, so that a command can behave differently the next time."""


def _on_node(folder: str) -> dict[str, Any]:
    """A volume that outlives the pod."""
    path = {"path": f"/var/tmp/{folder}", "type": "DirectoryOrCreate"}
    return {"volumeMounts": STATE, "volumes": mounting(hostPath=path), "room": "a"}


@scenario(pod("app", "no-such-program"), finds=["startup-error[app-exit] Pod/app"])
def test_shell_does_not_find_a_program(seen: Seen) -> None:
    """The shell starts, so this is the application's own exit."""
    assert seen.says("exit code 127")
    assert seen.says("correct command and args of the container")


@scenario(pod("app", "echo done"), finds=["startup-error[app-exit] Pod/app"])
def test_command_ends_by_itself(seen: Seen) -> None:
    """A container that should keep running must not end, not even with exit code 0."""
    assert seen.says("exit code 0")
    assert seen.says("keep the command in the foreground")


@scenario(pod("app", "sleep 40; exit 1"), finds=["startup-error[app-exit] Pod/app"])
def test_crashing_between_short_runs(seen: Seen) -> None:
    """A pod that is ready for a while between two crashes keeps crashing all the same."""
    assert seen.get("Pod/app").status.containerStatuses[0].restartCount >= 3
    assert seen.says("exit code 1")


@scenario(pod("app", COUNT + "[ $n -ge 3 ] && sleep 1d; exit 1", **KEPT))
def test_ready_again_after_three_crashes(seen: Seen) -> None:
    """Three crashes within minutes, but ready since for longer than it ran before: the crashes are over."""
    status = seen.get("Pod/app").status.containerStatuses[0]
    assert status.restartCount >= 3
    assert seen.cluster.over(status.state.running.startedAt, RECOVERED)


@scenario(on=test_ready_again_after_three_crashes, later=1200)
def test_restarts_long_ago(seen: Seen) -> None:
    """Twenty minutes later it is still healthy."""
    assert seen.get("Pod/app").status.containerStatuses[0].restartCount >= 3


@scenario(pod("app", COUNT + "[ $n -ge 1 ] && sleep 1d; exit 1", **KEPT))
def test_one_early_restart(seen: Seen) -> None:
    """One restart is not a fault."""
    status = seen.get("Pod/app").status.containerStatuses[0]
    assert status.state.HasField("running")
    assert status.restartCount >= 1


@scenario(
    pod("app", initContainers=[container("echo no migration; exit 4", name="migrate")]),
    finds=["startup-error[init-container] Pod/app"],
)
def test_init_container_fails(seen: Seen) -> None:
    """The finding says which one, with its log."""
    assert seen.says('init container "migrate"')
    assert seen.says("log: no migration")


@scenario(
    pod("app", initContainers=[container("echo proxy down; exit 5", name="proxy", restartPolicy="Always")]),
    finds=["startup-error[app-exit] Pod/app"],
)
def test_sidecar_fails(seen: Seen) -> None:
    """A native sidecar is listed as an init container, but is an application container."""
    assert seen.says('container "proxy" keeps crashing')


@scenario(
    pod(
        "app",
        initContainers=[container(COUNT + "[ $n -ge 2 ]", name="retry", volumeMounts=STATE)],
        volumes=mounting(emptyDir={}),
    )
)
def test_init_container_retries_and_succeeds(seen: Seen) -> None:
    """An init container that fails twice and then succeeds has done its work."""
    status = seen.get("Pod/app").status
    assert status.initContainerStatuses[0].restartCount >= 2
    assert status.phase == "Running"


@scenario(pod("app", initContainers=[container("sleep 1d", name="wait")]))
def test_init_container_waits(seen: Seen) -> None:
    """An init container that waits for something is at work, however long it takes."""
    state = seen.get("Pod/app").status.initContainerStatuses[0].state
    assert state.HasField("running")
    assert seen.cluster.over(state.running.startedAt, STUCK)


@scenario(pod("app", initContainers=[container("sleep 75", name="wait")]))
def test_init_container_waits_and_succeeds(seen: Seen) -> None:
    """It waited for longer than a stuck pod may; then the application started."""
    status = seen.get("Pod/app").status
    ended = status.initContainerStatuses[0].state.terminated
    assert ended.reason == "Completed"
    assert ended.finishedAt.seconds - ended.startedAt.seconds > STUCK.default
    assert status.phase == "Running"


HELPED: dict[str, Any] = {
    "containers": [container("exit 3", name="main"), container("sleep 1d", name="helper")],
    "restartPolicy": "Never",
}


@scenario(pod("app", **HELPED), finds=["startup-error[app-exit] Pod/app"])
def test_container_failed_beside_a_running_one(seen: Seen) -> None:
    """The pod is Running, and what it is for has failed and stays so."""
    assert seen.get("Pod/app").status.phase == "Running"
    assert seen.says('container "main" failed: exit code 3')


@scenario(
    pod("app", **HELPED | {"containers": [container("true", name="main"), container("sleep 1d", name="helper")]}),
)
def test_container_completed_beside_a_running_one(seen: Seen) -> None:
    """One container has done its work, the other one is at it."""
    assert seen.get("Pod/app").status.phase == "Running"


@scenario(pod("app", "exit 6", restartPolicy="Never"), finds=["startup-error[app-exit] Pod/app"])
def test_bare_pod_failed(seen: Seen) -> None:
    """Nothing will start it again."""
    assert seen.get("Pod/app").status.phase == "Failed"
    assert seen.says("kubectl -n bare-pod-failed logs pod/app -c app")
    assert not seen.says("--previous")


@scenario(pod("migrate-1", "exit 6", restartPolicy="Never"), pod("migrate-2", "sleep 120", restartPolicy="Never"))
def test_bare_pod_failed_and_its_retry_succeeded(seen: Seen) -> None:
    """A later pod of the same name, but for its number, has done the work."""
    assert seen.get("Pod/migrate-1").status.phase == "Failed"
    assert seen.get("Pod/migrate-2").status.phase == "Succeeded"


@scenario(on=test_bare_pod_failed, later=7200, finds=["startup-error[app-exit] Pod/app (warning)"])
def test_bare_pod_failed_long_ago(seen: Seen) -> None:
    """Nothing waits for it."""
    assert seen.get("Pod/app").status.phase == "Failed"


@scenario(
    job("report", "echo no rows; exit 7"), finds=["startup-error[app-exit] Pod/report-*", "jobs[failed] Job/report"]
)
def test_job_failed_for_good(seen: Seen) -> None:
    """A Job that has no attempts left."""
    assert "Failed" in {c.type for c in seen.get("Job/report").status.conditions}


@scenario(job("report", COUNT + "[ $n -ge 1 ]", retries=2, **_on_node("job-retried")))
def test_job_failed_once_then_succeeded(seen: Seen) -> None:
    """The failed attempt's pod still exists."""
    phases = {p.status.phase for p in seen.cluster.pods if p.metadata.namespace == seen.scenario.name}
    assert phases == {"Failed", "Succeeded"}


@scenario(cron_job("report", COUNT + "[ $n -ge 1 ]", schedule="* * * * *", **_on_node("cron-job-retried")))
def test_cron_job_failed_once_then_succeeded(seen: Seen) -> None:
    """The failed Job is kept for inspection; the next one succeeded."""
    failed = {
        c.type for j in seen.cluster.jobs if j.metadata.namespace == seen.scenario.name for c in j.status.conditions
    }
    assert {"Failed", "Complete"} <= failed


@scenario(job("report", "true"), deployment("web"))
def test_completed_job_beside_a_healthy_deployment(seen: Seen) -> None:
    """The ordinary case."""
    assert {p.status.phase for p in seen.cluster.pods if p.metadata.namespace == seen.scenario.name} == {
        "Succeeded",
        "Running",
    }


@scenario(
    pod("app", "trap '' TERM; sleep 1d & wait; sleep 1d", terminationGracePeriodSeconds=3600),
    then=["wait --for=condition=Ready pod/app", "delete pod app --wait=false"],
)
def test_pod_in_its_grace_period(seen: Seen) -> None:
    """A pod that is being deleted."""
    assert seen.get("Pod/app").metadata.HasField("deletionTimestamp")
