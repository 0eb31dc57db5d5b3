"""What a probe was answered, and whose doing the end of a container is."""

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probe_events import ProbeEvents, reply_to
from kubevitals.facts.pods.container_probes import request_of
from kubevitals.facts.pods.faults import PodFault, pod_faults
from kubevitals.inventory.events import Occurrences
from tests.built import HEALTHZ, probe
from tests.fakes import cluster_of
from tests.probed_pods import COMMAND, REFUSED, app, at, event, killing, pod, running, started


@pytest.mark.parametrize(
    ("handler", "words", "expected"),
    [
        (HEALTHZ, "HTTP probe failed with statuscode: 503", "HTTP 503"),
        (HEALTHZ, 'Get "http://10.0.0.1/": dial tcp 10.0.0.1:80: connect: connection refused', "connection refused"),
        (HEALTHZ, "dial tcp 10.0.0.1:80: i/o timeout", "no answer within 1 s"),
        (COMMAND, 'command timed out: "check --password x" timed out after 1s', "no answer within 1 s"),
        (COMMAND, "", "no output from the probe"),
        (COMMAND, "psql: connection refused", "psql: connection refused"),
        (COMMAND, "redis: i/o timeout", "redis: i/o timeout"),
        (
            pb.ProbeHandler(grpc=pb.GRPCAction(port=9)),
            'service unhealthy (responded with "NOT_SERVING")',
            "gRPC NOT_SERVING",
        ),
    ],
)
def test_what_was_answered(handler: pb.ProbeHandler, words: str, expected: str) -> None:
    assert reply_to(pb.Probe(handler=handler), ProbeEvents(Occurrences(1, 0, 0), words)).words == expected


def test_what_is_asked_leaves_the_query_out() -> None:
    http = pb.HTTPGetAction(path="/live?token=hunter2", port=pb.IntOrString(type=1, strVal="http"))
    assert request_of(pb.Probe(handler=pb.ProbeHandler(httpGet=http))) == "GET /live on port http"


def ended(
    code: int, reason: str = "Error", restarts: int = 4, waiting: str = "CrashLoopBackOff", began: int = 500
) -> pb.ContainerStatus:
    """A container whose last run ended in second 530."""
    last = pb.ContainerStateTerminated(exitCode=code, reason=reason, startedAt=at(began), finishedAt=at(530))
    state = pb.ContainerState(waiting=pb.ContainerStateWaiting(reason=waiting)) if waiting else running(since=531).state
    return pb.ContainerStatus(
        name="app", state=state, lastState=pb.ContainerState(terminated=last), restartCount=restarts
    )


KILLED, EXITED = PodFault.KILLED_BY_PROBE, PodFault.APP_EXIT


@pytest.mark.parametrize(
    ("status", "events", "expected"),
    [
        (ended(137), [killing(529)], KILLED),
        (ended(143), [killing(100)], KILLED),
        (ended(137), [event("Unhealthy", REFUSED, 529, 3)], KILLED),
        (ended(137), [event("Unhealthy", REFUSED, 529, 2), started(500)], EXITED),
        (ended(137, "OOMKilled"), [killing(529)], PodFault.OOM_KILLED),
        (ended(137), [], KILLED),
        (ended(137), [started(90)], KILLED),
        (ended(137), [started(500)], EXITED),
        (ended(137, began=511), [], EXITED),
        (ended(1), [], EXITED),
        (ended(0, "Completed"), [killing(529)], KILLED),
        (ended(1), [killing(100), started(500)], EXITED),
        (ended(1), [killing(100), started(90)], KILLED),
        (ended(139), [event("Unhealthy", REFUSED, 529, 9)], EXITED),
        (ended(137, restarts=2, waiting=""), [killing(529, count=2)], KILLED),
        (ended(137, restarts=1, waiting=""), [killing(529, count=1)], None),
        (ended(137, restarts=2, waiting=""), [killing(529, count=1)], None),
    ],
)
def test_whose_doing_the_end_is(status: pb.ContainerStatus, events: list[pb.Event], expected: PodFault | None) -> None:
    container = app(probe(HEALTHZ, period=10))
    found = pod_faults(cluster_of(pods=[pod(container, status=status)], all_events=[*events])).symptoms
    assert [fault for fault, symptoms in found.items() if symptoms] == ([expected] if expected else [])


def test_a_container_without_probes_is_killed_by_none() -> None:
    found = pod_faults(
        cluster_of(pods=[pod(pb.Container(name="app"), status=ended(137))], all_events=[killing(529)])
    ).symptoms
    assert found[EXITED]
