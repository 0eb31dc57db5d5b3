"""Whether events still come, and what becomes of those with impossible counts and times."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.inventory.events import event_line, is_current, occurrences, times_seen
from tests.fakes import NOW, ago


def event(count: int = 1, first: int = 0, last: int = 0) -> pb.Event:
    return pb.Event(reason="Unhealthy", count=count, firstTimestamp=ago(first), lastTimestamp=ago(last))


@pytest.mark.parametrize(
    ("seen", "period", "expected"),
    [
        (event(1, 100, 100), 0, True),
        (event(1, 200, 200), 0, False),
        (event(12, 1200, 600), 10, False),
        (event(12, 700, 100), 10, True),
        (event(3, 700, 300), 60, False),
        (event(3, 700, 150), 60, True),
        (event(11, 1600, 600), 0, False),
        (event(11, 1600, 250), 0, True),
        (event(40, 2000, 600), 10, True),
        (event(40, 2000, 1000), 10, False),
        (event(0, -60, -60), 0, True),
        (event(-5, 600, 600), 0, False),
    ],
    ids=[
        "once",
        "once, and over",
        "over",
        "present",
        "over by its period",
        "present by its period",
        "over by its average",
        "present by its average",
        "rarely sent",
        "rarely sent, and over",
        "count 0, in the future",
        "negative count",
    ],
)
def test_an_event_is_current_while_it_may_still_come(seen: pb.Event, period: int, expected: bool) -> None:
    assert is_current(seen, NOW, period) is expected


def test_events_of_the_new_api_have_a_series() -> None:
    seen = pb.Event(eventTime=ago(900), series=pb.EventSeries(count=7, lastObservedTime=ago(30)))
    assert occurrences([seen]).count == 7
    assert is_current(seen, NOW)
    assert event_line(seen).startswith("  (×7 in 14m30s)")


def test_an_event_without_a_first_time_has_been_seen_once() -> None:
    seen = pb.Event(lastTimestamp=ago(500))
    assert occurrences([seen]).first == occurrences([seen]).last
    assert not is_current(seen, NOW)


numbers, times = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)


@given(count=numbers, series=numbers, first=times, last=times)
def test_no_count_and_no_time_is_too_odd(count: int, series: int, first: int, last: int) -> None:
    odd = pb.Event(
        count=count,
        series=pb.EventSeries(count=series),
        firstTimestamp=pb.Time(seconds=first),
        lastTimestamp=pb.Time(seconds=last),
    )
    assert times_seen(odd) >= 1
    assert is_current(odd, NOW) in (True, False)
    assert "Unhealthy" not in event_line(odd)
