"""Events: when they were seen, how often, whether they still come, and how they read as evidence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from kubevitals import schema_pb2 as pb
from kubevitals.text import duration

PERIODS = 3
"""A repeated event counts as current while its last occurrence is younger than this many of its periods."""

LEAST = 120
"""Seconds for which any event counts as current: kubelets and controllers retry after two minutes at the latest."""

BURST, REFILL = 25, 300
"""After 25 events of one sender about one object, only one in five minutes is sent (client-go events_cache.go)."""


@dataclass(frozen=True, slots=True)
class Occurrences:
    """How often something was seen, and when first and last, in seconds since 1970."""

    count: int
    first: int
    last: int

    def is_current(self, now: datetime, period: float = 0, sent: int = 0) -> bool:
        """Return whether it still comes: the last time is not longer ago than a few of the periods in which it comes.

        Args:
            now: the time from which ages are counted; an occurrence in the future counts as one of now.
            period: seconds between two occurrences, where known; else it is their average distance.
            sent: how many events its sender has sent about the object in all, where known.
        """
        average = max(0, self.last - self.first) / (self.count - 1) if self.count > 1 else 0
        limited = REFILL if max(self.count, sent) >= BURST else 0
        return now.timestamp() - self.last <= max(LEAST, PERIODS * max(period or average, limited))


def occurrences(events: Sequence[pb.Event]) -> Occurrences:
    """Return how often the events were seen in total; there must be one at least."""
    return Occurrences(
        count=sum(map(times_seen, events)), first=min(map(first_seen, events)), last=max(map(last_seen, events))
    )


def is_current(event: pb.Event, now: datetime, period: float = 0) -> bool:
    """Return whether the event still comes, as `Occurrences.is_current` says."""
    return occurrences([event]).is_current(now, period)


def times_seen(event: pb.Event) -> int:
    """Return how often the event was seen: once at least, whatever it counts."""
    return max(event.count, event.series.count if event.HasField("series") else 0, 1)


def last_seen(event: pb.Event) -> int:
    """Return when the event was last seen, in seconds since 1970; old and new event APIs keep it differently."""
    return max(
        event.series.lastObservedTime.seconds if event.HasField("series") else 0,
        event.lastTimestamp.seconds,
        event.eventTime.seconds if event.HasField("eventTime") else 0,
        event.metadata.creationTimestamp.seconds,
    )


def first_seen(event: pb.Event) -> int:
    """Return when the event was first seen, in seconds since 1970."""
    times = (event.firstTimestamp, event.eventTime, event.metadata.creationTimestamp)
    return next((time.seconds for time in times if time.seconds), last_seen(event))


def event_line(event: pb.Event) -> str:
    """Return an event as a line of evidence."""
    count, lasted = times_seen(event), last_seen(event) - first_seen(event)
    often = f" (×{count} in {duration(lasted)})" if count > 1 else ""
    return f"{event.type} {event.reason}{often}: {event.message}"


def by_object(events: Iterable[pb.Event]) -> Mapping[tuple[str, str, str], list[pb.Event]]:
    """Return the events of each object by its kind, namespace and name, the latest last."""
    index = defaultdict(list)
    for event in events:
        about = event.involvedObject
        index[about.kind, about.namespace, about.name].append(event)
    for about_one in index.values():
        about_one.sort(key=last_seen)
    return index
