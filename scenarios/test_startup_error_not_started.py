"""Containers that never start: for their command, what they refer to, their image or their hook."""

from typing import Any

from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import config_map, pod


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
