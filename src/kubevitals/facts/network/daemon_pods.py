"""Which nodes lack a pod of a DaemonSet that belongs there, whatever the DaemonSet's own count says."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.nodes.placement import START, belongs_on
from kubevitals.facts.pods.states import crash, is_down
from kubevitals.findings.evidence import container_lines, pod_lines
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import ref, statuses


class Lack(NamedTuple):
    """A node where a daemon belongs and does not run.

    Attributes:
        pod: the daemon's pod there; nothing where there is none.
    """

    node: pb.Node
    pod: pb.Pod | None

    def says(self, daemon: str) -> str:
        """Return what is wrong, in words that go behind the node's name."""
        if self.pod is None:
            return f"has no {daemon} pod, though one belongs there"
        waiting = next((s.state.waiting.reason for s in statuses(self.pod) if s.state.waiting.reason), "")
        if not self.pod.spec.nodeName:
            return f"has no {daemon} pod: the one for it is not scheduled"
        return f"has a {daemon} pod that is not ready" + (f": {waiting}" if waiting else "")

    def finding(self, daemon: str, suffers: str, look: str, cluster: Cluster) -> Finding:
        """Return the finding on the node; `look` is where to look further where there is no pod to describe."""
        return Finding(
            ref(self.node),
            says=f"{self.says(daemon)}: {suffers}",
            remedy="bring the pod back: follow its log and events; where there is none, see whether the controller "
            "manager runs",
            evidence=self.lines(cluster),
            concerns=(ref(self.pod),) if self.pod else (),
            look=ref(self.pod).kubectl("describe") if self.pod else look,
        )

    def lines(self, cluster: Cluster) -> Iterator[str]:
        """Yield what a person would look at: the pod's end and events, or that there is no pod."""
        if self.pod is None:
            return
        yield f"pod: {self.pod.metadata.namespace}/{self.pod.metadata.name}"
        for status in statuses(self.pod):
            if crash(self.pod, status, cluster):
                yield from container_lines(self.pod, status, cluster)
        yield from pod_lines(self.pod, cluster)


def lacking(daemon_sets: Sequence[pb.DaemonSet], cluster: Cluster) -> Iterator[Lack]:
    """Yield the nodes where one of the DaemonSets belongs and none of them has a ready pod.

    Nodes, DaemonSets and pods that are younger than `daemon-set.start` are left alone. Whether the node itself is
    ready is for the caller to judge.
    """
    pods = cluster.derive(pods_by_daemon)
    wanted = [ds for ds in daemon_sets if cluster.over(ds.metadata.creationTimestamp, START)]
    for node in cluster.nodes:
        if not cluster.over(node.metadata.creationTimestamp, START):
            continue
        if any(belongs_on(ds.spec.template.spec, node) for ds in wanted):
            own = [pod for ds in daemon_sets for pod in pods.get((ds.metadata.uid, node.metadata.name), ())]
            if not own or all(is_down(pod, cluster, START) for pod in own):
                yield Lack(node, own[-1] if own else None)


def pods_by_daemon(cluster: Cluster) -> Mapping[tuple[str, str], list[pb.Pod]]:
    """Return the pods of every DaemonSet, by its uid and the name of the node that they are on or meant for.

    A pod of another namespace may name it as its owner, and is none of its pods.
    """
    namespaces = {ds.metadata.uid: ds.metadata.namespace for ds in cluster.daemon_sets}
    found: dict[tuple[str, str], list[pb.Pod]] = defaultdict(list)
    for pod in cluster.pods:
        for reference in pod.metadata.ownerReferences:
            claims = reference.controller and reference.kind == "DaemonSet"
            if claims and namespaces.get(reference.uid) == pod.metadata.namespace:
                found[reference.uid, pod.spec.nodeName or meant_for(pod)].append(pod)
    return found


def on_node(daemon_sets: Iterable[pb.DaemonSet], node: str, cluster: Cluster) -> pb.Pod | None:
    """Return a pod of the DaemonSets on a node, or nothing."""
    pods = cluster.derive(pods_by_daemon)
    return next((pod for ds in daemon_sets for pod in pods.get((ds.metadata.uid, node), ())), None)


def meant_for(pod: pb.Pod) -> str:
    """Return the node that the DaemonSet controller wrote into the affinity of a pod that is not scheduled yet."""
    terms = pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
    return next((f.values[0] for t in terms for f in t.matchFields if f.key == "metadata.name" and f.values), "")
