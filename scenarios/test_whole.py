"""All scenarios together: no other findings than they state, and each rule is proven by its own scenarios."""

from dataclasses import replace

import pytest

from scenarios.harness import CHECKS, HERE, MANIFESTS, Seen, rules, scenarios
from scenarios.judge import Judge

NOT_ON_KIND = {
    ("node-limits", "open-files"),  # all nodes share the kernel of the machine, whose limits are not touched
    ("node-limits", "threads"),
    ("autoscaling", "at-maximum"),  # there are no metrics
}
"""Variants that the tests' kind cluster cannot show. Tests with built objects prove them."""


def test_nothing_else_is_found_among_all_faults(judged: Judge) -> None:
    """All manifests are in one cluster: every finding is stated by a scenario, perhaps for some minutes later."""
    stated = [s for s in scenarios() if s.recording == MANIFESTS and not s.secret_names]
    seen = judged(next(s for s in stated if not s.later))
    findings = {(obj.namespace, line) for obj, line in seen.lines}
    namespaced = {(s.name, line) for s in stated for line in s.finds}
    cluster_wide = {("", line) for _, line in namespaced}
    assert findings <= namespaced | cluster_wide


STANDS_STILL = {
    "command-of-the-readiness-probe-does-not-exist",
    "container-finds-no-space-and-is-not-ready",
    "cron-job-failed-once-then-succeeded",
    "quota-refuses-a-pod-of-a-stateful-set",
}
"""Scenarios with another finding once no event or run has followed for twenty minutes, as in a recording only."""


def test_no_state_of_the_manifests_is_a_passing_moment(judged: Judge) -> None:
    """On a slow machine they are recorded much later: nothing more may be found, unless `later` sets the time.

    Only the recordings of the repository are judged: twenty minutes without an event or a run never were, so what is
    found then depends on the moment in which a container that comes and goes was recorded.
    """
    if judged.live:
        pytest.skip("the recordings of the repository are judged")
    lasting = [s for s in scenarios() if s.recording == MANIFESTS and not s.later and judged.recorded(s)]
    later = {s.name: judged(replace(s, later=1200, secret_names=False)).findings - s.finds for s in lasting}
    assert {name for name, more in later.items() if more} <= STANDS_STILL


@pytest.fixture(scope="module")
def met(judged: Judge) -> list[Seen]:
    """The recorded scenarios whose findings are as stated; the tests of the other ones fail already."""
    recorded = [judged(scenario) for scenario in scenarios() if judged.recorded(scenario)]
    return [seen for seen in recorded if seen.findings == seen.scenario.finds]


@pytest.mark.parametrize("name", rules(), ids=lambda name: f"{name[0]}[{name[1]}]")
def test_a_rule_switched_off_fails_its_own_scenarios(judged: Judge, met: list[Seen], name: tuple[str, str]) -> None:
    """If the rule of a variant is disabled, exactly the scenarios that state its findings fail; one must exist."""
    item = f"{name[0]}[{name[1]}] "
    stating = [s for s in scenarios() if any(line.startswith(item) for line in s.finds)]
    if name in NOT_ON_KIND:
        assert not stating
        return
    assert stating, "no scenario proves this variant"
    judged.skip_if_unrecorded(stating)
    failing = [seen.scenario.name for seen in met if seen.without(name).findings != seen.scenario.finds]
    assert failing == [seen.scenario.name for seen in met if seen.scenario in stating]


def test_every_check_has_scenarios_of_its_name() -> None:
    assert {path.name for path in CHECKS.glob("test_*.py")} <= {path.name for path in HERE.glob("test_*.py")}


def test_every_recording_belongs_to_a_scenario() -> None:
    recorded = {path.stem for path in (HERE / "recordings").glob("*.recording")}
    assert recorded <= {scenario.recording for scenario in scenarios()}
