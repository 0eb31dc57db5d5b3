"""Leases of the control plane, versions, and clocks of nodes, in made-up clusters."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from checks.test_control_plane import (
    clock_skew,
    controller_manager_stalled,
    etcd_no_space,
    scheduler_stalled,
    version_skew,
)
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved
from kubevitals.findings.declaration import Rule
from kubevitals.findings.finding import Finding, Severity
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.live import Live
from kubevitals.source.recording import Recording, Snapshot
from kubevitals.source.request import Answer, Request
from tests.built import node
from tests.fake_server import ApiServer
from tests.fakes import NOW, FakeSource, ago, cluster_of, list_bytes

LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
RULES: dict[Rule, str] = {scheduler_stalled: "kube-scheduler", controller_manager_stalled: "kube-controller-manager"}


def lease(name: str, renewed: int, duration: int = 15) -> pb.Lease:
    """Return a Lease that was renewed so many seconds ago."""
    spec = pb.LeaseSpec(holderIdentity="master_1", leaseDurationSeconds=duration, renewTime=ago(renewed))
    return pb.Lease(metadata=pb.ObjectMeta(name=name, namespace="kube-system"), spec=spec)


def owned(kind: str, created: int, scheduled: int) -> pb.Pod:
    """Return a pod of a controller that was created and got a node so many seconds ago."""
    pod = pb.Pod(metadata=pb.ObjectMeta(name="web-1", namespace="shop", creationTimestamp=ago(created)))
    pod.metadata.ownerReferences.add(kind=kind, name="web", controller=True)
    pod.status.conditions.add(type="PodScheduled", status="True", lastTransitionTime=ago(scheduled))
    return pod


def found(rule: Rule, renewed: int = 300, duration: int = 15, **lists: Any) -> list[Finding]:
    """Apply a rule to a cluster in which only the node's Lease is fresh."""
    lists = {"system_leases": [lease(RULES[rule], renewed, duration)], "node_leases": [lease("one", 5)]} | lists
    return list(rule(cluster_of(**lists)))


@pytest.mark.parametrize("rule", RULES)
def test_a_lease_that_is_not_renewed_any_more(rule: Rule) -> None:
    own = pb.Pod(metadata=pb.ObjectMeta(name="own", namespace="kube-system", labels={"component": RULES[rule]}))
    (finding,) = found(rule, pods=[own, owned("Job", 400, 390)])
    assert str(finding.obj) == f"Lease/kube-system/{RULES[rule]}"
    assert f"no {RULES[rule]} works" in finding.says
    assert "last renewed 5m ago by master_1" in finding.evidence
    assert [str(pod) for pod in finding.concerns] == ["Pod/kube-system/own"]


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("renewed", "duration", "count"), [(59, 15, 0), (61, 15, 1), (200, 137, 0), (300, 137, 1)])
def test_a_lease_may_be_a_minute_old_or_twice_its_own_duration(
    rule: Rule, renewed: int, duration: int, count: int
) -> None:
    """OpenShift's Leases last 137 seconds."""
    assert len(found(rule, renewed, duration)) == count


@pytest.mark.parametrize("rule", RULES)
def test_a_lease_that_is_left_over(rule: Rule) -> None:
    """A control plane that no longer elects a leader goes on creating pods and giving them nodes."""
    assert not found(rule, 30_000, pods=[owned("ReplicaSet", 100, 99)])


@pytest.mark.parametrize("rule", RULES)
def test_a_component_that_elects_no_leader_leaves_its_lease_alone(rule: Rule) -> None:
    own = pb.Pod(metadata=pb.ObjectMeta(name="own", namespace="kube-system", labels={"component": RULES[rule]}))
    own.spec.containers.add(command=[RULES[rule], "--leader-elect=false"])
    with pytest.raises(NotApplicable, match="without an elected leader"):
        found(rule, pods=[own])
    other = pb.Pod(metadata=pb.ObjectMeta(name="other", namespace="kube-system", labels={"component": RULES[rule]}))
    other.spec.containers.add(command=[RULES[rule], "--leader-elect=true"])
    assert found(rule, pods=[own, other])


