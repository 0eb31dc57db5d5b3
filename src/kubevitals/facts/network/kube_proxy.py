"""kube-proxy's pods, and what its health port says."""

from collections.abc import Iterator
from concurrent.futures import Future
from typing import NamedTuple

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved, until_unseen
from kubevitals.facts.network.daemon_pods import Lack, lacking, on_node, pods_by_daemon
from kubevitals.facts.nodes.placement import START, belongs_on
from kubevitals.facts.pods.states import is_down
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.give_up import Patience
from kubevitals.inventory.kubelet import RIGHT
from kubevitals.inventory.node_sample import asked_nodes
from kubevitals.objects import internal_address, is_ready, path
from kubevitals.source.request import Answer, Request, Server, refusal
from kubevitals.threshold import Threshold

PORT = 10256
"""kube-proxy's health port unless `healthzBindAddress` says otherwise (KubeProxyConfiguration)."""

PLACE = "kube-system"
"""The namespace that every distribution has kube-proxy in."""

LISTENING = Threshold(
    "kube-proxy.listening", 30, "seconds until a kube-proxy that has started listens on its health port; it takes a few"
)

NONE = (
    "there is no kube-proxy pod: something else forwards Service traffic (Cilium, OVN-Kubernetes, kube-router …), "
    "or kube-proxy runs outside of pods (k3s, MicroK8s)"
)


DEAF = "nothing listens on its health port"
"""What is said of a kube-proxy that is found by this alone; where none listens, the port may be another."""


class Health(msgspec.Struct):
    """What is read of kube-proxy's /livez."""

    lastUpdated: str  # noqa: N815
    currentTime: str = ""  # noqa: N815


_HEALTH = msgspec.json.Decoder(Health)


class Unhealthy(NamedTuple):
    """A kube-proxy that does not answer, or has not brought its rules up to date."""

    node: str
    says: str
    line: str


def daemon_sets(cluster: Cluster) -> list[pb.DaemonSet]:
    """Return kube-proxy's DaemonSets: one, or one for each architecture or system.

    Whoever owns another namespace can call what they like so there.

    Raises:
        NotObserved: its namespace is not looked at.
    """
    cluster.scope.need(PLACE)
    return [ds for ds in cluster.daemon_sets if _is_named(ds.metadata)]


def static_pods(cluster: Cluster) -> list[pb.Pod]:
    """Return kube-proxy's pods that belong to a node, as kOps, RKE2 and GKE make them."""
    return [
        p for p in cluster.pods if _is_named(p.metadata) and any(r.kind == "Node" for r in p.metadata.ownerReferences)
    ]


def pod_on(node: str, cluster: Cluster) -> pb.Pod | None:
    """Return the kube-proxy pod of a node, or nothing."""
    return on_node(daemon_sets(cluster), node, cluster) or cluster.derive(_static_by_node).get(node)


def _static_by_node(cluster: Cluster) -> dict[str, pb.Pod]:
    return {pod.spec.nodeName: pod for pod in static_pods(cluster)}


def lacking_kube_proxy(cluster: Cluster) -> list[Lack]:
    """Return the nodes that are ready and lack the kube-proxy pod that belongs there.

    Of static pods only those are found that are down: nothing says where one belongs.

    Raises:
        NotApplicable: there is no kube-proxy, or a node selector keeps it off all nodes, as it does on Calico's advice.
    """
    sets, static = daemon_sets(cluster), static_pods(cluster)
    specs = [ds.spec.template.spec for ds in sets]
    if not static and not any(belongs_on(spec, node) for spec in specs for node in cluster.nodes):
        raise NotApplicable(NONE)
    down = (pod for pod in static if is_down(pod, cluster, START))
    lacks = [
        *lacking(sets, cluster),
        *(
            Lack(cluster.nodes_by_name[pod.spec.nodeName], pod)
            for pod in down
            if pod.spec.nodeName in cluster.nodes_by_name
        ),
    ]
    return [lack for lack in lacks if is_ready(lack.node)]


def runs_on(cluster: Cluster) -> list[pb.Node]:
    """Return the nodes that are ready, stay, and have a kube-proxy pod that is not down and has not just started.

    Raises:
        NotApplicable: there is no kube-proxy.
    """
    without = {lack.node.metadata.name for lack in cluster.derive(lacking_kube_proxy)}
    uids = {ds.metadata.uid for ds in daemon_sets(cluster)}
    pods = [pod for (uid, _), own in cluster.derive(pods_by_daemon).items() if uid in uids for pod in own]
    own = {pod.spec.nodeName for pod in [*pods, *static_pods(cluster)] if _has_started(pod, cluster)}
    return [n for n in cluster.nodes if n.metadata.name in own - without and is_ready(n) and not _leaves(n)]


def unhealthy_by_api(cluster: Cluster) -> Iterator[Unhealthy]:
    """Yield the kube-proxies whose health port does not say that they are well, asked from where the checks run.

    Raises:
        NotApplicable: there is no kube-proxy.
        NotObserved: kubelets and nodes are not to be asked, may not be, or (after the last) some could not be.
    """
    runs = {node.metadata.name for node in runs_on(cluster)}
    if not cluster.ask_kubelets:
        raise NotObserved("nodes are not asked (--kubelet=none)", unasked=True)
    patience = Patience("kube-proxies")
    nodes = [node for node in asked_nodes(cluster) if node.metadata.name in runs]
    asked = [(node.metadata.name, _ask(node, cluster, patience)) for node in nodes]
    unseen: list[NotObserved] = []
    judged = list(until_unseen(answers(asked, _judged), unseen))
    found = [bad for bad in judged if bad]
    if found and all(bad and bad.says == DEAF for bad in judged):
        raise NotObserved(f"no kube-proxy answers on port {PORT}: healthzBindAddress may be another. {found[0].line}")
    yield from found
    if unseen:
        raise unseen[0]


def _ask(node: pb.Node, cluster: Cluster, patience: Patience) -> Future[Answer]:
    """Ask /livez, which unlike /healthz does not count a node that is to be removed as ill (KEP-3836)."""
    itself = Server.at(internal_address(node), PORT)
    request = Request(f"{path(node)}:{PORT}/proxy/livez", json=_HEALTH, proxied=True, open=itself)
    return cluster.ask_later(request, patience)


def _judged(node: str, answer: Answer) -> Unhealthy | None:
    if answer.status == 200:
        return None
    try:
        health = _HEALTH.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        words = refusal(answer, RIGHT)
        if answer.status != 503 or "connection refused" not in words.reason:
            raise words from None
        return Unhealthy(node, DEAF, words.reason)
    line = f"HTTP {answer.status}: last updated {health.lastUpdated}, now {health.currentTime}"
    return Unhealthy(node, "its rules have not been up to date for two minutes", line)


def _has_started(pod: pb.Pod, cluster: Cluster) -> bool:
    return all(cluster.over(status.state.running.startedAt, LISTENING) for status in pod.status.containerStatuses)


def _is_named(metadata: pb.ObjectMeta) -> bool:
    named = "kube-proxy" in (metadata.name, metadata.labels.get("k8s-app"), metadata.labels.get("component"))
    return metadata.namespace == PLACE and (named or metadata.name.startswith("kube-proxy-"))


def _leaves(node: pb.Node) -> bool:
    """Return whether the node is about to be removed: kube-proxy then says so on /healthz."""
    return node.metadata.HasField("deletionTimestamp") or any(
        taint.key == "ToBeDeletedByClusterAutoscaler" for taint in node.spec.taints
    )
