"""Containers that cannot start or keep crashing, and what only looks like it."""

from typing import Any

from kubevitals.facts.pods.restarts import RECOVERED
from kubevitals.facts.pods.states import STUCK
from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import config_map, container, cron_job, deployment, job, mounting, pod

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


@scenario(pod("app", command=["no-such-program"]), finds=["startup-error[bad-command] Pod/app"])
def test_command_not_found(seen: Seen) -> None:
    """The container runtime finds no such file."""
    assert seen.says("executable file not found")


@scenario(pod("app", command=["/etc/hosts"]), finds=["startup-error[bad-command] Pod/app"])
def test_command_not_executable(seen: Seen) -> None:
    """The container runtime may not execute the file."""
    assert seen.says("permission denied")


@scenario(pod("app", securityContext={"runAsNonRoot": True}), finds=["startup-error[bad-command] Pod/app"])
def test_image_runs_as_root(seen: Seen) -> None:
    """The kubelet does not create a container whose image runs as root."""
    assert seen.says("runAsNonRoot")


@scenario(
    config_map("app-config", key="value"),
    pod("app", envFrom=[{"configMapRef": {"name": "ap-config"}}]),
    finds=["startup-error[bad-reference] Pod/app"],
)
def test_environment_from_missing_config_map(seen: Seen) -> None:
    """A ConfigMap in the environment is not a mount: this check owns it."""
    assert seen.says('did you mean "app-config"?')


@scenario(
    config_map("app-config", key="value"),
    pod("app", env=[{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "app-config", "key": "absent"}}}]),
    finds=["startup-error[bad-reference] Pod/app"],
)
def test_environment_from_missing_key(seen: Seen) -> None:
    """The ConfigMap exists, the key does not."""
    assert seen.says("couldn't find key absent")


@scenario(
    pod("app", env=[{"name": "A", "valueFrom": {"secretKeyRef": {"name": "absent", "key": "a"}}}]),
    finds=["startup-error[bad-reference] Pod/app"],
)
def test_environment_from_missing_secret(seen: Seen) -> None:
    """A missing Secret is found in the same way."""
    assert seen.says('secret "absent" not found')


@scenario(pod("app", image="registry.invalid/shop/web:2"), finds=["startup-error[image] Pod/app"])
def test_registry_cannot_be_reached(seen: Seen) -> None:
    """The finding names the image and the container, with the runtime's message."""
    assert seen.says('image "registry.invalid/shop/web:2" cannot be pulled')


@scenario(pod("app", image="not//valid"), finds=["startup-error[image] Pod/app"])
def test_image_name_not_valid(seen: Seen) -> None:
    """The kubelet rejects such a name before it asks a registry."""
    assert seen.says("name is not valid")


@scenario(pod("app", image="kubevitals.test/absent:1", imagePullPolicy="Never"), finds=["startup-error[image] Pod/app"])
def test_image_must_not_be_pulled(seen: Seen) -> None:
    """The image is not on the node and must not be pulled."""
    assert seen.says("imagePullPolicy is Never")


@scenario(
    pod("app", lifecycle={"postStart": {"exec": {"command": ["sh", "-c", "echo no peer; exit 9"]}}}),
    finds=["startup-error[post-start] Pod/app"],
)
def test_post_start_hook_fails(seen: Seen) -> None:
    """The container is killed for its hook, not for what it runs."""
    assert seen.says("postStart hook fails")


HANGING = {"postStart": {"exec": {"command": ["sleep", "1d"]}}}


@scenario(pod("app", lifecycle=HANGING), later=within(120, created("Pod/app")))
def test_post_start_hook_takes_its_time(seen: Seen) -> None:
    """A container is created only once its hook has returned, which may take a while."""
    (status,) = seen.get("Pod/app").status.containerStatuses
    assert status.state.waiting.reason == "ContainerCreating"


@scenario(on=test_post_start_hook_takes_its_time, later=1200, finds=["startup-error[not-started] Pod/app"])
def test_post_start_hook_hangs(seen: Seen) -> None:
    """Twenty minutes later no event says more than in the first seconds."""
    assert seen.says('container "app" stays in ContainerCreating: its postStart hook has not returned')
    assert seen.says("ContainerCreating for ")


def _with_sysctl(app: dict[str, Any]) -> dict[str, Any]:
    app["spec"]["securityContext"] = {"sysctls": [{"name": "kernel.msgmax", "value": "65536"}]}
    return app


@scenario(_with_sysctl(pod("app")), finds=["startup-error[not-started] Pod/app"])
def test_kubelet_rejects_the_pod(seen: Seen) -> None:
    """The pod got a node, whose kubelet refuses to run it."""
    assert seen.get("Pod/app").status.phase == "Failed"
    assert seen.says("the kubelet rejected the pod: SysctlForbidden")


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
