"""Why the DNS Service has no ready endpoint."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.facts.dns import service as dns
from kubevitals.facts.pods.states import is_down
from kubevitals.findings.evidence import pod_lines
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import DNS_LABEL, Ref, is_ready, ref
from kubevitals.text import plural
from kubevitals.threshold import Threshold

LASTING = Threshold("cluster-dns.lasting", 30, "seconds a DNS pod may be not ready: CoreDNS starts in a few")


class Why(NamedTuple):
    """Why the DNS Service has no endpoint, and what to do."""

    says: str
    remedy: str
    lines: list[str]
    concerns: tuple[Ref, ...] = ()


def why_empty(cluster: Cluster) -> Why | None:
    """Return why the DNS Service has no ready endpoint; nothing while its pods have only just been started.

    Raises:
        NotObserved: DNS has no pods where it may be elsewhere, and what pods query is not known.
    """
    selected = dns.pods(cluster)
    if selected:
        if not any(is_down(pod, cluster, LASTING) for pod in selected):
            return None
        return Why(
            f"{plural(len(selected), 'pod')} that it selects {'is' if len(selected) == 1 else 'are'} not ready",
            "fix the DNS pods: their logs and events say why they are not ready",
            [line for pod in selected[:3] for line in (f"not ready: {ref(pod)}", *pod_lines(pod, cluster))],
            (*map(ref, selected), *_unready_nodes(selected, cluster)),
        )
    selector = ",".join(f"{key}={value}" for key, value in sorted(dns.service(cluster).spec.selector.items()))
    if others := dns.likely_pods(cluster):
        return _wrong_selector(selector, others)
    return _no_pods(selector, cluster)


def _unready_nodes(pods: Iterable[pb.Pod], cluster: Cluster) -> Iterator[Ref]:
    """Yield the nodes of the pods that are not ready, as far as nodes are observed."""
    try:
        nodes = [cluster.nodes_by_name.get(pod.spec.nodeName) for pod in pods]
    except NotObserved:
        return
    yield from dict.fromkeys(ref(node) for node in nodes if node and not is_ready(node))


def _wrong_selector(selector: str, others: list[pb.Pod]) -> Why:
    labels = ",".join(f"{key}={value}" for key, value in sorted(others[0].metadata.labels.items()))
    return Why(
        f"its selector {selector or '(none)'} matches no pod, although DNS pods are running",
        f"correct its selector: the DNS pods have {DNS_LABEL}={others[0].metadata.labels.get(DNS_LABEL, '…')}",
        [f"{ref(others[0])} has the labels {labels}"],
        tuple(map(ref, others)),
    )


def _no_pods(selector: str, cluster: Cluster) -> Why:
    if (elsewhere := dns.built_in(cluster, optional=True)) and not cluster.derive(dns.name_servers):
        raise NotObserved(f"{elsewhere}: the DNS Service has no pods, and what pods query is not known")
    deployments = dns.deployments(cluster)
    evidence = [f"{ref(d)} wants {plural(d.spec.replicas, 'replica')}" for d in deployments]
    if scaled := [d for d in deployments if not d.spec.replicas]:
        remedy = f"scale it up again: {ref(scaled[0]).kubectl('scale')} --replicas=2"
        return Why("its Deployment is scaled to 0 replicas", remedy, evidence)
    says = f"no pod has the label {selector}" if selector else "it has no selector, and no DNS pod is running"
    return Why(says, "find out why the Deployment or DaemonSet of the DNS does not create its pods", evidence)
