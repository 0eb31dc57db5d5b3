"""A scenario that nobody has recorded yet is skipped, and says how to record it."""

from pathlib import Path
from typing import Any

import pytest

from scenarios.faults import untouched
from scenarios.harness import Judge, Seen, scenario
from scenarios.objects import pod


def state(seen: Seen) -> None:
    raise AssertionError("there is nothing to look at")


WITH_A_FAULT = scenario(fault=untouched)(state)
OF_MANIFESTS = scenario(pod("app"))(state)


@pytest.mark.parametrize("unrecorded", [WITH_A_FAULT, OF_MANIFESTS])
def test_a_scenario_without_a_recording_is_skipped_by_name(unrecorded: Any) -> None:
    with pytest.raises(
        pytest.skip.Exception, match=r"^state has no recording yet: pytest tests/test_harness.py --kind"
    ):
        unrecorded(Judge())


def test_a_live_run_skips_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing to look at"):
        OF_MANIFESTS(Judge(tmp_path, live=True))
