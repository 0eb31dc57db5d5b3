"""Workloads with available and missing pods."""

from typing import Any

from checks.test_workload_unavailable import replicas_missing
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding
from kubevitals.inventory.cluster import Cluster
from tests.built import node
from tests.fakes import Answers, ago, cluster_of

LONG, SHORTLY = 3600, 120


def meta(name: str, generation: int = 1, created: int = 7200) -> pb.ObjectMeta:
    return pb.ObjectMeta(name=name, namespace="shop", uid=name, generation=generation, creationTimestamp=ago(created))


def condition(kind: str, status: str, reason: str, since: int = LONG) -> pb.DeploymentCondition:
    return pb.DeploymentCondition(type=kind, status=status, reason=reason, lastTransitionTime=ago(since))


def deployment(available: int, replicas: int = 3, *conditions: pb.DeploymentCondition, **spec: Any) -> pb.Deployment:
    status = pb.DeploymentStatus(
        observedGeneration=1,
        replicas=replicas,
        updatedReplicas=replicas,
        availableReplicas=available,
        conditions=conditions,
    )
    spec = {"progressDeadlineSeconds": 600} | spec
    return pb.Deployment(metadata=meta("web"), spec=pb.DeploymentSpec(replicas=replicas, **spec), status=status)


def stateful_set(available: int, replicas: int = 3) -> pb.StatefulSet:
    status = pb.StatefulSetStatus(observedGeneration=1, replicas=replicas, availableReplicas=available)
    return pb.StatefulSet(metadata=meta("web"), spec=pb.StatefulSetSpec(replicas=replicas), status=status)


def daemon_set(available: int, desired: int = 3, scheduled: int = 3) -> pb.DaemonSet:
    status = pb.DaemonSetStatus(
        observedGeneration=1,
        desiredNumberScheduled=desired,
        currentNumberScheduled=scheduled,
        numberAvailable=available,
    )
    return pb.DaemonSet(metadata=meta("web"), status=status)


def replica_set(available: int, owner: str = "Rollout") -> pb.ReplicaSet:
    status = pb.ReplicaSetStatus(observedGeneration=1, replicas=3, availableReplicas=available)
    metadata = meta("web")
    metadata.ownerReferences.add(kind=owner, name="web", controller=True)
    return pb.ReplicaSet(metadata=metadata, spec=pb.ReplicaSetSpec(replicas=3), status=status)


def pod(name: str, kind: str = "Deployment", *, ready: bool = True, age: int = LONG, since: int = LONG) -> pb.Pod:
    """Return a pod that runs; if it is not ready, since so many seconds."""
    owner = "web"
    labels = {}
    if kind == "Deployment":
        kind, owner, labels = "ReplicaSet", "web-5d", {"pod-template-hash": "5d"}
    metadata = pb.ObjectMeta(name=name, namespace="shop", uid=name, labels=labels, creationTimestamp=ago(age))
    metadata.ownerReferences.add(kind=kind, name=owner, controller=True)
    turned = pb.PodCondition(type="Ready", status=str(ready), lastTransitionTime=ago(since))
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(age)))
    status = pb.ContainerStatus(name="app", ready=ready, state=running)
    return pb.Pod(
        metadata=metadata,
        spec=pb.PodSpec(nodeName="worker-0", containers=[pb.Container(name="app")]),
        status=pb.PodStatus(phase="Running", conditions=[turned], containerStatuses=[status]),
    )


def pods(ready: int, unready: int, kind: str = "Deployment", **more: int) -> list[pb.Pod]:
    made = [pod(f"web-5d-{number}", kind) for number in range(ready)]
    return [*made, *(pod(f"web-5d-{number + ready}", kind, ready=False, **more) for number in range(unready))]


Listed = pb.Deployment | pb.StatefulSet | pb.DaemonSet | pb.ReplicaSet


def cluster(workload: Listed, made: list[pb.Pod], answers: Answers | None = None, **lists: Any) -> Cluster:
    kind = {
        "Deployment": "deployments",
        "StatefulSet": "stateful_sets",
        "DaemonSet": "daemon_sets",
        "ReplicaSet": "replica_sets",
    }
    served: dict[str, Any] = {kind[type(workload).__name__]: [workload], "pods": made, "nodes": [node("worker-0")]}
    return cluster_of(answers, **served | lists)


def missing(workload: Listed, made: list[pb.Pod], **lists: Any) -> list[Finding]:
    return missing_in(cluster(workload, made, **lists))


def missing_in(seen: Cluster) -> list[Finding]:
    return list(replicas_missing(seen))
