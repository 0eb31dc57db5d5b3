"""A container cannot be started, or ends again and again.

Meaning:
    The pod is on its node and has its volumes, but a container's image cannot be had, a reference in its
    environment leads nowhere, its command cannot be executed, or what it runs ends soon after its start: the
    application itself, an init container, or the hook after the start.

Impact:
    The container restarts with growing pauses (CrashLoopBackOff, up to five minutes) or never starts at all;
    the pod serves nothing, and a rollout stops there.

Diagnosis:
    `kubectl describe pod` for the state and the exit code, `kubectl logs --previous` for the last words of the
    container that died. Exit codes: 126 not executable, 127 not found, 128+n killed by signal n.

Mitigation:
    Mend what the variant names: the image's name or its pull secret, the reference, the command, the
    configuration the application complains about. Delete the pod to skip the rest of the back-off.
"""

import re
import signal
from collections.abc import Iterable, Iterator

from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.references import names, said_absent
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, log_command, pod_lines
from kubevitals.findings.explains import SAME_MISSING, Explains
from kubevitals.findings.finding import Finding, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.near_names import did_you_mean
from kubevitals.objects import Ref, containers, last_end

EXIT_CODES = {
    0: "the command ends by itself: a container that is to stay up needs one that does not",
    1: "the application gave up",
    2: "wrong use of the command, or the application gave up",
    126: "the command is not executable",
    127: "the command was not found by the shell",
    128: "the container could not be started",
    255: "the application gave up",
}
"""What an exit code usually means: POSIX shells for 126 to 128+n, common usage for the rest."""

_READ = "read its last log lines and mend what they complain about; where there are none, run its command by hand"
_COMMAND = "correct command and args of the container, or the image's entrypoint"
REMEDIES = {
    0: "let the command stay in the foreground, or run it as a Job",
    126: _COMMAND,
    127: _COMMAND,
}
"""What helps against an exit code that tells the cause by itself."""

PULL_ERRORS = (
    (
        r"no match for platform|no image found in (?:image index|manifest list)|exec format",
        "the image is not for the node's architecture",
        "build it for that architecture",
    ),
    (
        r"pull access denied|may require authorization",
        "there is no such image, or the registry does not show it to everybody",
        "correct the image's name, or give the pod an imagePullSecret for the registry",
    ),
    (r"no space left on device", "the node's disk has no space for it", "free space on the node, or add some"),
    (
        r"SignatureValidationFailed|signature validation failed",
        "its signature is refused",
        "sign the image, or correct the policy of the node's container runtime",
    ),
    (
        r"not found|manifest unknown|does not exist",
        "there is no such image",
        "correct the image's name or tag, or push it",
    ),
    (
        r"unauthorized|denied|forbidden|authentication|no basic auth",
        "the registry refuses access",
        "give the pod an imagePullSecret for the registry",
    ),
    (
        r"toomanyrequests|rate limit|429",
        "the registry limits the rate of pulls",
        "authenticate to the registry or use a mirror",
    ),
    (
        r"no such host|timeout|timed out|connection refused|no route|unreachable|server misbehaving|EOF"
        r"|RegistryUnavailable|registry is unavailable",
        "the registry cannot be reached from the node",
        "check DNS, proxy and firewall between the node and the registry",
    ),
    (r"InvalidImageName|invalid reference", "the image's name is not valid", "correct the image's name"),
    (
        r"ErrImageNeverPull",
        "the image is not on the node and must not be pulled",
        "load it onto the node or allow pulling",
    ),
)
"""Texts of containerd, CRI-O and the common registries, with what they mean and what helps. The first match counts."""

START_ERRORS = (
    (
        r"subPath",
        "correct subPath of the volumeMount: what it names must be in the volume, or be possible to make there",
    ),
    (r"no space left on device", "free space on the node, or add some"),
    (
        r"reserv\w{1,4} (?:container|ctr) name|deadline exceeded|due to system load",
        "see what keeps the node's container runtime busy, its disk mostly; the kubelet tries again by itself",
    ),
    (r"", "correct command, args and securityContext of the container, or the image's entrypoint"),
)
"""Texts of kubelet, containerd and CRI-O about a container that cannot be started, with what helps."""

EXPLAINS = (
    Explains(
        ("startup-error[bad-reference]",),
        SAME_MISSING,
        ("startup-error[bad-reference]", "config-mount[dangling-reference]"),
    ),
)


