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


SCHEDULER = "0/3 nodes are available: 3 Insufficient cpu."
GROUP_FULL = (
    "pod didn't trigger scale-up: 12 node(s) didn't match Pod's node affinity/selector, 3 max node group size reached"
)
POOL_FULL = 'Failed to schedule pod, all available instance types exceed limits for nodepool: "default"'
NO_FIT = "pod didn't trigger scale-up: 3 Insufficient cpu"


@pytest.mark.parametrize(
    ("reason", "message", "at_limit"),
    [
        ("NotTriggerScaleUp", GROUP_FULL, True),
        ("NotTriggerScaleUp", f"(combined from similar events): {GROUP_FULL}", True),
        ("FailedScheduling", POOL_FULL, True),
        ("NotTriggerScaleUp", NO_FIT, False),
    ],
)
def test_an_autoscaler_that_has_reached_its_own_limit(reason: str, message: str, *, at_limit: bool) -> None:
    """kubernetes/autoscaler issue 5692."""
    asked, told = said("TriggeredScaleUp", TRIGGERED, 1200), said(reason, message, 60)
    (finding,) = waiting(asked, told, said("FailedScheduling", SCHEDULER, 30))
    assert ("its own limit is reached" in finding.says) is at_limit
    assert finding.remedy.startswith("raise the maximum of the node group") is at_limit


def test_an_autoscaler_that_has_added_a_node_since_is_not_at_its_limit() -> None:
    (finding,) = waiting(said("NotTriggerScaleUp", GROUP_FULL, 1500), said("TriggeredScaleUp", TRIGGERED, 1200))
    assert "limit" not in finding.says
