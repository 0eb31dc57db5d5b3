"""A liveness or startup probe has a container killed, or is about to.

Meaning:
    The kubelet asks the container whether it is alive, and restarts it when the answer fails `failureThreshold` times
    in a row. What it asks is wrong, the application is stuck or needs longer to start than the probe allows, or the
    probe is so strict that a busy moment is enough.

Impact:
    The container restarts with growing pauses (CrashLoopBackOff), and loses requests and state each time. A probe
    without margin hits when it is least wanted: on a node under load, or with all replicas at once.

Diagnosis:
    `kubectl describe pod` shows Unhealthy with what the probe was answered, Killing, and the last exit code: 137 or
    143 without OOMKilled. `kubectl logs --previous` shows what the container was doing. Compare
    initialDelaySeconds + periodSeconds × failureThreshold with the time from a start to Ready.

Mitigation:
    Let the liveness probe ask only for what a restart cures, nothing that depends on other services. Give slow
    starters a startupProbe; raise timeoutSeconds, periodSeconds or failureThreshold of one that is too strict.
"""

import math
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.container_probes import (
    GONE,
    SILENT,
    Timing,
    Told,
    answer,
    asks,
    container_of,
    failures,
    killings,
    probe_of,
    timing,
)
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.starts import Probed, probed_containers, start_took
from kubevitals.facts.pods.states import RECENT, Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, pod_lines
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.text import duration, plural
from kubevitals.threshold import Threshold

MARGIN = Threshold(
    "liveness-probe.margin",
    1.5,
    "how many times the slowest start seen a liveness probe must allow; Kubernetes asks for the worst case to be "
    "covered, and a busy node or a cold cache easily makes it half as much again",
)
WINDOW = Threshold(
    "liveness-probe.window",
    10,
    "a container must have this long to answer again before it is killed; Kubernetes' defaults give it 3 × 10 s",
)
TIMEOUT = Threshold(
    "liveness-probe.timeout", 1, "an answer may take longer than this; it is Kubernetes' default for timeoutSeconds"
)
FAILURES = Threshold(
    "liveness-probe.failures",
    2,
    "failures within `pod.recent` that count; Kubernetes' failureThreshold is there to forgive a single one",
)

ROOMY = Timing(delay=0, period=10, timeout=5, failures=3)
"""What remedies propose: Kubernetes' defaults, with five times the time to answer."""

STARTS = 30
"""The failureThreshold of the startupProbe in Kubernetes' own documentation."""


