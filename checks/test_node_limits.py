"""A limit of a node's kernel is reached or near: open files, threads, or what one user may watch with inotify.

Meaning:
    All pods of a node share one kernel, which allows a number of open files and of threads in all, and a number of
    inotify instances and watches for each user ID: all containers that run as root share those of root. Limits of a
    single pod or process (`ulimit -n`, the kubelet's `podPidsLimit`) are others.

Impact:
    Programs fail to open files, to start processes and threads, or to watch their configuration, in pods that have done
    nothing wrong: the next program that asks is refused. The kubelet and the container runtime are refused as well.

Diagnosis:
    On the node: `cat /proc/sys/fs/file-nr` (in use, 0, the most), `ps -eLf | wc -l` beside `sysctl kernel.pid_max
    kernel.threads-max`, and `sysctl fs.inotify`. `find /proc/*/fd -lname anon_inode:inotify` shows who has inotify
    instances. How many are in use only root on the node can see: of inotify, only what pods report is observed.

Mitigation:
    Find the program that leaks, and restart it. Raise the limit on the node, in a file in `/etc/sysctl.d` so that it
    outlives a reboot.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from kubevitals.errors import NotObserved, NotRecorded
from kubevitals.facts.network.reach import node_names, require_all
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.inotify import reached_limit
from kubevitals.facts.pods.states import crash
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import container_lines, pod_lines
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import probed
from kubevitals.objects import Ref
from kubevitals.probe.report import KernelLimits
from kubevitals.threshold import Threshold

WARNING = Threshold("node-limits.warning", 80, "percent of what the node's kernel allows")
ERROR = Threshold(
    "node-limits.error", 95, "percent of what the node's kernel allows: a few processes more, and all are refused"
)

REFUSED_FILES = "too many open files in system|enfile"
REFUSED_THREADS = (
    "can(?:no|')t fork|fork.{0,40}(?:failed|unavailable)|resource temporarily unavailable|pthread_create|"
    "unable to create (?:new )?native thread|newosproc"
)
"""What programs say if the kernel refuses them a file (ENFILE) or a process or thread (EAGAIN)."""

REFUSED = ("startup-error", "ip-allocation[sandbox-failed]", "liveness-probe")

EXPLAINS = (
    Explains(("node-limits[open-files]",), SAME_NODE, REFUSED, REFUSED_FILES),
    Explains(("node-limits[threads]",), SAME_NODE, REFUSED, REFUSED_THREADS),
)


class Use(NamedTuple):
    """How much of a limit is in use, and the sysctl that sets it."""

    used: int
    most: int
    sysctl: str


def open_files(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes on which nearly as many files are open as the kernel allows."""
    yield from _near(_files, "open files", cluster)


def threads(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes on which nearly as many processes and threads exist as the kernel allows."""
    yield from _near(_threads, "processes and threads", cluster)


def _files(limits: KernelLimits) -> Use | None:
    if limits.files is None or limits.files_max is None:
        return None
    return Use(limits.files, limits.files_max, "fs.file-max")


def _threads(limits: KernelLimits) -> Use | None:
    """Return the use of the lower one of two limits."""
    if limits.threads is None or limits.pid_max is None or limits.threads_max is None:
        return None
    if limits.threads_max < limits.pid_max:
        return Use(limits.threads, limits.threads_max, "kernel.threads-max")
    return Use(limits.threads, limits.pid_max, "kernel.pid_max")


def _near(use_of: Callable[[KernelLimits], Use | None], what: str, cluster: Cluster) -> Iterator[Finding]:
    results = probed(cluster)
    unread, unrecorded = [], []
    for report in results.of("host"):
        if report.limits is None:
            unrecorded.append(report.node)
        elif use := use_of(report.limits):
            yield from _finding(report.node, use, what, cluster)
        else:
            unread.append(report.node)
    if unread:
        raise NotObserved(f"the probe could not read the limit of {what} on {node_names(unread)}")
    require_all(results, "host")
    if unrecorded:
        raise NotRecorded(f"the probe did not read the limit of {what} on {node_names(unrecorded)}")


def _finding(node: str, use: Use, what: str, cluster: Cluster) -> Iterator[Finding]:
    percent = 100 * use.used / use.most if use.most else 0
    if percent < min(cluster.limit(WARNING), cluster.limit(ERROR)):
        return
    full = percent >= cluster.limit(ERROR)
    yield Finding(
        Ref("Node", "", node),
        says=f"has {'hardly any' if full else 'few'} {what} left of those that its kernel allows",
        remedy=f"find what has so many, and restart it; or raise {use.sysctl} on the node",
        evidence=[f"{use.used:,} of {use.most:,} ({use.sysctl}), {percent:.0f} %"],
        severity=Severity.ERROR if full else Severity.WARNING,
    )


def inotify(cluster: Cluster) -> Iterator[Finding]:
    """Find containers that crash or are not ready because they may not watch files any more.

    They report it themselves: in their log, in their termination message, or in the answer to a probe.
    """
    for symptom in broken_pods(cluster, PodFault.INOTIFY):
        pod, status = symptom.pod, symptom.status
        limit = reached_limit(symptom.words)
        state = "is crash-looping" if crash(pod, status, cluster) else "is not ready"
        yield pod_finding(
            pod,
            says=f'container "{status.name}" {state} because its user has no {limit.counts} left on the node, '
            f"which is not about a disk: {symptom.words}",
            remedy=f"raise {limit.sysctl} on the node, or find which containers of the same user ID use so many",
            evidence=[*container_lines(pod, status, cluster), *pod_lines(pod, cluster)],
            severity=symptom.severity,
            part=status.name,
        )


@check(open_files, threads, inotify, chapter="6.8")
def test_node_limits_are_not_reached() -> None:
    """Every node's kernel has open files, threads and inotify left."""
