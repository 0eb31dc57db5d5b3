"""How full the disks of nodes are, and when their kubelets begin to evict pods for it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, until_unseen
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import node_condition
from kubevitals.quantity import number
from kubevitals.text import binary
from kubevitals.threshold import Threshold

USED = Threshold("storage-full.node", 90, "percent of a node's disk, or of its inodes, that may be used")
MARGIN = Threshold(
    "storage-full.eviction-margin",
    5,
    "points below the kubelet's eviction threshold that count already; its defaults are 10 % of nodefs, 15 % of "
    "imagefs and 5 % of the inodes left",
)

NOUNS = {"nodefs": "disk", "imagefs": "image disk", "containerfs": "container disk"}
"""The file systems of a node by the names of the kubelet's eviction signals."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How much of a file system's space or inodes is used.

    Attributes:
        signal: the kubelet's eviction signal: ``nodefs.available``, ``imagefs.inodesFree``.
        used: percent.
        evicts_at: the percent at which the kubelet begins to evict, or nothing where its configuration is not known.
    """

    signal: str
    whole: int
    used: float
    evicts_at: float | None

    def is_tight(self, cluster: Cluster) -> bool:
        """Return whether it is as good as full."""
        close = self.evicts_at is not None and self.used >= self.evicts_at - cluster.limit(MARGIN)
        return close or self.used >= cluster.limit(USED)

    @property
    def what(self) -> str:
        """What is used: ``disk``, ``image disk's inodes``."""
        system, _, resource = self.signal.partition(".")
        return NOUNS[system] if resource == "available" else f"{NOUNS[system]}'s inodes"

    def __str__(self) -> str:
        whole = binary(self.whole) if self.signal.endswith(".available") else f"{self.whole:,}"
        evicts = "" if self.evicts_at is None else f"; the kubelet evicts pods from {self.evicts_at:.0f} % on"
        return f"{self.signal}: {self.used:.0f} % of {whole} used{evicts}"


@dataclass(frozen=True, slots=True)
class NodeDisks:
    """The fillings of all nodes that told them, by node's name, and why some are not known."""

    found: Mapping[str, list[Filling]]
    unseen: NotObserved | None


def node_disks(cluster: Cluster) -> NodeDisks:
    """Return what kubelets tell of their disks."""
    unseen: list[NotObserved] = []
    settings = {node.metadata.name: c.kubeletconfig for node, c in until_unseen(kubelet.configs(cluster), unseen)}
    found = {
        node.metadata.name: list(_fillings(summary.node, settings.get(node.metadata.name)))
        for node, summary in until_unseen(kubelet.summaries(cluster), unseen)
    }
    return NodeDisks(found, unseen[0] if unseen else None)


def tight(node: pb.Node, cluster: Cluster) -> list[Filling]:
    """Return which of a node's disks are as good as full, the fullest first."""
    found = cluster.derive(node_disks).found.get(node.metadata.name, [])
    return sorted((f for f in found if f.is_tight(cluster)), key=lambda filling: -filling.used)


def under_pressure(node: pb.Node) -> bool:
    """Return whether the kubelet reports DiskPressure."""
    pressure = node_condition(node, "DiskPressure")
    return pressure is not None and pressure.status == "True"


def _fillings(node: kubelet.Node, settings: kubelet.Settings | None) -> Iterator[Filling]:
    runtime = node.runtime or kubelet.Runtime()
    systems = {"nodefs": node.fs, "imagefs": runtime.imageFs, "containerfs": runtime.containerFs}
    told: list[kubelet.FileSystem] = []
    for name, system in systems.items():
        if system and system not in told:
            told.append(system)
            for resource, whole, left in (
                ("available", system.capacityBytes, system.availableBytes),
                ("inodesFree", system.inodes, system.inodesFree),
            ):
                if whole and left is not None:
                    signal = f"{name}.{resource}"
                    used = 100 * (whole - left) / whole
                    yield Filling(signal, whole, used, _evicts_at(signal, whole, settings))


def _evicts_at(signal: str, whole: int, settings: kubelet.Settings | None) -> float | None:
    if settings is None:
        return None
    written = [(rules or {}).get(signal, "") for rules in (settings.evictionHard, settings.evictionSoft)]
    return min((100 - _percent(text, whole) for text in written if text), default=100.0)


def _percent(text: str, whole: int) -> float:
    """Return how much must be left, in percent."""
    share = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", text)
    return float(share[1]) if share else 100 * number(text) / whole
