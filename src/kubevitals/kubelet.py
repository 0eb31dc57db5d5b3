"""Figures that only kubelets know, asked of each through the API server where the user's own credentials may do so."""

from collections.abc import Iterator
from concurrent.futures import Future
from urllib.parse import quote

import msgspec

from kubevitals.errors import NotObserved
from kubevitals.inventory import Cluster, refusal
from kubevitals.objects import node_condition
from kubevitals.source import Answer

RIGHT = "get nodes/proxy"
"""It amounts to more than reading (its holder may run commands in every pod): it is used, never asked for."""


class Memory(msgspec.Struct):
    """A container's memory, in bytes."""

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
    """The figures of a node's file system, in bytes."""

    capacityBytes: int | None = None  # noqa: N815


class Pod(msgspec.Struct):
    """A pod's figures."""

    podRef: ObjectName  # noqa: N815
    containers: list[Container] = []
    volume: list[Volume] = []


class Node(msgspec.Struct):
    """A node's figures."""

    fs: FileSystem | None = None


class Summary(msgspec.Struct):
    """What is read of a kubelet's /stats/summary."""

    node: Node
    pods: list[Pod] = []


def summaries(cluster: Cluster) -> Iterator[Summary]:
    """Yield the figures of each node that is ready, all nodes asked at once.

    Raises:
        NotObserved: kubelets are not to be asked, or, after the last one, some node's figures could not be had.
    """
    if not cluster.ask_kubelets:
        raise NotObserved("kubelets are not asked (--no-kubelet)")
    unseen: NotObserved | None = None
    for answer in cluster.derive(_ask_all):
        try:
            yield _summary(answer)
        except NotObserved as error:
            unseen = unseen or error
    if unseen:
        raise unseen


def _ask_all(cluster: Cluster) -> list[Future[Answer]]:
    ready = [node for node in cluster.nodes if (c := node_condition(node, "Ready")) and c.status == "True"]
    return [
        cluster.ask_later(f"/api/v1/nodes/{quote(node.metadata.name, '')}/proxy/stats/summary", Summary)
        for node in ready
    ]


def _summary(answer: Future[Answer]) -> Summary:
    if (got := answer.result()).status != 200:
        raise refusal(got, RIGHT)
    try:
        return msgspec.json.decode(got.body, type=Summary)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotObserved(f"a kubelet's /stats/summary is not what it should be: {error}") from error
