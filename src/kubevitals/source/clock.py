"""What time it is in a cluster: the API server's header Date, unless it contradicts both other clocks."""

from collections.abc import Callable
from datetime import UTC, datetime
from statistics import median_high
from time import time
from typing import NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.objects import is_ready
from kubevitals.source.request import PROTOBUF, Answer, Request
from kubevitals.text import duration

TOLERANCE = 300
"""Seconds by which two clocks may differ that are both taken for right. A kubelet renews its Lease every 10 s."""

NODES = Request("/api/v1/nodes?resourceVersion=0", pb.Node, PROTOBUF)
LEASES = Request("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases?resourceVersion=0", pb.Lease, PROTOBUF)


class Clock(NamedTuple):
    """The time that all ages are counted from.

    Attributes:
        remark: what the user should know about it; empty if it is the API server's.
    """

    now: datetime
    remark: str = ""


def machine_time() -> float:
    """Return this machine's time, in seconds since 1970."""
    return time()


def clock(date: float, get: Callable[[Request], Answer]) -> Clock:
    """Return the time of a cluster whose API server says that it is `date`, in seconds since 1970; 0 if it does not.

    If this machine's clock contradicts that, nodes decide: each renews its Lease by its own clock. No event does,
    since many may write events. Nodes alone would not do: their Leases grow old if the API server stores no writes.
    """
    here = machine_time()
    if not date or abs(date - here) <= TOLERANCE:
        return Clock(datetime.fromtimestamp(date or here, UTC))
    by_nodes = median_renewal(get)
    apart = duration(abs(date - (by_nodes or here)))
    if by_nodes and abs(date - by_nodes) > TOLERANCE:
        return Clock(
            datetime.fromtimestamp(by_nodes, UTC),
            f"the time is the median of the last renewals of the nodes' Leases: the API server's Date is {apart} off",
        )
    remark = (
        "" if by_nodes else f"the API server's Date is {apart} off this machine's clock, and no node says what is right"
    )
    return Clock(datetime.fromtimestamp(date, UTC), remark)


def median_renewal(get: Callable[[Request], Answer]) -> int:
    """Return the median time at which Ready nodes last renewed their Leases; 0 if that is not observed."""
    try:
        nodes, leases = (get(request).page.items for request in (NODES, LEASES))
    except NotObserved:
        return 0
    ready = {node.metadata.name for node in nodes if is_ready(node)}
    renewed: list[int] = [lease.spec.renewTime.seconds for lease in leases if lease.metadata.name in ready]
    return median_high([seconds for seconds in renewed if 0 < seconds < LAST] or [0])


LAST = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
"""A time that no clock shows, in seconds since 1970."""
