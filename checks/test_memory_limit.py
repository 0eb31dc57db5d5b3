"""A container uses more memory than it may, or nearly; or a node has none left.

Meaning:
    The kernel killed a container because it went over its memory limit (OOMKilled), a container is close to its
    limit, or a whole node ran out of memory, so that the kernel killed processes or the kubelet evicted pods.

Impact:
    The container restarts and loses what it was doing; restarts grow in number, slowly with a leak, at once with a
    limit that is too small. On a node without memory it hits pods that did nothing wrong.

Diagnosis:
    `kubectl describe pod` for Last State and the limit, `kubectl top pod --containers` for what it uses now; the
    growth over days from your metrics. A child process that is killed while the container's first process lives on
    leaves no trace in Kubernetes (cgroup v1; version 2 kills the whole container): look at the node's kernel log.

Mitigation:
    Raise the limit to what the application needs under load, and a half more, or find the leak. Give runtimes with a
    heap of their own (Java, Node.js) a maximum below the limit. On a node: set requests that are true.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.evictions import MEMORY, evicted_at, evicted_for
from kubevitals.facts.pods.faults import PodFault, broken_pods, is_broken
from kubevitals.facts.pods.running import OOM_PAST, OOM_RECENT
from kubevitals.facts.pods.sandbox_errors import OOM_TEXT
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, event_lines, pod_lines
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.objects import containers, last_end, node_condition, ref, statuses
from kubevitals.quantity import amount
from kubevitals.text import binary
from kubevitals.threshold import Threshold

NEAR = Threshold(
    "memory-limit.near", 90, "percent of the limit that the working set may reach; page cache is not in it"
)

ROOM = 1.5
"""How much more than the old limit, or than what is used, a new limit should be."""

LEAST = 16 << 20
"""Bytes of memory with which a container starts at all: CRI-O refuses less than 12 MiB."""

EXPLAINS = (
    Explains(("memory-limit[node-oom]",), SAME_NODE, ("node-ready[pressure]",), words="memorypressure"),
    Explains(("memory-limit[node-oom]",), SAME_NODE, ("memory-limit[oom-killed]",), words="it has no limit"),
)


def oom_killed(cluster: Cluster) -> Iterator[Finding]:
    """Find containers killed for going over their limit, init containers and sidecars too, or too small to start."""
    for symptom in broken_pods(cluster, PodFault.OOM_KILLED):
        pod, status = symptom.pod, symptom.status
        ended = last_end(status)
        limit = _limit(pod, status.name)
        small = OOM_TEXT.search(symptom.words)
        may = f"it may use {binary(limit)}" if limit else "it has no limit: the node, or its cgroup, ran out"
        name = f"container {status.name}" if status.name else "the pod's sandbox"
        died = ended.HasField("finishedAt")
        yield pod_finding(
            pod,
            says=f"{name} {'cannot start in so little memory' if small else 'was OOM-killed'}: {may}",
            remedy=_remedy(limit, small=bool(small)),
            evidence=[*(container_lines(pod, status, cluster) if died else ()), *pod_lines(pod, cluster)],
            severity=Severity.WARNING if died and cluster.over(ended.finishedAt, OOM_RECENT) else Severity.ERROR,
            part=status.name,
        )


def _remedy(limit: float, *, small: bool) -> str:
    if small:
        return f"raise its limit, to {binary(max(limit * ROOM, LEAST))} for a start: what starts it needs some itself"
    return f"raise its limit, to {binary(limit * ROOM)} for a start, or find the leak" if limit else "set a limit"


def near_limit(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose working set has reached `memory-limit.near` percent of their limit: kubelets say.

    Pods that are broken already are told of once, elsewhere.
    """
    pods = {(pod.metadata.namespace, pod.metadata.name): pod for pod in cluster.pods}
    for _, summary in kubelet.summaries(cluster):
        for figures in summary.pods or ():
            pod = pods.get((figures.podRef.namespace, figures.podRef.name))
            if pod and not is_broken(pod, cluster):
                for container in figures.containers or ():
                    yield from _near(pod, container, cluster)


def _near(pod: pb.Pod, figures: kubelet.Container, cluster: Cluster) -> Iterator[Finding]:
    limit, memory = _limit(pod, figures.name), figures.memory or kubelet.Memory()
    used = memory.workingSetBytes
    if limit and used is not None and used * 100 >= limit * cluster.limit(NEAR):
        yield pod_finding(
            pod,
            says=f"container {figures.name} is about to reach its memory limit of {binary(limit)}",
            remedy=f"raise its limit, to {binary(used * ROOM)} for a start, or find out why it grows",
            evidence=[
                f"working set: {binary(used)}, {used * 100 / limit:.0f} % of {binary(limit)}; "
                f"with page cache: {binary(memory.usageBytes or used)}",
                *pod_lines(pod, cluster),
            ],
            severity=Severity.WARNING,
            part=figures.name,
        )


def node_oom(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes that ran out of memory: MemoryPressure, a SystemOOM event within the hour, pods evicted for memory.

    Pods evicted longer ago than `memory-limit.recent` tell of the past.
    """
    evicted = cluster.derive(_evicted_for_memory)
    for node in cluster.nodes:
        pods = evicted.get(node.metadata.name, [])
        pressure = node_condition(node, "MemoryPressure")
        kills = _system_ooms(node, cluster)
        now = bool(kills) or (pressure is not None and pressure.status == "True")
        if pods or now:
            now |= any(not cluster.over(evicted_at(pod), OOM_RECENT) for pod in pods)
            yield Finding(
                ref(node),
                says="ran out of memory",
                remedy="set memory requests that are true, move pods away, or add memory",
                evidence=[
                    *(f"evicted: {ref(pod)}: {pod.status.message}" for pod in pods[:5]),
                    *(f"event: {event.reason}: {event.message}" for event in kills[-3:]),
                    *event_lines(node, cluster),
                ],
                severity=Severity.ERROR if now else Severity.WARNING,
                concerns=tuple(map(ref, pods)),
            )
    cluster.scope.need_all("pods of any namespace may have been evicted for a node's memory")


def _system_ooms(node: pb.Node, cluster: Cluster) -> list[pb.Event]:
    recent = cluster.limit(OOM_RECENT)
    return [e for e in cluster.events(node) if e.reason == "SystemOOM" and seen_ago(e, cluster) < recent]


def _evicted_for_memory(cluster: Cluster) -> dict[str, list[pb.Pod]]:
    """Return the pods evicted within `memory-limit.past`, by their node."""
    found: dict[str, list[pb.Pod]] = {}
    for pod in cluster.pods:
        if evicted_for(pod, MEMORY) and not cluster.over(evicted_at(pod), OOM_PAST):
            found.setdefault(pod.spec.nodeName, []).append(pod)
    return found


def _limit(pod: pb.Pod, name: str) -> float:
    """Return a container's memory limit in bytes, as it is and not as it is to be after a resize, or else its pod's.

    The sandbox may use what the pod may, or else all containers together.
    """
    actual = {status.name: status.resources.limits for status in statuses(pod) if status.HasField("resources")}
    limits = (actual.get(c.name, c.resources.limits) for c in containers(pod.spec) if name in ("", c.name))
    own, whole = sum(amount(each, "memory") for each in limits), amount(pod.spec.resources.limits, "memory")
    return own or whole if name else whole or own


@check(oom_killed, near_limit, node_oom, chapter="2.2")
def test_memory_suffices() -> None:
    """Every container stays within its memory limit, and every node has memory left."""
