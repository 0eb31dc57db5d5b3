"""The arithmetic of liveness probes, and whose doing the end of a container is."""

from typing import Any

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from checks.test_liveness_probe import failing, no_startup_margin, too_aggressive
from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import decode_list
from kubevitals.facts.pods.container_probes import Timing, timing
from kubevitals.facts.pods.starts import starts
from kubevitals.findings.finding import Finding
from tests.built import HEALTHZ, probe
from tests.fakes import cluster_of, envelope, item_bytes, proto_field
from tests.probed_pods import COMMAND, REFUSED, app, at, event, killing, pod, running

LIVEZ = pb.ProbeHandler(httpGet=pb.HTTPGetAction(path="/livez", port=pb.IntOrString(intVal=8080)))


LATE = 'Liveness probe failed: Get "http://10.0.0.1:80/": context deadline exceeded'


ERRORED = (
    "Liveness probe errored and resulted in unknown state: rpc error: code = Unknown desc = failed to exec in "
    'container: failed to start exec "5f": OCI runtime exec failed: exec failed: unable to start container process: '
    'exec: "curl": executable file not found in $PATH: unknown'
)


def margins(pods: list[Message], events: list[Message] | None = None) -> list[Finding]:
    return list(no_startup_margin(cluster_of(pods=pods, all_events=events or [])))


def stricts(pods: list[Message], events: list[Message] | None = None) -> list[Finding]:
    return list(too_aggressive(cluster_of(pods=pods, all_events=events or [])))


def test_what_is_not_set_has_kubernetes_defaults() -> None:
    assert timing(pb.Probe()) == Timing(delay=0, period=10, timeout=1, failures=3)


def test_of_a_command_nothing_is_kept() -> None:
    handler = proto_field(1, proto_field(1, proto_field(1, b"-phunter2")))
    body = envelope(item_bytes(proto_field(2, proto_field(2, proto_field(10, handler)))))
    (decoded,) = decode_list([body], pb.Pod)[1]
    assert decoded.spec.containers[0].livenessProbe.handler.HasField("exec")
    assert b"hunter" not in decoded.SerializeToString()


LATE_STARTER = app(probe(HEALTHZ, delay=2, period=5, threshold=2), probe(HEALTHZ, period=1, threshold=1))


def test_the_finding_says_the_sum() -> None:
    (finding,) = margins([pod(LATE_STARTER, took=9), pod(LATE_STARTER, took=11, name="web-2")])
    assert "it allows 12 s (2 s + 2 × 5 s), the start took 11 s" in finding.says
    assert finding.obj == ("StatefulSet", "shop", "web")
    assert "periodSeconds 5 and failureThreshold 7: that allows 35 s" in finding.remedy


@given(delay=st.integers(0, 60), period=st.integers(1, 60), threshold=st.integers(1, 30), took=st.integers(2, 4000))
def test_a_start_is_found_between_the_margin_and_the_kill(delay: int, period: int, threshold: int, took: int) -> None:
    container = app(probe(HEALTHZ, delay, period, threshold), probe(HEALTHZ, period=1, threshold=1))
    allowed = delay + period * threshold
    assert bool(margins([pod(container, took=took)])) is (allowed < 1.5 * took and took <= allowed + period)


SLOWEST = 11


NO_START = {
    "a restart since": pod(LATE_STARTER, took=SLOWEST, status=running(restarts=1)),
    "a startup probe": pod(app(LATE_STARTER.livenessProbe, LATE_STARTER.readinessProbe, probe(HEALTHZ)), took=SLOWEST),
    "no readiness probe": pod(app(LATE_STARTER.livenessProbe), took=SLOWEST),
    "a readiness probe that waits itself": pod(app(LATE_STARTER.livenessProbe, probe(HEALTHZ, delay=10)), took=SLOWEST),
    "readiness lost and found hours later": pod(LATE_STARTER, took=9000),
    "another container that was waited for": pod(
        LATE_STARTER, pb.Container(name="cache", readinessProbe=probe(LIVEZ)), took=SLOWEST
    ),
    "another container that came later": pod(
        app(LATE_STARTER.livenessProbe, LATE_STARTER.readinessProbe), pb.Container(name="cache"), took=SLOWEST
    ),
}
NO_START["another container that came later"].status.containerStatuses[1].state.running.startedAt.seconds += 10


@pytest.mark.parametrize("seen", NO_START.values(), ids=NO_START)
def test_a_start_that_is_not_the_containers_own_is_not_counted(seen: pb.Pod) -> None:
    assert list(starts(cluster_of(pods=[seen]))) == []
    assert margins([seen]) == []


