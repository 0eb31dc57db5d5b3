"""Native sidecars that do not start: the containers after them wait."""

import pytest

from checks.test_readiness import probe_failing
from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault
from tests.built import HEALTHZ, BuiltPod, findings, owner_of, probe
from tests.fakes import ago


def waiting(since: int = 800, *, started: bool = False, probed: bool = True) -> BuiltPod:
    """Return a pod whose sidecar has run for so long; its startup probe allows 600 seconds."""
    pod = BuiltPod(sidecars=True)
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(since)))
    startup = probe(HEALTHZ, period=1, threshold=600) if probed else None
    pod.container(pb.ContainerStatus(name="istio-proxy", state=running, started=started), startupProbe=startup)
    for condition in pod.pod.status.conditions:
        condition.lastTransitionTime.CopyFrom(ago(since + 5))
    pod.pod.status.conditions.add(type="Ready", status="False", lastTransitionTime=ago(since + 5))
    pod.pod.spec.initContainers[0].name = "istio-proxy"
    return pod


def test_a_sidecar_whose_startup_probe_fails_is_named() -> None:
    """istio/istio issue 51883: the pod is Init:0/2, and its application waits in PodInitializing."""
    pod = waiting()
    pod.said("Unhealthy", "Startup probe failed: HTTP probe failed with statuscode: 503", 5)
    pod.events[-1].involvedObject.fieldPath = "spec.initContainers{istio-proxy}"
    assert findings(pod.cluster()) == ["readiness[probe-failing] Pod/app"]
    (finding,) = probe_failing(pod.cluster())
    assert finding.says == ('startup probe of container "istio-proxy" fails (GET /healthz on port 8080): HTTP 503')


def test_a_sidecar_has_the_time_that_its_startup_probe_allows() -> None:
    assert owner_of(waiting(600).cluster()) is None


@pytest.mark.parametrize("pod", [waiting(1000, started=True), waiting(1000, probed=False)], ids=["started", "no probe"])
def test_after_any_other_sidecar_a_container_that_does_not_start_is_itself_the_fault(pod: BuiltPod) -> None:
    assert owner_of(pod.cluster()) is PodFault.NOT_STARTED
