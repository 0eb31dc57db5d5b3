"""Runs of the probe against the fake API server: nothing stays behind, whatever happens."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from threading import Event

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.interrupts import Interrupts
from kubevitals.probe.outcome import Ran
from kubevitals.probe.plan import Options, ProbePlan
from kubevitals.source.live import Live
from kubevitals.source.probing import cleanup as leave_
from kubevitals.source.probing import run as probe_run
from kubevitals.source.probing.run import run
from scenarios.rights import Right, granted, named, requested
from tests.fake_probe import NODES, PLACE, SETS, ProbedCluster
from tests.fake_server import ApiServer, Reply
from tests.fakes import status_json

PLAN = ProbePlan(Options(timeout=20), NODES, dns_services=("10.96.0.10",))
BRIEF = PLAN._replace(options=Options(timeout=4))
FORBIDDEN = Reply(status_json("the probe may not"), 403)
BUSY = Reply(status_json("busy"), 503)
BROKEN = Reply(b"<html>", 418)


@pytest.fixture(autouse=True)
def _in_haste(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"POLL": 0.01, "QUIET": 0.1, "READING": 1.5, "SENDING": 0.1}.items():
        monkeypatch.setattr(probe_run, name, value)


@pytest.fixture
def kube(server: ApiServer) -> Iterator[ProbedCluster]:
    """A cluster that runs the probe; in the end nothing of it may be left."""
    cluster = ProbedCluster()
    server.otherwise = cluster
    yield cluster
    assert "POST /api/v1/namespaces" in cluster.requests
    assert cluster.objects == {}
    assert cluster.namespace is None


@pytest.fixture
def probe(connect: Callable[..., Live]) -> Callable[..., Ran]:
    """Runs the probe."""
    return lambda plan=PLAN: run(connect(), plan)


Probe = Callable[..., Ran]


def test_every_node_tells_what_it_sees_from_both_networks(kube: ProbedCluster, probe: Probe) -> None:
    ran = probe()
    assert [(pod.node, pod.network) for pod in ran.pods] == [(n, w) for n in sorted(NODES) for w in ("host", "pod")]
    assert all(pod.log.endswith(f"end {ran.run}\n") for pod in ran.pods)
    assert (ran.cluster_ips, ran.node_port, ran.remarks) == (("10.96.7.7",), 30777, ())


def test_every_pod_is_told_its_own_targets(kube: ProbedCluster, probe: Probe) -> None:
    ran = probe()
    assert kube.targets.keys() == {pod.name for pod in ran.pods}
    assert all("reach service 10.96.7.7 80 - 3\n" in lines for lines in kube.targets.values())
    assert len(set(kube.targets.values())) == len(ran.pods)


@pytest.mark.parametrize("failing", ["POST .*/services", "POST .*/daemonsets", "GET .*/pods$"])
@pytest.mark.parametrize("reply", [FORBIDDEN, BROKEN], ids=["forbidden", "broken"])
def test_a_run_that_fails_removes_what_it_made(kube: ProbedCluster, probe: Probe, failing: str, reply: Reply) -> None:
    kube.on(failing, lambda: reply, lambda: None)
    with pytest.raises(NotObserved) as caught:
        probe()
    assert str(caught.value).isprintable()


def test_a_missing_right_is_named(kube: ProbedCluster, probe: Probe) -> None:
    kube.on("POST .*/daemonsets", lambda: FORBIDDEN)
    with pytest.raises(NotObserved, match="the probe may not") as caught:
        probe()
    assert caught.value.right == "create daemonsets in namespace kubevitals-probe"


@pytest.mark.parametrize("right", sorted(granted("components/probe/rbac.yaml")), ids=" ".join)
def test_each_right_that_is_missing_is_told(used: ProbedCluster, probe: Probe, right: Right) -> None:
    used.on("", lambda: FORBIDDEN if right in requested(used.requests[-1:]) else None)
    try:
        ran = probe(BRIEF._replace(nodes=(*NODES, "nowhere")))
        remarks = [*ran.remarks, *(pod.reason for pod in ran.pods)]
    except NotObserved as error:
        remarks = [str(error)]
    assert any(f"missing right: {named(right)}" in line for line in remarks)


def test_what_creates_is_never_sent_twice(kube: ProbedCluster, probe: Probe) -> None:
    kube.on("POST .*/daemonsets", lambda: BUSY)
    with pytest.raises(NotObserved):
        probe()
    assert kube.requests.count(f"POST {SETS}") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["POST .*/services", "POST .*/daemonsets", "GET .*/pods$", "PATCH", "GET .*/log"])
def test_an_interrupted_run_removes_what_it_made(
    kube: ProbedCluster, probe: Probe, moment: str, number: signal.Signals
) -> None:
    before = signal.getsignal(number)
    kube.on(moment, lambda: os.kill(os.getpid(), number), lambda: None)
    with pytest.raises(KeyboardInterrupt, match=number.name):
        probe()
    assert signal.getsignal(number) is before


class Interrupting:
    """Sends a signal when it is finalized, where Python drops what the signal's handler raises."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):
            pass


