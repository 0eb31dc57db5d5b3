"""A pod gets no IP address: its pod sandbox cannot be created.

Meaning:
    The pod is scheduled, but the container runtime cannot create its sandbox, the network namespace that its
    containers share: no IP address is free, the CNI's daemon does not answer, the CNI's plugin or configuration is
    wrong on that node, or the runtime itself fails. Or a node, an address pool or a subnet is about to run out of pod
    addresses, by the CNI's own account.

Impact:
    The pod stays in ContainerCreating, and so does every new pod on that node or in that subnet. Pods that already
    run are not affected.

Diagnosis:
    `kubectl describe pod` shows the event FailedCreatePodSandBox with the plugin's message, and the pod's node.
    On that node look at `/etc/cni/net.d` and `/opt/cni/bin`, and read the log of the CNI's pod. host-local keeps one
    file for each reserved address under `/var/lib/cni/networks`. How full pools are is read from the objects of Calico,
    Cilium, Azure CNI, Kube-OVN, OVN-Kubernetes, Antrea and Whereabouts, and from the metrics of the AWS VPC CNI's
    pods. This was tried on real clusters with Calico; for the others, with objects as their sources write them.

Mitigation:
    Free addresses (leaked reservations), or give the node or the subnet more. Get the CNI's pod running again, or
    restore its plugin and configuration. The kubelet then retries by itself.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable
from kubevitals.facts.address_pools.accounts import known, lines_by_node
from kubevitals.facts.address_pools.calico_leaks import with_leaks
from kubevitals.facts.address_pools.supply import Supply, pods_left
from kubevitals.facts.network import cni
from kubevitals.facts.network.addresses import cluster_networks, overlaps, strays, use_of_networks
from kubevitals.facts.network.ip_pools import ip_pool_lines
from kubevitals.facts.network.pod_cidrs import unused_because
from kubevitals.facts.pods.faults import PodFault, broken_pods
from kubevitals.facts.pods.sandbox_errors import EXHAUSTED, SandboxError, Shared, explain, is_refused, plain
from kubevitals.facts.pods.states import Symptom
from kubevitals.findings.declaration import check
from kubevitals.findings.evidence import daemon_look, event_lines, pod_lines
from kubevitals.findings.explains import CONCERNS, SAME_NODE, Explains
from kubevitals.findings.finding import Finding, Severity, pod_finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, is_ready, owner, ref
from kubevitals.threshold import Threshold

HEADROOM = Threshold(
    "ip-allocation.headroom",
    90,
    "percent of a node's pod addresses in use: a rollout briefly needs more addresses",
)

PODS_SHOWN = 4
"""How many pods stand in the evidence of a fault that several pods share."""

_POD_NETWORK = Ref("PodNetwork", "", "pods")
"""The object at fault if pods on several nodes share a pool of addresses."""

_UNKNOWN = SandboxError("", "", "", "", shared=Shared.POD)

EXPLAINS = (
    Explains(("ip-allocation[headroom]",), SAME_NODE, ("ip-allocation[pool-exhausted]",)),
    Explains(("ip-allocation",), CONCERNS, ("ip-allocation",)),
)


def pool_exhausted(cluster: Cluster) -> Iterator[Finding]:
    """Find pods that get no IP address because none is free."""
    yield from _sandbox_findings(
        PodFault.POOL_EXHAUSTED,
        ("gets no IP address", "new pods get no IP address"),
        "free addresses or add some: a larger range for the node, a larger subnet, or fewer pods on the node; if far "
        "more addresses are reserved than pods run there, remove the reservations of pods that are gone",
        cluster,
    )


def cni_unreachable(cluster: Cluster) -> Iterator[Finding]:
    """Find pods whose CNI plugin gets no answer from its daemon or the API server, or not in time."""
    yield from _sandbox_findings(
        PodFault.CNI_UNREACHABLE,
        ("gets no network", "new pods get no network"),
        "check that the CNI's pod on the node runs, read its log, and check that the node reaches the API server",
        cluster,
    )


def cni_misconfigured(cluster: Cluster) -> Iterator[Finding]:
    """Find pods on nodes with a wrong CNI configuration or missing plugins, and nodes with a wrong podCIDR.

    A podCIDR is wrong if it overlaps another node's, or lies outside the cluster's networks. podCIDRs only count if
    pods get their addresses from them.
    """
    yield from _sandbox_findings(
        PodFault.CNI_MISCONFIGURED,
        ("gets no network", "new pods get no network"),
        "restore the CNI's configuration (/etc/cni/net.d) and plugins (/opt/cni/bin) on the node: usually the CNI's "
        "pod does that when it is restarted",
        cluster,
    )
    if not unused_because(cluster):
        yield from _overlapping(cluster)
        yield from _outside(cluster)


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
    """Find pods whose sandbox cannot be created for another reason: the sandbox image, the runtime, an unknown one."""
    yield from _sandbox_findings(
        PodFault.SANDBOX_FAILED,
        ("pod sandbox cannot be created", "pod sandboxes cannot be created"),
        "fix what the container runtime reports; its log on the node may say more",
        cluster,
    )


def headroom(cluster: Cluster) -> Iterator[Finding]:
    """Find pools with most of their addresses in use, before the next pod gets none.

    Each CNI's own account is read where the cluster has one (Calico, Cilium, AWS VPC CNI, Azure CNI, Kube-OVN,
    OVN-Kubernetes, Antrea, Whereabouts), and the podCIDRs of nodes where pods get their addresses from them (flannel,
    kindnet, host-local). A node whose addresses suffice for all pods that it takes is not found.
    """
    supplies, unseen, elsewhere = cluster.derive(known)
    short = (each for each in supplies if each.percent >= cluster.limit(HEADROOM) and not _suffices(each, cluster))
    for supply in (with_leaks(each, cluster) for each in short):
        starved = _starved(supply, cluster)
        yield Finding(
            supply.at,
            says=f"has few pod addresses left: {supply}" + (f" ({supply.who})" if supply.who else ""),
            remedy=supply.remedy,
            evidence=[*supply.lines, *_node_lines(supply, cluster)],
            severity=Severity.WARNING,
            concerns=(*starved, *([_POD_NETWORK] if starved else [])),
            part=supply.part,
        )
    if unseen:
        raise unseen
    if not supplies:
        raise NotApplicable(elsewhere)


def _suffices(supply: Supply, cluster: Cluster) -> bool:
    """Return whether a node has an address for each pod that it still takes."""
    left = cluster.derive(pods_left).get(supply.at.name)
    return supply.at.kind == "Node" and left is not None and supply.size - supply.used >= left


def _node_lines(supply: Supply, cluster: Cluster) -> Iterator[str]:
    if supply.at.kind == "Node" and (node := cluster.nodes_by_name.get(supply.at.name)):
        yield from event_lines(node, cluster)


def _starved(supply: Supply, cluster: Cluster) -> list[Ref]:
    """Return the pods that get no address on the nodes of a supply, if it is not of one node, which explains itself."""
    if supply.at.kind == "Node":
        return []
    symptoms = broken_pods(cluster, PodFault.POOL_EXHAUSTED)
    return [ref(symptom.pod) for symptom in symptoms if symptom.pod.spec.nodeName in supply.nodes]


class _Fault(NamedTuple):
    """What several pods without a sandbox have in common.

    Attributes:
        where: the node or the pod network that is at fault.
        says: what is wrong with them.
        of_all: whether one such pod is enough to know that the node is at fault.
    """

    where: Ref
    says: str
    remedy: str
    of_all: bool


def _sandbox_findings(kind: PodFault, says: tuple[str, str], remedy: str, cluster: Cluster) -> Iterator[Finding]:
    """Yield the pods with a fault; if it hits pods of several owners, also the node or the network that they share.

    Args:
        kind: the fault.
        says: what is wrong with one pod, and with several.
        remedy: what to do, if the error has no remedy of its own.
        cluster: the cluster.
    """
    by_fault: dict[_Fault, list[pb.Pod]] = defaultdict(list)
    use: dict[str, list[str]] = {}
    for symptom in broken_pods(cluster, kind):
        pod, error = symptom.pod, explain(symptom.words) or _UNKNOWN
        why = error.meaning(symptom.words) or plain(symptom.words, pod)
        if error.shared is not Shared.POD:
            where = _POD_NETWORK if error.shared is Shared.CLUSTER else Ref("Node", "", pod.spec.nodeName)
            fault = _Fault(where, f"{says[1]}: {why}", error.remedy or remedy, is_refused(symptom.words))
            by_fault[fault].append(pod)
        lines = list(_network_lines(pod, error, cluster))
        if error.variant == EXHAUSTED and not any(" in use" in line for line in lines):
            if why not in use:
                use[why] = use_of_networks(symptom.words, cluster)
            lines[:0] = use[why]
        yield _pod_finding(symptom, f"{says[0]}: {why}", error.remedy or remedy, lines, cluster)
    for fault, pods in by_fault.items():
        if fault.of_all or len({owner(pod) or ref(pod) for pod in pods}) > 1:
            yield _shared_finding(fault, pods, cluster)


def _shared_finding(fault: _Fault, pods: Sequence[pb.Pod], cluster: Cluster) -> Finding:
    on_node = fault.where.kind == "Node"
    nodes = () if on_node else sorted({Ref("Node", "", pod.spec.nodeName) for pod in pods})
    daemon = cni.pod_on(fault.where.name, cluster) if on_node else None
    return Finding(
        fault.where,
        says=fault.says,
        remedy=fault.remedy,
        evidence=[
            *islice((f"{ref(pod)} on {pod.spec.nodeName}" for pod in pods), PODS_SHOWN),
            *(_removal_lines(cluster) if fault.of_all else ()),
            *_daemon_lines(daemon),
        ],
        concerns=(*map(ref, pods), *nodes),
        look=daemon_look(daemon) or ref(pods[0]).kubectl("describe"),
    )


def _removal_lines(cluster: Cluster) -> Iterator[str]:
    """Yield how often sandboxes could not be removed because the API server refused the CNI, on any node."""
    events = (event for event in cluster.all_events if event.reason == "FailedKillPod" and is_refused(event.message))
    if count := sum(max(1, event.count, event.series.count) for event in events):
        yield f"FailedKillPod ×{count}: pod sandboxes cannot be removed either"


def _pod_finding(symptom: Symptom, says: str, remedy: str, more: Sequence[str], cluster: Cluster) -> Finding:
    pod = symptom.pod
    lines = list(pod_lines(pod, cluster))
    if not any(symptom.words in line for line in lines):
        lines.insert(1, symptom.words)
    return pod_finding(pod, says=says, remedy=remedy, evidence=[*lines, *more])


def _network_lines(pod: pb.Pod, error: SandboxError, cluster: Cluster) -> Iterator[str]:
    """Yield how many of the node's addresses are in use, Calico's pools, and the CNI's pod, as far as they matter."""
    lines: dict[str, None] = {}
    if error.variant == EXHAUSTED:
        lines |= dict.fromkeys(cluster.derive(lines_by_node).get(pod.spec.nodeName, ()))
        if unseen := cluster.derive(known).unseen:
            lines[f"addresses not observed: {unseen}"] = None
    yield from lines
    if error.ip_pools:
        yield from (line for line in ip_pool_lines(cluster) if not any(shown.startswith(line) for shown in lines))
    yield from _daemon_lines(cni.pod_on(pod.spec.nodeName, cluster))


def _daemon_lines(daemon: pb.Pod | None) -> Iterator[str]:
    if daemon:
        state = "ready" if is_ready(daemon) else "not ready"
        yield f"CNI pod on the node: {daemon.metadata.namespace}/{daemon.metadata.name}, {state}"


@check(pool_exhausted, cni_unreachable, cni_misconfigured, sandbox_failed, chapter="1.1")
def test_pods_get_addresses() -> None:
    """Every scheduled pod gets a sandbox with an IP address."""


@check(headroom, chapter="1.1")
def test_pod_ip_headroom() -> None:
    """Every node has free addresses for new pods."""
