"""kube-proxy's pods, and what its health port reports."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved, observed
from kubevitals.facts.network.daemon_pods import (
    NodeWithoutDaemon,
    excluded_nodes,
    is_windows,
    nodes_without_daemon,
    on_node,
    pods_by_daemon,
)
from kubevitals.facts.nodes.distributions import built_in_kube_proxy
from kubevitals.facts.nodes.lifecycle import removal, settled_nodes
from kubevitals.facts.nodes.placement import START, belongs_on
from kubevitals.facts.pods.states import is_down
from kubevitals.inventory.circuit_breaker import CircuitBreaker, StartedRequest
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.kubelet import RIGHT
from kubevitals.inventory.node_sample import node_breaker, queried_nodes
from kubevitals.objects import internal_address, is_ready, is_virtual, path
from kubevitals.source.request import Answer, PlainHttp, Request, refusal
from kubevitals.threshold import Threshold

PORT = 10256
"""kube-proxy's health port, unless `healthzBindAddress` in KubeProxyConfiguration changes it."""

NAMESPACE = "kube-system"
"""The namespace where every distribution runs kube-proxy."""

LISTENING = Threshold(
    "kube-proxy.listening", 30, "seconds that a kube-proxy may take from its start until it listens on its health port"
)

NONE = (
    "there is no kube-proxy pod: another component forwards Service traffic (Cilium, OVN-Kubernetes, kube-router …), "
    "or kube-proxy does not run as a pod (k3s, MicroK8s)"
)

NO_ANSWERS = f"no kube-proxy answers on port {PORT}: healthzBindAddress may be set to another port"
"""Why the health of kube-proxies is not observed if none of them listens on the usual port."""


class Health(msgspec.Struct):
    """The fields that are read from kube-proxy's /livez."""

    lastUpdated: str  # noqa: N815
    currentTime: str = ""  # noqa: N815


_HEALTH = msgspec.json.Decoder(Health)


class Unhealthy(NamedTuple):
    """A kube-proxy that does not report healthy on its health port.

    Attributes:
        problem: what is wrong, in words that follow "kube-proxy is unhealthy".
        evidence: what was answered.
        refused: whether nothing listens on the port.
    """

    node: str
    problem: str
    evidence: str
    refused: bool = False


def daemon_sets(cluster: Cluster) -> list[pb.DaemonSet]:
    """Return kube-proxy's DaemonSets: one, or one for each architecture or operating system.

    Only those in kube-system: in other namespaces any user can use the name.

    Raises:
        NotObserved: this run does not look at kube-system.
    """
    cluster.scope.need(NAMESPACE)
    return [ds for ds in cluster.daemon_sets if _is_named(ds.metadata)]


def static_pods(cluster: Cluster) -> list[pb.Pod]:
    """Return the kube-proxy pods that are static pods, as in kOps, RKE2 and GKE."""
    return [pod for pods in cluster.alike_pods if _is_static(pods[0]) for pod in pods if _is_named(pod.metadata)]


def _is_static(pod: pb.Pod) -> bool:
    return any(reference.kind == "Node" for reference in pod.metadata.ownerReferences)


def pod_on(node: str, cluster: Cluster) -> pb.Pod | None:
    """Return the kube-proxy pod on a node, if there is one."""
    return on_node(daemon_sets(cluster), node, cluster) or cluster.derive(_static_by_node).get(node)


def _static_by_node(cluster: Cluster) -> dict[str, pb.Pod]:
    return {pod.spec.nodeName: pod for pod in static_pods(cluster)}


def nodes_without_kube_proxy(cluster: Cluster) -> list[NodeWithoutDaemon]:
    """Return the ready nodes without a working kube-proxy pod where one should run.

    If kube-proxy runs as static pods, every node needs one; a node that its DaemonSets exclude does if ordinary pods
    run there.

    Raises:
        NotApplicable: there is no kube-proxy, or a nodeSelector keeps it off all nodes, as Calico's eBPF guide advises.
        NotObserved: a pod of it is not listed, and the list may be incomplete.
    """
    proxies, static = daemon_sets(cluster), static_pods(cluster)
    specs = [ds.spec.template.spec for ds in proxies]
    machines = [node for node in cluster.nodes if not is_virtual(node)]
    if not static and not any(belongs_on(spec, node) for spec in specs for node in machines):
        cluster.need_complete(NAMESPACE)
        raise NotApplicable(built_in_kube_proxy(machines) or NONE)
    judged = {node.metadata.name: node for node in cluster.derive(settled_nodes)}
    static_down = [pod for pod in static if is_down(pod, cluster, START) and pod.spec.nodeName in judged]
    without = [
        *nodes_without_daemon(proxies, cluster),
        *(NodeWithoutDaemon(judged[pod.spec.nodeName], pod) for pod in static_down),
        *(_without_static(static, cluster) if static else excluded_nodes(proxies, cluster)),
    ]
    by_node = {missing.node.metadata.name: missing for missing in reversed(without)}
    return [missing for missing in by_node.values() if is_ready(missing.node)]


