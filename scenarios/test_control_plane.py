"""A control plane without a scheduler, without a controller manager or with a full etcd, and what follows from that."""

from kubevitals.diagnosis.verdict import Outcome
from scenarios.faults import etcd_alarm, from_another_time, manifest_removed
from scenarios.harness import Seen, scenario
from scenarios.moments import created, within
from scenarios.objects import deployment, pod


@scenario(
    pod("app"),
    pod("elsewhere", schedulerName="absent"),
    fault=manifest_removed("kube-scheduler"),
    finds=[
        "control-plane[scheduler-stalled] Lease/kube-scheduler",
        "scheduling[no-scheduler] Pod/app",
        "scheduling[no-scheduler] Pod/elsewhere",
    ],
)
def test_scheduler_stopped(seen: Seen) -> None:
    """No instance is left, so nothing looks at new pods; one pod waits for a scheduler that never was there."""
    assert seen.says("no kube-scheduler works")
    assert seen.says("kube-system has no pod with the label component=kube-scheduler")


@scenario(
    deployment("web"),
    fault=manifest_removed("kube-controller-manager"),
    finds=["control-plane[controller-manager-stalled] Lease/kube-controller-manager"],
)
def test_controller_manager_stopped(seen: Seen) -> None:
    """A new Deployment gets no ReplicaSet and no pod, and its status is never written."""
    web = seen.get("Deployment/web")
    assert not web.status.observedGeneration
    assert not [pod for pod in seen.cluster.pods if pod.metadata.namespace == seen.scenario.name]


@scenario(
    fault=etcd_alarm("NOSPACE"),
    on_demand=True,
    finds=["control-plane[etcd-no-space] APIServer/kube-apiserver"],
)
def test_etcd_has_no_space_left(seen: Seen) -> None:
    """Its alarm is on: all answers are as they were, and nothing can be written."""
    assert seen.says("etcd has no space left, and its alarm NOSPACE is on")
    assert seen.says("database space exceeded")
    assert seen.outcomes["control-plane[scheduler-stalled]"] is Outcome.NOT_OBSERVED


@scenario(
    fault=from_another_time("old"),
    later=within(60, created("Node/old")),
    finds=["control-plane[version-skew] Node/old (warning)", "control-plane[clock-skew] Node/old (warning)"],
)
def test_kubelet_is_old_and_its_clock_is_wrong(seen: Seen) -> None:
    """Its kubelet was not upgraded with the control plane, and no time server is reached."""
    assert seen.says("runs kubelet v1.25, which is too old for the API server")
    assert seen.says("its kubelet renewed its Lease 3")
