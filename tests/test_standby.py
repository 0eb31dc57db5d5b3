"""Replicas that are not ready because another one is the leader."""

from collections.abc import Callable

import pytest

from checks.test_readiness import probe_failing
from kubevitals import schema_pb2 as pb
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.request import Answer
from tests import workloads

WAITS = "I0506 10:00:00.1 1 leaderelection.go:250] attempting to acquire leader lease flux-system/source-controller..."
LEADS = "I0506 10:00:09.1 1 leaderelection.go:260] successfully acquired lease flux-system/source-controller"


SLAVE = (
    "INFO | Database /data/kahadb/lock is locked by another server. This broker is now in slave mode waiting a lock to "
    "be acquired"
)
MASTER = "INFO | KahaDB is version 7"


def replicas(ready: int = 1, unready: int = 2) -> list[pb.Pod]:
    """Return the pods of fluxcd/flux2 issue 5880, whose readiness probe asks for what only the leader serves."""
    made = workloads.pods(ready, unready, age=90_000, since=90_000)
    for pod in made:
        pod.spec.containers[0].readinessProbe.handler.httpGet.path = "/"
    return made


def cluster(made: list[pb.Pod], log: str | int) -> Cluster:
    answer = Answer(log, b"") if isinstance(log, int) else Answer(200, log.encode())
    paths = {f"/api/v1/namespaces/shop/pods/{pod.metadata.name}/log": answer for pod in made}
    return workloads.cluster(workloads.deployment(1), made, answers=paths)


def found(made: list[pb.Pod], log: str | int) -> int:
    """Return how many findings there are on the pods and their Deployment."""
    return len(list(probe_failing(cluster(made, log)))) + len(workloads.missing_in(cluster(made, log)))


def test_a_broker_that_waits_for_the_store_of_another_one_is_no_fault() -> None:
    assert not found(replicas(), SLAVE)
    assert found(replicas(), f"{SLAVE}\n{MASTER}")


def test_a_standby_is_no_fault_and_is_counted() -> None:
    made = replicas()
    assert not found(made, f"starting\n{WAITS}\n")
    seen = cluster(made, WAITS)
    assert not list(probe_failing(seen))
    remark = "2 pods not ready on purpose: waiting to become the leader (shop/web-5d-1, shop/web-5d-2)"
    assert remark in seen.remarks


@pytest.mark.parametrize(
    "log", ["starting", f"{WAITS}\n{LEADS}", 404], ids=["says nothing", "leads", "log is not observed"]
)
def test_a_replica_that_does_not_wait_is_one(log: str | int) -> None:
    assert found(replicas(), log) == 3


def of_a_rollout(made: list[pb.Pod]) -> None:
    """The leader is of the old revision, and goes on leading until the new pod is ready."""
    made[0].metadata.ownerReferences[0].name = "web-4c"
    made[0].metadata.labels["pod-template-hash"] = "4c"


def without_leader(made: list[pb.Pod]) -> None:
    made[0].status.conditions[0].status = "False"


@pytest.mark.parametrize("change", [of_a_rollout, without_leader])
def test_a_pod_that_waits_in_vain_is_one(change: Callable[[list[pb.Pod]], None]) -> None:
    made = replicas()
    change(made)
    assert found(made, WAITS)
