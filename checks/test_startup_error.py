"""A container cannot start, or keeps crashing.

Meaning:
    The pod is on its node and its volumes are mounted, but a container's image cannot be pulled, its environment
    references a missing object, its command cannot be executed, or its process ends soon after the start: the
    application itself, an init container, or the postStart hook.

Impact:
    The container restarts with growing delays (CrashLoopBackOff, up to five minutes) or never starts. The pod serves
    no requests, and a rollout stops.

Diagnosis:
    `kubectl describe pod` shows the state and the exit code; `kubectl logs --previous` shows the last log lines of the
    container that ended. Exit codes: 126 not executable, 127 not found, 128+n killed by signal n.

Mitigation:
    Fix what the variant names: the image's name or its pull secret, the reference, the command, or the
    configuration that the application reports. Delete the pod to skip the rest of the back-off.
"""

import re
import signal
from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.apps.causes import cause_of_exit
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.log_lines import last_words
from kubevitals.facts.pods.no_space import NO_SPACE, explain_no_space
from kubevitals.facts.pods.references import near_missing
from kubevitals.facts.pods.start_errors import PULL_ERRORS, START_ERRORS
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, log_command, pod_lines
from kubevitals.findings.explains import SAME_MISSING, Explains
from kubevitals.findings.finding import Finding, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, containers, last_end

EXIT_CODES = {
    0: "the command completed, but the container should keep running",
    1: "general error",
    2: "general error, or wrong usage of the command",
    126: "the command is not executable",
    127: "the shell did not find the command",
    128: "the container could not start",
    255: "general error",
}
"""What an exit code usually means: POSIX shells for 126 to 128+n, common usage for the rest."""

_READ = "read its last log lines and fix what they report; if the log is empty, run the command by hand"
_COMMAND = "correct command and args of the container, or the image's entrypoint"
REMEDIES = {
    0: "keep the command in the foreground, or run it as a Job",
    126: _COMMAND,
    127: _COMMAND,
}
"""What helps against an exit code that identifies the cause."""

SIGNALS = {
    "SIGILL": (
        "the CPU does not know an instruction that the binary uses",
        "build the image for an older CPU, or run the pod on nodes with a newer one",
    ),
    "SIGABRT": ("the application aborted itself", _READ),
    "SIGKILL": ("by the kubelet, or out of memory", _READ),
    "SIGSEGV": (
        "the application accessed memory that it may not",
        "update the application or the library that crashes; its core dump or its log says which one",
    ),
}
"""What a signal usually means, and what helps (signal(7) of the Linux manual)."""

EXPLAINS = (
    Explains(
        ("startup-error[bad-reference]",),
        SAME_MISSING,
        ("startup-error[bad-reference]", "config-mount[dangling-reference]"),
    ),
)


