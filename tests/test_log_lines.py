"""Which line of a log tells why a program ended."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubevitals.facts.pods.log_lines import LINE, telling_line


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            [
                "2026-11-28 13:02:43.361 [INFO][12] startup/startup.go 758: found v4=10.244.0.0/16",
                "2026-11-28 13:02:43.369 [ERROR][12] startup/utils.go 179: Unable to write to /var/lib/calico/nodename",
                "2026-11-28 13:02:43.369 [WARNING][12] startup/utils.go 48: Terminating",
                "Calico node failed to start",
            ],
            "Unable to write to /var/lib/calico/nodename",
        ),
        (["F1128 12:00:01.123456       1 main.go:202] Failed to create client", "goodbye"], "Failed to create client"),
        (['time="2026-11-28T12:00:00Z" level=fatal msg="no such device"', "exit"], '"no such device"'),
        (["panic: runtime error: index out of range", "goroutine 1 [running]:"], "runtime error: index out of range"),
        (["ERROR: first", "ERROR: second", "INFO shutting down"], "second"),
        (["INFO no errors", "metrics ERROR_COUNT=0", "0 error lines"], ""),
        ([], ""),
    ],
)
def test_the_last_error_counts_and_not_the_last_line(lines: list[str], expected: str) -> None:
    assert telling_line(lines) == expected


@given(st.lists(st.text(alphabet='[]ERORlevl=fatal msg:" 0123.', max_size=300), max_size=5))
def test_any_log_can_be_read(lines: list[str]) -> None:
    assert len(telling_line(lines)) <= LINE


def test_hostile_lines_take_no_time() -> None:
    began = time.monotonic()
    telling_line(["level=error " * 20000, "[ERROR][1] " * 20000, '"level": "error"' * 20000, " " * 200000 + "E"])
    assert time.monotonic() - began < 2
