"""How often containers restarted recently, and which restarts are over or were their node's doing."""

import pytest

from kubevitals.facts.nodes.placement import START
from kubevitals.facts.pods.faults import PodFault
from kubevitals.facts.pods.restarts import recent_restarts
from kubevitals.facts.pods.states import is_down
from kubevitals.findings.finding import pod_finding
from tests.built import BuiltPod, findings, owner_of
from tests.fakes import ago

MONTH = 30 * 86400


def running_again(*, ran: int, ended: int, restarts: int = 4, since: int = MONTH) -> BuiltPod:
    """A pod of some age whose container runs again, and ran so long before."""
    pod = BuiltPod()
    pod.crashing("web", waiting="", ended=ended, restarts=restarts)
    pod.pod.status.startTime.CopyFrom(ago(since))
    last = pod.pod.status.containerStatuses[1].lastState.terminated
    last.startedAt.CopyFrom(ago(ended + ran))
    return pod


def restarts_of(pod: BuiltPod) -> int:
    return recent_restarts(pod.pod, pod.pod.status.containerStatuses[1], pod.cluster())


def test_a_crash_after_days_of_work_is_one_restart_however_many_there_were_before() -> None:
    pod = running_again(ran=3 * 86400, ended=30)
    assert restarts_of(pod) == 1
    assert findings(pod.cluster()) == []


def test_a_container_that_crashed_as_quickly_before_is_taken_to_do_so_again_and_again() -> None:
    pod = running_again(ran=60, ended=30)
    assert restarts_of(pod) == 4
    assert findings(pod.cluster()) == ["startup-error[app-exit] Pod/app"]


@pytest.mark.parametrize(("count", "first", "expected"), [(2, 100, 2), (4, 400, 4), (61, 3600, 15)])
def test_events_count_the_starts_within_the_window(count: int, first: int, expected: int) -> None:
    pod = running_again(ran=60, ended=30, restarts=900)
    pod.said("Started", "Started container web", before=29, container="web")
    pod.events[-1].count = count
    pod.events[-1].firstTimestamp.CopyFrom(ago(first))
    assert restarts_of(pod) == expected


def test_events_that_miss_the_present_run_do_not_count() -> None:
    """The kubelet limits how many events it sends about one pod."""
    pod = running_again(ran=60, ended=30, restarts=5)
    pod.said("Started", "Started container web", before=91, container="web")
    assert restarts_of(pod) == 5


def test_all_restarts_of_a_young_pod_are_recent() -> None:
    assert restarts_of(running_again(ran=200, ended=30, restarts=3, since=800)) == 3


@pytest.mark.parametrize(("ran", "ended", "found"), [(0, 200, False), (0, 45, True), (90, 170, True), (90, 200, False)])
def test_a_container_that_outlives_its_last_run_has_recovered(ran: int, ended: int, *, found: bool) -> None:
    pod = running_again(ran=ran, ended=ended)
    assert (owner_of(pod.cluster()) is PodFault.APP_EXIT) is found


def test_a_container_that_is_not_ready_has_not_recovered() -> None:
    pod = running_again(ran=0, ended=200)
    pod.pod.status.containerStatuses[1].ready = False
    assert owner_of(pod.cluster()) is PodFault.APP_EXIT


def test_what_ended_with_a_reboot_is_not_a_crash() -> None:
    """Kinds of ends: unseen by the container runtime, and killed in an orderly shutdown."""
    for code, reason in ((255, "Unknown"), (137, "Error"), (0, "Completed")):
        pod = BuiltPod()
        pod.crashing("web", code, reason, waiting="", restarts=3, ended=300)
        pod.node_said("Rebooted", before=240)
        assert restarts_of(pod) == 0
        assert findings(pod.cluster()) == []


def test_an_application_that_does_not_survive_the_reboot_is_found() -> None:
    pod = BuiltPod()
    pod.crashing("web", restarts=5, ended=30)
    pod.node_said("Rebooted", before=600)
    assert findings(pod.cluster()) == ["startup-error[app-exit] Pod/app"]


def test_a_container_that_the_node_took_down_and_is_not_back_yet_is_not_crashing() -> None:
    pod = BuiltPod()
    pod.crashing("web", 255, "Unknown", waiting="", restarts=3, ended=3)
    status = pod.pod.status.containerStatuses[1]
    status.state.CopyFrom(status.lastState)
    status.lastState.terminated.finishedAt.CopyFrom(ago(MONTH))
    assert owner_of(pod.cluster()) is None


def test_a_pod_that_is_ready_is_not_down_though_it_crashed_before() -> None:
    pod = running_again(ran=60, ended=30)
    assert is_down(pod.pod, pod.cluster(), START)
    pod.pod.status.conditions.add(type="Ready", status="True")
    assert not is_down(pod.pod, pod.cluster(), START)


@pytest.mark.parametrize(
    ("restarts", "ended", "expected"),
    [(0, 0, True), (4, 600, False), (4, 595, False), (4, 30, True), (90, MONTH, True)],
    ids=["no restart", "by this crash", "a moment later", "never ready in between", "restarts of the past"],
)
def test_since_when_a_pod_is_not_ready_is_known_unless_a_crash_moved_that_time(
    restarts: int, ended: int, *, expected: bool
) -> None:
    pod = BuiltPod()
    pod.crashing("web", ended=ended, restarts=restarts)
    pod.pod.status.conditions.add(type="Ready", status="False", lastTransitionTime=ago(600))
    finding = pod_finding(pod.pod, says="", remedy="")
    assert (finding.since == ago(600).seconds) is expected
    pod.pod.status.conditions[-1].status = "True"
    assert pod_finding(pod.pod, says="", remedy="").since == 0