@pytest.mark.parametrize("handler", [LIVEZ, COMMAND], ids=["path", "command"])
def test_a_probe_that_asks_otherwise_counts_if_it_was_kept_waiting(handler: pb.ProbeHandler) -> None:
    container = app(probe(handler, delay=2, period=5, threshold=2), probe(HEALTHZ, period=1, threshold=1))
    late = event("Unhealthy", "Liveness probe failed: ", last=6, first=6)
    afterwards = event("Unhealthy", "Liveness probe failed: ", last=60, first=60)
    assert margins([pod(container, took=SLOWEST)], [late])
    assert not margins([pod(container, took=SLOWEST)], [afterwards])
    assert not margins([pod(container, took=SLOWEST)])


numbers = st.builds(Timing, *[st.integers(1, 30)] * 4)


@given(numbers, numbers)
def test_a_probe_is_as_strict_as_itself_and_one_of_two_is_stricter_at_most(one: Timing, other: Timing) -> None:
    assert one.is_as_strict_as(one)
    if one.is_as_strict_as(other) and other.is_as_strict_as(one):
        assert (one.delay, one.timeout, one.window) == (other.delay, other.timeout, other.window)


@pytest.mark.parametrize(
    ("liveness", "readiness", "expected"),
    [
        (probe(HEALTHZ, period=10), probe(HEALTHZ, period=10), True),
        (probe(HEALTHZ, period=5), probe(HEALTHZ, period=10), True),
        (probe(HEALTHZ, period=10, threshold=6), probe(HEALTHZ, period=10), False),
        (probe(HEALTHZ, delay=5, period=10), probe(HEALTHZ, period=10), False),
        (probe(LIVEZ, period=10), probe(HEALTHZ, period=10), False),
        (probe(COMMAND, period=10), probe(COMMAND, period=10), False),
    ],
)
def test_liveness_like_readiness(liveness: pb.Probe, readiness: pb.Probe, expected: bool) -> None:
    failed = event("Unhealthy", REFUSED, last=590, count=2, first=500)
    assert bool(stricts([pod(app(liveness, readiness))], [failed])) is expected
    assert not stricts([pod(app(liveness, readiness))])


@pytest.mark.parametrize(
    ("liveness", "failed", "expected"),
    [
        (probe(LIVEZ, period=3, threshold=3), event("Unhealthy", REFUSED, 590, 2, 500), "after 9 s (3 × 3 s)"),
        (probe(LIVEZ, period=3, threshold=3), event("Unhealthy", REFUSED, 590, 1, 590), ""),
        (probe(LIVEZ, period=3, threshold=3), event("Unhealthy", REFUSED, -400, 2, -500), ""),
        (probe(LIVEZ, period=3, threshold=3), event("Unhealthy", REFUSED.replace("Liv", "Readin"), 590, 2), ""),
        (probe(LIVEZ, period=3, threshold=3), event("Unhealthy", "Liveness probe errored and so on", 590, 2), ""),
        (probe(LIVEZ, period=10, threshold=4), event("Unhealthy", LATE, 590, 2, 500), "timeoutSeconds is 1 "),
        (probe(LIVEZ, period=10, timeout=2, threshold=4), event("Unhealthy", LATE, 590, 2, 500), ""),
        (probe(LIVEZ, period=10, threshold=4), event("Unhealthy", REFUSED, 590, 3, 500), ""),
        (probe(LIVEZ, period=10, threshold=4), event("Unhealthy", REFUSED, 590, 4, 500), "never 4 times in a row"),
        (probe(LIVEZ, period=10, threshold=4), event("Unhealthy", REFUSED, 590, 4, -60), ""),
    ],
)
def test_strict_only_if_it_has_failed(liveness: pb.Probe, failed: pb.Event, expected: str) -> None:
    found = stricts([pod(app(liveness))], [failed])
    assert [expected in finding.says for finding in found] == ([True] if expected else [])


@pytest.mark.parametrize(
    ("last", "ready", "started", "expected"),
    [(590, 0, 0, True), (485, 0, 0, True), (470, 0, 0, False), (560, 570, 0, False), (560, 0, 570, False)],
    ids=["now", "two minutes ago", "long ago", "ready since", "restarted since"],
)
def test_failures_of_the_past_are_silent(last: int, ready: int, started: int, expected: bool) -> None:
    seen = pod(app(probe(LIVEZ, period=3, threshold=3)), took=ready, status=running(since=started))
    seen.status.conditions.append(pb.PodCondition(type="Ready", status="True", lastTransitionTime=at(ready)))
    assert bool(stricts([seen], [event("Unhealthy", REFUSED, last, 12, 400)])) is expected


