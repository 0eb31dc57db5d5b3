"""Pods for which a node is on its way, and those for which none comes."""

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from tests.fakes import ago
from tests.test_scheduling import found, nodes, pending

NOMINATED = "Pod should schedule on: nodeclaim/default-x2j4p"
TRIGGERED = "pod triggered scale-up: [{default-pool 3->4 (max: 6)}]"
REFUSED = "Node scale up in zones us-central1-c associated with this pod failed: GCE quota exceeded."


def said(reason: str, message: str, last: int, first: int | None = None) -> pb.Event:
    about = pb.ObjectReference(kind="Pod", namespace="shop", name="app", uid="app")
    began = ago(last if first is None else first)
    return pb.Event(involvedObject=about, reason=reason, message=message, firstTimestamp=began, lastTimestamp=ago(last))


def waiting(*events: pb.Event) -> list[Finding]:
    """Return what is found on a pod that has had no node for ten minutes."""
    return found(pending(cpu="64"), nodes(), all_events=list(events))


@pytest.mark.parametrize(("reason", "message"), [("TriggeredScaleUp", TRIGGERED), ("Nominated", NOMINATED)])
def test_a_new_node_takes_its_time(reason: str, message: str) -> None:
    assert not waiting(said(reason, message, 60))
    assert waiting(said(reason, message, 1200))


def test_a_node_that_is_asked_for_repeatedly_does_not_come() -> None:
    """Karpenter nominates another NodeClaim each time that the cloud has no capacity."""
    other = NOMINATED.replace("x2j4p", "vsvqs")
    assert not waiting(said("Nominated", NOMINATED, 120, first=600), said("Nominated", other, 30))
    assert waiting(said("Nominated", NOMINATED, 120, first=1500), said("Nominated", other, 30))


def test_a_node_that_the_cloud_refuses() -> None:
    asked, refused = said("TriggeredScaleUp", TRIGGERED, 90), said("FailedScaleUp", REFUSED, 60)
    (finding,) = waiting(asked, refused)
    assert finding.says.endswith(f"; no node can be added: {REFUSED}")
    assert finding.remedy.startswith("raise the cloud's quota")
    assert not waiting(asked, refused, said("TriggeredScaleUp", TRIGGERED.replace("default", "other"), 30))
