"""Pods that run and do not become ready, or are not ready any more: the table's last lines."""

from collections import Counter

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.pods.container_probe_events import still_fails
from kubevitals.facts.pods.container_probes import ProbeKind, container_of, probe_of, timing
from kubevitals.facts.pods.standby import is_standby
from kubevitals.facts.pods.states import STUCK, Symptom, is_kept_unready, unstarted_sidecar
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, condition, controller, is_ready, owner, ref, statuses, turned_at
from kubevitals.threshold import Threshold

SLOWEST = Threshold(
    "readiness.slowest",
    1.5,
    "how many times the slowest start of its replicas a container may take to become ready: a busy node adds half",
)

LONGEST_START = 600
"""Seconds after which a pod is taken to have lost its readiness before: a Deployment's default progressDeadlineSeconds.
"""

GATE = Threshold(
    "readiness.gate",
    300,
    "seconds that a readiness gate may take once all containers are ready: a load balancer registers and checks its "
    "new target for minutes",
)


def probe_failing(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a container that runs and is not ready for longer than its probes and its replicas allow.

    A sidecar that has not started keeps the pod's other containers from starting.

    A probe that cannot be made at all belongs to liveness-probe, as far as events show it.
    """
    runs = pod.status.phase == "Running" or unstarted_sidecar(pod) is not None
    if not runs or not is_kept_unready(pod, cluster) or _is_surplus(pod, cluster):
        return None
    if is_standby(pod, cluster):
        return None
    for status in statuses(pod):
        if status.state.HasField("running") and not status.ready and _is_overdue(pod, status, cluster):
            kind = ProbeKind.STARTUP if _is_starting(pod, status) else ProbeKind.READINESS
            return None if _cannot_be_made(pod, status, kind, cluster) else Symptom(pod, status=status, probe=kind)
    return None


def has_been_ready(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the pod was ready after its container had started, so that it has lost its readiness."""
    return turned_at(pod).seconds > status.state.running.startedAt.seconds > 0


def unready_since(pod: pb.Pod, status: pb.ContainerStatus) -> pb.Time:
    """Return since when the container runs and the pod is not ready."""
    started = status.state.running.startedAt
    return turned_at(pod) if has_been_ready(pod, status) or not started.seconds else started


def _is_overdue(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> bool:
    lasted, container = cluster.age(unready_since(pod, status)), container_of(pod, status)
    if has_been_ready(pod, status):
        return lasted >= cluster.limit(STUCK)
    startup = timing(container.startupProbe).start if _is_starting(pod, status) else 0
    declared = startup + max(container.readinessProbe.initialDelaySeconds, container.livenessProbe.initialDelaySeconds)
    slowest = cluster.derive(_slowest_starts).get((owner(pod), status.name), 0)
    return lasted >= max(cluster.limit(STUCK) + declared, cluster.limit(SLOWEST) * slowest)


def _is_starting(pod: pb.Pod, status: pb.ContainerStatus) -> bool:
    """Return whether the container's startup probe has not succeeded yet."""
    return container_of(pod, status).HasField("startupProbe") and not status.started


def _cannot_be_made(pod: pb.Pod, status: pb.ContainerStatus, kind: ProbeKind, cluster: Cluster) -> bool:
    """Return whether the kubelet reports that it cannot make the probe; without events nothing else says so either."""
    try:
        events = still_fails(pod, status.name, kind, cluster)
    except NotObserved:
        return False
    return events is not None and events.errored


def _slowest_starts(cluster: Cluster) -> dict[tuple[Ref | None, str], int]:
    """Return the longest time from the first start of a container to its pod's ContainersReady, by owner and name."""
    slowest: dict[tuple[Ref | None, str], int] = {}
    for pod in cluster.pods:
        ready, controller = condition(pod, "ContainersReady"), owner(pod)
        if controller and ready and ready.status == "True":
            for status in pod.status.containerStatuses:
                if probe_of(container_of(pod, status), ProbeKind.READINESS) and not status.restartCount:
                    took = ready.lastTransitionTime.seconds - status.state.running.startedAt.seconds
                    if took <= LONGEST_START:
                        slowest[controller, status.name] = max(took, slowest.get((controller, status.name), 0))
    return slowest


def _is_surplus(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether a rollout that progresses has created the pod in addition to all replicas that are wanted."""
    controller = owner(pod)
    deployment = (
        cluster.derive(_deployments).get(controller) if controller and controller.kind == "Deployment" else None
    )
    if not deployment or deployment.status.availableReplicas < deployment.spec.replicas:
        return False
    return any(c.type == "Progressing" and c.status == "True" for c in deployment.status.conditions)


def _deployments(cluster: Cluster) -> dict[Ref, pb.Deployment]:
    return {ref(deployment): deployment for deployment in cluster.deployments}


def is_only_one_ready(pod: pb.Pod, cluster: Cluster) -> bool:
    """Return whether exactly one pod of the same controller is ready, as in applications that elect a leader.

    A DaemonSet's pods are no replicas.
    """
    of = controller(pod)
    return of is not None and of.kind != "DaemonSet" and cluster.derive(_ready_pods)[of] == 1


def _ready_pods(cluster: Cluster) -> Counter[Ref]:
    return Counter(of for pod in cluster.pods if is_ready(pod) and (of := controller(pod)))


def unmet_gates(pod: pb.Pod) -> list[str]:
    """Return the conditions that the pod's readiness gates require, and that are absent or not true."""
    gates = [gate.conditionType for gate in pod.spec.readinessGates]
    met = {c.type for c in pod.status.conditions if c.status == "True"}
    return [gate for gate in gates if gate not in met]


def gate_unmet(pod: pb.Pod, cluster: Cluster) -> Symptom | None:
    """Match a pod whose containers are ready, and whose readiness gates take longer than `readiness.gate`."""
    contained = condition(pod, "ContainersReady")
    waits = pod.status.phase == "Running" and contained is not None and contained.status == "True"
    if not waits or not contained or not unmet_gates(pod) or not is_kept_unready(pod, cluster):
        return None
    since = max(contained.lastTransitionTime, turned_at(pod), key=lambda time: time.seconds)
    return Symptom(pod) if cluster.over(since, GATE) and not _is_surplus(pod, cluster) else None
