"""When a bundle was taken: never by the time of a file, which copying changes."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from statistics import median_high
from typing import Any, NamedTuple

from kubevitals import schema_pb2 as pb
from kubevitals.source.bundle.contents import Contents

_STAMP = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.\d{1,9})? ?(Z|UTC|[+-]\d\d:?\d\d)")

HEARTBEATS = "the median of the last heartbeats of its nodes"
EVENTS = "its newest event"

PERIOD = 300
"""Seconds after which a kubelet writes conditions again that are the same (kubelet's nodeStatusReportFrequency)."""


class Taken(NamedTuple):
    """When a bundle was taken, and how that is known."""

    time: datetime
    how: str


def stamp(text: str) -> datetime | None:
    """Return the first time that is written in a text with its offset from UTC."""
    if not (match := _STAMP.search(text[:10_000])):
        return None
    day, clock, offset = match.groups()
    try:
        return datetime.fromisoformat(f"{day}T{clock}{'Z' if offset == 'UTC' else offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def estimated(contents: Contents) -> Taken | None:
    """Return when a bundle without a time of its own was taken: at a heartbeat, or at an event."""
    by_kind = {kind.schema: contents.objects(kind) for kind in contents.kinds}
    newest = max(map(_seen, by_kind.get(pb.Event, ())), default=0)
    if beats := _heartbeats(by_kind.get(pb.Node, ()), by_kind.get(pb.Lease, ())):
        beat = median_high(beats)
        if beat < newest <= beat + PERIOD:
            return Taken(datetime.fromtimestamp(newest, UTC), f"{EVENTS}, after {HEARTBEATS}")
        return Taken(datetime.fromtimestamp(beat, UTC), HEARTBEATS)
    if newest:
        return Taken(datetime.fromtimestamp(newest, UTC), EVENTS)
    return None


def _heartbeats(nodes: Any, leases: Any) -> list[int]:
    """Return the last heartbeat of each node that is ready, or of all nodes if none is."""
    renewed = {lease.metadata.name: lease.spec.renewTime.seconds for lease in leases if _is_of_node(lease)}
    ready = [node for node in nodes if any(c.type == "Ready" and c.status == "True" for c in node.status.conditions)]
    newest = (max(_beats(node, renewed.get(node.metadata.name, 0))) for node in ready or nodes)
    return [seconds for seconds in newest if 0 < seconds < _END]


_END = int(datetime(9000, 1, 1, tzinfo=UTC).timestamp())
"""A time that is no heartbeat's, in seconds since 1970."""


def _is_of_node(lease: pb.Lease) -> bool:
    return lease.metadata.namespace == "kube-node-lease"


def _beats(node: pb.Node, renewed: int) -> Iterator[int]:
    yield renewed
    for condition in node.status.conditions:
        yield condition.lastHeartbeatTime.seconds


def _seen(event: pb.Event) -> int:
    times = (event.series.lastObservedTime, event.lastTimestamp, event.eventTime)
    return max((time.seconds for time in times if time.seconds < _END), default=0)
