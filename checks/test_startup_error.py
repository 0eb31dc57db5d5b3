"""A container cannot start, or keeps crashing.

Meaning:
    The pod is on its node and its volumes are mounted, but a container's image cannot be pulled, its environment
    references a missing object, its command cannot be executed, or its process ends soon after the start: the
    application itself, an init container, or the postStart hook. Or a container stays in ContainerCreating for another
    reason, or the node's kubelet rejected the pod or ended it.

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
from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.apps.causes import cause_of_exit
from kubevitals.facts.apps.named_services import named_service
from kubevitals.facts.apps.why_ended import why_ended
from kubevitals.facts.pods.absent_nodes import is_on_absent_node
from kubevitals.facts.pods.container_probe_events import container_events
from kubevitals.facts.pods.container_probes import container_of
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.init_waits import INITIALIZING
from kubevitals.facts.pods.named_containers import container_named
from kubevitals.facts.pods.not_started import has_run, is_pulling, latest_warning, waiting_for, was_refused
from kubevitals.facts.pods.references import near_missing
from kubevitals.facts.pods.rejections import rejected_like_others, rejection_remedy
from kubevitals.facts.pods.sandbox_errors import plain
from kubevitals.facts.pods.start_errors import NO_ACCESS, pull_error, start_error, warning_remedy
from kubevitals.facts.pods.states import Symptom, restarts_on_failure
from kubevitals.facts.workloads.outdated import remedy_for
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, current_log_command, log_command, pod_lines
from kubevitals.findings.explains import SAME_MISSING, SAME_NODE, Explains
from kubevitals.findings.finding import Finding, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, last_end
from kubevitals.text import duration

EXPLAINS = (
    Explains(
        ("startup-error[bad-reference]",),
        SAME_MISSING,
        ("startup-error[bad-reference]", "config-mount[dangling-reference]"),
    ),
    Explains(("node-ready", "cni-daemonset"), SAME_NODE, ("startup-error[not-started]",)),
)


def image(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose image cannot be pulled: ErrImagePull, InvalidImageName, ErrImageNeverPull and the like."""
    for symptom in broken_pods(cluster, PodFault.IMAGE):
        name = _image_name(symptom)
        evidence = list(_pod_lines(symptom, cluster))
        text = "\n".join([symptom.words, *(line for line in evidence if "Failed to pull" in line)])
        meaning, remedy = pull_error(text, symptom.pod, cluster)
        missing = symptom.missing if NO_ACCESS.search(text) else ()
        if missing:
            secrets = ", ".join(f'"{secret.name}"' for secret in missing)
            meaning = f"{meaning}; the kubelet cannot read imagePullSecret {secrets}"
            remedy = f"create Secret {secrets} in the pod's namespace, or correct imagePullSecrets"
        says = f'{_container(symptom)}: image "{name}" cannot be pulled: {meaning}'
        yield _finding(symptom, says, remedy, evidence, cluster, missing)


def _image_name(symptom: Symptom) -> str:
    """Return the image that cannot be pulled: the container's, or that of a volume, which only the message names."""
    if match := re.search(r'Back-off pulling image "([^"]+)"', symptom.words):
        return match[1]
    return container_named(symptom.pod, symptom.status.name).image


