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

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import observed
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.facts.pods.evictions import MEMORY, evicted_at, evicted_for
from kubevitals.facts.pods.faults import PodFault, broken_pods, is_broken
from kubevitals.facts.pods.memory_limits import LEAST, is_too_small, memory_limit
from kubevitals.facts.pods.named_containers import container_named
from kubevitals.facts.pods.running import OOM_PAST, OOM_RECENT
from kubevitals.facts.workloads.limits import limit_source
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, event_lines, pod_lines
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster, seen_ago
from kubevitals.objects import last_end, node_condition, ref
from kubevitals.text import binary
from kubevitals.threshold import Threshold

NEAR = Threshold(
    "memory-limit.near",
    90,
    "percent of its limit that a container may use; page cache does not count, since the kernel drops it",
)

NAMED = 3
"""Containers that a remark lists."""

ROOM = 1.5
"""A new limit is this many times the old one, or what is in use."""

EXPLAINS = (
    Explains(("memory-limit[node-oom]",), SAME_NODE, ("node-ready[pressure]",), words="memorypressure"),
    Explains(("memory-limit[node-oom]",), SAME_NODE, ("memory-limit[oom-killed]",), words="no memory limit"),
)


def oom_killed(cluster: Cluster) -> Iterator[Finding]:
    """Find containers, init containers and sidecars that exceeded their limit, or whose limit is too small to start."""
    for symptom in broken_pods(cluster, PodFault.OOM_KILLED):
        pod, status = symptom.pod, symptom.status
        ended = last_end(status)
        limit = memory_limit(pod, status.name)
        small = is_too_small(symptom.words, pod, status.name)
        name = f'container "{status.name}"' if status.name else "the pod sandbox"
        died = ended.HasField("finishedAt")
        source, how = limit_source(pod, status.name, limit, cluster) if limit else ("", "")
        yield pod_finding(
            pod,
            says=f"{name} {_what_happened(limit, small=small)}{source}",
            remedy=f"{how}; {_remedy(limit, small=small)}" if how else _remedy(limit, small=small),
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
    """Find containers that have used `memory-limit.near` percent of their limit, by kubelets' figures.

    What counts is what the kernel cannot drop: the processes' own memory (rss) and files in memory-backed volumes, or
    the working set where a kubelet has no rss. If only the working set is so large, it may be page cache: a remark
    lists such containers. Pods that are broken already have another finding.
    """
    cached: list[str] = []
    summaries = observed(kubelet.summaries(cluster))
    for usage in _usages(summaries.items, cluster):
        near = usage.limit * cluster.limit(NEAR) / 100
        if usage.held >= near:
            yield _near(usage, cluster)
        elif usage.working_set >= near:
            cached.append(f'{ref(usage.pod)} (container "{usage.container}")')
    if cached:
        cluster.remarks.append(f"close to their memory limit, but perhaps only by page cache: {_some(cached)}")
    if summaries.unseen:
        raise summaries.unseen


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED:,} more" if len(names) > NAMED else "")


class _Usage(NamedTuple):
    """A container's memory in bytes: its limit, its working set, and what of that the kernel cannot drop."""

    pod: pb.Pod
    container: str
    limit: float
    working_set: int
    held: int
    lines: list[str]


def _usages(summaries: Iterable[tuple[pb.Node, kubelet.Summary]], cluster: Cluster) -> Iterator[_Usage]:
    pods = {(pod.metadata.namespace, pod.metadata.name): pod for pod in cluster.pods}
    for _, summary in summaries:
        for figures in summary.pods or ():
            pod = pods.get((figures.podRef.namespace, figures.podRef.name))
            if pod and not is_broken(pod, cluster):
                for container in figures.containers or ():
                    if usage := _usage(pod, figures, container):
                        yield usage


def _usage(pod: pb.Pod, figures: kubelet.Pod, container: kubelet.Container) -> _Usage | None:
    limit, memory = memory_limit(pod, container.name), container.memory or kubelet.Memory()
    working_set, rss = memory.workingSetBytes, memory.rssBytes
    if not limit or working_set is None:
        return None
    files = _in_memory_volumes(pod, figures, container.name)
    held = working_set if rss is None else min(working_set, rss + files)
    lines = [
        f"working set: {binary(working_set)}, {working_set * 100 / limit:.0f} % of {binary(limit)}; "
        f"with page cache: {binary(memory.usageBytes or working_set)}"
    ]
    if rss is not None:
        lines.append(f"memory of its processes (rss): {binary(rss)}; files in memory-backed volumes: {binary(files)}")
    return _Usage(pod, container.name, limit, working_set, held, lines)


def _in_memory_volumes(pod: pb.Pod, figures: kubelet.Pod, container: str) -> int:
    """Return the bytes in memory-backed volumes that the container mounts: they count against its limit."""
    mounts = {mount.name for mount in container_named(pod, container).volumeMounts}
    in_memory = {v.name for v in pod.spec.volumes if v.volumeSource.emptyDir.medium == "Memory"}
    return sum(volume.usedBytes or 0 for volume in figures.volume or () if volume.name in mounts & in_memory)


def _near(usage: _Usage, cluster: Cluster) -> Finding:
    return pod_finding(
        usage.pod,
        says=f'container "{usage.container}" is about to reach its memory limit of {binary(usage.limit)}',
        remedy=f"raise its limit, first to {binary(usage.held * ROOM)}, or find out why its memory grows",
        evidence=[*usage.lines, *pod_lines(usage.pod, cluster)],
        severity=Severity.WARNING,
        part=usage.container,
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


@check(oom_killed, near_limit, node_oom, chapter="2.2")
def test_memory_suffices() -> None:
    """Every container stays within its memory limit, and every node has memory left."""
