"""Whatever a probe pod prints, its report is clean and bounded."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from kubevitals.probe.parse import parse_counters, parse_resolver
from kubevitals.probe.report import (
    ProbeReport,
    Target,
    Through,
)
from kubevitals.probe.routes import parse_routes
from tests.probe_logs import RUN, TOKEN, report

# --- hostile ---

WORDS = st.sampled_from(
    [
        "reach",
        "lookup",
        "resolv",
        "route",
        "route6",
        "conntrack",
        "tracking",
        "defaults",
        "limits",
        "stat",
        "end",
        *Target,
        *Through,
    ]
)
HOSTILE = st.text(max_size=40) | st.sampled_from(
    ["10.0.0.1", "fe80::1%\x1b[2J", "-1", "9" * 400, "Name:", "Address:", TOKEN, RUN, "FFFFFFFF", "0" * 32]
)
LINE = st.builds(lambda word, parts: " ".join([word, *parts]), WORDS, st.lists(HOSTILE, max_size=9))


def _texts(report: ProbeReport) -> list[str]:
    return [text for text in str(msgspec.to_builtins(report)).split("'") if text]


@given(st.lists(LINE | st.text(max_size=200), max_size=40), st.sampled_from(["pod", "host"]))
def test_whatever_a_pod_prints_the_report_is_clean(lines: list[str], network: str) -> None:
    found = report(*lines, network=network)
    assert all(text.isprintable() for text in _texts(found))
    assert msgspec.json.decode(msgspec.json.encode(found), type=ProbeReport) == found


@given(st.binary(max_size=4000))
def test_bytes_that_are_no_log_make_an_incomplete_report(noise: bytes) -> None:
    assert not report(noise.decode("utf-8", "replace"), network="host").whole


def test_an_endless_log_is_bounded() -> None:
    found = report(*(f"reach peer 10.{n >> 16}.{n >> 8 & 255}.{n & 255} 80 w 1 {'x' * 5000}" for n in range(6000)))
    assert len(found.reached) <= 4000
    assert all(len(reach.said) <= 200 for reach in found.reached)


@given(st.lists(st.text(max_size=60), max_size=20))
def test_any_resolv_conf_and_any_counters_can_be_read(lines: list[str]) -> None:
    parse_resolver(lines)
    assert all(0 <= value <= 2**63 for value in parse_counters(lines).values())
    parse_routes([("route", line) for line in lines] + [("route6", line) for line in lines])
