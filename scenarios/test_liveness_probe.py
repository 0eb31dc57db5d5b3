"""Containers killed by their probes or close to it, and probes that only look too strict."""

from typing import Any

from kubevitals.facts.pods.container_probe_events import probe_failures
from kubevitals.facts.pods.container_probes import ProbeKind
from kubevitals.facts.pods.restarts import RECOVERED
from kubevitals.objects import condition
from scenarios.harness import Seen, scenario
from scenarios.objects import container, deployment, mounting, pod

KILLED = "liveness-probe[killed-by-probe] Pod/app"
STRICT = "liveness-probe[too-aggressive] Pod/app (warning)"

KEPT: dict[str, Any] = {
    "volumeMounts": [{"name": "data", "mountPath": "/state"}],
    "volumes": mounting(emptyDir={}),
}
"""A volume that outlives the container, so that a probe can behave differently the next time."""

SERVE = "echo ok > /tmp/healthz; httpd -f -p 8080 -h /tmp"
HEALTHZ: dict[str, Any] = {"httpGet": {"path": "/healthz", "port": 8080}, "timeoutSeconds": 20}
NEXT = "n=$(cat /tmp/n 2>/dev/null || echo 0); echo $((n + 1)) > /tmp/n; "
"""Counts the probe's calls from 0 in `n`."""


def probe(sh: str = "", *, period: int = 2, threshold: int = 2, timeout: int = 20, **fields: Any) -> dict[str, Any]:
    """A probe that fails soon, but gives a busy machine time to answer."""
    asks = {"exec": {"command": ["sh", "-c", sh]}} if sh else {}
    return asks | {"periodSeconds": period, "failureThreshold": threshold, "timeoutSeconds": timeout} | fields


def failing_until_run(number: int) -> dict[str, Any]:
    """A container that counts its runs, and whose liveness probe succeeds from this one on."""
    live = probe(f"[ $(cat /state/n) -ge {number} ]", period=5)
    return (
        KEPT
        | {"sh": "n=$(cat /state/n 2>/dev/null || echo 0); echo $((n + 1)) > /state/n; sleep 1d"}
        | {"livenessProbe": live}
    )


@scenario(pod("app", livenessProbe=probe("echo the queue is stuck; exit 1")), finds=[KILLED])
def test_killed_for_what_a_command_says(seen: Seen) -> None:
    """The command's words are the answer."""
    assert seen.get("Pod/app").status.containerStatuses[0].lastState.terminated.exitCode == 137
    assert seen.says('liveness probe kills container "app" (a command): the queue is stuck')


@scenario(pod("app", SERVE, livenessProbe=probe(httpGet={"path": "/helthz", "port": 8080})), finds=[KILLED])
def test_killed_for_an_http_status(seen: Seen) -> None:
    """A misspelt path."""
    assert seen.says("(GET /helthz on port 8080): HTTP 404")
    assert seen.says("correct livenessProbe.httpGet.path")


@scenario(deployment("web", 2, livenessProbe=probe(tcpSocket={"port": 5432})), finds=[KILLED.replace("app", "web-*")])
def test_killed_for_a_refused_connection(seen: Seen) -> None:
    """No process listens on the port."""
    assert seen.says("(TCP connection to port 5432): connection refused")


@scenario(pod("app", livenessProbe=probe("sleep 5", period=3, timeout=1)), finds=[KILLED])
def test_killed_for_a_late_answer(seen: Seen) -> None:
    """The time-out is Kubernetes' default."""
    assert seen.says("no answer within 1 s")
    assert seen.says("set livenessProbe.timeoutSeconds to 5")


@scenario(
    pod(
        "app",
        "trap 'exit 0' TERM; while :; do sleep 1; done",
        startupProbe=probe(tcpSocket={"port": 8080}),
        terminationGracePeriodSeconds=60,
    ),
    finds=[KILLED],
)
def test_killed_by_its_startup_probe(seen: Seen) -> None:
    """The application handles the signal and exits with 0: its exit code alone says nothing."""
    assert seen.get("Pod/app").status.containerStatuses[0].lastState.terminated.exitCode == 0
    assert seen.says('startup probe kills container "app"')
    assert seen.says("set startupProbe.failureThreshold to 30")


@scenario(pod("app", livenessProbe=probe("exit 1"), restartPolicy="Never"), finds=[KILLED])
def test_killed_for_good(seen: Seen) -> None:
    """Nothing will start it again."""
    assert seen.get("Pod/app").status.phase == "Failed"
    assert seen.says("no output from the probe")
    assert seen.says("run by hand in the container what livenessProbe does")


