"""The probe as checks see it: a report from each node and network, and why there is none."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.probe.outcome import Ran
from kubevitals.probe.parse import parse
from kubevitals.probe.plan import Options, Plan, plan
from kubevitals.probe.report import Network, Report
from kubevitals.text import clean

REMARKS = 20
"""Remarks of the probe that are shown."""


class Silent(NamedTuple):
    """A probe pod that told nothing, and what kept it from doing so.

    Attributes:
        reason: in one line: ``ContainerCreating: no sandbox``, ``ErrImagePull: …``, ``its log cannot be read: …``.
    """

    node: str
    network: Network
    pod: str
    reason: str


class Probed(NamedTuple):
    """What the probe told of the whole cluster.

    Attributes:
        reports: by node's name, then network.
        silent: the probe pods that told nothing; nodes where none was expected (Windows, not ready) are in neither.
        cluster_ip: addresses of the probe's Service; `node_port` its port on nodes.
        domain: the cluster domain of the names that were looked up.
    """

    reports: Mapping[str, Mapping[Network, Report]]
    silent: tuple[Silent, ...]
    cluster_ips: tuple[str, ...]
    node_port: int
    domain: str = "cluster.local"

    def of(self, network: Network) -> Iterable[Report]:
        """Return the reports from one network."""
        return [found[network] for found in self.reports.values() if network in found]


def probed(cluster: Cluster) -> Probed:
    """Return what the probe told.

    Raises:
        NotObserved: this run has no probe (``--probe`` starts one), or it could not be started at all.
    """
    told = cluster.derive(_told)
    if isinstance(told, NotObserved):
        raise NotObserved(told.reason, told.right, unasked=told.unasked)
    return told


def _told(cluster: Cluster) -> Probed | NotObserved:
    """Have the probe run; that it could not is kept, too, so that it is not tried again and again."""
    try:
        ran = msgspec.json.decode(cluster.ask_probe(_plan(cluster)), type=Ran)
    except NotObserved as error:
        return error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return NotObserved(f"what the probe told cannot be read: {error}")
    cluster.remarks += [f"probe: {clean(remark)}" for remark in ran.remarks[:REMARKS]]
    return understood(ran)


def _plan(cluster: Cluster) -> Callable[[Options], Plan]:
    return lambda options: plan(options, cluster.nodes, cluster.services, cluster.endpoint_slices, cluster.pods)


def understood(ran: Ran) -> Probed:
    """Return what a run of the probe means."""
    reports: dict[str, dict[Network, Report]] = defaultdict(dict)
    silent = []
    for pod in ran.pods:
        if pod.log:
            reports[pod.node][pod.network] = parse(pod, ran.run, ran.token)
        else:
            silent.append(Silent(clean(pod.node, 300), pod.network, clean(pod.name, 300), clean(pod.reason)))
    return Probed(
        dict(reports),
        tuple(silent),
        tuple(clean(ip, 60) for ip in ran.cluster_ips),
        ran.node_port,
        clean(ran.domain, 300),
    )
