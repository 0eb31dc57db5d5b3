"""Rollouts that have stopped, workloads on which no controller acts, and what explains a workload that is short."""

import pytest

from checks.test_workload_unavailable import EXPLAINS, not_acted_on, replicas_missing, rollout_stalled
from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.roots import Case, explain
from kubevitals.findings.finding import Finding, Replicas, Severity
from kubevitals.objects import Ref
from tests.fakes import ago, cluster_of
from tests.findings import case
from tests.workloads import SHORTLY, cluster, condition, deployment, pods

# --- rollouts that have stopped ---


def stalled(workload: pb.Deployment, made: list[pb.Pod]) -> list[Finding]:
    seen = cluster(workload, made)
    assert not [found for found in replicas_missing(seen) if found.obj.name == "web" and list(rollout_stalled(seen))]
    return list(rollout_stalled(seen))


EXCEEDED = condition("Progressing", "False", "ProgressDeadlineExceeded")


def test_a_rollout_past_its_deadline_is_found_although_the_old_pods_serve() -> None:
    workload = deployment(3, 3, EXCEEDED)
    workload.status.updatedReplicas, workload.status.replicas = 1, 4
    (finding,) = stalled(workload, pods(3, 1, age=SHORTLY, since=SHORTLY))
    assert finding.says == (
        "has 3 of 3 replicas available, and its rollout has made no progress for 10m: "
        'container "app" is not ready (1 pod)'
    )
    assert finding.replicas is None


def test_a_rollout_past_its_deadline_counts_the_missing_replicas() -> None:
    (finding,) = stalled(deployment(1, 3, EXCEEDED), pods(1, 2, age=SHORTLY, since=SHORTLY))
    assert finding.replicas == Replicas(2, 3)


def test_rollouts_that_are_paused_complete_or_in_time() -> None:
    assert not stalled(deployment(1, 3, EXCEEDED, paused=True), pods(1, 2, age=SHORTLY, since=SHORTLY))
    assert not stalled(deployment(3, 3, EXCEEDED), pods(3, 0))
    assert not stalled(deployment(1, 3, condition("Progressing", "True", "ReplicaSetUpdated")), pods(1, 2))


# --- workloads on which no controller acts ---


def test_a_workload_at_which_no_controller_looks() -> None:
    other = deployment(3)
    other.metadata.name = "other"
    ignored = deployment(0)
    ignored.status.Clear()
    (finding,) = not_acted_on(cluster_of(deployments=[other, ignored]))
    assert finding.obj == Ref("Deployment", "shop", "web")
    assert finding.replicas == Replicas(3, 3)
    ignored.metadata.creationTimestamp.CopyFrom(ago(300))
    assert not list(not_acted_on(cluster_of(deployments=[other, ignored])))


# --- roots ---

SHORT = "workload-unavailable[replicas-missing]"
WEB, WEB_POD = Ref("Deployment", "shop", "web"), Ref("Pod", "shop", "web-5d-0")
CLAIM, WORKER = Ref("PersistentVolumeClaim", "shop", "data"), Ref("Node", "", "worker-0")


@pytest.mark.parametrize(
    "root",
    [
        case("startup-error[image]", str(WEB_POD), owner=WEB),
        case("own-check[x]", "Pod/shop/web-5d-1", owner=WEB),
        case("pod-creation[quota]", str(WEB)),
        case("pod-creation[quota]", "ReplicaSet/shop/web-5d", owner=WEB),
        case("volume-claim[unbound]", str(CLAIM)),
        case("node-ready[silent]", str(WORKER)),
    ],
    ids=lambda root: f"{root.check} {root.finding.obj.kind}",
)
def test_any_error_that_touches_it_explains_it(root: Case) -> None:
    short = case(SHORT, str(WEB), concerns=(WEB_POD, CLAIM, WORKER))
    assert explain([short, root], EXPLAINS).causes == {short: root}


@pytest.mark.parametrize(
    "other",
    [
        case("memory-limit[near-limit]", str(WEB_POD), owner=WEB, severity=Severity.WARNING),
        case("service-endpoints[none-ready]", "Service/shop/web", concerns=(WEB, WEB_POD)),
        case("kube-proxy[rules-wrong]", "Node/worker-1"),
        case("startup-error[image]", "Pod/shop/api-0", owner=Ref("Deployment", "shop", "api")),
        case(SHORT, "StatefulSet/shop/web"),
    ],
    ids=lambda other: f"{other.check} {other.finding.obj.kind}",
)
def test_what_does_not_touch_it_or_suffers_from_it_does_not_explain_it(other: Case) -> None:
    short = case(SHORT, str(WEB), concerns=(WEB_POD, CLAIM, WORKER))
    assert short not in explain([short, other], EXPLAINS).causes


def test_a_pod_explains_more_precisely_than_its_node() -> None:
    short = case(SHORT, str(WEB), concerns=(WEB_POD, CLAIM, WORKER))
    image, node_down = case("startup-error[image]", str(WEB_POD), owner=WEB), case("node-ready[silent]", str(WORKER))
    assert explain([node_down, short, image], EXPLAINS).causes == {short: image}
