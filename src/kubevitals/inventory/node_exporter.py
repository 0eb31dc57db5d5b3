"""What node exporters count: queried through the API server, if there are any and the user has the right."""

import re
from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, demanded
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.give_up import Patience
from kubevitals.inventory.node_sample import queried_nodes
from kubevitals.objects import is_ready, path
from kubevitals.probe.report import Conntrack
from kubevitals.source.request import Answer, PlainHttp, Request

_NAMES = frozenset({"node-exporter", "prometheus-node-exporter"})
_NAME_LABELS = ("app.kubernetes.io/name", "app", "k8s-app")
_METRICS = r"node_nf_conntrack_entries(?:_limit)? "
_SAMPLE = re.compile(r"node_nf_conntrack_entries(_limit)? (\d[\d.]{0,20}(?:e[+-]?\d{1,2})?)")


def conntracks(cluster: Cluster, otherwise: NotObserved) -> Iterator[tuple[str, Conntrack]]:
    """Yield each node's connection tracking, by the node's name.

    Raises:
        NotObserved: `otherwise` if there is no node exporter; or nodes are not to be queried; or, after the last one,
            some node exporter gave no figures, or a node has none.
    """
    exporters = [pod for pod in cluster.pods if _is_exporter(pod)]
    if not exporters:
        raise otherwise
    if not cluster.ask_kubelets:
        raise demanded(otherwise, NotObserved("nodes are not queried (--kubelet=none)", unasked=True))
    nodes, patience = {node.metadata.name for node in queried_nodes(cluster)}, Patience("node exporters")
    pods = [pod for pod in exporters if pod.spec.nodeName in nodes]
    yield from answers([(pod, cluster.ask_later(_request(pod), patience)) for pod in pods], _read)
    if without := sorted(nodes - {pod.spec.nodeName for pod in pods}):
        raise NotObserved(f"no node exporter runs on {', '.join(without[:3])}; and {otherwise.reason}")


def _request(pod: pb.Pod) -> Request:
    return Request(PlainHttp(path(pod), 9100, "metrics"), lines=_METRICS)


def _is_exporter(pod: pb.Pod) -> bool:
    """Return whether a pod has a node exporter's name and uses the host network, since others count only their own.

    A user with the right to create ordinary pods can choose the name, but not the host network.
    """
    return (
        is_ready(pod)
        and pod.spec.hostNetwork
        and any(pod.metadata.labels.get(label) in _NAMES for label in _NAME_LABELS)
    )


def _read(pod: pb.Pod, answer: Answer) -> tuple[str, Conntrack]:
    figures = {}
    for line in answer.expect("get pods/proxy").body.decode("utf-8", "replace").splitlines():
        if sample := _SAMPLE.fullmatch(line.strip()):
            figures[sample[1] or ""] = int(float(sample[2]))
    if figures.keys() != {"", "_limit"}:
        raise NotObserved("a node exporter has no figures for connection tracking")
    return pod.spec.nodeName, Conntrack(figures[""], figures["_limit"])
