"""ConfigMaps and Secrets that cannot be mounted, and what only looks like it."""

from scenarios.faults import disk_full
from scenarios.harness import Seen, scenario
from scenarios.objects import config_map, cron_job, daemon_set, deployment, mounting, pod


@scenario(
    config_map("app-config", key="value"),
    pod("app", volumes=mounting(configMap={"name": "app-confg"})),
    finds=["config-mount[missing-object] Pod/app"],
)
def test_config_map_misspelt(seen: Seen) -> None:
    """The finding names the object that looks like the missing one."""
    assert seen.says('did you mean "app-config"?')


@scenario(
    pod("app", volumes=mounting(secret={"secretName": "app-secret"})), finds=["config-mount[missing-object] Pod/app"]
)
def test_secret_missing(seen: Seen) -> None:
    """Only events show that a Secret is missing: Secrets are not listed."""
    assert seen.says('Secret "app-secret" does not exist')


@scenario(on=test_secret_missing, finds=["config-mount[missing-object] Pod/app"], secret_names=True)
def test_secret_missing_by_name(seen: Seen) -> None:
    """With --secret-names the list of names shows it as well."""
    assert seen.says('Secret "app-secret" does not exist')


@scenario(
    pod(
        "app", volumes=mounting(projected={"sources": [{"configMap": {"name": "one"}}, {"configMap": {"name": "two"}}]})
    ),
    finds=["config-mount[missing-object] Pod/app"],
)
def test_projected_config_maps_missing(seen: Seen) -> None:
    """The finding lists every missing name."""
    assert seen.says('ConfigMap "one" does not exist, ConfigMap "two" does not exist')


@scenario(
    config_map("app-config", present="yes"),
    pod("app", volumes=mounting(configMap={"name": "app-config", "items": [{"key": "absent", "path": "a"}]})),
    finds=["config-mount[missing-key] Pod/app"],
)
def test_config_map_key_missing(seen: Seen) -> None:
    """The kubelet does not say which ConfigMap is meant: the pod's specification does."""
    assert seen.says('ConfigMap "app-config" has no key "absent"')


@scenario(
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "app-secret"}, "stringData": {"present": "yes"}},
    pod("app", volumes=mounting(secret={"secretName": "app-secret", "items": [{"key": "absent", "path": "a"}]})),
    finds=["config-mount[missing-key] Pod/app"],
)
def test_secret_key_missing(seen: Seen) -> None:
    """A missing key of a Secret is found in the same way."""
    assert seen.says('Secret "app-secret" has no key "absent"')


@scenario(
    pod(
        "app",
        volumes=mounting(
            downwardAPI={
                "items": [{"path": "cpu", "resourceFieldRef": {"containerName": "absent", "resource": "limits.cpu"}}]
            }
        ),
    ),
    finds=["config-mount[setup-failed] Pod/app"],
)
def test_downward_api_of_a_missing_container(seen: Seen) -> None:
    """The kubelet fills the volume itself: that is not a fault of a claim."""
    assert seen.says("fieldRef or resourceFieldRef references a field or container that does not exist")


@scenario(
    config_map("settings", key="value"),
    config_map("setting", key="value"),
    deployment("web", volumes=mounting(configMap={"name": "settings"})),
    then=["wait --for=condition=Available deployment/web", "delete configmap settings"],
    finds=["config-mount[dangling-reference] Deployment/web (warning)"],
)
def test_config_map_deleted_under_running_pods(seen: Seen) -> None:
    """The pods run on; the next rollout will fail."""
    assert all(
        status.ready
        for p in seen.cluster.pods
        if p.metadata.namespace == seen.scenario.name
        for status in p.status.containerStatuses
    )
    assert seen.says('did you mean "setting"?')


@scenario(
    cron_job("nightly", envFrom=[{"configMapRef": {"name": "absent"}}]),
    finds=["config-mount[dangling-reference] CronJob/nightly (warning)"],
)
def test_cron_job_names_missing_config_map(seen: Seen) -> None:
    """Its next run will not start."""
    assert not seen.get("CronJob/nightly").spec.suspend


@scenario(
    {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "credentials"}, "stringData": {"key": "value"}},
    deployment("web", env=[{"name": "KEY", "valueFrom": {"secretKeyRef": {"name": "credentials", "key": "key"}}}]),
    then=["wait --for=condition=Available deployment/web", "delete secret credentials"],
)
def test_secret_deleted_under_running_pods(seen: Seen) -> None:
    """Without --secret-names it is not part of the verdict."""
    assert seen.get("Deployment/web").spec.replicas == 1


@scenario(
    on=test_secret_deleted_under_running_pods,
    secret_names=True,
    finds=["config-mount[dangling-reference] Deployment/web (warning)"],
)
def test_secret_deleted_under_running_pods_by_name(seen: Seen) -> None:
    """With --secret-names it is found."""
    assert seen.says('Secret "credentials"')


@scenario(
    on_demand=True,
    fault=disk_full("worker"),
    finds=[
        "config-mount[node-disk-full] Pod/mounting",
        "node-ready[pressure] Node/worker",
        "storage-full[node-disk] Node/worker",
    ],
)
def test_node_disk_full(seen: Seen) -> None:
    """The mount fails because the node's disk is full: that is the finding, and the node its root."""
    assert seen.says("no space left on device")
    assert seen.says("of its disk is used")


@scenario(
    pod(
        "app",
        volumes=mounting(configMap={"name": "absent", "optional": True}),
        envFrom=[{"configMapRef": {"name": "absent", "optional": True}}],
    )
)
def test_optional_config_map(seen: Seen) -> None:
    """A pod runs without optional objects."""
    assert seen.get("Pod/app").status.phase == "Running"


@scenario(
    cron_job("paused", suspend=True, envFrom=[{"configMapRef": {"name": "made-on-demand"}}]),
    deployment("asleep", replicas=0, envFrom=[{"configMapRef": {"name": "absent"}}]),
    daemon_set("nowhere", room="cellar", envFrom=[{"configMapRef": {"name": "absent"}}]),
)
def test_workloads_that_want_no_pods(seen: Seen) -> None:
    """Suspended, scaled to zero, or for no node: what they reference may be created when it is needed."""
    assert seen.get("CronJob/paused").spec.suspend
    assert seen.get("Deployment/asleep").spec.replicas == 0
    assert seen.get("DaemonSet/nowhere").status.desiredNumberScheduled == 0
