"""A container exceeds (or nearly exceeds) its memory limit, or a node runs out of memory.

Meaning:
    The kernel killed a container because it exceeded its memory limit (OOMKilled), a container is close to its limit,
    or a whole node ran out of memory, so that the kernel killed processes or the kubelet evicted pods.

Impact:
    The container restarts and loses what it was doing. With a leak it restarts more and more often; with a limit that
    is too small, at once. A node without memory also kills pods that did nothing wrong.

Diagnosis:
    `kubectl describe pod` shows Last State and the limit, `kubectl top pod --containers` what it uses now, and your
    metrics how it grew over days. With cgroup v1 the kernel may kill a child process while the container's first
    process lives on; only the node's kernel log shows that. With v2 the whole container ends.

Mitigation:
    Raise the limit to one and a half times what the application needs under load, or find the leak. Give runtimes with
    their own heap (Java, Node.js) a maximum below the limit. On a node: set realistic memory requests.
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.lifecycle import our_nodes
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
    "memory-limit.near",
    90,
    "percent of its limit that a container's working set may reach; inactive page cache is not part of it",
)

ROOM = 1.5
"""A new limit is this many times the old one, or what is in use."""

LEAST = 16 << 20
"""Bytes of memory with which any container starts: CRI-O refuses less than 12 MiB."""

EXPLAINS = (
    Explains(("memory-limit[node-oom]",), SAME_NODE, ("node-ready[pressure]",), words="memorypressure"),
    Explains(("memory-limit[node-oom]",), SAME_NODE, ("memory-limit[oom-killed]",), words="no memory limit"),
)


def oom_killed(cluster: Cluster) -> Iterator[Finding]:
    """Find containers, init containers and sidecars that exceeded their limit, or whose limit is too small to start."""
    for symptom in broken_pods(cluster, PodFault.OOM_KILLED):
        pod, status = symptom.pod, symptom.status
        ended = last_end(status)
        limit = _limit(pod, status.name)
        small = bool(OOM_TEXT.search(symptom.words))
        name = f'container "{status.name}"' if status.name else "the pod sandbox"
        died = ended.HasField("finishedAt")
        yield pod_finding(
            pod,
            says=f"{name} {_what_happened(limit, small=small)}",
            remedy=_remedy(limit, small=small),
            evidence=[*(container_lines(pod, status, cluster) if died else ()), *pod_lines(pod, cluster)],
            severity=Severity.WARNING if died and cluster.over(ended.finishedAt, OOM_RECENT) else Severity.ERROR,
            part=status.name,
        )


def _what_happened(limit: float, *, small: bool) -> str:
    if small:
        return f"cannot start: {f'its memory limit of {binary(limit)} is too small' if limit else 'too little memory'}"
    if limit:
        return f"was OOMKilled: its memory limit is {binary(limit)}"
    return "was OOMKilled although it has no memory limit: the node (or a parent cgroup) ran out of memory"


def _remedy(limit: float, *, small: bool) -> str:
    if small:
        return f"raise its limit, first to {binary(max(limit * ROOM, LEAST))}: the container runtime needs some of it"
    return f"raise its limit, first to {binary(limit * ROOM)}, or find the leak" if limit else "set a memory limit"


def near_limit(cluster: Cluster) -> Iterator[Finding]:
    """Find containers whose working set has reached `memory-limit.near` percent of their limit, by kubelets' figures.

    Pods that are broken already have another finding.
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
            says=f'container "{figures.name}" is about to reach its memory limit of {binary(limit)}',
            remedy=f"raise its limit, first to {binary(used * ROOM)}, or find out why its memory grows",
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

    If all of these pods were evicted longer ago than `memory-limit.recent`, it is a warning.
    """
    evicted = cluster.derive(_evicted_for_memory)
    for node in cluster.derive(our_nodes):
        pods = evicted.get(node.metadata.name, [])
        pressure = node_condition(node, "MemoryPressure")
        kills = _system_ooms(node, cluster)
        now = bool(kills) or (pressure is not None and pressure.status == "True")
        if pods or now:
            now |= any(not cluster.over(evicted_at(pod), OOM_RECENT) for pod in pods)
            yield Finding(
                ref(node),
                says="ran out of memory",
                remedy="set realistic memory requests, move pods to other nodes, or add memory",
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
    by_node: dict[str, list[pb.Pod]] = {}
    for pod in cluster.pods:
        if evicted_for(pod, MEMORY) and not cluster.over(evicted_at(pod), OOM_PAST):
            by_node.setdefault(pod.spec.nodeName, []).append(pod)
    return by_node


def _limit(pod: pb.Pod, name: str) -> float:
    """Return a container's memory limit in bytes, or else its pod's, or 0; during a resize, the limit still in force.

    Without a container's name it is the sandbox's: the pod's limit, or else the sum of all containers' limits.
    """
    actual = {status.name: status.resources.limits for status in statuses(pod) if status.HasField("resources")}
    limits = (actual.get(c.name, c.resources.limits) for c in containers(pod.spec) if name in ("", c.name))
    of_containers = sum(amount(limit, "memory") for limit in limits)
    of_pod = amount(pod.spec.resources.limits, "memory")
    return of_containers or of_pod if name else of_pod or of_containers


@check(oom_killed, near_limit, node_oom, chapter="2.2")
def test_memory_suffices() -> None:
    """Every container stays within its memory limit, and every node has memory left."""
