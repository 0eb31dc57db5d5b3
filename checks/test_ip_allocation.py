"""A pod gets no IP address: its pod sandbox cannot be created.

Meaning:
    The pod is scheduled, but the container runtime cannot create its sandbox, the network namespace that its
    containers share: no IP address is free, the CNI's daemon does not answer, the CNI's plugin or configuration is
    wrong on that node, or the runtime itself fails. Or a node is about to run out of pod addresses.

Impact:
    The pod stays in ContainerCreating, and so does every new pod on that node or in that subnet. Pods that already
    run are not affected.

Diagnosis:
    `kubectl describe pod` shows the event FailedCreatePodSandBox with the plugin's message, and the pod's node.
    On that node look at `/etc/cni/net.d` and `/opt/cni/bin`, and read the log of the CNI's pod. host-local keeps one
    file for each reserved address under `/var/lib/cni/networks`.

Mitigation:
    Free addresses (leaked reservations), or give the node or the subnet more. Get the CNI's pod running again, or
    restore its plugin and configuration. The kubelet then retries by itself.
"""

from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.addresses import cluster_networks, overlaps, pools, strays, used_addresses
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.sandbox_errors import explain, plain
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import event_lines, pod_lines
from kubevitals.findings.explains import SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import ref
from kubevitals.threshold import Threshold

HEADROOM = Threshold(
    "ip-allocation.headroom",
    90,
    "percent of a node's pod addresses in use: a rollout briefly needs more addresses",
)

EXPLAINS = (Explains(("ip-allocation[headroom]",), SAME_NODE, ("ip-allocation[pool-exhausted]",)),)


def pool_exhausted(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that get no IP address because none is free."""
    for symptom in broken_pods(cluster, PodFault.POOL_EXHAUSTED):
        yield _finding(
            symptom,
            cluster,
            f"gets no IP address: {_meaning(symptom)}",
            "free addresses or add some: a larger range for the node, a larger subnet, or fewer pods on the node; if "
            "far more addresses are reserved than pods run there, remove the reservations of pods that are gone",
            _pool_lines(symptom.pod, cluster),
        )


def cni_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose CNI plugin gets no answer from its daemon or the API server, or not in time."""
    for symptom in broken_pods(cluster, PodFault.CNI_UNREACHABLE):
        yield _finding(
            symptom,
            cluster,
            f"gets no network: {_meaning(symptom)}",
            "check that the CNI's pod on the node runs, read its log, and check that the node reaches the API server",
        )


def cni_misconfigured(cluster: Cluster) -> Iterator[Finding]:
    """Find pods on nodes with a wrong CNI configuration or missing plugins, and nodes with a wrong podCIDR.

    A podCIDR is wrong if it overlaps another node's, or lies outside the cluster's networks.
    """
    yield from _overlapping(cluster)
    yield from _outside(cluster)
    for symptom in broken_pods(cluster, PodFault.CNI_MISCONFIGURED):
        yield _finding(
            symptom,
            cluster,
            f"gets no network: {_meaning(symptom)}",
            "restore the CNI's configuration (/etc/cni/net.d) and plugins (/opt/cni/bin) on the node: usually the "
            "CNI's pod does that when it is restarted",
        )


def _overlapping(cluster: Cluster) -> Iterator[Finding]:
    for node, network, older, older_network in overlaps(cluster):
        yield Finding(
            ref(node),
            says=f"podCIDR {network} overlaps {older_network} of node {older.metadata.name}",
            remedy="delete the Node and let it join again with its own podCIDR: an assigned podCIDR cannot be changed",
            evidence=[
                f"podCIDR of {node.metadata.name}: {network}",
                f"podCIDR of {older.metadata.name}: {older_network}",
                *event_lines(node, cluster),
            ],
        )


def _outside(cluster: Cluster) -> Iterator[Finding]:
    networks = ", ".join(map(str, cluster_networks(cluster)))
    for node, network in strays(cluster):
        yield Finding(
            ref(node),
            says=f"podCIDR {network} is outside the cluster's {networks}: other nodes have no route to it",
            remedy="delete the Node and let it join again with a podCIDR of the cluster: an assigned podCIDR cannot be "
            "changed",
            evidence=[
                f"podCIDR of {node.metadata.name}: {network}",
                f"--cluster-cidr of kube-controller-manager: {networks}",
                *event_lines(node, cluster),
            ],
        )


def sandbox_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose sandbox cannot be created, with a message that is not in the table of known ones."""
    for symptom in broken_pods(cluster, PodFault.SANDBOX_FAILED):
        yield _finding(
            symptom,
            cluster,
            f"pod sandbox cannot be created: {plain(symptom.words, symptom.pod)}",
            "fix what the container runtime reports; its log on the node may say more",
        )


def headroom(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes with most of their pod addresses in use, before the next pod gets none.

    On a dual-stack node, the fuller of the two address ranges counts.
    """
    by_node = cluster.derive(pools)
    if not by_node:
        raise NotApplicable("no node has a podCIDR: pod addresses come from elsewhere, a cloud's subnet for instance")
    if not any(pool.used for node_pools in by_node.values() for pool in node_pools) and any(
        map(used_addresses, cluster.pods)
    ):
        raise NotApplicable("the CNI takes no pod address from the nodes' podCIDRs")
    for node in cluster.nodes:
        fullest = next(iter(by_node.get(node.metadata.name, ())), None)
        if fullest and fullest.percent >= cluster.limit(HEADROOM):
            yield Finding(
                ref(node),
                says=f"has few pod addresses left: {fullest} are in use",
                remedy="move pods to other nodes or add nodes; new nodes can be given larger podCIDRs",
                evidence=[
                    *(f"{pool} are in use" for pool in by_node[node.metadata.name]),
                    *event_lines(node, cluster),
                ],
                severity=Severity.WARNING,
            )


def _meaning(symptom: Symptom) -> str:
    error = explain(symptom.words)
    return error.means if error else ""


def _pool_lines(pod: pb.Pod, cluster: Cluster) -> Iterator[str]:
    try:
        for pool in cluster.derive(pools).get(pod.spec.nodeName, ()):
            yield f"{pool} are in use"
    except NotObserved as error:
        yield f"addresses not observed: {error}"


def _finding(symptom: Symptom, cluster: Cluster, says: str, remedy: str, more: Iterable[str] = ()) -> Finding:
    pod = symptom.pod
    lines = [*pod_lines(pod, cluster), *more]
    if not any(symptom.words in line for line in lines):
        lines.insert(1, symptom.words)
    return pod_finding(pod, says=says, remedy=remedy, evidence=lines)


@check(pool_exhausted, cni_unreachable, cni_misconfigured, sandbox_failed, chapter="1.1")
def test_pods_get_addresses() -> None:
    """Every scheduled pod gets a sandbox with an IP address."""


@check(headroom, chapter="1.1")
def test_pod_ip_headroom() -> None:
    """Every node has free addresses for new pods."""
