"""The Corefile, CoreDNS' configuration, and the blocks in it that may answer for a name of the cluster."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.facts.dns.service import service as dns_service
from kubevitals.facts.nodes.distributions import distribution_of
from kubevitals.inventory.cluster import Cluster
from kubevitals.objects import DNS_ELSEWHERE
from kubevitals.redaction import redact
from kubevitals.source.request import Request

PATH = "/api/v1/namespaces/kube-system/configmaps/coredns"
"""The ConfigMap of kubeadm and most distributions."""

LINES, SHOWN, BLOCK_LINES = 2000, 2, 12
"""Lines of a Corefile that are read, blocks that are shown, and lines of each."""

_ANSWERING = frozenset({"acl", "auto", "etcd", "file", "forward", "hosts", "k8s_external", "rewrite", "template"})
"""Plugins that may answer before `kubernetes` does, or in its place (coredns/coredns plugin.cfg)."""


_EDIT = "kubectl -n kube-system edit configmap coredns"

_EDIT_BY_SERVICE = {
    DNS_ELSEWHERE: "kubectl edit dns.operator default",
    ("kube-system", "rke2-coredns-rke2-coredns"): "kubectl -n kube-system edit helmchartconfig rke2-coredns",
}
_EDIT_BY_DISTRIBUTION = dict.fromkeys(("AKS", "k3s"), "kubectl -n kube-system edit configmap coredns-custom")
"""What to edit where something else writes the Corefile again (openshift/cluster-dns-operator, docs.rke2.io: Helm;
learn.microsoft.com/azure/aks: Customize CoreDNS; k3s-io/k3s manifests/coredns.yaml)."""


def edit_command(cluster: Cluster) -> str:
    """Return the command that edits the Corefile for good."""
    try:
        service = dns_service(cluster).metadata
        if command := _EDIT_BY_SERVICE.get((service.namespace, service.name)):
            return command
        names = {found.name for node in cluster.nodes if (found := distribution_of(node))}
    except (NotApplicable, NotObserved):
        return _EDIT
    return next((_EDIT_BY_DISTRIBUTION[name] for name in names if name in _EDIT_BY_DISTRIBUTION), _EDIT)


class _ConfigMap(msgspec.Struct):
    """The ConfigMap without all but its Corefile, which is redacted when it is decoded: recordings keep it, too."""

    data: dict[str, str] | None = None

    def __post_init__(self) -> None:
        self.data = {name: redact(text) for name, text in (self.data or {}).items() if name == "Corefile"}


_CONFIG_MAP = msgspec.json.Decoder(_ConfigMap)


class Block(NamedTuple):
    """A plugin's block in the Corefile.

    Attributes:
        zones: the zones of the server block that it is in, without ports.
        lines: its own lines.
    """

    zones: tuple[str, ...]
    plugin: str
    lines: tuple[str, ...]

    def __str__(self) -> str:
        return f"Corefile, in {' '.join(self.zones)}: {' '.join(self.lines[:BLOCK_LINES])}"


def corefile(cluster: Cluster) -> str:
    """Return the Corefile.

    Raises:
        NotObserved: the ConfigMap may not be read, does not exist, or has no Corefile.
    """
    answer = cluster.fetcher.get(Request(PATH, json=_CONFIG_MAP)).expect("get configmaps in namespace kube-system")
    try:
        return (_CONFIG_MAP.decode(answer.body).data or {})["Corefile"]
    except (msgspec.MsgspecError, UnicodeDecodeError, KeyError) as error:
        raise NotObserved("the ConfigMap kube-system/coredns has no Corefile") from error


def answering(text: str, name: str) -> list[Block]:
    """Return the blocks that may answer for a name instead of the plugin `kubernetes`, the likeliest first."""
    blocks = list(_blocks(text))
    serving = [block for block in blocks if _suffix(block, name)]
    longest = max((_suffix(block, name) for block in serving), default=0)
    own = [block for block in serving if _suffix(block, name) == longest]
    if not any(block.plugin == "kubernetes" for block in own):
        return own[:SHOWN]
    likely = [block for block in own if block.plugin in _ANSWERING and block.lines[0].split()[:2] != ["forward", "."]]
    return sorted(likely, key=lambda block: not _mentions(block, name))[:SHOWN]


def _suffix(block: Block, name: str) -> int:
    """Return how much of the name the server block's zone has; 1 for the root zone, 0 if it does not serve the name."""
    zones = [zone for zone in block.zones if zone == "." or f".{name}".endswith(f".{zone.strip('.')}")]
    return max((len(zone) for zone in zones), default=0)


def _mentions(block: Block, name: str) -> bool:
    text = " ".join(block.lines).lower().replace("\\", "")
    return name in text or ".".join(name.split(".")[:2]) in text


def _blocks(text: str) -> Iterator[Block]:
    """Yield the plugins' blocks: a server block's zones stand before ``{``, a plugin's options in braces of its own."""
    zones: tuple[str, ...] = ()
    lines: list[str] = []
    depth = 0
    for line in text.splitlines()[:LINES]:
        words = line.partition("#")[0].split()
        if not words:
            continue
        opens, closes = words[-1] == "{", words == ["}"]
        if depth == 0 and opens:
            zones = tuple(_zone(word) for word in words[:-1])
        elif depth >= 1 and not (depth == 1 and closes):
            lines.append(" ".join(words))
        depth = max(0, depth + opens - closes)
        if depth == 1 and lines:
            yield Block(zones, lines[0].split()[0], tuple(lines))
            lines = []


def _zone(word: str) -> str:
    """Return the zone in a server block's key: ``dns://example.org:53`` is ``example.org``."""
    zone = word.strip(",").rpartition("://")[2]
    return (zone.rpartition(":")[0] if ":" in zone else zone).lower() or "."
