"""What node exporters count: queried through the API server, if there are any and the user has the right."""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, main_reason
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.node_sample import node_breaker, queried_nodes
from kubevitals.inventory.prometheus import samples
from kubevitals.objects import is_ready, path
from kubevitals.probe.report import Conntrack
from kubevitals.source.request import Answer, PlainHttp, Request

_NAMES = frozenset({"node-exporter", "prometheus-node-exporter"})
_NAME_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")
_METRICS = r"node_nf_conntrack_entries(?:_limit)? "
_COUNT, _MAXIMUM = "node_nf_conntrack_entries", "node_nf_conntrack_entries_limit"


def conntracks(cluster: Cluster, no_probe: NotObserved) -> Iterator[tuple[str, Conntrack]]:
    """Yield each node's connection tracking, by the node's name.

    Raises:
        NotObserved: `no_probe` if there is no node exporter; or nodes are not to be queried; or, after the last one,
            some node exporter gave no figures, or a node has none.
    """
    exporters = [pod for pods in cluster.alike_pods if _is_exporter(pods[0]) for pod in pods if is_ready(pod)]
    if not exporters:
        raise no_probe
    if not cluster.ask_kubelets:
        raise main_reason(no_probe, NotObserved("nodes are not queried (--kubelet=none)", unasked=True))
    nodes = {node.metadata.name for node in queried_nodes(cluster)}
    pods = [pod for pod in exporters if pod.spec.nodeName in nodes]
    breaker = node_breaker(cluster, "node exporters", len(pods))
    yield from answers([(pod, cluster.fetcher.submit(_request(pod), breaker)) for pod in pods], _read)
    if without := sorted(nodes - {pod.spec.nodeName for pod in pods}):
        reason = f"no node exporter runs on {', '.join(without[:3])}; and {no_probe.reason}"
        raise NotObserved(reason)


def _request(pod: pb.Pod) -> Request:
    return Request(PlainHttp(path(pod), 9100, "metrics"), lines=_METRICS)


def _is_exporter(pod: pb.Pod) -> bool:
    """Return whether the pod is labelled as a node exporter and is in its node's network.

    A pod in the pod network counts its own connections only. A user who may create ordinary pods can set the label, but
    cannot get the host's network.
    """
    return pod.spec.hostNetwork and any(pod.metadata.labels.get(label) in _NAMES for label in _NAME_LABELS)


def _read(pod: pb.Pod, answer: Answer) -> tuple[str, Conntrack]:
    values = {sample.name: int(sample.value) for sample in samples(answer, "get pods/proxy")}
    if not {_COUNT, _MAXIMUM} <= values.keys():
        raise NotObserved("a node exporter has no figures for connection tracking")
    return pod.spec.nodeName, Conntrack(values[_COUNT], values[_MAXIMUM])
