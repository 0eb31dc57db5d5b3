"""When a CronJob's schedule is due, read as Kubernetes reads it (robfig/cron)."""

import re
from datetime import UTC, datetime, tzinfo
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

from kubevitals.text import clean

MOST = 100
"""Scheduled times that are counted; one takes about twenty microseconds."""

LONGEST = 1000
"""Characters of a schedule that are read."""

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_ZONE = re.compile(r"(?:CRON_)?TZ=(\S{1,100})\s+")
_EVERY = re.compile(r"@every\s+((?:\d{1,9}(?:\.\d{1,9})?[hms]){1,3})")
_PART = re.compile(r"([\d.]+)([hms])")
_SECONDS = {"h": 3600, "m": 60, "s": 1}
_FIELDS = 5


class UnreadableSchedule(ValueError):
    """A schedule or its time zone cannot be read."""


def times_due(schedule: str, zone: str, since: float, now: float) -> int:
    """Return how many scheduled times lie between two times, in seconds since 1970; at most `MOST`.

    Without a time zone it is UTC: that of the controller manager is not known, and hardly changes the number.

    Raises:
        UnreadableSchedule: the schedule or the time zone cannot be read.
    """
    text = schedule[:LONGEST].strip()
    if own := _ZONE.match(text):
        text, zone = text[own.end() :], own[1]
    if every := _EVERY.fullmatch(text):
        period = sum(float(count) * _SECONDS[unit] for count, unit in _PART.findall(every[1]))
        return int(min(max(now - since, 0) // max(period, 1), MOST))
    fields, place = _NAMED.get(text, text).replace("?", "*"), _time_zone(zone)
    if len(fields.split()) != _FIELDS:
        raise UnreadableSchedule(f'schedule "{clean(schedule, 60)}" has not five fields')
    try:
        times = CronSim(fields, datetime.fromtimestamp(since, place))
        return sum(1 for _ in takewhile(lambda time: time.timestamp() <= now, islice(times, MOST)))
    except (CronSimError, OverflowError, OSError, ValueError) as error:
        raise UnreadableSchedule(f'schedule "{clean(schedule, 60)}" cannot be read: {error}') from error


def _time_zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UnreadableSchedule(f'time zone "{clean(name, 60)}" is not known') from error
