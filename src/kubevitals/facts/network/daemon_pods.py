"""Which nodes have no working pod of a DaemonSet that should run there, whatever the DaemonSet's status counts."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.nodes.distributions import is_self_contained
from kubevitals.facts.nodes.lifecycle import settled_nodes
from kubevitals.facts.nodes.placement import START, belongs_on, exclusion, meant_for
from kubevitals.facts.pods.container_probe_events import still_fails
from kubevitals.facts.pods.container_probes import ProbeKind
from kubevitals.facts.pods.down_lines import down_lines
from kubevitals.facts.pods.log_lines import last_words, telling_line
from kubevitals.facts.pods.states import crash, is_down
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import is_finished, statuses


class NodeWithoutDaemon(NamedTuple):
    """A node where a daemon should run and does not.

    Attributes:
        pod: the daemon's pod for that node, if there is one.
        because: why there should be a pod, or why there is none, in words that follow "has no … pod".
        remedy: what to do about it.
    """

    node: pb.Node
    pod: pb.Pod | None
    because: str = "although its DaemonSet should run one there"
    remedy: str = (
        "check the pod's logs and events; if there is no pod at all, check that kube-controller-manager is running"
    )

    def problem(self, daemon: str) -> str:
        """Return what is wrong, in words that follow the node's name."""
        if self.pod is None:
            return f"has no {daemon} pod {self.because}"
        if not self.pod.spec.nodeName:
            return f"has no {daemon} pod: the pod for this node is not scheduled"
        waiting = next((s.state.waiting.reason for s in statuses(self.pod) if s.state.waiting.reason), "")
        return f"has a {daemon} pod that is not ready" + (f": {waiting}" if waiting else "")

    def last_error(self, cluster: Cluster) -> str:
        """Return the last error of a container that keeps crashing, or how the readiness probe of one fails, or ""."""
        for status in statuses(self.pod) if self.pod else ():
            with suppress(NotObserved):  # the evidence says what could not be read
                if self.pod and crash(self.pod, status, cluster):
                    return telling_line(cluster.log(self.pod, status.name, previous=not _has_ended(status)))
                if self.pod and status.state.HasField("running") and not status.ready:
                    return _last_reply(self.pod, status, cluster)
        return ""

    def evidence(self, cluster: Cluster) -> Iterator[str]:
        """Yield how the pod's containers ended, and its events; nothing if there is no pod."""
        if self.pod is None:
            return
        yield f"pod: {self.pod.metadata.namespace}/{self.pod.metadata.name}"
        yield from down_lines(self.pod, cluster)


def _last_reply(pod: pb.Pod, status: pb.ContainerStatus, cluster: Cluster) -> str:
    """Return the last line with which a readiness probe still fails."""
    failing = still_fails(pod, status.name, ProbeKind.READINESS, cluster)
    return last_words(failing.words.splitlines()) if failing else ""


def _has_ended(status: pb.ContainerStatus) -> bool:
    return status.state.HasField("terminated")


def nodes_without_daemon(daemon_sets: Sequence[pb.DaemonSet], cluster: Cluster) -> Iterator[NodeWithoutDaemon]:
    """Yield the nodes where one of the DaemonSets should run and none of them has a ready pod.

    DaemonSets and pods younger than `daemon-set.start` are skipped. Whether the node itself is ready is for the caller
    to judge.

    Raises:
        NotObserved: after the last one, if a pod is not listed and the list may be incomplete.
    """
    pods = cluster.derive(pods_by_daemon)
    settled = [ds for ds in daemon_sets if cluster.over(ds.metadata.creationTimestamp, START)]
    namespaces = {ds.metadata.namespace for ds in settled}
    unseen: set[str] = set()
    for node in cluster.derive(settled_nodes):
        if any(belongs_on(ds.spec.template.spec, node) for ds in settled):
            node_pods = [pod for ds in daemon_sets for pod in pods.get((ds.metadata.uid, node.metadata.name), ())]
            if not node_pods and not all(map(cluster.is_complete, namespaces)):
                unseen |= namespaces
            elif all(is_down(pod, cluster, START) for pod in node_pods):
                yield NodeWithoutDaemon(node, node_pods[-1] if node_pods else None)
    cluster.need_complete(*unseen)


EXCLUDED = "let the DaemonSet run on this node: add the toleration, or correct its nodeSelector or node affinity"


def excluded_nodes(daemon_sets: Sequence[pb.DaemonSet], cluster: Cluster) -> Iterator[NodeWithoutDaemon]:
    """Yield the nodes that all of the DaemonSets exclude although ordinary pods run there, which need the daemon.

    Windows nodes are skipped, and nodes with their network built in.
    """
    pods = cluster.derive(pods_by_daemon)
    ordinary = cluster.derive(_nodes_with_ordinary_pods)
    for node in cluster.derive(settled_nodes):
        name = node.metadata.name
        if name not in ordinary or is_windows(node) or is_self_contained(node):
            continue
        reasons = [(ds, exclusion(ds.spec.template.spec, node)) for ds in daemon_sets]
        if all(reason and not pods.get((ds.metadata.uid, name)) for ds, reason in reasons):
            for daemon_set, reason in reasons[:1]:
                because = f"although other pods run there: DaemonSet {daemon_set.metadata.name} excludes it: {reason}"
                yield NodeWithoutDaemon(node, None, because, EXCLUDED)


def _nodes_with_ordinary_pods(cluster: Cluster) -> set[str]:
    ordinary = (pod for pods in cluster.alike_pods if _is_ordinary(pods[0]) for pod in pods)
    return {pod.spec.nodeName for pod in ordinary if not is_finished(pod)}


def _is_ordinary(pod: pb.Pod) -> bool:
    daemons = any(owner.controller and owner.kind in ("DaemonSet", "Node") for owner in pod.metadata.ownerReferences)
    return not daemons and not pod.spec.hostNetwork


def is_windows(node: pb.Node) -> bool:
    """Return whether the node runs Windows, where a CNI or kube-proxy may run outside of pods."""
    return "windows" in (node.metadata.labels.get("kubernetes.io/os"), node.status.nodeInfo.operatingSystem)


def pods_by_daemon(cluster: Cluster) -> Mapping[tuple[str, str], list[pb.Pod]]:
    """Return the pods of every DaemonSet, by its uid and the name of the node where they run or are to run.

    A pod in another namespace than the DaemonSet does not belong to it, whatever its ownerReferences say.
    """
    namespaces = {ds.metadata.uid: ds.metadata.namespace for ds in cluster.daemon_sets}
    pods: dict[tuple[str, str], list[pb.Pod]] = defaultdict(list)
    for alike in cluster.alike_pods:
        for owner in alike[0].metadata.ownerReferences:
            is_daemon = owner.controller and owner.kind == "DaemonSet"
            for pod in alike if is_daemon and namespaces.get(owner.uid) == alike[0].metadata.namespace else ():
                pods[owner.uid, pod.spec.nodeName or min(meant_for(pod.spec), default="")].append(pod)
    return pods


def on_node(daemon_sets: Iterable[pb.DaemonSet], node: str, cluster: Cluster) -> pb.Pod | None:
    """Return a pod of one of the DaemonSets on a node, if there is one."""
    pods = cluster.derive(pods_by_daemon)
    return next((pod for ds in daemon_sets for pod in pods.get((ds.metadata.uid, node), ())), None)
