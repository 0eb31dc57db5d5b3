"""How full the disks of nodes are, and from which point on their kubelets evict pods."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, observed
from kubevitals.inventory import kubelet
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.events import is_current
from kubevitals.objects import node_condition
from kubevitals.quantity import number
from kubevitals.text import binary
from kubevitals.threshold import Threshold

USED = Threshold("storage-full.node", 90, "percent of a node's disk, or of its inodes, that may be in use")
MARGIN = Threshold(
    "storage-full.eviction-margin",
    5,
    "percentage points before the kubelet's eviction threshold from which a disk counts as full; the kubelet evicts by "
    "default below 10 % free of nodefs, 15 % of imagefs and 5 % of the inodes",
)

COLLECTION_FAILED = frozenset({"FreeDiskSpaceFailed", "ImageGCFailed"})
"""Reasons of events on a node whose kubelet cannot delete enough images (pkg/kubelet/images, kubelet.go)."""

_NO_FIGURES_YET = "unable to find data in memory cache"
"""What a kubelet says after its start, before it has any figures."""

_COLLECTION_PERIOD = 300
"""Seconds between two image collections (ImageGCPeriod in pkg/kubelet/kubelet.go)."""

_COLLECTS_AT = 85
"""The kubelet's default imageGCHighThresholdPercent; 100 switches image collection off."""

NOUNS = {"nodefs": "disk", "imagefs": "image disk", "containerfs": "container disk"}
"""A node's file systems, by their names in the kubelet's eviction signals."""


@dataclass(frozen=True, slots=True)
class Filling:
    """How much of a file system's space or inodes is in use.

    Attributes:
        signal: the kubelet's eviction signal: ``nodefs.available``, ``imagefs.inodesFree``.
        whole: bytes, or the number of inodes.
        used: percent.
        evicts_at: the percentage from which the kubelet evicts pods, or nothing if its configuration is not known.
        collected: whether the kubelet deletes unused images to free it.
    """

    signal: str
    whole: int
    used: float
    evicts_at: float | None
    collected: bool

    def is_tight(self, cluster: Cluster, *, collects: bool) -> bool:
        """Return whether it is full or almost full; a disk on which the kubelet collects images may fill up to that."""
        margin = 0 if self.collected and collects else cluster.limit(MARGIN)
        close = self.evicts_at is not None and self.used >= self.evicts_at - margin
        return close or self.used >= cluster.limit(USED)

    @property
    def what(self) -> str:
        """What is in use: ``disk``, ``image disk's inodes``."""
        system, _, resource = self.signal.partition(".")
        return NOUNS[system] if resource == "available" else f"{NOUNS[system]}'s inodes"

    @property
    def says(self) -> str:
        """The words of a finding: ``90 % of its disk's inodes are used``."""
        return f"{self.used:.0f} % of its {self.what} {'is' if self.what in NOUNS.values() else 'are'} used"

    def __str__(self) -> str:
        whole = binary(self.whole) if self.signal.endswith(".available") else f"{self.whole:,}"
        evicts = "" if self.evicts_at is None else f"; the kubelet evicts pods from {self.evicts_at:.0f} %"
        return f"{self.signal}: {self.used:.0f} % of {whole} used{evicts}"


@dataclass(frozen=True, slots=True)
class NodeDisks:
    """How full the disks of each node are, by its name, and why some nodes' disks are not known."""

    by_node: Mapping[str, list[Filling]]
    unseen: NotObserved | None


def node_disks(cluster: Cluster) -> NodeDisks:
    """Return how full the disks of all nodes are, by their kubelets' figures."""
    configs, summaries = observed(kubelet.configs(cluster)), observed(kubelet.summaries(cluster))
    settings = {node.metadata.name: config.kubeletconfig for node, config in configs.items}
    by_node = {
        node.metadata.name: list(_fillings(summary.node, settings.get(node.metadata.name)))
        for node, summary in summaries.items
    }
    return NodeDisks(by_node, configs.unseen or summaries.unseen)


def tight(node: pb.Node, cluster: Cluster) -> list[Filling]:
    """Return which of a node's disks are full or almost full, the fullest first."""
    name = node.metadata.name
    fillings = cluster.derive(node_disks).by_node.get(name, [])
    collects = name not in cluster.derive(collection_failures).by_node
    return sorted((f for f in fillings if f.is_tight(cluster, collects=collects)), key=lambda filling: -filling.used)


@dataclass(frozen=True, slots=True)
class CollectionFailures:
    """What kubelets say that cannot delete enough images, by node's name, and why that is not known of some."""

    by_node: Mapping[str, str]
    unseen: NotObserved | None


def collection_failures(cluster: Cluster) -> CollectionFailures:
    """Return the nodes whose kubelet fails to collect images at present."""
    failures = observed((n.metadata.name, message) for n in cluster.nodes for message in _failures(n, cluster))
    return CollectionFailures(dict(failures.items), failures.unseen)


def _failures(node: pb.Node, cluster: Cluster) -> Iterator[str]:
    for event in cluster.events(node):
        failed = event.reason in COLLECTION_FAILED and _NO_FIGURES_YET not in event.message
        if failed and is_current(event, cluster.now, _COLLECTION_PERIOD):
            yield event.message


def under_pressure(node: pb.Node) -> bool:
    """Return whether the kubelet reports DiskPressure."""
    pressure = node_condition(node, "DiskPressure")
    return pressure is not None and pressure.status == "True"


def _fillings(node: kubelet.Node, settings: kubelet.Settings | None) -> Iterator[Filling]:
    runtime = node.runtime or kubelet.Runtime()
    systems = {"nodefs": node.fs, "imagefs": runtime.imageFs, "containerfs": runtime.containerFs}
    collects = (settings.imageGCHighThresholdPercent if settings else None) or _COLLECTS_AT
    images = _identity(runtime.imageFs) if collects < 100 else None
    seen: set[tuple[int | None, int | None]] = set()
    for name, system in systems.items():
        if system and (identity := _identity(system)) not in seen:
            seen.add(identity)
            for resource, whole, left in (
                ("available", system.capacityBytes, system.availableBytes),
                ("inodesFree", system.inodes, system.inodesFree),
            ):
                if whole and left is not None:
                    signal = f"{name}.{resource}"
                    used = 100 * (whole - left) / whole
                    collected = resource == "available" and identity == images
                    yield Filling(signal, whole, used, _evicts_at(signal, whole, settings), collected)


def _identity(system: kubelet.FileSystem | None) -> tuple[int | None, int | None]:
    """Return what tells file systems apart: their sizes; what is free is read at different moments."""
    return (system.capacityBytes, system.inodes) if system else (None, None)


def _evicts_at(signal: str, whole: int, settings: kubelet.Settings | None) -> float | None:
    if settings is None:
        return None
    thresholds = [(rules or {}).get(signal, "") for rules in (settings.evictionHard, settings.evictionSoft)]
    return min((100 - _percent(text, whole) for text in thresholds if text), default=100.0)


def _percent(text: str, whole: int) -> float:
    """Return how much must be free, in percent."""
    share = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)%", text)
    return float(share[1]) if share else 100 * number(text) / whole
