"""A pod gets no IP address: its sandbox cannot be made.

Meaning:
    The pod is on its node, but the container runtime cannot make its sandbox, the network namespace that all its
    containers share: the pool of addresses is used up, the CNI's daemon does not answer, its plugin or
    configuration is wrong on that node, or the runtime itself fails. Or a node is about to run out of addresses.

Impact:
    The pod stays in ContainerCreating. So does every new pod on that node, or in that subnet; what runs goes on.

Diagnosis:
    `kubectl describe pod` shows FailedCreatePodSandBox with the plugin's words; the node is in the pod's spec.
    On the node: `/etc/cni/net.d`, `/opt/cni/bin`, the log of the CNI's pod; for host-local the reservations, a
    file for each address, under `/var/lib/cni/networks`.

Mitigation:
    Free addresses (finished pods, leaked reservations), or give the node or the subnet more; bring the CNI's pod
    back; restore its plugin and configuration. The kubelet tries again by itself.
"""

from collections.abc import Iterable, Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.network.addresses import cluster_networks, held_addresses, overlaps, pools, strays
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
    "percent of a node's pod addresses in use: a rollout briefly needs more than the pods of now",
)

EXPLAINS = (Explains(("ip-allocation[headroom]",), SAME_NODE, ("ip-allocation[pool-exhausted]",)),)


def pool_exhausted(cluster: Cluster) -> Iterator[Finding]:
    """Find pods for which no address is left."""
    for symptom in broken_pods(cluster, PodFault.POOL_EXHAUSTED):
        yield _finding(
            symptom,
            cluster,
            f"gets no IP address: {_meaning(symptom)}",
            "free addresses or add some: a larger node range or subnet, fewer pods on the node; where far fewer pods "
            "run there than addresses are taken, remove reservations that no pod holds any more",
            _pool_lines(symptom.pod, cluster),
        )


def cni_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose CNI plugin does not reach its daemon or the API server, or not in time."""
    for symptom in broken_pods(cluster, PodFault.CNI_UNREACHABLE):
        yield _finding(
            symptom,
            cluster,
            f"gets no network: {_meaning(symptom)}",
            "bring the CNI's pod on the node back and read its log; see whether the node reaches the API server",
        )


def cni_misconfigured(cluster: Cluster) -> Iterator[Finding]:
    """Find pods on nodes whose CNI configuration or plugins are wrong, and nodes whose podCIDR is.

    A podCIDR is wrong that is another node's too, or none of the cluster's.
    """
    for node, own, other, its in overlaps(cluster):
        yield Finding(
            ref(node),
            says=f"has pod addresses {own} that overlap {its} of node {other.metadata.name}",
            remedy="delete the Node and let it join again with a podCIDR of its own: it cannot be changed",
            evidence=[
                f"podCIDR of {node.metadata.name}: {own}",
                f"podCIDR of {other.metadata.name}: {its}",
                *event_lines(node, cluster),
            ],
        )
    for node, own in strays(cluster):
        networks = ", ".join(map(str, cluster_networks(cluster)))
        yield Finding(
            ref(node),
            says=f"has pod addresses {own}, outside the cluster's {networks}: no other node has a way to them",
            remedy="delete the Node and let it join again with a podCIDR of the cluster's: it cannot be changed",
            evidence=[
                f"podCIDR of {node.metadata.name}: {own}",
                f"--cluster-cidr of kube-controller-manager: {networks}",
                *event_lines(node, cluster),
            ],
        )
    for symptom in broken_pods(cluster, PodFault.CNI_MISCONFIGURED):
        yield _finding(
            symptom,
            cluster,
            f"gets no network: {_meaning(symptom)}",
            "restore the CNI's configuration (/etc/cni/net.d) and plugins (/opt/cni/bin) on the node: "
            "mostly its DaemonSet does that when its pod there is restarted",
        )


def sandbox_failed(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose sandbox cannot be made for a reason that is in no table."""
    for symptom in broken_pods(cluster, PodFault.SANDBOX_FAILED):
        yield _finding(
            symptom,
            cluster,
            f"gets no sandbox: {plain(symptom.words, symptom.pod)}",
            "follow the message of the container runtime; its log on the node may say more",
        )


def headroom(cluster: Cluster) -> Iterator[Finding]:
    """Find nodes whose pods hold most of the node's addresses, before the next pod gets none.

    Of the two families of a dual-stack node the tighter one counts.
    """
    every = cluster.derive(pools)
    if not every:
        raise NotApplicable("no node has a podCIDR: pod addresses come from elsewhere, a cloud's subnet for instance")
    if not any(pool.held for own in every.values() for pool in own) and any(map(held_addresses, cluster.pods)):
        raise NotApplicable("the CNI takes no pod address from the nodes' podCIDRs")
    for node in cluster.nodes:
        tightest = next(iter(every.get(node.metadata.name, ())), None)
        if tightest and tightest.percent >= cluster.limit(HEADROOM):
            yield Finding(
                ref(node),
                says=f"has few pod addresses left: {tightest} are held by pods",
                remedy="move pods to other nodes or add some; new nodes can have larger podCIDRs",
                evidence=[
                    *(f"{pool} are held by pods" for pool in every[node.metadata.name]),
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
            yield f"{pool} are held by pods"
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
    """Every pod that is on a node gets a sandbox with an address."""


@check(headroom, chapter="1.1")
def test_pod_ip_headroom() -> None:
    """Every node has addresses left for the pods to come."""
