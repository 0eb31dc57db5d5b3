"""Pods that run and are not ready: what keeps them, and who may take longer."""

from pathlib import Path

import pytest

from checks.test_readiness import gate_unmet, probe_failing
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Snapshot
from tests.built import BuiltPod, node, probe
from tests.fakes import ago, cluster_of

TCP = pb.ProbeHandler(tcpSocket=pb.TCPSocketAction(port=pb.IntOrString(intVal=8080)))
HTTP = pb.ProbeHandler(httpGet=pb.HTTPGetAction(path="/ready", port=pb.IntOrString(intVal=8080)))
COMMAND = pb.ProbeHandler(exec=pb.Present())


def built(handler: pb.ProbeHandler = HTTP, *, started: int = 500, turned: int = 505, delay: int = 0) -> BuiltPod:
    """Return a pod whose container started and turned not ready so many seconds ago."""
    pod = BuiltPod()
    pod.start()
    status = pod.pod.status.containerStatuses[0]
    status.ready, status.started = False, True
    status.state.running.startedAt.CopyFrom(ago(started))
    pod.pod.status.conditions.add(type="Ready", status="False", lastTransitionTime=ago(turned))
    pod.pod.spec.containers[0].readinessProbe.CopyFrom(probe(handler, delay=delay, period=10))
    return pod


def gated(ready: int = 600) -> BuiltPod:
    """Return a pod whose containers became ready so many seconds ago, and whose gate is not met."""
    pod = built(turned=ready)
    pod.pod.status.containerStatuses[0].ready = True
    pod.pod.spec.readinessGates.add(conditionType="example.com/registered")
    pod.pod.status.conditions.add(type="ContainersReady", status="True", lastTransitionTime=ago(ready))
    return pod


def answered(pod: BuiltPod, words: str) -> Finding:
    pod.said("Unhealthy", f"Readiness probe failed: {words}", container="app")
    (finding,) = probe_failing(pod.cluster())
    return finding


@pytest.mark.parametrize(
    ("handler", "words", "says", "remedy"),
    [
        (
            TCP,
            "dial tcp 10.244.1.7:8080: connect: connection refused",
            "(TCP connection to port 8080): connection refused, nothing listens on that port",
            "it must listen on the pod's address",
        ),
        (
            HTTP,
            "HTTP probe failed with statuscode: 404",
            "(GET /ready on port 8080): HTTP 404, the application does not serve that path",
            "correct readinessProbe.httpGet.path",
        ),
        (HTTP, "HTTP probe failed with statuscode: 503", ": HTTP 503", "fix what readinessProbe reports"),
        (COMMAND, "schema is missing", "(a command): schema is missing", "fix what readinessProbe reports"),
        (COMMAND, 'command "x" timed out', ": no answer within 1 s", "set readinessProbe.timeoutSeconds to 5"),
        (
            COMMAND,
            "wget: bad address 'absent'",
            ': "absent" cannot be resolved: Service absent does not exist',
            "Service",
        ),
    ],
)
def test_the_probes_answer_is_the_reason(handler: pb.ProbeHandler, words: str, says: str, remedy: str) -> None:
    finding = answered(built(handler), words)
    assert finding.says.startswith('readiness probe of container "app" fails (')
    assert says in finding.says
    assert remedy in finding.remedy


def test_what_the_log_says_is_added_to_an_answer_that_says_little() -> None:
    pod = built()
    pod.logs["app"] = "wget: bad address 'absent'"
    finding = answered(pod, "HTTP probe failed with statuscode: 503")
    assert ": HTTP 503; its log says: " in finding.says
    assert finding.remedy.startswith("correct the host name")


def test_ports_that_the_container_declares_are_named() -> None:
    pod = built(TCP)
    pod.pod.spec.containers[0].ports.add(containerPort=9090)
    finding = answered(pod, "dial tcp 10.244.1.7:8080: connect: connection refused")
    assert finding.says.endswith("; the container declares 9090")


def test_without_events_the_status_still_shows_it() -> None:
    (finding,) = probe_failing(built().cluster())
    assert finding.says.endswith("the events with its answer have expired")


def test_an_answer_from_before_the_container_started_does_not_count() -> None:
    pod = built(started=100, turned=700)
    pod.said("Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 404", 300, "app")
    (finding,) = probe_failing(pod.cluster())
    assert finding.says.endswith("have expired")


def test_if_events_are_not_observed_the_finding_says_so() -> None:
    pod = built()
    cluster = cluster_of({"/api/v1/events": "forbidden"}, pods=[pod.pod], nodes=[pod.node])
    (finding,) = probe_failing(cluster)
    assert finding.says.endswith("its answer is not observed: forbidden")


def test_evidence_tells_a_lost_readiness_from_one_that_never_was() -> None:
    (never,), (lost,) = (list(probe_failing(pod.cluster())) for pod in (built(), built(turned=90)))
    assert "runs for 8m20s, and has not been ready" in never.evidence
    assert "ready until 1m30s ago" in lost.evidence


def test_a_container_without_a_probe_that_is_not_ready_is_found() -> None:
    pod = built()
    pod.pod.spec.containers[0].ClearField("readinessProbe")
    (finding,) = probe_failing(pod.cluster())
    assert finding.says == 'container "app" runs and is not ready, although it has no readiness probe'


@pytest.mark.parametrize(
    "pod",
    [
        built(started=50),
        built(turned=50),
        built(delay=600),
    ],
    ids=["just started", "just lost", "its first probe is to come"],
)
def test_a_start_may_take_its_time(pod: BuiltPod) -> None:
    assert not list(probe_failing(pod.cluster()))


