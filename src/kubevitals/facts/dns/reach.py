"""Which nodes reach the DNS Service and its pods, by the probe's lookups."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.facts.dns.lookups import by_pod, cut_off_nodes, fails, lookups, reaches_others, refused
from kubevitals.facts.network.reach import lost
from kubevitals.inventory.probed import ProbeResults
from kubevitals.probe.report import Lookup, Through


class UnreachableService(NamedTuple):
    """A node where the ClusterIP of the DNS Service does not answer, and it should.

    Attributes:
        lookups: the lookups at the Service and at the DNS pods.
        pods_answer: whether the DNS pods answer there; if not, at least other pods do.
    """

    node: str
    lookups: list[Lookup]
    pods_answer: bool


class FailedPod(NamedTuple):
    """A ready DNS pod, and the lookups at it that failed.

    Attributes:
        failed: the failed lookups, by node.
        everywhere: whether the lookups of no node succeeded.
    """

    pod: pb.Pod
    failed: Mapping[str, list[Lookup]]
    everywhere: bool


def unreachable_service(results: ProbeResults) -> Iterator[UnreachableService]:
    """Yield the nodes where only the DNS Service does not answer; not those that reach nothing at all."""
    answering = any(not fails(lookups(report, Through.SERVICE)) for report in results.of("pod"))
    for report in results.of("pod"):
        at_service, at_pods = lookups(report, Through.SERVICE), lookups(report, Through.POD)
        if not fails(at_service) or refused(at_service):
            continue
        pods_answer = bool(at_pods) and all(lookup.ok for lookup in at_pods)
        if pods_answer or (fails(at_pods) and answering and reaches_others(report)):
            yield UnreachableService(report.node, [*at_service, *at_pods], pods_answer)


def unreachable_pods(results: ProbeResults, ready: Mapping[str, pb.Pod]) -> Iterator[FailedPod]:
    """Yield the ready DNS pods that no node, or only some nodes, can query.

    Nodes that are at fault themselves are left out, and so is traffic between nodes that is lost anyway.
    """
    cut_off, between = cut_off_nodes(results), lost(results.of("pod")).between
    for name, nodes in by_pod(results).items():
        if not (pod := ready.get(name)):
            continue
        judged = {node: tried for node, tried in nodes.items() if not between(node, pod.spec.nodeName)}
        failed = {node: tried for node, tried in judged.items() if fails(tried) and not refused(tried)}
        if len(failed) < len(judged):
            failed = {node: tried for node, tried in failed.items() if node not in cut_off}
        if failed:
            yield FailedPod(pod, failed, len(failed) == len(judged))


def pods_with_errors(results: ProbeResults, ready: Mapping[str, pb.Pod]) -> Iterator[FailedPod]:
    """Yield the ready DNS pods that answer, but never with the address of a cluster-internal name."""
    for name, nodes in by_pod(results).items():
        failed = {node: tried for node, tried in nodes.items() if refused(tried)}
        if name in ready and failed and all(map(fails, nodes.values())):
            yield FailedPod(ready[name], failed, everywhere=True)
