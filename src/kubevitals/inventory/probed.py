"""The probe as checks see it: one report for each node and network, or the reason why there is none."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from copy import copy
from typing import NamedTuple

import msgspec

from kubevitals.errors import NotObserved, ProbeWaits
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import ref
from kubevitals.probe.outcome import Ran
from kubevitals.probe.parse import parse
from kubevitals.probe.plan import ProbePlan, plan
from kubevitals.probe.report import ProbeNetwork, ProbeReport
from kubevitals.source.probing.cleanup import is_left_behind
from kubevitals.source.probing.manifests import RUN
from kubevitals.text import clean

REMARKS = 20
"""Remarks of the probe that are shown to the user."""


class MissingReport(NamedTuple):
    """A probe pod that reported nothing.

    Attributes:
        pod: the pod's name, empty if there is no pod.
        reason: why, in one line: ``ContainerCreating: no sandbox``, ``ErrImagePull: …``, ``its log cannot be read: …``.
    """

    node: str
    network: ProbeNetwork
    pod: str
    reason: str


class ProbeResults(NamedTuple):
    """The results of the probe for the whole cluster.

    Attributes:
        reports: the reports, by the node's name and then by network.
        missing: the probe pods that reported nothing. Nodes without a probe (Windows, not ready) are in neither.
        cluster_ips: the addresses of the probe's Service; `node_port` is its port on the nodes.
        domain: the cluster domain of the names that were looked up.
    """

    reports: Mapping[str, Mapping[ProbeNetwork, ProbeReport]]
    missing: tuple[MissingReport, ...]
    cluster_ips: tuple[str, ...]
    node_port: int
    domain: str = "cluster.local"

    def of(self, network: ProbeNetwork) -> Iterable[ProbeReport]:
        """Return the reports from one network."""
        return [by_network[network] for by_network in self.reports.values() if network in by_network]


def left_behind(cluster: Cluster) -> list[str]:
    """Return a remark for each object of a probe whose run was killed, unless this run's own probe removes it.

    Raises:
        NotObserved: DaemonSets or Services could not be fetched.
    """
    if cluster.probe_options:
        return []
    return [
        f"{ref(obj)} was left behind by a probe that was killed: the next run with --probe removes it"
        for objects in (cluster.daemon_sets, cluster.services)
        for obj in objects
        if RUN in obj.metadata.labels and is_left_behind(obj, cluster.now)
    ][:REMARKS]


def probed(cluster: Cluster) -> ProbeResults:
    """Return the results of the probe.

    Raises:
        NotObserved: this run has no probe (``--probe`` starts one), or the probe could not be started at all.
        ProbeWaits: the checks that need no probe are judged first.
    """
    if cluster.probe_waits:
        raise ProbeWaits
    results = cluster.derive(_results)
    if isinstance(results, NotObserved):
        failure = copy(results)
        failure.asked = cluster.probe_options is not None
        raise failure
    return results


def _results(cluster: Cluster) -> ProbeResults | NotObserved:
    """Run the probe. A failure is kept like a result, so that the probe is not run again."""
    try:
        ran = msgspec.json.decode(cluster.fetcher.probe(_plan(cluster)), type=Ran)
    except NotObserved as error:
        return error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return NotObserved(f"the output of the probe cannot be read: {error}")
    cluster.remarks += [f"probe: {clean(remark)}" for remark in ran.remarks[:REMARKS]]
    return understood(ran)


def _plan(cluster: Cluster) -> ProbePlan | None:
    """Return the plan of the probe; nothing if the run has none."""
    if not cluster.probe_options:
        return None
    cluster.scope.need("kube-system")
    lists = (cluster.nodes, cluster.services, cluster.endpoint_slices, cluster.pods)
    return plan(cluster.probe_options, *lists, cluster.now.timestamp())


def understood(ran: Ran) -> ProbeResults:
    """Return the results of one run of the probe, parsed."""
    reports: dict[str, dict[ProbeNetwork, ProbeReport]] = defaultdict(dict)
    missing = []
    for pod in ran.pods:
        if pod.log or pod.vitals:
            reports[pod.node][pod.network] = parse(pod, ran.run, ran.token)
        else:
            missing.append(MissingReport(clean(pod.node, 300), pod.network, clean(pod.name, 300), clean(pod.reason)))
    return ProbeResults(
        dict(reports),
        tuple(missing),
        tuple(clean(ip, 60) for ip in ran.cluster_ips),
        ran.node_port,
        clean(ran.domain, 300),
    )