@scenario(
    pod("app", livenessProbe=probe("exit 1"), restartPolicy="Never"),
    pod("clock", "sleep 60", restartPolicy="Never"),
    then=[
        "wait --for=jsonpath={.status.phase}=Failed pod/app",
        "wait --for=jsonpath={.status.phase}=Succeeded pod/clock",
        "delete events --all",
    ],
    finds=[KILLED],
)
def test_killed_and_events_expired(seen: Seen) -> None:
    """The exit code and the probe's timing still show it. A busy kubelet sends its last events some seconds late."""
    assert seen.cluster.events(seen.get("Pod/app")) == []
    assert seen.says("(a command): the events with its answer have expired")
    assert seen.says("run by hand in the container what livenessProbe does")


@scenario(
    pod(
        "app",
        initContainers=[container(name="proxy", restartPolicy="Always", startupProbe=probe(tcpSocket={"port": 15021}))],
    ),
    finds=[KILLED],
)
def test_sidecar_killed_by_its_startup_probe(seen: Seen) -> None:
    """A native sidecar has probes as well, and keeps the application from starting."""
    assert seen.says('startup probe kills container "proxy"')


@scenario(pod("app", **failing_until_run(3)))
def test_up_after_two_kills(seen: Seen) -> None:
    """Killed twice within minutes, but ready since for longer than it ran before: the kills have helped."""
    status = seen.get("Pod/app").status.containerStatuses[0]
    assert status.restartCount >= 2
    assert seen.cluster.over(status.state.running.startedAt, RECOVERED)


@scenario(on=test_up_after_two_kills, later=1200)
def test_killed_long_ago(seen: Seen) -> None:
    """Twenty minutes later it is still healthy."""
    assert seen.get("Pod/app").status.containerStatuses[0].restartCount >= 2


@scenario(pod("app", **failing_until_run(2)))
def test_killed_once_and_recovered(seen: Seen) -> None:
    """One restart that helped is what the probe is for."""
    status = seen.get("Pod/app").status.containerStatuses[0]
    assert status.state.HasField("running")
    assert status.restartCount >= 1
    assert seen.cluster.age(status.state.running.startedAt) > 15


SLOW: dict[str, Any] = {"sh": f"sleep 60; {SERVE}", "readinessProbe": probe(period=1, threshold=1, **HEALTHZ)}
"""Takes a minute until it answers, and some seconds more on a slow machine."""


@scenario(
    deployment("web", 3, livenessProbe=probe(period=1, threshold=85, **HEALTHZ), **SLOW),
    finds=["liveness-probe[no-startup-margin] Deployment/web (warning)"],
)
def test_start_just_in_time(seen: Seen) -> None:
    """The finding gives the sum, and how long the slowest replica took."""
    web = [p for p in seen.cluster.pods if p.metadata.namespace == seen.scenario.name]
    ready = [c for p in web if (c := condition(p, "ContainersReady")) and c.status == "True"]
    assert len(ready) == 3
    slowest = max(
        c.lastTransitionTime.seconds - p.status.containerStatuses[0].state.running.startedAt.seconds
        for p, c in zip(web, ready, strict=True)
    )
    allowed = seen.get("Deployment/web").spec.template.spec.containers[0].livenessProbe.failureThreshold
    assert seen.says(f"it allows {allowed} s (0 s + {allowed} × 1 s), the start took {slowest} s")
    assert slowest < allowed


@scenario(
    pod(
        "app",
        livenessProbe=probe(period=1, threshold=3, **HEALTHZ),
        startupProbe=probe(period=1, threshold=600, **HEALTHZ),
        **SLOW | {"readinessProbe": probe("true", period=1)},
    )
)
def test_slow_start_covered_by_a_startup_probe(seen: Seen) -> None:
    """The liveness probe is strict, but it does not run before the start is over."""
    app = seen.get("Pod/app")
    failed = probe_failures(app, "app", ProbeKind.STARTUP, seen.cluster)
    assert failed is not None
    assert failed.seen.count > 10
    assert app.status.containerStatuses[0].ready


@scenario(pod("app", livenessProbe=probe("true", period=5, threshold=6), **SLOW))
def test_slow_to_be_ready_but_soon_alive(seen: Seen) -> None:
    """The liveness probe does not wait for what the readiness probe waits for."""
    app = seen.get("Pod/app")
    ready = condition(app, "ContainersReady")
    assert ready is not None
    assert ready.status == "True"
    assert ready.lastTransitionTime.seconds - app.status.containerStatuses[0].state.running.startedAt.seconds > 20


def _failed(seen: Seen, count: int) -> bool:
    failed = probe_failures(seen.get("Pod/app"), "app", ProbeKind.LIVENESS, seen.cluster)
    return (
        failed is not None
        and failed.seen.count >= count
        and not seen.get("Pod/app").status.containerStatuses[0].restartCount
    )


