"""One ordered table that gives every broken pod to one fault: the first, most specific line that matches owns it.

A check takes the pods of its faults from here and explains them; a pod that a line has taken is never reported again
by a line further down. A line decides by the pod's status; events only name the cause, since they expire.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.shared_pods import is_calm
from kubevitals.errors import EXIT_NOT_OBSERVED, NotObserved
from kubevitals.facts.pods import (
    creating,
    init_waits,
    not_started,
    reported,
    running,
    sandbox_errors,
    unready,
    unscheduled,
)
from kubevitals.facts.pods.attempts import is_past
from kubevitals.facts.pods.states import Symptom
from kubevitals.facts.pods.young import young_pods
from kubevitals.findings.severity import Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_ready, owner, ref, statuses

_SUITE_NAMES = frozenset({"kubevitals", "kubevitals-fleet"})
"""Names of what runs these checks on a schedule (deploy/base/cron-job.yaml, deploy/fleet/runs.yaml)."""

SUITE_EXIT_CODES = frozenset({1, 2, EXIT_NOT_OBSERVED})
"""Exit codes of such a pod that say nothing about itself: a check failed, the run was interrupted (pytest.ExitCode)."""


class PodFault(StrEnum):
    """What can be wrong with a pod, in the order in which the table looks for it; the values are variants of causes."""

    UNSCHEDULABLE = "unschedulable"
    NO_SCHEDULER = "no-scheduler"
    POOL_EXHAUSTED = sandbox_errors.EXHAUSTED
    CNI_UNREACHABLE = sandbox_errors.UNREACHABLE
    CNI_MISCONFIGURED = sandbox_errors.MISCONFIGURED
    SANDBOX_FAILED = sandbox_errors.UNKNOWN
    MISSING_OBJECT = "missing-object"
    MISSING_KEY = "missing-key"
    NODE_DISK_FULL = "node-disk-full"
    SETUP_FAILED = "setup-failed"
    ATTACH_FAILED = "attach-failed"
    MOUNT_FAILED = "mount-failed"
    IMAGE = "image"
    BAD_REFERENCE = "bad-reference"
    BAD_COMMAND = "bad-command"
    OOM_KILLED = "oom-killed"
    KILLED_BY_PROBE = "killed-by-probe"
    POST_START = "post-start"
    INOTIFY = "inotify"
    NO_SPACE_IN_LOG = "no-space-in-log"
    INIT_CONTAINER = "init-container"
    INIT_WAITS = "init-waits"
    APP_EXIT = "app-exit"
    NOT_STARTED = "not-started"
    PROBE_FAILING = "probe-failing"
    GATE_UNMET = "gate-unmet"


SANDBOX_FAULTS = (
    PodFault.POOL_EXHAUSTED,
    PodFault.CNI_UNREACHABLE,
    PodFault.CNI_MISCONFIGURED,
    PodFault.SANDBOX_FAILED,
)


@dataclass(frozen=True, slots=True)
class PodFaults:
    """All broken pods by their fault, and what could not be judged because data is missing.

    Attributes:
        symptoms: the broken pods.
        not_observed: faults that could not be judged on some pod.
        undecided: pods without a fault that could not be judged for all of them.
    """

    symptoms: dict[PodFault, list[Symptom]]
    not_observed: dict[PodFault, NotObserved]
    undecided: dict[Ref, NotObserved]


def broken_pods(cluster: Cluster, fault: PodFault) -> Iterator[Symptom]:
    """Yield the pods that have this fault and none above it.

    Raises:
        NotObserved: after the last one, if some pod could not be judged for this fault.
    """
    faults = cluster.derive(pod_faults)
    yield from faults.symptoms[fault]
    if fault in faults.not_observed:
        raise faults.not_observed[fault]


def is_broken(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a finding already covers this pod, so that other checks skip it."""
    return ref(pod) in cluster.derive(_broken)


def undecided(pod: pb.Pod, cluster: Cluster) -> NotObserved | None:
    """Return why a pod that is not known to be broken could not be judged for every fault, if so."""
    return cluster.derive(pod_faults).undecided.get(ref(pod))


def _broken(cluster: Cluster) -> frozenset[Ref]:
    by_fault = cluster.derive(pod_faults).symptoms
    return frozenset(ref(symptom.pod) for symptoms in by_fault.values() for symptom in symptoms)


def pod_faults(cluster: Cluster) -> PodFaults:
    """Return every broken pod under its fault; a remark counts the pods that are too young to be judged."""
    faults = PodFaults(defaultdict(list), {}, {})
    pods = _worst_first([pod for pod in cluster.pods if not _is_fine(pod)])
    cluster.remarks += young_pods([pod for pod in pods if not _classify(pod, cluster, faults)], cluster)
    return faults


