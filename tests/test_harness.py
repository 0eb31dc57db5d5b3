"""A scenario that nobody has recorded yet is skipped, and says how to record it."""

from pathlib import Path
from typing import Any

import pytest

from scenarios.faults import untouched
from scenarios.harness import MANIFESTS, Seen, scenario
from scenarios.judge import Judge
from scenarios.looks import LATEST, Looks
from scenarios.objects import pod


def state(seen: Seen) -> None:
    raise AssertionError("there is nothing to look at")


def other(seen: Seen) -> None:
    raise AssertionError("it is not there")


OTHER: Any = scenario(pod("app"))(other)
WITH_A_FAULT = scenario(fault=untouched)(state)
OF_MANIFESTS: Any = scenario(pod("app"))(state)
OF_AN_ADDON = scenario(pod("app"), addon="calico")(state)


@pytest.mark.parametrize(
    ("unrecorded", "options"),
    [(WITH_A_FAULT, "--kind"), (OF_MANIFESTS, "--kind"), (OF_AN_ADDON, "--kind --addon calico=COMMAND")],
)
def test_a_scenario_without_a_recording_is_skipped_by_name(unrecorded: Any, options: str) -> None:
    command = f"pytest tests/test_harness.py {options} --record scenarios/recordings"
    with pytest.raises(pytest.skip.Exception, match=f"^state has no recording yet: {command}$"):
        unrecorded(Judge())


def test_scenarios_may_be_shown_by_turns(tmp_path: Path) -> None:
    """Of two that come and go, each is compared with the latest look that shows it."""
    recording, looks = tmp_path / "x.recording", Looks(tmp_path, "y")
    for number, unmet in enumerate([[OTHER], [OTHER, OF_MANIFESTS], [OF_MANIFESTS]]):
        recording.write_text(str(number))
        looks.add(recording, [test.scenario for test in unmet])
    assert not looks.missed
    assert looks.best.path.read_text() == "0"
    judge = Judge(tmp_path, moments=looks.elsewhere())
    assert judge.path_of(OTHER.scenario).read_text() == "2"
    assert judge.path_of(OF_MANIFESTS.scenario) == judge.path(MANIFESTS)


def test_a_scenario_that_the_latest_looks_do_not_show_is_missed(tmp_path: Path) -> None:
    """It was shown at first: a false alarm that comes late is not overlooked."""
    recording, looks = tmp_path / "x.recording", Looks(tmp_path, "y")
    recording.touch()
    for unmet in [[], *[[OTHER]] * LATEST]:
        looks.add(recording, [test.scenario for test in unmet])
    assert looks.missed == ["other"]


def test_a_live_run_skips_nothing(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nothing to look at"):
        OF_MANIFESTS(Judge(tmp_path, live=True))


def test_a_live_cluster_without_the_add_on_replays_its_scenarios(tmp_path: Path) -> None:
    with pytest.raises(pytest.skip.Exception):
        OF_AN_ADDON(Judge(tmp_path, live=True))
