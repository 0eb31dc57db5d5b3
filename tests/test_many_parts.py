"""A pod with many containers, events or volumes takes time in proportion to their number, not to its square."""

import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.failing_probes import fails_or_killed, probed_with_failures
from kubevitals.facts.pods.faults import pod_faults
from kubevitals.facts.pods.starts import probed_containers
from kubevitals.findings.evidence import EVENTS, event_lines
from kubevitals.inventory.cluster import Cluster
from tests.fakes import ago, cluster_of

FEW, TIMES = 60, 4
"""Parts of a small pod, and how many times as many a large one has."""

PROPORTIONAL = 1.5 * TIMES
"""How many times as many lines a large pod may take: its square would be 16."""


def _pod(state: str, count: int) -> pb.Pod:
    pod = pb.Pod(spec=pb.PodSpec(nodeName="node-1"))
    pod.metadata.name, pod.metadata.namespace, pod.metadata.uid = "web-1", "shop", "uid"
    pod.status.phase = "Running"
    for condition in ("Ready", "ContainersReady"):
        ready = "False" if state == "crash" else "True"
        pod.status.conditions.add(type=condition, status=ready, lastTransitionTime=ago(3900))
    for number in range(count):
        container = pod.spec.containers.add(name=f"app-{number}")
        container.livenessProbe.handler.httpGet.path = "/"
        container.ports.add(containerPort=8080)
        status = pod.status.containerStatuses.add(name=container.name, ready=state == "ready")
        if state == "ready":
            status.state.running.startedAt.CopyFrom(ago(3950))
        else:
            status.state.waiting.reason, status.restartCount = "CrashLoopBackOff", 9
            ended = status.lastState.terminated
            ended.exitCode, ended.reason = 1, "Error"
            ended.startedAt.CopyFrom(ago(100))
            ended.finishedAt.CopyFrom(ago(50))
    return pod


def _events(count: int) -> Iterator[pb.Event]:
    for number in range(count):
        event = pb.Event(type="Warning", reason="Unhealthy", message="Liveness probe failed: HTTP", count=9)
        about = event.involvedObject
        about.kind, about.namespace, about.name, about.uid = "Pod", "shop", "web-1", "uid"
        about.fieldPath = f"spec.containers{{app-{number}}}"
        event.source.component = "kubelet"
        event.firstTimestamp.CopyFrom(ago(3600))
        event.lastTimestamp.CopyFrom(ago(5))
        yield event


def _lines(judge: Callable[[], object]) -> int:
    """Return how many lines of Python a function executes."""
    lines = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        del frame, argument
        lines += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        judge()
    finally:
        sys.settrace(before)
    return lines


def _lines_of_probes(count: int) -> int:
    cluster = cluster_of(pods=[_pod("ready", count)], all_events=list(_events(count)))
    return _lines(lambda: list(_failing_containers(cluster)))


def _failing_containers(cluster: Cluster) -> Iterator[bool]:
    for probed in probed_with_failures(cluster):
        yield fails_or_killed(probed, cluster)


def test_the_rules_of_probes_look_at_each_container_once() -> None:
    few, many = _lines_of_probes(FEW), _lines_of_probes(TIMES * FEW)
    assert few < many < PROPORTIONAL * few


def test_evidence_takes_only_the_latest_events() -> None:
    pod = _pod("ready", 1)
    cluster = cluster_of(pods=[pod], all_events=list(_events(TIMES * FEW)))
    assert len(list(event_lines(pod, cluster))) == EVENTS
    assert _lines(lambda: list(event_lines(pod, cluster))) < 10 * TIMES * FEW


@pytest.mark.parametrize("state", ["ready", "crash"])
def test_the_table_of_faults_looks_at_each_container_once(state: str) -> None:
    def lines(count: int) -> int:
        cluster = cluster_of(pods=[_pod(state, count)], all_events=list(_events(count)))
        return _lines(lambda: (cluster.derive(pod_faults), list(probed_containers(cluster.pods, cluster))))

    few, many = lines(FEW), lines(TIMES * FEW)
    assert few < many < PROPORTIONAL * few
