"""A container's liveness or startup probe kills it, or is about to.

Meaning:
    The kubelet runs the container's probe, and restarts the container after `failureThreshold` failures in a row.
    Either the probe asks for the wrong thing, or the application is stuck or needs longer to start than the probe
    allows, or the probe is so strict that one busy moment is enough. A probe whose command is missing neither succeeds
    nor kills.

Impact:
    The container restarts with growing delays (CrashLoopBackOff), and loses requests and state each time. A probe
    without margin strikes at the worst moment: on a node under load, or on all replicas at once.

Diagnosis:
    `kubectl describe pod` shows Unhealthy events with the probe's answer, Killing events, and the last exit code: 137
    or 143 without OOMKilled. `kubectl logs --previous` shows what the container was doing. Compare
    initialDelaySeconds + periodSeconds × failureThreshold with the time from a start to Ready.

Mitigation:
    Let the liveness probe ask only for what a restart fixes, and for nothing that depends on other services. Give a
    slow starter a startupProbe. Raise timeoutSeconds, periodSeconds or failureThreshold of a probe that is too strict.
"""

import math
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.causes import missing_right
from kubevitals.facts.pods.container_probe_events import (
    ProbeEvents,
    ReplyKind,
    ago,
    failures_line,
    probe_failures,
    probe_kills,
    reply_to,
)
from kubevitals.facts.pods.container_probe_remedies import ROOMY, more_time, remedy_for
from kubevitals.facts.pods.container_probes import (
    ProbeKind,
    container_of,
    equals_readiness,
    numbers_line,
    probe_of,
    request_of,
    timing,
)
from kubevitals.facts.pods.failing_probes import (
    FailingProbe,
    always_failing,
    always_fails,
    erroring,
    fails_or_killed,
    probed_with_failures,
)
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.starts import ProbedContainer, starts
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, pod_lines
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_ready, ref
from kubevitals.text import duration, plural
from kubevitals.threshold import Threshold

MARGIN = Threshold(
    "liveness-probe.margin",
    1.5,
    "how many times the slowest start seen a liveness probe must allow; Kubernetes advises to cover the worst case, "
    "and a busy node or a cold cache easily adds half as much again",
)
WINDOW = Threshold(
    "liveness-probe.window",
    10,
    "seconds that a container must have to answer again before it is killed; Kubernetes' defaults give it 3 × 10 s",
)
TIMEOUT = Threshold(
    "liveness-probe.timeout", 1, "a timeoutSeconds up to this is strict; 1 s is Kubernetes' default for it"
)


