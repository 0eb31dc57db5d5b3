"""What only kubelets know: queried directly, or through the API server if the user's own credentials allow that.

Queried directly, a kubelet demands the rights to get nodes/stats and nodes/configz, which allow nothing but reading.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import msgspec
from msgspec.json import Decoder

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.circuit_breaker import CircuitBreaker, StartedRequest
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.node_sample import node_breaker, queried_nodes
from kubevitals.objects import internal_address, path
from kubevitals.source.request import Answer, Kubelet, Request, Server, refusal

PORT = 10250
"""A kubelet's default port."""

T = TypeVar("T")

RIGHT = "get nodes/proxy"
"""This right allows more than reading: its holder may run commands in every pod. It is used, but never asked for."""


class Memory(msgspec.Struct):
    """A container's memory, in bytes: all that it uses, that without inactive page cache, and its processes' own."""

    usageBytes: int | None = None  # noqa: N815
    workingSetBytes: int | None = None  # noqa: N815
    rssBytes: int | None = None  # noqa: N815


class Container(msgspec.Struct):
    """A container's figures."""

    name: str
    memory: Memory | None = None


class ObjectName(msgspec.Struct):
    """The name of a pod or a PVC."""

    name: str
    namespace: str


class Volume(msgspec.Struct):
    """A volume's figures, in bytes and inodes; without a PVC it is the pod's own."""

    name: str
    pvcRef: ObjectName | None = None  # noqa: N815
    capacityBytes: int | None = None  # noqa: N815
    availableBytes: int | None = None  # noqa: N815
    usedBytes: int | None = None  # noqa: N815
    inodes: int | None = None
    inodesFree: int | None = None  # noqa: N815


class FileSystem(msgspec.Struct):
    """The figures of a node's file system, in bytes and inodes."""

    capacityBytes: int | None = None  # noqa: N815
    availableBytes: int | None = None  # noqa: N815
    inodes: int | None = None
    inodesFree: int | None = None  # noqa: N815


class Runtime(msgspec.Struct):
    """The file systems of the container runtime: for images, and for containers if that is another one."""

    imageFs: FileSystem | None = None  # noqa: N815
    containerFs: FileSystem | None = None  # noqa: N815


class Pod(msgspec.Struct):
    """A pod's figures; the kubelet writes null for an empty list."""

    podRef: ObjectName  # noqa: N815
    containers: list[Container] | None = None
    volume: list[Volume] | None = None


class Node(msgspec.Struct):
    """A node's figures."""

    fs: FileSystem | None = None
    runtime: Runtime | None = None


class Summary(msgspec.Struct):
    """What is read of a kubelet's /stats/summary."""

    node: Node
    pods: list[Pod] | None = None


class Settings(msgspec.Struct):
    """What is read of a kubelet's configuration; thresholds as they are written there: ``10%``, ``1Gi``."""

    evictionHard: dict[str, str] | None = None  # noqa: N815
    evictionSoft: dict[str, str] | None = None  # noqa: N815
    clusterDNS: list[str] | None = None  # noqa: N815
    imageGCHighThresholdPercent: int | None = None  # noqa: N815


class Config(msgspec.Struct):
    """What is read of a kubelet's /configz."""

    kubeletconfig: Settings


_SUMMARY = Decoder(Summary)
_CONFIG = Decoder(Config)


def summaries(cluster: Cluster) -> Iterator[tuple[pb.Node, Summary]]:
    """Yield the figures of each node that is ready; all nodes are queried at once.

    Raises:
        NotObserved: kubelets are not to be queried, or, after the last one, some node gave no figures.
    """
    yield from _decoded(cluster, _query_summaries, _SUMMARY)


def configs(cluster: Cluster) -> Iterator[tuple[pb.Node, Config]]:
    """Yield the configuration of each node's kubelet; all nodes are queried at once.

    Raises:
        NotObserved: kubelets are not to be queried, or, after the last one, some kubelet gave none.
    """
    yield from _decoded(cluster, _query_configs, _CONFIG)


Queries = list[tuple[pb.Node, StartedRequest]]


def _query_summaries(cluster: Cluster) -> Queries:
    return _query(cluster, "stats/summary", _SUMMARY)


def _query_configs(cluster: Cluster) -> Queries:
    return _query(cluster, "configz", _CONFIG)


def _query(cluster: Cluster, what: str, schema: Decoder[Any]) -> Queries:
    breaker = cluster.derive(_kubelet_breaker)
    return [(node, cluster.fetcher.submit(_request(node, what, schema), breaker)) for node in queried_nodes(cluster)]


def _request(node: pb.Node, what: str, schema: Decoder[Any]) -> Request:
    return Request(Kubelet(path(node), what, address(node)), json=schema)


def _kubelet_breaker(cluster: Cluster) -> CircuitBreaker:
    return node_breaker(cluster, "kubelets", len(queried_nodes(cluster)), must_listen=True)


def address(node: pb.Node) -> Server | None:
    """Return where the node's kubelet listens, if the node has an internal address."""
    return Server.at(internal_address(node), node.status.daemonEndpoints.kubeletEndpoint.Port or PORT)


def _decoded(cluster: Cluster, ask: Callable[[Cluster], Queries], schema: Decoder[T]) -> Iterator[tuple[pb.Node, T]]:
    if not cluster.ask_kubelets:
        raise NotObserved("kubelets are not queried (--kubelet=none)", unasked=True)
    yield from answers(cluster.derive(ask), lambda node, answer: (node, _decode(answer, schema)))


def _decode(answer: Answer, schema: Decoder[T]) -> T:
    if answer.status != 200:
        raise refusal(answer, _right(answer))
    try:
        return schema.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotObserved(f"a kubelet's answer cannot be read: {error}") from error


def _right(answer: Answer) -> str:
    """Return the right that is missing: a kubelet names the subresource, the API server does not."""
    named = re.search(rb"subresource\(s\)=\[(\w{1,20})", answer.body)
    return f"get nodes/{named[1].decode()}" if named else RIGHT