def test_a_kill_within_a_quarter_of_an_hour_counts() -> None:
    seen = pod(app(probe(LIVEZ, period=3, threshold=3)), status=running(restarts=1, since=300))
    failed = event("Unhealthy", REFUSED, 290, 3, 284)
    assert not stricts([seen], [failed])
    assert stricts([seen], [failed, killing(291, count=1)])


@pytest.mark.parametrize(
    ("threshold", "count", "first", "last", "expected"),
    [
        (1000, 24, 350, 590, True),
        (1000, 26, 0, 400, True),
        (1000, 11, 480, 590, False),
        (1000, 10, 350, 590, False),
        (1000, 24, -50, 590, False),
        (1000, 24, 200, 440, False),
        (3, 24, 350, 590, False),
        (30, 24, 350, 590, True),
    ],
    ids=[
        "each time",
        "few events are sent",
        "lately",
        "now and then",
        "before",
        "over",
        "not in a row",
        "about to kill",
    ],
)
def test_a_probe_that_fails_every_time_is_found_whatever_its_threshold(
    threshold: int, count: int, first: int, last: int, expected: bool
) -> None:
    seen = pod(app(probe(LIVEZ, period=10, threshold=threshold)))
    events: list[Message] = [event("Unhealthy", REFUSED, last, count, first)]
    assert bool(list(failing(cluster_of(pods=[seen], all_events=events)))) is expected
    if expected:
        assert not stricts([seen], events)


def test_two_probes_share_the_number_of_events_that_the_kubelet_sends() -> None:
    seen = pod(app(probe(LIVEZ, period=10, threshold=1000), probe(LIVEZ, period=10)))
    unready = REFUSED.replace("Liveness", "Readiness")
    events = [event("Unhealthy", words, 400, 13, 0) for words in (REFUSED, unready)]
    assert list(failing(cluster_of(pods=[seen], all_events=events)))
    assert not list(failing(cluster_of(pods=[seen], all_events=events[:1])))


def test_a_probe_that_cannot_be_made_fails() -> None:
    seen = pod(app(probe(COMMAND, period=10)))
    (finding,) = failing(cluster_of(pods=[seen], all_events=[event("Unhealthy", ERRORED, 590, 472, -3000)]))
    assert finding.says.endswith('does not work: its command "curl" cannot be run: executable file not found in $PATH')
    assert "correct the command of livenessProbe" in finding.remedy
    over = event("Unhealthy", ERRORED, -400, 472, -3000)
    assert not list(failing(cluster_of(pods=[seen], all_events=[over])))


@pytest.mark.parametrize("kind", ["readiness", "startup"])
@pytest.mark.parametrize(("ready", "severity"), [("False", "error"), ("True", "warning")])
def test_a_container_whose_other_probe_cannot_be_made_is_never_ready(kind: str, ready: str, severity: str) -> None:
    fields: dict[str, Any] = {f"{kind}Probe": probe(COMMAND, period=10)}
    seen = pod(pb.Container(name="app", **fields))
    seen.status.containerStatuses[0].ready = ready == "True"
    seen.status.conditions.append(pb.PodCondition(type="Ready", status=ready, lastTransitionTime=at(0)))
    errored = event("Unhealthy", ERRORED.replace("Liveness", kind.capitalize()), 590, 24, 350)
    (finding,) = failing(cluster_of(pods=[seen], all_events=[errored]))
    assert finding.says.startswith(f'{kind} probe of container "app" does not work: ')
    assert finding.severity == severity
    assert str(finding.obj) == "StatefulSet/shop/web"
    other = event("Unhealthy", ERRORED, 590, 24, 350)
    assert not list(failing(cluster_of(pods=[seen], all_events=[other])))
    early = event("Unhealthy", ERRORED.replace("Liveness", kind.capitalize()), 590, 10, 500)
    assert not list(failing(cluster_of(pods=[seen], all_events=[early])))


@pytest.mark.parametrize(("ready", "count", "found"), [("False", 25, 1), ("False", 24, 0), ("True", 25, 0)])
def test_a_probe_that_cannot_be_made_is_found_once_the_kubelet_has_sent_all_its_events(
    ready: str, count: int, found: int
) -> None:
    """Of those that follow, one in five minutes is sent: that the pod is still not ready shows that they go on."""
    seen = pod(pb.Container(name="app", readinessProbe=probe(COMMAND, period=2)))
    seen.status.containerStatuses[0].ready = ready == "True"
    seen.status.conditions.append(pb.PodCondition(type="Ready", status=ready, lastTransitionTime=at(0)))
    errored = event("Unhealthy", ERRORED.replace("Liveness", "Readiness"), 490, count, 440)
    errored.source.component = "kubelet"
    assert len(list(failing(cluster_of(pods=[seen], all_events=[errored])))) == found