def killed_by_probe(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that were killed by their liveness or startup probe, also those that run again until the next.

    A container that only fails its probe now and then, and is never killed, belongs to too-aggressive.
    """
    for symptom in broken_pods(cluster, PodFault.KILLED_BY_PROBE):
        pod, status, kind = symptom.pod, symptom.status, symptom.probe or ProbeKind.LIVENESS
        container = container_of(pod, status)
        probe = probe_of(container, kind) or pb.Probe()
        failed = probe_failures(pod, status.name, kind, cluster)
        reply, refused = reply_to(probe, failed), missing_right(failed.words if failed else "")
        why = refused.means if refused else reply.words
        yield pod_finding(
            pod,
            says=f'{kind} probe kills container "{status.name}" ({request_of(probe)}): {why}',
            remedy=refused.remedy
            if refused
            else f"{remedy_for(kind, probe, reply.kind)}; {more_time(kind, container)}",
            evidence=_kill_lines(symptom, probe, failed, cluster),
            severity=symptom.severity,
            part=status.name,
            concerns=refused.concerns if refused else (),
        )


def _kill_lines(symptom: Symptom, probe: pb.Probe, failed: ProbeEvents | None, cluster: Cluster) -> Iterator[str]:
    pod, status, kind = symptom.pod, symptom.status, symptom.probe or ProbeKind.LIVENESS
    yield numbers_line(kind, probe)
    if failed:
        yield failures_line(kind, probe, failed, cluster)
    if kills := probe_kills(pod, status.name, kind, cluster):
        yield f"events: {plural(kills.seen.count, 'kill')} by the {kind} probe, the last {ago(kills, cluster)} ago"
    yield from container_lines(pod, status, cluster)
    yield from pod_lines(pod, cluster)


def no_startup_margin(cluster: Cluster) -> Iterator[Finding]:
    """Find liveness probes that allow less than `liveness-probe.margin` × the slowest start seen, without startupProbe.

    A start lasts from the container's startedAt to the pod's ContainersReady, where no other container delays it. It
    counts where the liveness probe had to wait as well: it asks what the readiness probe asks, or it failed meanwhile.
    Commands are not read; for them only such failures count.
    """
    close: dict[tuple[Ref, str], list[tuple[int, ProbedContainer]]] = {}
    for probed, took in starts(cluster):
        if _was_close(probed, took, cluster):
            close.setdefault(probed.where, []).append((took, probed))
    for (place, name), seen in close.items():
        took, slowest = max(seen, key=lambda start: start[0])
        numbers = slowest.numbers
        enough = math.ceil(2 * cluster.limit(MARGIN) * took / numbers.period)
        yield Finding(
            place,
            says=f'liveness probe leaves container "{name}" almost no time to start: it allows {numbers.start} s '
            f"({numbers.delay} s + {numbers.failures} × {numbers.period} s), the start took {took} s",
            remedy=f'give container "{name}" a startupProbe like its livenessProbe, with periodSeconds '
            f"{numbers.period} and failureThreshold {enough}: that allows {enough * numbers.period} s",
            evidence=_start_lines(slowest, seen),
            severity=Severity.WARNING,
            part=name,
        )


def _was_close(probed: ProbedContainer, took: int, cluster: Cluster) -> bool:
    if probed.numbers.start >= cluster.limit(MARGIN) * took:
        return False
    if equals_readiness(probed.container):
        return True
    failed = probe_failures(probed.pod, probed.container.name, ProbeKind.LIVENESS, cluster)
    return bool(failed and failed.seen.first <= probed.started_at + took)


def _start_lines(slowest: ProbedContainer, seen: list[tuple[int, ProbedContainer]]) -> Iterator[str]:
    yield numbers_line(ProbeKind.LIVENESS, slowest.container.livenessProbe)
    for took, probed in sorted(seen, key=lambda start: -start[0])[:10]:
        yield f"{ref(probed.pod)}: {took} s from the start of container {probed.container.name} to ContainersReady"


def failing(cluster: Cluster) -> Iterator[Finding]:
    """Find liveness probes that always fail and kill nothing, and probes of any kind that cannot be made.

    Either failureThreshold lets a stuck container run on for longer than `liveness-probe.failing`, or a probe's command
    is missing: the kubelet ignores such a probe, so that a container with a startup or readiness probe is never ready.
    """
    seen: dict[tuple[Ref, str, ProbeKind], FailingProbe] = {}
    for failing_probe in (*always_failing(cluster), *erroring(cluster)):
        seen.setdefault(failing_probe.where, failing_probe)
    for failing_probe in seen.values():
        yield _failing_finding(failing_probe, cluster)


def _failing_finding(failing_probe: FailingProbe, cluster: Cluster) -> Finding:
    pod, container, kind, events = failing_probe
    place, name, _ = failing_probe.where
    probe = probe_of(container, kind) or pb.Probe()
    reply = reply_to(probe, events)
    problem, restart = "does not work", ""
    if not events.errored:
        problem = f"fails every time, and may fail for {duration(timing(probe).window)} before it kills it"
        restart = f"; if a restart fixes it, set failureThreshold to {ROOMY.failures}"
    return Finding(
        place,
        says=f'{kind} probe of container "{name}" {problem}: {reply.words}',
        remedy=remedy_for(kind, probe, reply.kind) + restart,
        evidence=_probe_lines(pod, kind, probe, events, cluster),
        severity=Severity.WARNING if kind == ProbeKind.LIVENESS or is_ready(pod) else Severity.ERROR,
        part=name if kind == ProbeKind.LIVENESS else f"{name}, {kind}",
    )


def too_aggressive(cluster: Cluster) -> Iterator[Finding]:
    """Find liveness probes that are too strict and now fail, or have killed a container within `pod.recent`.

    A probe that keeps failing, but never often enough in a row to kill, counts too. One that succeeds is no fault.
    """
    reported = set()
    for probed in probed_with_failures(cluster):
        if probed.where not in reported and (strict := _strict(probed, cluster)):
            reported.add(probed.where)
            yield _strict_finding(probed, *strict, cluster)


def _strict(probed: ProbedContainer, cluster: Cluster) -> tuple[str, str] | None:
    failed = probe_failures(probed.pod, probed.container.name, ProbeKind.LIVENESS, cluster)
    if not failed or always_fails(probed, cluster) or not fails_or_killed(probed, cluster):
        return None
    numbers, readiness = probed.numbers, timing(probed.container.readinessProbe)
    if too_strict := _too_strict(probed, failed, cluster):
        return too_strict
    if equals_readiness(probed.container) and numbers.is_as_strict_as(readiness):
        return (
            "asks the same as its readiness probe, and as strictly: instead of only getting no requests it restarts",
            f"let livenessProbe ask only for what a restart fixes, or set its failureThreshold to "
            f"{3 * readiness.failures}",
        )
    if failed.seen.count >= numbers.failures and failed.seen.first >= probed.started_at:
        return (
            f"keeps failing, but never {numbers.failures} times in a row: "
            f"{reply_to(probed.container.livenessProbe, failed).words}",
            "fix what it reports, or let livenessProbe ask only for what a restart fixes",
        )
    return None


def _too_strict(probed: ProbedContainer, failed: ProbeEvents, cluster: Cluster) -> tuple[str, str] | None:
    numbers, reply = probed.numbers, reply_to(probed.container.livenessProbe, failed)
    if numbers.window < cluster.limit(WINDOW):
        return (
            f"kills it after {numbers.window} s ({numbers.failures} × {numbers.period} s), and has failed: "
            f"{reply.words}",
            f"set livenessProbe.periodSeconds to {ROOMY.period} and failureThreshold to {ROOMY.failures}",
        )
    if numbers.timeout <= cluster.limit(TIMEOUT) and reply.kind == ReplyKind.LATE:
        return (
            f"timed out: timeoutSeconds is {numbers.timeout} and the container needed longer",
            f"set livenessProbe.timeoutSeconds to {ROOMY.timeout}",
        )
    return None


def _strict_finding(probed: ProbedContainer, why: str, remedy: str, cluster: Cluster) -> Finding:
    place, name = probed.where
    failed = probe_failures(probed.pod, name, ProbeKind.LIVENESS, cluster)
    return Finding(
        place,
        says=f'liveness probe of container "{name}" {why}',
        remedy=remedy,
        evidence=_probe_lines(probed.pod, ProbeKind.LIVENESS, probed.container.livenessProbe, failed, cluster),
        severity=Severity.WARNING,
        part=name,
    )


def _probe_lines(
    pod: pb.Pod, kind: ProbeKind, probe: pb.Probe, failed: ProbeEvents | None, cluster: Cluster
) -> Iterator[str]:
    yield f"seen on {ref(pod)}"
    yield numbers_line(kind, probe)
    if failed:
        yield failures_line(kind, probe, failed, cluster)
    yield from pod_lines(pod, cluster)


@check(killed_by_probe, failing, no_startup_margin, too_aggressive, chapter="2.4")
def test_liveness_probes_spare_the_healthy() -> None:
    """No liveness or startup probe kills a container, or is about to kill a healthy one."""
