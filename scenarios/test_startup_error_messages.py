"""Applications that say themselves why they exit: the finding says it with them."""

from scenarios.harness import Seen, scenario
from scenarios.objects import config_map, container, deployment, mounting, pod, service

PORT = [{"containerPort": 8080}]
LISTENS = f"grep -q :{8080:X} /proc/net/tcp*"
"""Whether the other container has the port already."""

EXITS = ["startup-error[app-exit] Pod/app"]


@scenario(deployment("web", 3, sh="echo cannot open database; exit 3"), finds=["startup-error[app-exit] Pod/web-*"])
def test_application_gives_up(seen: Seen) -> None:
    """Its last log lines are the evidence."""
    assert seen.says("exit code 3")
    assert seen.says("log: cannot open database")
    assert seen.says(" -c app --tail=50 --previous")
    assert seen.says(", restarted ")


@scenario(
    pod(
        "app",
        containers=[
            container("exec httpd -f -p 8080", name="web", ports=PORT),
            container(f"until {LISTENS}; do sleep 1; done; exec httpd -f -p 8080", ports=PORT),
        ],
    ),
    finds=EXITS,
)
def test_port_is_in_use(seen: Seen) -> None:
    """Two containers of one pod want the same port."""
    assert seen.says('port 8080 is already in use: container "web" of the same pod declares it')


@scenario(pod("app", "echo ${DATABASE_URL:?}"), finds=EXITS)
def test_variable_is_not_set(seen: Seen) -> None:
    """The shell names the variable."""
    assert seen.says("environment variable DATABASE_URL is not set")
    assert seen.says("set DATABASE_URL in env or envFrom")


@scenario(
    pod("app", "wget -qO- http://databse:5432"),
    service("database", 5432),
    finds=[*EXITS, "service-endpoints[no-match] Service/database (warning)"],
)
def test_service_does_not_exist(seen: Seen) -> None:
    """The host name that cannot be resolved is that of a Service, misspelt."""
    assert seen.says('Service databse does not exist in namespace service-does-not-exist (did you mean "database"?)')


@scenario(
    pod("app", "wget -T 3 -qO- http://database:5432"),
    service("database", 5432),
    finds=[*EXITS, "service-endpoints[no-match] Service/database"],
)
def test_service_has_no_endpoints(seen: Seen) -> None:
    """The Service is there, and nothing stands behind it."""
    assert seen.says("Service database does not answer")
    assert seen.says("it has no ready endpoint")


@scenario(pod("app", "touch /etc/x", securityContext={"runAsUser": 1000}), finds=EXITS)
def test_permission_is_denied(seen: Seen) -> None:
    """The user of the container may not write there."""
    assert seen.says("it has no permission for /etc/x")


@scenario(pod("app", "touch /etc/x", securityContext={"readOnlyRootFilesystem": True}), finds=EXITS)
def test_root_file_system_is_read_only(seen: Seen) -> None:
    """The container writes where it may only read."""
    assert seen.says("/etc/x is read-only")


@scenario(pod("app", "cat /etc/app/app.ini"), finds=EXITS)
def test_file_does_not_exist(seen: Seen) -> None:
    """The configuration is not in the image."""
    assert seen.says("/etc/app/app.ini does not exist in the container")


@scenario(
    config_map("settings", **{"settings.ini": "a = b"}),
    pod(
        "app",
        "cat /etc/app.ini",
        volumes=mounting(configMap={"name": "settings"}),
        volumeMounts=[{"name": "data", "mountPath": "/etc/app.ini", "subPath": "app.ini"}],
    ),
    finds=EXITS,
)
def test_sub_path_is_no_key(seen: Seen) -> None:
    """The kubelet makes an empty directory of a subPath that the ConfigMap does not have."""
    assert seen.says('subPath "app.ini" is not a key of ConfigMap/sub-path-is-no-key/settings')


@scenario(pod("app", "echo error: address already in use by nobody; sleep 1d"))
def test_an_error_in_the_log_of_a_pod_that_runs(seen: Seen) -> None:
    """Words alone are no fault: the container runs and is ready."""
    assert seen.get("Pod/app").status.containerStatuses[0].ready
