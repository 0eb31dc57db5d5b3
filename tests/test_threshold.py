import pytest

from kubevitals.errors import Unusable
from kubevitals.inventory.cluster import Cluster
from kubevitals.threshold import Threshold, parse_thresholds
from tests.fakes import FakeSource, ago

STUCK = Threshold("pod.stuck", 60, "")
RESTARTS = Threshold("pod.restarts", 3, "")
KNOWN = {threshold.name: threshold for threshold in (STUCK, RESTARTS)}


def test_numbers_and_durations_are_read() -> None:
    assert parse_thresholds(["pod.stuck=5m", "pod.restarts=7"], KNOWN) == {STUCK: 300, RESTARTS: 7}
    assert parse_thresholds([], KNOWN) == {}


def test_a_threshold_that_is_set_twice_is_refused() -> None:
    with pytest.raises(Unusable, match=r"--threshold pod\.stuck=2m: pod\.stuck is set twice"):
        parse_thresholds(["pod.stuck=5m", "pod.stuck=2m"], KNOWN)


@pytest.mark.parametrize("setting", ["pod.stack=5m", "=5m", "", "pod stuck", "pod.stuck\x1b[2J=1"])
def test_an_unknown_name_lists_what_there_is(setting: str) -> None:
    with pytest.raises(Unusable, match=r"there are: pod\.restarts, pod\.stuck$") as caught:
        parse_thresholds([setting], KNOWN)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("value", ["", "soon", "-1", "1=2", "nan", "\x1b[2J"])
def test_a_value_that_is_none_is_refused(value: str) -> None:
    with pytest.raises(Unusable, match=r"--threshold pod\.stuck=.*: give a number such as 60, or a duration") as caught:
        parse_thresholds([f"pod.stuck={value}"], KNOWN)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(("age", "given", "over"), [(59, {}, False), (60, {}, True), (90, {STUCK: 120.0}, False)])
def test_a_state_counts_once_it_has_lasted_as_long_as_the_threshold(
    age: int, given: dict[Threshold, float], over: bool
) -> None:
    began = ago(age)
    assert Cluster(FakeSource(), given).over(began, STUCK) is over
