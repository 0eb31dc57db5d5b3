"""The AWS VPC CNI: how many addresses each node's agent has given to pods, and how many it may have, by its metrics.

It keeps adding addresses to a node, one by one or in prefixes of 16, up to what the instance type may have: only that
limit counts. Of a subnet without free addresses the metrics say nothing; the pods that wait for an address do.
(aws/amazon-vpc-cni-k8s pkg/ipamd/datastore, utils/prometheusmetrics/prometheusmetrics.go.)
"""

from collections.abc import Iterator

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.address_pools.supply import Supply
from kubevitals.facts.network.cni import RECOGNISED, is_of
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.node_sample import node_breaker, queried_nodes
from kubevitals.inventory.prometheus import samples
from kubevitals.objects import Ref, is_ready, owner, path, ref
from kubevitals.source.request import Answer, PlainHttp, Request

PORT = 61678
"""The port of the agent's metrics (cmd/aws-k8s-agent/main.go)."""

ASSIGNED, TOTAL, MOST = "awscni_assigned_ip_addresses", "awscni_total_ip_addresses", "awscni_ip_max"
_METRICS = rf"(?:{ASSIGNED}|{TOTAL}|{MOST}) "

LARGER = "move pods to other nodes, use a larger instance type, or turn on prefix delegation (ENABLE_PREFIX_DELEGATION)"


def read(cluster: Cluster) -> Iterator[Supply]:
    """Yield what each queried node's agent counts; nothing if the CNI is another one.

    Raises:
        NotObserved: nodes must not be queried; or, after the last one, the metrics of some agent could not be read.
    """
    vpc = [cni for cni in RECOGNISED if cni.name == "AWS VPC CNI"]
    agents = {ref(daemon_set) for daemon_set in cluster.daemon_sets if any(is_of(daemon_set, cni) for cni in vpc)}
    if not agents:
        return
    if not cluster.ask_kubelets:
        raise NotObserved("nodes are not queried (--kubelet=none)", unasked=True)
    nodes = {node.metadata.name for node in queried_nodes(cluster)}
    pods = [pod for pod in cluster.pods if owner(pod) in agents and pod.spec.nodeName in nodes and is_ready(pod)]
    breaker = node_breaker(cluster, "aws-node pods", len(pods))
    yield from answers([(pod, cluster.fetcher.submit(_request(pod), breaker)) for pod in pods], of_agent)


def _request(pod: pb.Pod) -> Request:
    return Request(PlainHttp(path(pod), PORT, "metrics", pod.status.podIP), lines=_METRICS)


def of_agent(pod: pb.Pod, answer: Answer) -> Supply:
    """Return what an agent has for its node, by its metrics.

    Raises:
        NotObserved: they cannot be read.
    """
    counts = {sample.name: int(sample.value) for sample in samples(answer, "get pods/proxy")}
    if not {ASSIGNED, TOTAL, MOST} <= counts.keys():
        raise NotObserved(f"the aws-node pods have no metrics of their addresses on port {PORT}")
    node, size = pod.spec.nodeName, max(counts[TOTAL], counts[MOST])
    line = f"aws-node: {counts[ASSIGNED]} addresses in use, {counts[TOTAL]} on the node, at most {counts[MOST]}"
    of = "the node's network interfaces"
    return Supply(Ref("Node", "", node), of, size, counts[ASSIGNED], frozenset({node}), remedy=LARGER, lines=(line,))
