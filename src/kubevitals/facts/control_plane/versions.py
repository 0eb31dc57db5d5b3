"""Versions of kubelets and kube-proxies, and how far they may be from the API server's."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from kubevitals.errors import NotObserved
from kubevitals.facts.network import kube_proxy
from kubevitals.facts.nodes.lifecycle import our_nodes
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import Ref, ref
from kubevitals.threshold import Threshold

OLDER = Threshold(
    "control-plane.minors",
    3,
    "minor versions that kubelet and kube-proxy may be older than the API server (kubernetes.io/releases: version skew "
    "policy); newer ones are never supported",
)

_VERSION = re.compile(r"v?(\d{1,4})\.(\d{1,4})(?!\d)")


class Version(NamedTuple):
    """A major and a minor version."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f"v{self.major}.{self.minor}"


class Skewed(NamedTuple):
    """A kubelet or kube-proxy whose version the API server's does not support.

    Attributes:
        obj: the node, or the DaemonSet of kube-proxy.
        full: its whole version, as it is written there.
    """

    obj: Ref
    component: str
    version: Version
    full: str


def parsed(text: str) -> Version | None:
    """Return the version that a text begins with (``v1.34.4+k3s1``), or nothing."""
    match = _VERSION.match(text)
    return Version(int(match[1]), int(match[2])) if match else None


def image_tag(image: str) -> str:
    """Return the tag of an image (``registry:5000/name:TAG@digest``), or an empty text."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[2]


def server_version(cluster: Cluster) -> Version:
    """Return the API server's version.

    Raises:
        NotObserved: it is not known.
    """
    if (version := parsed(cluster.server_version)) is None:
        raise NotObserved(f"the API server's version cannot be read: {cluster.server_version}")
    return version


def skewed(cluster: Cluster) -> Iterator[Skewed]:
    """Yield the kubelets and kube-proxies that are newer than the API server, or older by more than the threshold."""
    server = server_version(cluster)
    for part in _parts(cluster):
        newer = part.version > server
        older = part.version.major < server.major or server.minor - part.version.minor > cluster.limit(OLDER)
        if newer or older:
            yield part


def _parts(cluster: Cluster) -> Iterator[Skewed]:
    for node in cluster.derive(our_nodes):
        full = node.status.nodeInfo.kubeletVersion
        if version := parsed(full):
            yield Skewed(ref(node), "kubelet", version, full)
    for daemon_set in kube_proxy.daemon_sets(cluster):
        for container in daemon_set.spec.template.spec.containers:
            tag = image_tag(container.image)
            if version := parsed(tag):
                yield Skewed(ref(daemon_set), "kube-proxy", version, tag)