STATIC = "see whether the kubelet on the node still has kube-proxy's manifest among its static pods (staticPodPath)"


def _without_static(static: Collection[pb.Pod], cluster: Cluster) -> Iterator[NodeWithoutDaemon]:
    """Yield the Linux nodes without a kube-proxy pod of any kind, while other nodes run it as a static pod."""
    have = {pod.spec.nodeName for pod in static}
    for node in cluster.derive(settled_nodes):
        name = node.metadata.name
        if name not in have and not is_windows(node) and not on_node(daemon_sets(cluster), name, cluster):
            cluster.need_complete(NAMESPACE)
            yield NodeWithoutDaemon(node, None, "although other nodes run it as a static pod", STATIC)


def runs_on(cluster: Cluster) -> list[pb.Node]:
    """Return the ready nodes with a working kube-proxy pod that has not just started, except nodes being removed.

    On a node that is being removed, kube-proxy's /healthz reports unhealthy.

    Raises:
        NotApplicable: there is no kube-proxy.
    """
    without = {missing.node.metadata.name for missing in cluster.derive(nodes_without_kube_proxy)}
    uids = {ds.metadata.uid for ds in daemon_sets(cluster)}
    daemons = [pod for (uid, _), pods in cluster.derive(pods_by_daemon).items() if uid in uids for pod in pods]
    started = {pod.spec.nodeName for pod in [*daemons, *static_pods(cluster)] if _has_started(pod, cluster)}
    working = started - without
    return [n for n in cluster.nodes if n.metadata.name in working and is_ready(n) and not removal(n)]


def unhealthy_by_api(cluster: Cluster) -> Iterator[Unhealthy]:
    """Yield the kube-proxies that do not report healthy when their health port is queried without the probe.

    Raises:
        NotApplicable: there is no kube-proxy.
        NotObserved: nodes must not be queried, cannot be, or (raised last) some could not be.
    """
    working = {node.metadata.name for node in runs_on(cluster)}
    if not cluster.ask_kubelets:
        raise NotObserved("nodes are not queried (--kubelet=none)", unasked=True)
    nodes = [node for node in queried_nodes(cluster) if node.metadata.name in working]
    breaker = node_breaker(cluster, "kube-proxies", len(nodes))
    requests = [(node.metadata.name, _ask(node, cluster, breaker)) for node in nodes]
    judged = observed(answers(requests, _judged))
    unhealthy = [proxy for proxy in judged.items if proxy]
    if unhealthy and all(proxy and proxy.refused for proxy in judged.items):
        raise NotObserved(f"{NO_ANSWERS}. {unhealthy[0].evidence}")
    yield from unhealthy
    if judged.unseen:
        raise judged.unseen


def _ask(node: pb.Node, cluster: Cluster, breaker: CircuitBreaker) -> StartedRequest:
    """Query /livez: unlike /healthz, it stays healthy on a node that is about to be removed (KEP-3836)."""
    health = PlainHttp(path(node), PORT, "livez", internal_address(node))
    return cluster.fetcher.submit(Request(health, json=_HEALTH), breaker)


def _judged(node: str, answer: Answer) -> Unhealthy | None:
    if answer.status == 200:
        return None
    try:
        health = _HEALTH.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        refused = refusal(answer, RIGHT)
        if answer.status != 503 or "connection refused" not in refused.reason:
            raise refused from None
        return Unhealthy(node, f"nothing listens on port {PORT}", refused.reason, refused=True)
    evidence = f"HTTP {answer.status}: last updated {health.lastUpdated}, now {health.currentTime}"
    return Unhealthy(node, "it has not updated its Service rules for more than two minutes", evidence)


def _has_started(pod: pb.Pod, cluster: Cluster) -> bool:
    return all(cluster.over(status.state.running.startedAt, LISTENING) for status in pod.status.containerStatuses)


def _is_named(metadata: pb.ObjectMeta) -> bool:
    named = "kube-proxy" in (metadata.name, metadata.labels.get("k8s-app"), metadata.labels.get("component"))
    return metadata.namespace == NAMESPACE and (named or metadata.name.startswith("kube-proxy-"))
