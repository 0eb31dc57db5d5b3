"""Moments that scenarios of young states are judged at: a slow machine shows them later, or makes them later."""

from collections.abc import Callable

from kubevitals import schema_pb2 as pb
from scenarios.harness import Seen

Moment = Callable[[Seen], pb.Time]


def within(seconds: float, moment: Moment) -> Callable[[Seen], float]:
    """Return by how many seconds to move the time back, so that it is at most `seconds` after a moment."""
    return lambda seen: min(0, seconds - seen.cluster.age(moment(seen)))


def created(name: str) -> Moment:
    """Return when an object was created; it is written as ``Kind/name``."""
    return lambda seen: seen.get(name).metadata.creationTimestamp


def deleted(name: str) -> Moment:
    """Return since when an object is being deleted; it is written as ``Kind/name``."""
    return lambda seen: seen.get(name).metadata.deletionTimestamp