@pytest.mark.parametrize("rule", RULES)
def test_pods_that_others_create_or_run_by_themselves_prove_nothing(rule: Rule) -> None:
    assert found(rule, 30_000, pods=[owned("Node", 100, 99), owned("Workflow", 100, 99)])


def test_the_two_components_leave_different_traces() -> None:
    """Without a scheduler pods are still created; without a controller manager old pods still get a node."""
    unscheduled = owned("ReplicaSet", 100, 0)
    unscheduled.status.conditions[0].status = "False"
    assert found(scheduler_stalled, pods=[unscheduled])
    assert found(controller_manager_stalled, pods=[owned("ReplicaSet", 400, 100)])


@pytest.mark.parametrize("rule", RULES)
def test_a_control_plane_without_leases_is_not_judged(rule: Rule) -> None:
    with pytest.raises(NotApplicable, match="the control plane is managed"):
        found(rule, system_leases=[lease("other", 300)])


@pytest.mark.parametrize("rule", RULES)
def test_where_no_lease_at_all_is_renewed_the_component_is_not_blamed(rule: Rule) -> None:
    """etcd accepts no writes, or the objects come from a dump."""
    with pytest.raises(NotObserved, match="no Lease has been renewed for 5m"):
        found(rule, node_leases=[lease("one", 400)])


@pytest.mark.parametrize("rule", RULES)
def test_leases_that_cannot_be_listed_are_not_observed(rule: Rule) -> None:
    path = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
    with pytest.raises(NotObserved, match=r"list leases\.coordination"):
        list(rule(cluster_of({path: Answer(403, b"forbidden")})))


def versions(kubelet: str, server: str = "v1.34.4", image: str = "") -> list[Finding]:
    machine = node()
    machine.status.nodeInfo.kubeletVersion = kubelet
    proxy = pb.DaemonSet(metadata=pb.ObjectMeta(name="kube-proxy", namespace="kube-system"))
    proxy.metadata.labels["k8s-app"] = "kube-proxy"
    proxy.spec.template.spec.containers.add(image=image)
    body = b'{"gitVersion": "%s"}' % server.encode()
    cluster = cluster_of({"/version": Answer(200, body)}, nodes=[machine], daemon_sets=[proxy])
    return list(version_skew(cluster))


@pytest.mark.parametrize(
    ("kubelet", "says"),
    [
        ("v1.35.0", "runs kubelet v1.35, which is newer than the API server (v1.34)"),
        ("v1.30.9-eks-1", "runs kubelet v1.30, which is too old for the API server (v1.34)"),
        ("v2.0.0", "runs kubelet v2.0, which is newer than the API server (v1.34)"),
        ("v1.31.0+k3s1", ""),
        ("v1.34.9", ""),
        ("", ""),
        ("unknown", ""),
    ],
)
def test_the_version_of_a_kubelet(kubelet: str, says: str) -> None:
    assert [(f.says, f.severity) for f in versions(kubelet)] == ([(says, Severity.WARNING)] if says else [])


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("registry.k8s.io/kube-proxy:v1.30.1", "runs kube-proxy v1.30, which is too old for the API server (v1.34)"),
        (
            "mirror:5000/kube-proxy:v1.35.0@sha256:ab",
            "runs kube-proxy v1.35, which is newer than the API server (v1.34)",
        ),
        ("eks/kube-proxy:v1.34.0-minimal-eksbuild.1", ""),
        ("mirror:5000/kube-proxy", ""),
        ("kube-proxy@sha256:1.30", ""),
        ("kube-proxy:latest", ""),
    ],
)
def test_the_version_of_kube_proxy(image: str, says: str) -> None:
    assert [f.says for f in versions("v1.34.4", image=image)] == ([says] if says else [])


def test_a_version_of_the_api_server_that_cannot_be_read() -> None:
    with pytest.raises(NotObserved, match="cannot be read: main"):
        versions("v1.34.4", "main")