def starting(failures: int) -> BuiltPod:
    pod = built()
    pod.pod.status.containerStatuses[0].started = False
    pod.pod.spec.containers[0].startupProbe.CopyFrom(probe(HTTP, period=10, threshold=failures))
    return pod


def test_a_startup_probe_gives_time() -> None:
    assert not list(probe_failing(starting(100).cluster()))
    (finding,) = probe_failing(starting(3).cluster())
    assert finding.says.startswith('startup probe of container "app" fails')


def owned(pod: pb.Pod, kind: str = "StatefulSet") -> pb.Pod:
    pod.metadata.ownerReferences.add(kind=kind, name="db", controller=True)
    return pod


def ready_peer(took: int) -> pb.Pod:
    """Return another replica, which became ready so many seconds after its start."""
    pod = built(started=80000).pod
    pod.metadata.name, pod.metadata.uid = "app-2", "2"
    pod.status.containerStatuses[0].ready = True
    pod.status.conditions[2].status = "True"
    pod.status.conditions.add(type="ContainersReady", status="True", lastTransitionTime=ago(80000 - took))
    return owned(pod)


@pytest.mark.parametrize(("took", "found"), [(400, 0), (30, 1), (3600, 1)])
def test_a_replica_may_take_as_long_as_the_slowest_other_one(took: int, found: int) -> None:
    cluster = cluster_of(pods=[owned(built().pod), ready_peer(took)], nodes=[node()])
    assert len(list(probe_failing(cluster))) == found


def test_where_only_one_replica_is_ready_it_may_be_the_leader() -> None:
    cluster = cluster_of(pods=[owned(built().pod), ready_peer(10)], nodes=[node()])
    (finding,) = probe_failing(cluster)
    assert "leader election" in finding.remedy


def test_a_daemon_is_no_replica_that_waits_to_become_the_leader() -> None:
    pods = [owned(built().pod), ready_peer(10)]
    for pod in pods:
        pod.metadata.ownerReferences[0].kind = "DaemonSet"
    (finding,) = probe_failing(cluster_of(pods=pods, nodes=[node()]))
    assert "leader election" not in finding.remedy


def in_rollout(available: int, progressing: str = "True") -> Cluster:
    pod = built().pod
    pod.metadata.labels["pod-template-hash"] = "7d4b"
    pod.metadata.ownerReferences.add(kind="ReplicaSet", name="web-7d4b", controller=True)
    deployment = pb.Deployment(metadata=pb.ObjectMeta(name="web", namespace="shop"))
    deployment.spec.replicas, deployment.status.availableReplicas = 2, available
    deployment.status.conditions.add(type="Progressing", status=progressing)
    return cluster_of(pods=[pod], nodes=[node()], deployments=[deployment])


def test_a_rollout_that_progresses_may_start_more_pods_than_are_wanted() -> None:
    assert not list(probe_failing(in_rollout(2)))
    assert list(probe_failing(in_rollout(1)))
    assert list(probe_failing(in_rollout(2, progressing="False")))


def test_pods_on_a_node_that_is_down_are_its_symptoms() -> None:
    pod = built()
    pod.node = node(message="kubelet stopped posting node status")
    assert not list(probe_failing(pod.cluster()))


def test_a_pod_that_is_being_deleted_need_not_be_ready() -> None:
    pod = built()
    pod.pod.metadata.deletionTimestamp.CopyFrom(ago(5))
    assert not list(probe_failing(pod.cluster()))


def test_a_container_that_has_completed_beside_a_running_one_is_no_fault() -> None:
    pod = built()
    pod.pod.status.containerStatuses[0].ready = True
    ended = pb.ContainerState(terminated=pb.ContainerStateTerminated(reason="Completed", finishedAt=ago(400)))
    pod.pod.spec.restartPolicy = "Never"
    pod.pod.spec.containers.add(name="main")
    pod.pod.status.containerStatuses.add(name="main", state=ended)
    assert not list(probe_failing(pod.cluster()))


def test_a_gate_that_nothing_has_set() -> None:
    (finding,) = gate_unmet(gated().cluster())
    assert finding.says.endswith('readiness gate "example.com/registered" is not met: nothing has set that condition')


def test_a_gate_says_why_it_is_not_met() -> None:
    pod = gated()
    gate = "target-health.elbv2.k8s.aws/web"
    pod.pod.spec.readinessGates[0].conditionType = gate
    pod.pod.status.conditions.add(type=gate, status="False", reason="Target.FailedHealthChecks", message="codes: [404]")
    (finding,) = gate_unmet(pod.cluster())
    assert f'"{gate}" is False (Target.FailedHealthChecks: codes: [404])' in finding.says
    assert "target group" in finding.remedy


def test_a_gate_may_take_minutes_and_one_that_is_met_is_no_fault() -> None:
    met = gated()
    met.pod.status.conditions.add(type="example.com/registered", status="True")
    assert not list(gate_unmet(gated(ready=200).cluster()))
    assert not list(gate_unmet(met.cluster()))


FIELD = Path(__file__).parent / "recorded/field/calico-egress-without-dns.recording"


def test_a_pod_that_cannot_resolve_a_name_is_found_never_ready() -> None:
    """A real cluster, whose NetworkPolicy allows no DNS."""
    cluster = Cluster(Snapshot(FIELD))
    found = {str(finding.obj): finding.says for finding in probe_failing(cluster)}
    cluster.close()
    assert [says for obj, says in found.items() if obj.startswith("Pod/shop/web-")]