def test_a_signal_that_arrives_in_a_finalizer_is_not_lost() -> None:
    def wait() -> None:
        with Interrupts().handled():
            Interrupting()
            Event().wait(20)

    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        wait()


def test_a_run_that_is_over_at_once_does_not_lose_it_either(
    kube: ProbedCluster, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(_: object) -> Ran:
        Interrupting()
        return Ran("", "", "", (), 0)

    monkeypatch.setattr("kubevitals.source.probing.run._Run.look", look)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"):
        probe()


def test_tidying_up_is_not_interrupted(kube: ProbedCluster, probe: Probe) -> None:
    kube.on("DELETE", lambda: os.kill(os.getpid(), signal.SIGINT), lambda: None)
    assert probe().remarks == ()


def test_pods_that_never_end_are_not_waited_for_beyond_the_deadline(kube: ProbedCluster, probe: Probe) -> None:
    kube.ready = False
    ran = probe(BRIEF)
    assert all(pod.log and f"end {ran.run}" not in pod.log for pod in ran.pods)


def test_pods_that_do_not_start_say_why(kube: ProbedCluster, probe: Probe) -> None:
    late, mute = NODES[1:]
    kube.waiting[late] = pb.ContainerStateWaiting(reason="ErrImagePull", message="no such host")
    kube.waiting[mute] = pb.ContainerStateWaiting(reason="ContainerCreating")
    kube.warnings[mute] = "failed to setup network for sandbox"
    ran = probe()
    reasons = {pod.node: pod.reason for pod in ran.pods}
    assert reasons[NODES[0]] == ""
    assert reasons[late] == "ErrImagePull: no such host"
    assert reasons[mute] == "ContainerCreating: failed to setup network for sandbox"
    assert {pod.node for pod in ran.pods if pod.log} == {NODES[0]}


def test_a_node_without_a_pod_tells_why_its_daemon_set_made_none(kube: ProbedCluster, probe: Probe) -> None:
    ran = probe(BRIEF._replace(nodes=(*NODES, "nowhere")))
    (reason,) = {pod.reason for pod in ran.pods if pod.node == "nowhere"}
    assert reason == "no pod: its DaemonSet created none in time"


def test_a_log_that_cannot_be_read_is_told(kube: ProbedCluster, probe: Probe) -> None:
    kube.on(f"GET .*{NODES[0]}/log", lambda: FORBIDDEN)
    reasons = {pod.reason for pod in probe().pods if pod.node == NODES[0]}
    assert len(reasons) == 1
    assert reasons.pop().startswith("its log cannot be read: forbidden: the probe may not (missing right: get pods/log")


def test_a_pod_whose_log_cannot_be_read_sends_its_vital_readings(kube: ProbedCluster, probe: Probe) -> None:
    kube.on(f"GET .*{NODES[0]}/log", lambda: FORBIDDEN)
    kube.vitals[NODES[0]] = "conntrack 999 1000\nnameserver 192.0.2.1\n" + "x" * 5000
    kube.vitals[NODES[1]] = "conntrack 1 1000"
    by_node = {pod.node: pod for pod in probe().pods if pod.network == "host"}
    assert by_node[NODES[0]].vitals.startswith("conntrack 999 1000\n")
    assert len(by_node[NODES[0]].vitals) == 4096
    assert "its log cannot be read" in by_node[NODES[0]].reason
    assert by_node[NODES[1]].vitals == ""


def test_a_busy_server_is_asked_again_to_delete(kube: ProbedCluster, probe: Probe) -> None:
    kube.on("DELETE", lambda: BUSY, lambda: BUSY, lambda: None)
    assert probe().remarks == ()


# --- namespaces, and what stands in them ---


@pytest.fixture
def used(server: ApiServer) -> ProbedCluster:
    """A cluster where the namespace exists already."""
    cluster = ProbedCluster()
    cluster.namespace = {}
    server.otherwise = cluster
    return cluster


def leave(kube: ProbedCluster, name: str, age: int, **labels: str) -> str:
    """Put a DaemonSet into the namespace."""
    path = f"{SETS}/{name}"
    spec = {"template": {"metadata": {"labels": {}}, "spec": {"containers": []}}}
    marked = {"app.kubernetes.io/managed-by": "kubevitals"} | labels
    metadata = {"name": name, "age": age, "labels": marked}
    kube.objects[path] = {"kind": "Leftover", "metadata": metadata, "spec": spec}
    return path


def test_a_namespace_that_no_run_made_stays(used: ProbedCluster, probe: Probe) -> None:
    probe()
    assert used.namespace == {}
    assert used.objects == {}
    assert f"DELETE {PLACE}" not in used.requests


def test_leftovers_of_runs_that_are_over_go_and_others_stay(used: ProbedCluster, probe: Probe) -> None:
    lifetime = {"kubevitals.io/lifetime": "90"}
    leave(used, "probe-pod-old", 91, **lifetime)
    leave(used, "probe-pod-unmarked", 601)
    kept = [
        leave(used, "probe-pod-running", 60, **lifetime),
        leave(used, "probe-pod-young", 500),
        leave(used, "probe-pod-hostile", 500, **{"kubevitals.io/lifetime": "9" * 5000}),
        leave(used, "somebody-elses", 9999, **{"app.kubernetes.io/managed-by": "Helm"}),
    ]
    assert probe().remarks == ()
    assert list(used.objects) == kept


def test_a_namespace_of_ours_stays_while_another_run_is_in_it(used: ProbedCluster, probe: Probe) -> None:
    used.namespace = {"app.kubernetes.io/managed-by": "kubevitals"}
    leave(used, "probe-pod-running", 60, **{"kubevitals.io/lifetime": "90"})
    probe()
    assert used.namespace is not None


def test_a_namespace_that_is_about_to_vanish_is_waited_for(kube: ProbedCluster, probe: Probe) -> None:
    vanishing = {"metadata": {"deletionTimestamp": "2026-03-01T12:00:00Z"}}
    kube.on(f"GET {PLACE}$", lambda: Reply(json.dumps(vanishing).encode()), lambda: None)
    assert probe().remarks == ()


def test_a_namespace_that_may_not_be_looked_at_is_used(used: ProbedCluster, probe: Probe) -> None:
    used.on(f"GET {PLACE}$", lambda: FORBIDDEN)
    assert all(pod.log for pod in probe().pods)
    assert used.objects == {}


def test_what_cannot_be_deleted_is_told(used: ProbedCluster, probe: Probe) -> None:
    used.on("DELETE .*/daemonsets", lambda: FORBIDDEN)
    ran = probe()
    assert [remark.split(" may be")[0] for remark in ran.remarks] == [
        f"DaemonSet/kubevitals-probe/probe-{network}-{ran.run}" for network in ("pod", "host")
    ]
    assert "delete daemonsets in namespace kubevitals-probe" in ran.remarks[0]


def test_a_cluster_that_falls_silent_is_not_tidied_up_for_ever(
    used: ProbedCluster, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leave_, "CLEANING", -1)
    ran = probe()
    assert len(ran.remarks) == 3
    assert all("took too long to answer" in remark for remark in ran.remarks)


def test_an_interrupted_run_says_what_may_be_left(used: ProbedCluster, probe: Probe) -> None:
    used.on("PATCH", lambda: os.kill(os.getpid(), signal.SIGINT), lambda: None)
    used.on("DELETE .*/services", lambda: FORBIDDEN)
    with pytest.raises(KeyboardInterrupt, match=r"SIGINT; Service/kubevitals-probe/probe-.* may be left behind"):
        probe()


def test_a_run_shows_how_many_of_its_pods_run(kube: ProbedCluster, probe: Probe) -> None:
    shown: list[str] = []
    probe(PLAN._replace(options=Options(timeout=20, progress=shown.append)))
    assert shown[-1] == f"probe: {2 * len(NODES)} of {2 * len(NODES)} pods run"