def killed_by_probe(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that a failed liveness or startup probe has killed, and that run again between two kills.

    A container that only fails now and then, and is never killed, has lost nothing: that is too-aggressive.
    """
    for symptom in broken_pods(cluster, PodFault.KILLED_BY_PROBE):
        pod, status, kind = symptom.pod, symptom.status, symptom.words
        container = container_of(pod, status)
        probe = probe_of(container, kind) or pb.Probe()
        failed = failures(pod, status.name, kind, cluster)
        yield pod_finding(
            pod,
            says=f"loses container {status.name} to its {kind} probe ({asks(probe)}): {answer(probe, failed)}",
            remedy=f"{_cure(kind, probe, failed)}; {_patience(kind, container)}",
            evidence=_kill_lines(symptom, probe, failed, cluster),
            part=status.name,
        )


def _cure(kind: str, probe: pb.Probe, failed: Told | None) -> str:
    """Return what to do about the answer."""
    said, timeout = answer(probe, failed), timing(probe).timeout
    if said.startswith("no answer within"):
        return f"set {kind}Probe.timeoutSeconds to {max(ROOMY.timeout, 2 * timeout)}, or find what keeps the answer"
    if said.startswith("HTTP 4"):
        return f"correct {kind}Probe.httpGet.path, or what the application answers there"
    if said == "connection refused":
        return f"correct the port of {kind}Probe, or let the application listen on it"
    if said in (GONE, SILENT):
        return f"do by hand in the container what {kind}Probe does, to see why it fails"
    return f"mend what {kind}Probe complains about"


def _patience(kind: str, container: pb.Container) -> str:
    """Return which fields to set to what where the probe is right, and the container needs more time."""
    liveness, startup = timing(container.livenessProbe), timing(container.startupProbe)
    if kind == "startup":
        count = max(STARTS, 2 * startup.failures)
        return f"if it needs longer than {startup.start} s to start, set startupProbe.failureThreshold to {count}"
    if container.HasField("startupProbe"):
        return f"if it comes back by itself, set livenessProbe.failureThreshold to {2 * liveness.failures}"
    return (
        f"if it needs longer than {liveness.start} s to start, give it a startupProbe with periodSeconds "
        f"{liveness.period} and failureThreshold {max(STARTS, 2 * liveness.failures)}"
    )


def _kill_lines(symptom: Symptom, probe: pb.Probe, failed: Told | None, cluster: Cluster) -> Iterator[str]:
    pod, status, kind = symptom.pod, symptom.status, symptom.words
    yield _numbers(kind, probe)
    if failed:
        yield _how_often(kind, probe, failed, cluster)
    if killed := killings(pod, status.name, kind, cluster):
        yield f"events tell of {plural(killed.count, 'kill')} for it, the last {_ago(killed, cluster)} ago"
    yield from container_lines(pod, status, cluster)
    yield from pod_lines(pod, cluster)


def _numbers(kind: str, probe: pb.Probe) -> str:
    numbers = timing(probe)
    return (
        f"{kind}Probe: {asks(probe)}; initialDelaySeconds {numbers.delay}, periodSeconds {numbers.period}, "
        f"timeoutSeconds {numbers.timeout}, failureThreshold {numbers.failures}"
    )


def _how_often(kind: str, probe: pb.Probe, failed: Told, cluster: Cluster) -> str:
    count, said = plural(failed.count, "failure"), answer(probe, failed)
    return f"events tell of {count} of the {kind} probe, the last {_ago(failed, cluster)} ago: {said}"


def _ago(told: Told, cluster: Cluster) -> str:
    return duration(cluster.now.timestamp() - told.last)


def no_startup_margin(cluster: Cluster) -> Iterator[Finding]:
    """Find liveness probes that allow less than `liveness-probe.margin` × the slowest start seen, without startupProbe.

    A start is seen from the container's startedAt to the pod's ContainersReady, where that is the container's own
    doing, and where the liveness probe was kept waiting as well: it asks what the readiness probe asks, or failed
    meanwhile. Commands are not read, so that they are compared by such failures only.
    """
    starts: dict[tuple[Ref, str], list[tuple[int, Probed]]] = {}
    for probed in cluster.derive(probed_containers):
        if (took := start_took(probed)) and _was_close(probed, took, cluster):
            starts.setdefault(probed.where, []).append((took, probed))
    for (place, name), seen in starts.items():
        took, slowest = max(seen, key=lambda start: start[0])
        numbers = slowest.numbers
        enough = math.ceil(2 * cluster.limit(MARGIN) * took / numbers.period)
        yield Finding(
            place,
            says=f"has hardly any margin for the start of container {name}: it may take {numbers.start} s to start: "
            f"{numbers.delay} s + {numbers.failures} × {numbers.period} s; took {took} s",
            remedy=f"give container {name} a startupProbe like its livenessProbe, with periodSeconds {numbers.period} "
            f"and failureThreshold {enough}: that allows {enough * numbers.period} s",
            evidence=_start_lines(slowest, seen),
            severity=Severity.WARNING,
            part=name,
        )


def _was_close(probed: Probed, took: int, cluster: Cluster) -> bool:
    if probed.numbers.start >= cluster.limit(MARGIN) * took:
        return False
    if _asks_the_same(probed.container):
        return True
    failed = failures(probed.pod, probed.container.name, "liveness", cluster)
    return bool(failed and failed.first <= probed.status.state.running.startedAt.seconds + took)


def _asks_the_same(container: pb.Container) -> bool:
    """Return whether liveness and readiness probe ask the same; commands are not read and may differ."""
    asked = container.livenessProbe.handler
    return not asked.HasField("exec") and asked == container.readinessProbe.handler


def _start_lines(slowest: Probed, seen: list[tuple[int, Probed]]) -> Iterator[str]:
    yield _numbers("liveness", slowest.container.livenessProbe)
    for took, probed in sorted(seen, key=lambda start: -start[0])[:10]:
        yield f"{ref(probed.pod)}: {took} s from the start of container {probed.container.name} to ContainersReady"


def too_aggressive(cluster: Cluster) -> Iterator[Finding]:
    """Find liveness probes that have failed and are too strict, that fail again and again, or repeat readiness.

    One that fails again and again, but never often enough in a row, counts here: nothing was killed by it, so that
    it is no fault yet, and a container that does its work meanwhile shows that the probe is what is wrong.
    """
    told = set()
    for probed in cluster.derive(probed_containers):
        if probed.where not in told and (strict := _strict(probed, cluster)):
            told.add(probed.where)
            yield _strict_finding(probed, *strict, cluster)


def _strict(probed: Probed, cluster: Cluster) -> tuple[str, str] | None:
    """Return why the container's liveness probe is too strict and what to set, or nothing."""
    failed = failures(probed.pod, probed.container.name, "liveness", cluster)
    if failed and _counts(failed, cluster) and (strict := _strict_failure(probed, failed, cluster)):
        return strict
    if _asks_the_same(probed.container) and as_strict(probed.numbers, timing(probed.container.readinessProbe)):
        return (
            "asks the same as its readiness probe, and as strictly: what should only keep requests away restarts it",
            "let livenessProbe ask only for what a restart cures, or set its failureThreshold to "
            f"{3 * timing(probed.container.readinessProbe).failures}",
        )
    return None


def _counts(failed: Told, cluster: Cluster) -> bool:
    return failed.count >= cluster.limit(FAILURES) and cluster.now.timestamp() - failed.last < cluster.limit(RECENT)


def _strict_failure(probed: Probed, failed: Told, cluster: Cluster) -> tuple[str, str] | None:
    numbers, said = probed.numbers, answer(probed.container.livenessProbe, failed)
    if numbers.window < cluster.limit(WINDOW):
        return (
            f"has it killed after {numbers.window} s ({numbers.failures} × {numbers.period} s), and has failed: {said}",
            f"set livenessProbe.periodSeconds to {ROOMY.period} and failureThreshold to {ROOMY.failures}",
        )
    if numbers.timeout <= cluster.limit(TIMEOUT) and said.startswith("no answer within"):
        return (
            f"waits {numbers.timeout} s for an answer, which was not enough",
            f"set livenessProbe.timeoutSeconds to {ROOMY.timeout}",
        )
    if failed.count >= numbers.failures and failed.first >= probed.status.state.running.startedAt.seconds:
        return (
            f"fails again and again, never {numbers.failures} times in a row: {said}",
            "mend what it complains about, or let livenessProbe ask only for what a restart cures",
        )
    return None


def as_strict(liveness: Timing, readiness: Timing) -> bool:
    """Return whether the liveness probe gives up no later than the readiness probe."""
    return (
        liveness.delay <= readiness.delay
        and liveness.timeout <= readiness.timeout
        and liveness.window <= readiness.window
    )


def _strict_finding(probed: Probed, why: str, remedy: str, cluster: Cluster) -> Finding:
    place, name = probed.where
    probe = probed.container.livenessProbe
    lines = [f"seen on {ref(probed.pod)}", _numbers("liveness", probe)]
    if failed := failures(probed.pod, name, "liveness", cluster):
        lines.append(_how_often("liveness", probe, failed, cluster))
    return Finding(
        place,
        says=f"has a liveness probe on container {name} that {why}",
        remedy=remedy,
        evidence=[*lines, *pod_lines(probed.pod, cluster)],
        severity=Severity.WARNING,
        part=name,
    )


@check(killed_by_probe, no_startup_margin, too_aggressive, chapter="2.4")
def test_liveness_probes_spare_the_healthy() -> None:
    """No liveness or startup probe kills a container, or is about to kill a healthy one."""