def bad_reference(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose environment references a ConfigMap, Secret, key or field that does not exist."""
    for symptom in broken_pods(cluster, PodFault.BAD_REFERENCE):
        near = "".join(near_missing(missing, cluster) for missing in symptom.missing)
        what, remedy = "a missing object", "create the missing object or key, or correct env and envFrom"
        if match := _NO_KEY.search(symptom.words):
            what = "a missing key"
            remedy = f"add the key {match['key']} to {match['kind']} {match['name']}, or correct the key in env"
        yield _finding(
            symptom,
            f"{_container(symptom)}: env/envFrom references {what}: {symptom.words}{near}",
            f"{remedy} in the workload's template",
            _pod_lines(symptom, cluster),
            cluster,
            symptom.missing,
        )


_NO_KEY = re.compile(r"find key (?P<key>\S{1,253}) in (?P<kind>ConfigMap|Secret) \S{1,253}/(?P<name>[\w.-]{1,253})")
"""What the kubelet says of a key that is not there (pkg/kubelet/kubelet_pods.go)."""


def bad_command(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that cannot be created or whose command cannot be executed."""
    for symptom in broken_pods(cluster, PodFault.BAD_COMMAND):
        words, remedy = start_error(symptom.words, symptom.pod, cluster)
        yield _finding(
            symptom,
            f"{_container(symptom)} cannot start: {words}",
            remedy,
            _pod_lines(symptom, cluster),
            cluster,
        )


def post_start(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that the kubelet kills because their postStart hook fails."""
    for symptom in broken_pods(cluster, PodFault.POST_START):
        yield _finding(
            symptom,
            f"{_container(symptom)} is killed because its postStart hook fails",
            "correct the hook, or let the application itself do that work at its start",
            _crash_lines(symptom, cluster),
            cluster,
        )


def init_container(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that cannot start because an init container keeps failing."""
    for symptom in broken_pods(cluster, PodFault.INIT_CONTAINER):
        failed = "failed" if symptom.pod.status.phase == "Failed" else "keeps failing"
        yield _crash_finding(symptom, f'init container "{symptom.status.name}" {failed}', cluster)


def init_waits(cluster: Cluster) -> Iterator[Finding]:
    """Find pods with an init container that waits for something past `pod.initializing`, as its log repeats."""
    for symptom in broken_pods(cluster, PodFault.INIT_WAITS):
        pod, name = symptom.pod, symptom.status.name
        lines = cluster.log(pod, name, previous=False)
        own = f".{pod.metadata.namespace}.svc"
        cause = cause_of_exit(sorted(lines, key=lambda line: own in line), pod, name, cluster)
        cause = cause or named_service(pod, name, cluster)
        yield pod_finding(
            pod,
            says=f'init container "{name}" keeps waiting: {cause.means if cause else symptom.words}',
            remedy=cause.remedy if cause else "provide what its log says it waits for, or correct what it waits for",
            evidence=[
                f'log of "{name}", repeatedly: {symptom.words}',
                f"it has run for longer than {duration(cluster.limit(INITIALIZING))} ({INITIALIZING.name})",
                *pod_lines(pod, cluster),
            ],
            part=name,
            missing=cause.missing if cause else (),
            concerns=cause.concerns if cause else (),
            look=current_log_command(pod, name),
        )


def app_exit(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that crash-loop or have failed, also those that run between two crashes."""
    for symptom in broken_pods(cluster, PodFault.APP_EXIT):
        verb = "crashing" if last_end(symptom.status).exitCode else "exiting"
        failed = "failed" if _is_over(symptom) else f"keeps {verb}"
        yield _crash_finding(symptom, f"{_container(symptom)} {failed}", cluster)


def _is_over(symptom: Symptom) -> bool:
    """Return whether the container stays as it ended."""
    pod, status = symptom.pod, symptom.status
    return pod.status.phase == "Failed" or (
        status.state.HasField("terminated") and not restarts_on_failure(pod, status)
    )


def not_started(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that wait for a container to start, whatever events say, and pods that their kubelet rejected or ended.

    A pod may wait `pod.stuck` for its sandbox and volumes, and `pod.pulling` for its image and its postStart hook.
    """
    for symptom in broken_pods(cluster, PodFault.NOT_STARTED):
        pod = symptom.pod
        says, remedy = _refusal(pod, cluster) if was_refused(pod) else _waiting(symptom, cluster)
        yield _finding(symptom, says, remedy, _waiting_lines(symptom, cluster), cluster)


def _refusal(pod: pb.Pod, cluster: Cluster) -> tuple[str, str]:
    words = f"{pod.status.reason}: {pod.status.message}"
    if has_run(pod):
        says = f"the kubelet ended the pod, and nothing recreates it: {words}"
        return says, "create the pod again, best by a Deployment or a Job, which replace pods that end"
    if others := rejected_like_others(pod, cluster):
        return f"the kubelet rejects each new pod ({others}): {words}", rejection_remedy(pod)
    return f"the kubelet rejected the pod: {words}", f"{rejection_remedy(pod)}; then create the pod again"


ABSENT_NODE = (
    "leave nodeName out of the pod template, which no scheduler looks at (nodeSelector and affinity choose nodes), or "
    "name a node that exists"
)


def _waiting(symptom: Symptom, cluster: Cluster) -> tuple[str, str]:
    """Return what a pod waits for and what to do, as far as its state and its events show it."""
    pod, waiting = symptom.pod, symptom.status.state.waiting
    node_logs = f"read the logs of the kubelet and the container runtime on node {pod.spec.nodeName}"
    if is_on_absent_node(pod, cluster):
        return f"its node {pod.spec.nodeName} does not exist", ABSENT_NODE
    if not symptom.status.name:
        return f"the kubelet of node {pod.spec.nodeName} has not reported any container of the pod", node_logs
    state = f"{_container(symptom)} stays in {waiting.reason or 'an unknown state'}"
    if warning := latest_warning(pod, symptom.status, cluster):
        words = f"{warning.reason}: {plain(warning.message, pod)}"
        return f"{state}: {words}", warning_remedy(warning.message, pod, cluster)
    if waiting.message:
        return f"{state}: {plain(waiting.message, pod)}", "fix what the kubelet reports"
    if _hook_runs(symptom, cluster):
        return f"{state}: its postStart hook has not returned", "correct the hook: the container starts only after it"
    if is_pulling(pod, cluster):
        return (
            f"{state}: its image is still being pulled",
            "use a smaller image or a registry nearby, or pull it before",
        )
    return f"{state}, and no event says why", node_logs


def _hook_runs(symptom: Symptom, cluster: Cluster) -> bool:
    """Return whether the container has been started and waits for its postStart hook, by the latest event about it."""
    has_hook = container_of(symptom.pod, symptom.status).lifecycle.HasField("postStart")
    return has_hook and any(container_events(symptom.pod, symptom.status.name, "Started", cluster))


def _waiting_lines(symptom: Symptom, cluster: Cluster) -> Iterator[str]:
    pod, status = symptom.pod, symptom.status
    if not was_refused(pod):
        state = status.state.waiting.reason or pod.status.phase
        yield f"{state} for {duration(waiting_for(pod, status, cluster))}"
    yield from pod_lines(pod, cluster)


def _crash_finding(symptom: Symptom, says: str, cluster: Cluster) -> Finding:
    pod, status = symptom.pod, symptom.status
    cause = why_ended(pod, status, cluster)
    return pod_finding(
        pod,
        says=f"{says}: {cause.means}",
        remedy=remedy_for(pod, cause.remedy, cluster),
        evidence=_crash_lines(symptom, cluster),
        severity=symptom.severity,
        part=status.name,
        missing=cause.missing,
        concerns=cause.concerns,
        look=log_command(pod, status),
    )


def _container(symptom: Symptom) -> str:
    return f'container "{symptom.status.name}"'


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
    cluster: Cluster,
    missing: tuple[Ref, ...] = (),
) -> Finding:
    return pod_finding(
        symptom.pod,
        says=says,
        remedy=remedy_for(symptom.pod, remedy, cluster),
        evidence=evidence,
        severity=symptom.severity,
        part=symptom.status.name,
        missing=missing,
    )


@check(image, bad_reference, bad_command, post_start, init_container, init_waits, app_exit, not_started, chapter="2.1")
def test_containers_start_and_stay() -> None:
    """Every container starts and keeps running."""
