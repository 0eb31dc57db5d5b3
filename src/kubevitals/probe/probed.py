"""The probe as checks see it: a report from each node and network, and why there is none."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from kubevitals.inventory import Cluster
from kubevitals.probe.report import Network, Report


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
    """

    reports: Mapping[str, Mapping[Network, Report]]
    silent: tuple[Silent, ...]
    cluster_ips: tuple[str, ...]
    node_port: int

    def of(self, network: Network) -> Iterable[Report]:
        """Return the reports from one network."""
        return [found[network] for found in self.reports.values() if network in found]


def probed(cluster: Cluster) -> Probed:
    """Return what the probe told.

    Raises:
        NotObserved: this run has no probe (``--probe`` starts one), or it could not be started at all.
    """
    raise NotImplementedError