def _worst_first(pods: list[pb.Pod]) -> list[pb.Pod]:
    """Return the pods in the order in which their logs are read: owners with most pods first, then most restarts."""
    pods_of = Counter(owner(pod) or ref(pod) for pod in pods)
    return sorted(pods, key=lambda pod: (-pods_of[owner(pod) or ref(pod)], -sum(s.restartCount for s in statuses(pod))))


def _classify(pod: pb.Pod, cluster: Cluster, faults: PodFaults) -> bool:
    """Add the pod to its fault, and return whether it has one."""
    unseen: NotObserved | None = None
    for fault, line in TABLE.items():
        try:
            symptom = line(pod, cluster)
        except NotObserved as error:
            unseen = unseen or error
            faults.not_observed.setdefault(fault, error)
        else:
            if symptom:
                faults.symptoms[fault].append(_judged(symptom, cluster))
                return True
    if unseen:
        faults.undecided[ref(pod)] = unseen
    return False


def _judged(symptom: Symptom, cluster: Cluster) -> Symptom:
    return replace(symptom, severity=Severity.WARNING) if is_past(symptom.pod, cluster) else symptom


def _is_fine(pod: pb.Pod) -> bool:
    """Return whether no line needs to look at the pod: it is ready and never restarted, succeeded, or is being deleted.

    The containers of a failed pod with a reason of its own did not fail: its kubelet rejected, evicted or ended it.
    """
    if is_calm(pod):
        return True
    if pod.metadata.HasField("deletionTimestamp") or pod.status.phase == "Succeeded":
        return True
    if pod.status.phase == "Failed" and (pod.status.reason or _is_suite_run(pod) or _is_debug_session(pod)):
        return not not_started.was_refused(pod)
    gates_are_met = is_ready(pod) or not pod.spec.readinessGates
    return (
        pod.status.phase == "Running"
        and gates_are_met
        and all(
            (status.ready or status.state.terminated.reason == "Completed") and not status.restartCount
            for status in statuses(pod)
        )
    )


def is_suite(labels: Mapping[str, str]) -> bool:
    """Return whether the labels of a pod say that it runs these checks on a schedule."""
    return labels.get("app.kubernetes.io/name") in _SUITE_NAMES


def _is_debug_session(pod: pb.Pod) -> bool:
    """Return whether the pod was a shell on its node: its exit code is that of the last command that was typed.

    `kubectl debug node/NODE` names it so, and leaves it (kubernetes/kubectl pkg/cmd/debug/debug.go).
    """
    return pod.metadata.name.startswith(f"node-debugger-{pod.spec.nodeName}-") and not pod.metadata.ownerReferences


def _is_suite_run(pod: pb.Pod) -> bool:
    """Return whether the pod is an earlier run of these checks that found a fault or was interrupted."""
    ends = [status.state.terminated for status in statuses(pod)]
    return is_suite(pod.metadata.labels) and all(
        end.reason == "Error" and end.exitCode in SUITE_EXIT_CODES for end in ends
    )


TABLE: dict[PodFault, Callable[[pb.Pod, Cluster], Symptom | None]] = {
    PodFault.UNSCHEDULABLE: unscheduled.unschedulable,
    PodFault.NO_SCHEDULER: unscheduled.unassigned,
    **{fault: creating.sandbox_line(fault) for fault in SANDBOX_FAULTS},
    PodFault.MISSING_OBJECT: creating.missing_object,
    PodFault.MISSING_KEY: creating.missing_key,
    PodFault.NODE_DISK_FULL: creating.node_disk_full,
    PodFault.SETUP_FAILED: creating.setup_failed,
    PodFault.ATTACH_FAILED: creating.attach_failed,
    PodFault.MOUNT_FAILED: creating.mount_failed,
    PodFault.IMAGE: running.image,
    PodFault.BAD_REFERENCE: running.bad_reference,
    PodFault.BAD_COMMAND: running.bad_command,
    PodFault.OOM_KILLED: running.oom_killed,
    PodFault.KILLED_BY_PROBE: running.killed_by_probe,
    PodFault.POST_START: running.post_start,
    PodFault.INOTIFY: reported.inotify,
    PodFault.NO_SPACE_IN_LOG: reported.no_space_in_log,
    PodFault.INIT_CONTAINER: running.init_container,
    PodFault.INIT_WAITS: init_waits.init_waits,
    PodFault.APP_EXIT: running.app_exit,
    PodFault.NOT_STARTED: not_started.not_started,
    PodFault.PROBE_FAILING: unready.probe_failing,
    PodFault.GATE_UNMET: unready.gate_unmet,
}
"""From specific to general: what prevents the creation of a pod stands before what ends its containers, and before
what only keeps it from being ready."""