def image(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose image cannot be pulled: ErrImagePull, InvalidImageName, ErrImageNeverPull and the like."""
    for symptom in broken_pods(cluster, PodFault.IMAGE):
        name = _image_name(symptom)
        evidence = list(_pod_lines(symptom, cluster))
        text = "\n".join([symptom.words, *(line for line in evidence if "Failed to pull" in line)])
        meaning, remedy = _pull_error(text, symptom.pod, cluster)
        yield _finding(symptom, f'{_container(symptom)}: image "{name}" cannot be pulled: {meaning}', remedy, evidence)


def _pull_error(text: str, pod: pb.Pod, cluster: Cluster) -> tuple[str, str]:
    if NO_SPACE in text:
        cause = explain_no_space(text, pod, cluster)
        return cause.what, cause.remedy
    return next(
        ((meaning, remedy) for pattern, meaning, remedy in PULL_ERRORS if re.search(pattern, text, re.IGNORECASE)),
        ("see the message of the container runtime", "fix what the container runtime reports"),
    )


def _image_name(symptom: Symptom) -> str:
    """Return the image that cannot be pulled: the container's, or that of a volume, which only the message names."""
    if match := re.search(r'Back-off pulling image "([^"]+)"', symptom.words):
        return match[1]
    return next((c.image for c in containers(symptom.pod.spec) if c.name == symptom.status.name), "")


def bad_reference(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose environment references a ConfigMap, Secret, key or field that does not exist."""
    for symptom in broken_pods(cluster, PodFault.BAD_REFERENCE):
        near = "".join(near_missing(missing, cluster) for missing in symptom.missing)
        yield _finding(
            symptom,
            f"{_container(symptom)}: env/envFrom references a missing object: {symptom.words}{near}",
            "create the missing object or key, or correct env and envFrom in the workload's template",
            _pod_lines(symptom, cluster),
            symptom.missing,
        )


def bad_command(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that cannot be created or whose command cannot be executed."""
    for symptom in broken_pods(cluster, PodFault.BAD_COMMAND):
        words, remedy = _start_error(symptom, cluster)
        yield _finding(
            symptom,
            f"{_container(symptom)} cannot start: {words}",
            remedy,
            _pod_lines(symptom, cluster),
        )


def _start_error(symptom: Symptom, cluster: Cluster) -> tuple[str, str]:
    words = _runtime_words(symptom.words)
    if NO_SPACE in symptom.words:
        cause = explain_no_space(symptom.words, symptom.pod, cluster)
        return f"{cause.what}: {words}", cause.remedy
    return words, next(remedy for text, remedy in START_ERRORS if re.search(text, symptom.words))


def post_start(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that the kubelet kills because their postStart hook fails."""
    for symptom in broken_pods(cluster, PodFault.POST_START):
        yield _finding(
            symptom,
            f"{_container(symptom)} is killed because its postStart hook fails",
            "correct the hook, or let the application itself do that work at its start",
            _crash_lines(symptom, cluster),
        )


def init_container(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that cannot start because an init container keeps failing."""
    for symptom in broken_pods(cluster, PodFault.INIT_CONTAINER):
        failed = "failed" if symptom.pod.status.phase == "Failed" else "keeps failing"
        yield _crash_finding(symptom, f'init container "{symptom.status.name}" {failed}', cluster)


def app_exit(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that crash-loop or have failed, also those that run between two crashes."""
    for symptom in broken_pods(cluster, PodFault.APP_EXIT):
        verb = "crashing" if last_end(symptom.status).exitCode else "exiting"
        failed = "failed" if symptom.pod.status.phase == "Failed" else f"keeps {verb}"
        yield _crash_finding(symptom, f"{_container(symptom)} {failed}", cluster)


def _crash_finding(symptom: Symptom, says: str, cluster: Cluster) -> Finding:
    pod, status, ended = symptom.pod, symptom.status, last_end(symptom.status)
    log = _log(symptom, cluster)
    cause = cause_of_exit(log, pod, status.name, cluster)
    words = cause.means if cause else last_words(log) and f'"{last_words(log)}"'
    return pod_finding(
        pod,
        says=f"{says}: {exit_meaning(ended.exitCode, ended.reason)}{f': {words}' if words else ''}",
        remedy=cause.remedy if cause else _remedy(ended.exitCode),
        evidence=_crash_lines(symptom, cluster),
        severity=symptom.severity,
        part=status.name,
        missing=cause.missing if cause else (),
        concerns=cause.concerns if cause else (),
        look=log_command(pod, status),
    )


def _log(symptom: Symptom, cluster: Cluster) -> list[str]:
    """Return what the container wrote last, its termination message included; nothing where that is not observed."""
    status = symptom.status
    message = last_end(status).message.splitlines()
    try:
        return [*cluster.log(symptom.pod, status.name, previous=not status.state.HasField("terminated")), *message]
    except NotObserved:
        return message  # the evidence says that the log was not observed


def exit_meaning(code: int, reason: str) -> str:
    """Return an exit code with its usual meaning."""
    meaning = _REASONS.get(reason) or EXIT_CODES.get(code) or _signal(code)
    return f"exit code {code} ({meaning})" if meaning else f"exit code {code}"


_REASONS = {
    "OOMKilled": "OOMKilled: it exceeded its memory limit",
    "Unknown": "Unknown: it ended while its node or container runtime restarted",
}


def _signal(code: int) -> str:
    if code - 128 not in {known.value for known in signal.Signals}:
        return ""
    name = signal.Signals(code - 128).name
    return f"killed by {name}: {SIGNALS[name][0]}" if name in SIGNALS else f"killed by {name}"


def _remedy(code: int) -> str:
    known = {signal.Signals[name] + 128: remedy for name, (_, remedy) in SIGNALS.items()}
    return (REMEDIES | known).get(code, _READ)


def _container(symptom: Symptom) -> str:
    return f'container "{symptom.status.name}"'


def _runtime_words(words: str) -> str:
    """Return what the kubelet and the container runtime say, without their preambles and the pod's name."""
    words = re.sub(r" \(pod: \"[^\"]{0,400}\", container: [^)]{0,400}\)", "", words)
    return re.sub(
        r"^.*?(?:OCI runtime create failed: |runc create failed: |unable to start container process: )+",
        "",
        words,
        flags=re.DOTALL,
    )


def _pod_lines(symptom: Symptom, cluster: Cluster) -> Iterator[str]:
    yield f"{_container(symptom)}: {symptom.words}"
    yield from pod_lines(symptom.pod, cluster, told=symptom.status.state.waiting.message or symptom.words)


def _crash_lines(symptom: Symptom, cluster: Cluster) -> Iterator[str]:
    yield from container_lines(symptom.pod, symptom.status, cluster)
    yield from pod_lines(symptom.pod, cluster)


def _finding(
    symptom: Symptom,
    says: str,
    remedy: str,
    evidence: Iterable[str],
    missing: tuple[Ref, ...] = (),
    look: str = "",
) -> Finding:
    return pod_finding(
        symptom.pod,
        says=says,
        remedy=remedy,
        evidence=evidence,
        severity=symptom.severity,
        part=symptom.status.name,
        missing=missing,
        look=look,
    )


@check(image, bad_reference, bad_command, post_start, init_container, app_exit, chapter="2.1")
def test_containers_start_and_stay() -> None:
    """Every container starts and keeps running."""
