"""Whether the pod network carries traffic that the probe's pods cannot exchange, and which policies may block them."""

from collections.abc import Iterator

from kubevitals.errors import NotObserved
from kubevitals.facts.network.enforcement import FOR_ALL_NAMESPACES
from kubevitals.facts.network.reach import reached
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.probed import ProbeResults
from kubevitals.inventory.served import list_if_served
from kubevitals.probe.plan import Options
from kubevitals.probe.report import ProbeReport, Target, Through


def answers_between_nodes(results: ProbeResults, cluster: Cluster) -> list[bool]:
    """Return whether pods on other nodes answered, for each attempt that network policies rarely forbid.

    These are DNS pods that were queried at their own addresses, and the probe's pods queried from the host network.
    """
    nodes = {f"{pod.metadata.namespace}/{pod.metadata.name}": pod.spec.nodeName for pod in cluster.pods}
    return [
        *(
            lookup.ok
            for report in results.of("pod")
            for lookup in report.lookups
            if lookup.through is Through.POD and nodes.get(lookup.pod, report.node) != report.node
        ),
        *(ok for report in results.of("host") for ok in _peers_answer(report)),
    ]


def _peers_answer(report: ProbeReport) -> Iterator[bool]:
    return (reach.ok for reach in reached(report, Target.PEER) if reach.node != report.node)


def policies_on_probe(cluster: Cluster) -> str:
    """Return the policies that may select the probe's pods, or which command lists them if they cannot be read."""
    try:
        names = [
            f"NetworkPolicy {policy.metadata.namespace}/{policy.metadata.name}"
            for policy in cluster.network_policies
            if policy.metadata.namespace == Options().namespace
        ]
    except NotObserved:
        names = []
    for kind in FOR_ALL_NAMESPACES:
        try:
            names += [f"{kind.schema.__name__} {policy.metadata.name}" for policy in list_if_served(kind, cluster)]
        except NotObserved:
            continue
    return ", ".join(names[:5]) or "see kubectl get networkpolicies -A, and the policies of your CNI for all namespaces"