def image(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose image cannot be had: ErrImagePull, InvalidImageName, ErrImageNeverPull and their kin."""
    for symptom in broken_pods(cluster, PodFault.IMAGE):
        name = _image_name(symptom)
        evidence = list(_pod_lines(symptom, cluster))
        text = "\n".join([symptom.words, *(line for line in evidence if "Failed to pull" in line)])
        meaning, remedy = next(
            ((meaning, remedy) for pattern, meaning, remedy in PULL_ERRORS if re.search(pattern, text, re.IGNORECASE)),
            ("it cannot be pulled", "follow the message of the container runtime"),
        )
        yield _finding(
            symptom, f'has no image "{name}" for container {symptom.status.name}: {meaning}', remedy, evidence
        )


def _image_name(symptom: Symptom) -> str:
    """Return what is pulled in vain: the container's image, or that of a volume, which only the message names."""
    if named := re.search(r'Back-off pulling image "([^"]+)"', symptom.words):
        return named[1]
    return next((c.image for c in containers(symptom.pod.spec) if c.name == symptom.status.name), "")


def bad_reference(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose environment refers to a ConfigMap, Secret, key or field that does not exist."""
    for symptom in broken_pods(cluster, PodFault.BAD_REFERENCE):
        namespace = symptom.pod.metadata.namespace
        absent = said_absent(symptom.words)[:1]
        near = "".join(
            did_you_mean(name, names(cluster, kind, namespace), kind, namespace, cluster) for kind, name in absent
        )
        yield _finding(
            symptom,
            f"names what does not exist in the environment of container {symptom.status.name}: {symptom.words}{near}",
            "create what is missing, or correct env and envFrom in the workload's template",
            _pod_lines(symptom, cluster),
            tuple(Ref(kind, namespace, name) for kind, name in absent),
        )


def bad_command(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that cannot be created or whose command cannot be executed."""
    for symptom in broken_pods(cluster, PodFault.BAD_COMMAND):
        yield _finding(
            symptom,
            f"cannot start container {symptom.status.name}: {_runtime_words(symptom.words)}",
            next(remedy for text, remedy in START_ERRORS if re.search(text, symptom.words)),
            _pod_lines(symptom, cluster),
        )


def post_start(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that are killed because their postStart hook fails."""
    for symptom in broken_pods(cluster, PodFault.POST_START):
        yield _finding(
            symptom,
            f"loses container {symptom.status.name} because its postStart hook fails",
            "correct the hook; what the application can do itself at its start is better done there",
            _crash_lines(symptom, cluster),
        )


def init_container(cluster: Cluster) -> Iterator[Finding]:
    """Find pods kept from starting by an init container that fails again and again."""
    yield from _crashes(cluster, PodFault.INIT_CONTAINER, "is kept from starting by init container")


def app_exit(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that end again and again, those that run between two crashes included."""
    yield from _crashes(cluster, PodFault.APP_EXIT, "loses container")


def _crashes(cluster: Cluster, fault: PodFault, says: str) -> Iterator[Finding]:
    for symptom in broken_pods(cluster, fault):
        ended = last_end(symptom.status)
        often = "for good" if symptom.pod.status.phase == "Failed" else "again and again"
        yield _finding(
            symptom,
            f"{says} {symptom.status.name} {often}: {exit_meaning(ended.exitCode, ended.reason)}",
            REMEDIES.get(ended.exitCode, _READ),
            _crash_lines(symptom, cluster),
            look=log_command(symptom.pod, symptom.status),
        )


def exit_meaning(code: int, reason: str) -> str:
    """Return an exit code with what it usually means."""
    if reason == "OOMKilled":
        return f"exit code {code}, OOMKilled: it used more memory than its limit"
    if code > 128 and code not in EXIT_CODES:
        try:
            name = signal.Signals(code - 128).name
        except ValueError:
            return f"exit code {code}"
        why = ": by the kubelet, or for want of memory" if name == "SIGKILL" else ""
        return f"exit code {code}, killed by {name}{why}"
    return f"exit code {code}, {EXIT_CODES[code]}" if code in EXIT_CODES else f"exit code {code}"


def _runtime_words(words: str) -> str:
    """Return what kubelet and container runtime say, without the layers it went through and the pod's name."""
    words = re.sub(r" \(pod: \"[^\"]{0,400}\", container: [^)]{0,400}\)", "", words)
    return re.sub(
        r"^.*?(?:OCI runtime create failed: |runc create failed: |unable to start container process: )+",
        "",
        words,
        flags=re.DOTALL,
    )


def _pod_lines(symptom: Symptom, cluster: Cluster) -> Iterator[str]:
    words = symptom.words.removeprefix(f"{symptom.status.state.waiting.reason}: ")
    yield f"container {symptom.status.name}: {symptom.words}"
    yield from pod_lines(symptom.pod, cluster, told=words)


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
    part = symptom.status.name
    return pod_finding(symptom.pod, says=says, remedy=remedy, evidence=evidence, part=part, missing=missing, look=look)


@check(image, bad_reference, bad_command, post_start, init_container, app_exit, chapter="2.1")
def test_containers_start_and_stay() -> None:
    """Every container can be started and stays up."""
