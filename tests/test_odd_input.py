"""States that Kubernetes does not have, and times that cannot be: judged as far as possible, and said."""

from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from scenarios.harness import verdicts
from tests.built import BuiltPod
from tests.fakes import ago


def found(cluster: Cluster) -> list[Finding]:
    return [finding for verdict in verdicts(cluster) for finding in verdict.findings]


def only(cluster: Cluster) -> Finding:
    (finding,) = found(cluster)
    return finding


def test_an_event_of_the_future_that_never_happened_is_evidence() -> None:
    built = BuiltPod()
    built.said("FailedMount", "no such volume", -3600)
    built.events[0].series.lastObservedTime.CopyFrom(ago(-7200))
    built.events[0].series.count = built.events[0].count = 0
    finding = only(built.cluster())
    assert "FailedMount: no such volume" in finding.says
    assert "event 2h in the future (clocks differ): Warning FailedMount: no such volume" in finding.evidence


def test_an_event_with_a_negative_count_that_began_after_its_end_is_evidence() -> None:
    built = BuiltPod()
    built.said("FailedMount", "no such volume", 30)
    built.events[0].count = built.events[0].series.count = -5
    built.events[0].firstTimestamp.CopyFrom(ago(-7200))
    assert "event 30s ago: Warning FailedMount: no such volume" in only(built.cluster()).evidence


def test_a_container_that_ends_in_the_future_has_crashed() -> None:
    built = BuiltPod()
    built.crashing("x", ended=-300)
    finding = only(built.cluster())
    assert "keeps crashing" in finding.says
    assert "last terminated 5m in the future (clocks differ)" in finding.evidence


def test_a_pod_of_an_unknown_phase_is_judged_by_its_containers() -> None:
    built = BuiltPod()
    built.pod.status.phase = "Hibernating"
    assert "stays in ContainerCreating" in only(built.cluster()).says
    built.start()
    built.pod.status.phase = "Hibernating"
    assert found(built.cluster()) == []


def test_a_container_that_waits_for_an_unknown_reason_is_found() -> None:
    built = BuiltPod()
    built.pod.status.containerStatuses[0].state.waiting.reason = "Frobnicating"
    assert "stays in Frobnicating" in only(built.cluster()).says


def test_a_container_without_a_state_waits() -> None:
    built = BuiltPod()
    built.pod.status.containerStatuses[0].ClearField("state")
    assert "stays in an unknown state" in only(built.cluster()).says


def test_unknown_conditions_are_no_fault() -> None:
    built = BuiltPod()
    built.start()
    built.pod.status.conditions.append(pb.PodCondition(type="Levitates", status="False"))
    built.node.status.conditions.append(pb.NodeCondition(type="Levitates", status="True"))
    assert found(built.cluster()) == []


def test_a_node_whose_ready_condition_has_an_unknown_status_is_not_ready() -> None:
    built = BuiltPod()
    built.start()
    ready = built.node.status.conditions[0]
    ready.status = "Maybe"
    ready.lastTransitionTime.CopyFrom(ago(900))
    assert only(built.cluster()).says.endswith("a status that Kubernetes does not have: Maybe")