def skewed(*renewed: int, date: float = NOW.timestamp(), nodes: int = 3) -> list[Finding]:
    """Apply the rule to nodes that renewed their Leases so many seconds ago."""
    leases = [lease(f"node-{number}", before) for number, before in enumerate(renewed)]
    dated = Answer(200, list_bytes(leases), date=date)

    class Dated(FakeSource):
        def get(self, request: Request) -> Answer:
            return super().get(request)._replace(date=date)

    machines = Answer(200, list_bytes([node(f"node-{number}") for number in range(nodes)]))
    return list(clock_skew(Cluster(Dated({LEASES: dated, "/api/v1/nodes": machines}))))


@pytest.mark.parametrize(("renewed", "count"), [(9, 0), (0, 0), (-6, 0), (-7, 1), (-3600, 1)])
def test_a_clock_that_is_ahead(renewed: int, count: int) -> None:
    findings = skewed(3, renewed, 5)
    assert [str(f.obj) for f in findings] == ["Node/node-1"] * count
    assert all(f.severity is Severity.WARNING for f in findings)


def test_the_leases_are_compared_with_the_time_at_which_they_were_sent() -> None:
    """A long run lists them later than it began."""
    assert not skewed(-30, -31, 5, date=NOW.timestamp() + 32)


def test_if_most_clocks_are_ahead_the_api_servers_is_behind() -> None:
    (finding,) = skewed(-100, -101, 5)
    assert str(finding.obj) == "APIServer/kube-apiserver"
    assert "behind the clocks of 2 nodes" in finding.says


def test_the_lease_of_a_node_that_is_gone_says_nothing() -> None:
    assert not skewed(5, 5, -100, nodes=2)


def test_without_the_servers_date_clocks_are_not_observed() -> None:
    with pytest.raises(NotObserved, match="its answer has no Date"):
        skewed(-100, date=0)


def test_the_date_of_a_list_is_recorded(server: ApiServer, connect: Callable[..., Live], tmp_path: Path) -> None:
    server.serve("/api/v1/nodes", node("one"))
    server.serve(LEASES, lease("one", -100))
    path = tmp_path / "clock.recording"
    live = Cluster(Recording(connect(), path))
    (seen,) = clock_skew(live)
    live.close()
    assert [finding.says for finding in clock_skew(Cluster(Snapshot(path)))] == [seen.says]


FULL = "E1128 10:00:00.000000 1 leaderelection.go:436] error retrieving lock: etcdserver: mvcc: database space exceeded"


def without_writes(log: str, renewed: int = 300, component: str = "kube-scheduler") -> list[Finding]:
    """Apply the rule to a cluster whose Leases were all renewed so many seconds ago."""
    own = pb.Pod(metadata=pb.ObjectMeta(name="own", namespace="kube-system", labels={"component": component}))
    log_of_own = {"/api/v1/namespaces/kube-system/pods/own/log": Answer(200, log.encode())}
    return list(etcd_no_space(cluster_of(log_of_own, pods=[own], node_leases=[lease("one", renewed)])))


def test_etcd_is_full_if_no_lease_is_renewed_and_a_log_says_so() -> None:
    (finding,) = without_writes(FULL)
    assert str(finding.obj) == "APIServer/kube-apiserver"
    assert finding.says == "stores nothing any more: etcd has no space left, and its alarm NOSPACE is on"
    assert finding.evidence == (f"Pod/kube-system/own says: {FULL}",)


def test_the_log_of_etcd_says_it_in_other_words() -> None:
    assert without_writes('"msg":"failed to apply request","error":"etcdserver: no space"', component="etcd")


def test_etcd_was_full_and_stores_again() -> None:
    assert not without_writes(FULL, renewed=30)


@pytest.mark.parametrize(("log", "component"), [("E1128 connection refused", "etcd"), (FULL, "another")])
def test_why_nothing_is_stored_is_not_known_without_a_log_that_says_it(log: str, component: str) -> None:
    with pytest.raises(NotObserved, match="no Lease has been renewed for 5m, and no log of the control plane says"):
        without_writes(log, component=component)


def test_a_cluster_without_leases_has_no_such_sign() -> None:
    with pytest.raises(NotApplicable):
        list(etcd_no_space(cluster_of()))
