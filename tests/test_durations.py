"""How durations and counts are written, and which durations are understood."""

import pytest

from kubevitals.text import duration, parse_duration, plural


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59.9, "59s"),
        (90, "1m30s"),
        (3600, "1h"),
        (90061, "1d1h"),
        (86400 + 60, "1d1m"),
        (float("inf"), "an unknown time"),
    ],
)
def test_durations_are_said_in_their_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1.5h", 5400), (" 1d ", 86400), ("0", 0)]
)
def test_durations_are_understood(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 m", "1h30m", "5w", "nan", "inf", "1e9", "9" * 10, "5m\x1b[0m"])
def test_what_is_no_duration_is_refused_in_one_printable_line(text: str) -> None:
    with pytest.raises(ValueError, match="not a duration such as 90s, 5m, 2h or 1d") as caught:
        parse_duration(text)
    assert str(caught.value).isprintable()


def test_counts_have_their_noun() -> None:
    assert [plural(n, "node") for n in (0, 1, 1003)] == ["0 nodes", "1 node", "1,003 nodes"]
