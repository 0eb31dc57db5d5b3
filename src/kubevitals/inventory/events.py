"""Events: when they were seen, how often, and how they read as evidence."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from kubevitals import schema_pb2 as pb
from kubevitals.text import duration


def last_seen(event: pb.Event) -> int:
    """Return when the event was last seen, in seconds since 1970; old and new event APIs keep it differently."""
    return max(
        event.series.lastObservedTime.seconds,
        event.lastTimestamp.seconds,
        event.eventTime.seconds,
        event.metadata.creationTimestamp.seconds,
    )


def first_seen(event: pb.Event) -> int:
    """Return when the event was first seen, in seconds since 1970."""
    return event.firstTimestamp.seconds or event.eventTime.seconds or event.metadata.creationTimestamp.seconds


def event_line(event: pb.Event) -> str:
    """Return an event as a line of evidence."""
    count, lasted = max(event.count, event.series.count, 1), last_seen(event) - first_seen(event)
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
