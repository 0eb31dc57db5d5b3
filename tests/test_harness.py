"""A scenario that nobody has recorded yet is skipped, and says how to record it."""

from pathlib import Path
from typing import Any

import pytest

from scenarios.faults import untouched
from scenarios.harness import Seen, scenario
from scenarios.judge import Judge
from scenarios.objects import pod


def state(seen: Seen) -> None:
    raise AssertionError("there is nothing to look at")


WITH_A_FAULT = scenario(fault=untouched)(state)
OF_MANIFESTS = scenario(pod("app"))(state)
OF_AN_ADDON = scenario(pod("app"), addon="calico")(state)


@pytest.mark.parametrize(
    ("unrecorded", "options"),
    [(WITH_A_FAULT, "--kind"), (OF_MANIFESTS, "--kind"), (OF_AN_ADDON, "--kind --addon calico=COMMAND")],
)
def test_a_scenario_without_a_recording_is_skipped_by_name(unrecorded: Any, options: str) -> None:
    command = f"pytest tests/test_harness.py {options} --record scenarios/recordings"
    with pytest.raises(pytest.skip.Exception, match=f"^state has no recording yet: {command}$"):
        unrecorded(Judge())


def test_a_live_run_skips_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing to look at"):
        OF_MANIFESTS(Judge(tmp_path, live=True))


def test_a_live_cluster_without_the_add_on_replays_its_scenarios(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception):
        OF_AN_ADDON(Judge(tmp_path, live=True))
