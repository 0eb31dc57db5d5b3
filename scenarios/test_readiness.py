"""Pods that run and are not ready, each for another reason, and pods that may take their time."""

from kubevitals.facts.pods.states import STUCK
from kubevitals.objects import condition, is_ready, turned_at
from scenarios.harness import Seen, scenario
from scenarios.objects import Object, container, deployment, pod

FAILING = "readiness[probe-failing] Pod/app"
UNMET = "readiness[gate-unmet] Pod/app"
SERVE = "httpd -f -p 8080"


def probe(sh: str = "", **fields: object) -> Object:
    asks = {"exec": {"command": ["sh", "-c", sh]}} if sh else {}
    return {"periodSeconds": 2, "timeoutSeconds": 20} | asks | fields


@scenario(
    deployment("web", 2, ports=[{"containerPort": 8080}], readinessProbe=probe(tcpSocket={"port": 5432})),
    finds=["readiness[probe-failing] Pod/web-*"],
)
def test_nothing_listens_on_the_port(seen: Seen) -> None:
    """The probe asks for another port than the application's."""
    assert seen.says("(TCP connection to port 5432): connection refused, nothing listens on that port; the container")
    assert seen.says("the container declares 8080")
    assert seen.says("correct the port of readinessProbe, or let the application listen on it")


@scenario(pod("app", SERVE, readinessProbe=probe(httpGet={"path": "/ready", "port": 8080})), finds=[FAILING])
def test_path_is_not_served(seen: Seen) -> None:
    """The probe asks for a path that the application does not know."""
    assert seen.says("(GET /ready on port 8080): HTTP 404, the application does not serve that path")


@scenario(pod("app", readinessProbe=probe("sleep 5", timeoutSeconds=1)), finds=[FAILING])
def test_answer_is_late(seen: Seen) -> None:
    """The command takes longer than the probe waits."""
    assert seen.says("no answer within 1 s")


@scenario(
    pod(
        "app",
        "sleep 60; touch /tmp/down; sleep 1d",
        readinessProbe=probe("[ ! -e /tmp/down ] || { echo the queue is gone; exit 1; }"),
    ),
    finds=[FAILING],
)
def test_readiness_is_lost(seen: Seen) -> None:
    """It was ready for a while."""
    assert seen.says("a command): the queue is gone")
    assert seen.says("ready until")


@scenario(
    pod("app", initContainers=[container(name="proxy", restartPolicy="Always", readinessProbe=probe("exit 1"))]),
    finds=[FAILING],
)
def test_sidecar_is_not_ready(seen: Seen) -> None:
    """A native sidecar has a readiness probe as well, and the pod is not ready without it."""
    assert seen.says('readiness probe of container "proxy" fails')


@scenario(pod("app", readinessGates=[{"conditionType": "example.com/registered"}]), later=600, finds=[UNMET])
def test_readiness_gate_is_not_met(seen: Seen) -> None:
    """No controller sets the condition."""
    ready = condition(seen.get("Pod/app"), "ContainersReady")
    assert ready is not None
    assert ready.status == "True"
    assert seen.says('readiness gate "example.com/registered" is not met: nothing has set that condition')


MEMBERS: Object = {
    "apiVersion": "apps/v1",
    "kind": "StatefulSet",
    "metadata": {"name": "db"},
    "spec": {"podManagementPolicy": "Parallel", "serviceName": "db"}
    | deployment("db", 3, readinessProbe=probe("[ $(hostname) = db-0 ] || { echo standby; exit 1; }"))["spec"],
}


@scenario(MEMBERS, finds=["readiness[probe-failing] Pod/db-*"])
def test_only_the_leader_is_ready(seen: Seen) -> None:
    """Kubernetes counts standbys as missing replicas: who wants it so declares it as a known issue."""
    assert seen.says("a command): standby")
    assert seen.says("if only one replica is meant to be ready (leader election), declare this as a known issue")


@scenario(pod("app", readinessProbe=probe("exit 1", initialDelaySeconds=3600)))
def test_first_probe_is_to_come(seen: Seen) -> None:
    """The probe says how long a start takes."""
    app = seen.get("Pod/app")
    assert not is_ready(app)
    assert seen.cluster.over(turned_at(app), STUCK)


@scenario(
    pod("app", startupProbe=probe("exit 1", failureThreshold=1800), readinessProbe=probe("true")),
)
def test_startup_probe_has_not_passed_yet(seen: Seen) -> None:
    """The container may take an hour to start."""
    app = seen.get("Pod/app")
    assert not app.status.containerStatuses[0].started
    assert seen.cluster.over(turned_at(app), STUCK)


BROKEN = '{"exec":{"command":["false"]},"periodSeconds":2}'
PLACE = "/spec/template/spec/containers/0/readinessProbe"
BREAK = [
    "rollout status deployment/web --timeout=10s",
    f'patch deployment web --type=json -p=[{{"op":"replace","path":"{PLACE}","value":{BROKEN}}}]',
]


PATIENT = deployment("web", readinessProbe=probe("true"))
PATIENT["spec"]["progressDeadlineSeconds"] = 7200


@scenario(PATIENT, then=BREAK)
def test_rollout_has_not_reached_its_deadline(seen: Seen) -> None:
    """The old pod stays until the new one is ready."""
    pods = [pod for pod in seen.cluster.pods if pod.metadata.namespace == seen.scenario.name]
    assert sorted(map(is_ready, pods)) == [False, True]
    assert all(seen.cluster.over(turned_at(pod), STUCK) for pod in pods)


BRIEF = deployment("web", readinessProbe=probe("true"))
BRIEF["spec"]["progressDeadlineSeconds"] = 20


@scenario(BRIEF, then=BREAK, finds=["readiness[probe-failing] Pod/web-*"])
def test_rollout_is_past_its_deadline(seen: Seen) -> None:
    """The old pod serves, and the new one never will."""
    assert any(c.reason == "ProgressDeadlineExceeded" for c in seen.get("Deployment/web").status.conditions)
    assert seen.says("no output from the probe")