@scenario(pod("app", livenessProbe=probe(NEXT + "[ $((n % 5)) != 4 ]", threshold=4)), finds=[STRICT])
def test_failing_now_and_then_with_a_short_window(seen: Seen) -> None:
    """Not killed yet: eight bad seconds will do."""
    assert _failed(seen, 2)
    assert seen.says("kills it after 8 s (4 × 2 s)")
    assert seen.says("set livenessProbe.periodSeconds to 10 and failureThreshold to 3")


@scenario(
    pod("app", livenessProbe=probe(NEXT + "[ $((n % 2)) = 0 ] || sleep 5", period=5, threshold=6, timeout=1)),
    finds=[STRICT],
)
def test_answering_late_now_and_then(seen: Seen) -> None:
    """One second is Kubernetes' default, and is short."""
    assert _failed(seen, 2)
    assert seen.says("timed out: timeoutSeconds is 1 and the container needed longer")


@scenario(pod("app", livenessProbe=probe(NEXT + "[ $((n % 2)) = 0 ]", period=5)), finds=[STRICT])
def test_failing_without_ever_being_killed(seen: Seen) -> None:
    """Every other time, so that it never fails twice in a row."""
    assert _failed(seen, 2)
    assert seen.says("keeps failing, but never 2 times in a row")


@scenario(deployment("web", 2, sh=SERVE, livenessProbe=HEALTHZ, readinessProbe=HEALTHZ))
def test_liveness_as_readiness(seen: Seen) -> None:
    """Strict, but it has never failed: that is a matter of style."""
    web = [pod for pod in seen.cluster.pods if pod.metadata.namespace == seen.scenario.name]
    assert [pod.status.containerStatuses[0].ready for pod in web] == [True, True]


SAME = HEALTHZ | {"periodSeconds": 5}


@scenario(
    deployment(
        "web",
        2,
        sh=f"(while sleep 6; do rm /tmp/healthz; sleep 6; echo ok > /tmp/healthz; done) & {SERVE}",
        livenessProbe=SAME,
        readinessProbe=SAME,
    ),
    finds=["liveness-probe[too-aggressive] Deployment/web (warning)"],
)
def test_liveness_as_readiness_fails_now_and_then(seen: Seen) -> None:
    """One finding for all replicas."""
    assert seen.says("asks the same as its readiness probe, and as strictly")
    assert seen.says("set its failureThreshold to 9")


@scenario(
    pod("app", livenessProbe=probe("echo the queue is stuck; exit 1", period=5, threshold=1000)),
    finds=["liveness-probe[failing] Pod/app (warning)"],
)
def test_failing_every_time_without_a_kill(seen: Seen) -> None:
    """The failureThreshold is so high that nothing restarts a stuck container."""
    assert not seen.get("Pod/app").status.containerStatuses[0].restartCount
    assert seen.says("fails every time, and may fail for 1h23m before it kills it: the queue is stuck")
    assert seen.says("set failureThreshold to 3")


@scenario(
    pod("app", livenessProbe=probe(period=5) | {"exec": {"command": ["/no-such-check"]}}),
    finds=["liveness-probe[failing] Pod/app (warning)"],
)
def test_command_of_the_probe_does_not_exist(seen: Seen) -> None:
    """The kubelet ignores a probe that cannot be made."""
    assert not seen.get("Pod/app").status.containerStatuses[0].restartCount
    assert seen.says('its command "/no-such-check" cannot be run')
    assert seen.says("correct the command of livenessProbe")


@scenario(
    pod("app", readinessProbe=probe(period=5) | {"exec": {"command": ["/no-such-check"]}}),
    finds=["liveness-probe[failing] Pod/app"],
)
def test_command_of_the_readiness_probe_does_not_exist(seen: Seen) -> None:
    """The container runs and is never ready."""
    assert not seen.get("Pod/app").status.containerStatuses[0].ready
    assert seen.says('readiness probe of container "app" does not work')


@scenario(pod("app", SERVE, livenessProbe=HEALTHZ | {"failureThreshold": 9}, readinessProbe=HEALTHZ))
def test_liveness_as_readiness_but_more_patient(seen: Seen) -> None:
    """It gets no requests first, and restarts only much later."""
    assert seen.get("Pod/app").status.containerStatuses[0].ready


@scenario(pod("app", livenessProbe=probe(NEXT + "[ $n != 3 ]")))
def test_probe_that_failed_once(seen: Seen) -> None:
    """A strict probe, and a single failure that has passed."""
    failed = probe_failures(seen.get("Pod/app"), "app", ProbeKind.LIVENESS, seen.cluster)
    assert failed is not None
    assert failed.seen.count == 1
    assert seen.cluster.now.timestamp() - failed.seen.last > 10
