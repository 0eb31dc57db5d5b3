"""What only kubelets know, asked of each: itself, or through the API server where the user's own credentials may do so.

Asked themselves they want the right to get nodes/stats and nodes/configz, which is a right to read and no more.
"""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import msgspec
from msgspec.json import Decoder

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.fetching import answers
from kubevitals.inventory.give_up import Patience
from kubevitals.inventory.node_sample import asked_nodes
from kubevitals.objects import internal_address, path
from kubevitals.source.request import Answer, Request, Server, refusal

PORT = 10250
"""Where kubelets listen unless told otherwise."""

T = TypeVar("T")

RIGHT = "get nodes/proxy"
"""It amounts to more than reading (its holder may run commands in every pod): it is used, never asked for."""


class Memory(msgspec.Struct):
    """A container's memory, in bytes: what it uses, and how much of that the kernel cannot simply drop."""

    usageBytes: int | None = None  # noqa: N815
    workingSetBytes: int | None = None  # noqa: N815


class Container(msgspec.Struct):
    """A container's figures."""

    name: str
    memory: Memory | None = None


class ObjectName(msgspec.Struct):
    """The name of a pod or a claim."""

    name: str
    namespace: str


class Volume(msgspec.Struct):
    """A volume's figures, in bytes and inodes; without a claim it is the pod's own."""

    name: str
    pvcRef: ObjectName | None = None  # noqa: N815
    capacityBytes: int | None = None  # noqa: N815
    availableBytes: int | None = None  # noqa: N815
    inodes: int | None = None
    inodesFree: int | None = None  # noqa: N815


class FileSystem(msgspec.Struct):
    """The figures of a node's file system, in bytes and inodes."""

    capacityBytes: int | None = None  # noqa: N815
    availableBytes: int | None = None  # noqa: N815
    inodes: int | None = None
    inodesFree: int | None = None  # noqa: N815


class Runtime(msgspec.Struct):
    """The file systems of the container runtime: images, and containers where they have one of their own."""

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


class Config(msgspec.Struct):
    """What is read of a kubelet's /configz."""

    kubeletconfig: Settings


_SUMMARY = Decoder(Summary)
_CONFIG = Decoder(Config)


def summaries(cluster: Cluster) -> Iterator[tuple[pb.Node, Summary]]:
    """Yield the figures of each node that is ready, all nodes asked at once.

    Raises:
        NotObserved: kubelets are not to be asked, or, after the last one, some node's figures could not be had.
    """
    yield from _decoded(cluster, _ask_for_summaries, _SUMMARY)


def configs(cluster: Cluster) -> Iterator[tuple[pb.Node, Config]]:
    """Yield the configuration of each node's kubelet, all nodes asked at once.

    Raises:
        NotObserved: kubelets are not to be asked, or, after the last one, some node's could not be had.
    """
    yield from _decoded(cluster, _ask_for_configs, _CONFIG)


Asked = list[tuple[pb.Node, Future[Answer]]]


def _ask_for_summaries(cluster: Cluster) -> Asked:
    return _ask(cluster, "stats/summary", _SUMMARY)


def _ask_for_configs(cluster: Cluster) -> Asked:
    return _ask(cluster, "configz", _CONFIG)


def _ask(cluster: Cluster, what: str, schema: Decoder[Any]) -> Asked:
    patience = cluster.derive(_patience)
    return [(node, cluster.ask_later(_request(node, what, schema), patience)) for node in asked_nodes(cluster)]


def _request(node: pb.Node, what: str, schema: Decoder[Any]) -> Request:
    return Request(f"{path(node)}/proxy/{what}", json=schema, kubelet=_address(node), proxied=True)


def _patience(_: Cluster) -> Patience:
    return Patience("kubelets")


def _address(node: pb.Node) -> Server | None:
    """Return where the node's kubelet listens, if it names an internal address."""
    return Server.at(internal_address(node), node.status.daemonEndpoints.kubeletEndpoint.Port or PORT)


def _decoded(cluster: Cluster, ask: Callable[[Cluster], Asked], schema: Decoder[T]) -> Iterator[tuple[pb.Node, T]]:
    if not cluster.ask_kubelets:
        raise NotObserved("kubelets are not asked (--kubelet=none)", unasked=True)
    yield from answers(cluster.derive(ask), lambda node, answer: (node, _decode(answer, schema)))


def _decode(answer: Answer, schema: Decoder[T]) -> T:
    if answer.status != 200:
        raise refusal(answer, _right(answer))
    try:
        return schema.decode(answer.body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotObserved(f"a kubelet answers what it should not: {error}") from error


def _right(answer: Answer) -> str:
    """Return the right that a kubelet misses: it names the subresource itself, the API server does not."""
    named = re.search(rb"subresource\(s\)=\[(\w{1,20})", answer.body)
    return f"get nodes/{named[1].decode()}" if named else RIGHT
