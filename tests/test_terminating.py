"""Pods and namespaces that are being deleted and do not go, and what keeps them."""

import pytest

from checks.test_terminating import namespace, pod
from kubevitals import schema_pb2 as pb
from kubevitals.findings.finding import Finding, Severity
from tests.built import BuiltPod, node
from tests.fakes import ago, cluster_of


def deleted(before: int = 7200, *, running: bool = True, finalizer: str = "") -> BuiltPod:
    """Return a pod whose grace period ended so many seconds ago."""
    built = BuiltPod()
    built.start()
    built.pod.metadata.deletionTimestamp.CopyFrom(ago(before))
    if finalizer:
        built.pod.metadata.finalizers.append(finalizer)
    if not running:
        ended = pb.ContainerState(terminated=pb.ContainerStateTerminated(exitCode=0, reason="Completed"))
        built.pod.status.containerStatuses[0].state.CopyFrom(ended)
    return built


def found(built: BuiltPod) -> list[Finding]:
    return list(pod(built.cluster()))


@pytest.mark.parametrize(
    ("built", "says", "severity"),
    [
        (deleted(), 'container "app" still runs past its grace period', Severity.ERROR),
        (deleted(running=False), "its containers have ended, but the kubelet does not remove it", Severity.WARNING),
        (
            deleted(running=False, finalizer="example.com/hold"),
            "its containers have ended, but its finalizer example.com/hold is not removed",
            Severity.WARNING,
        ),
        (deleted(finalizer="example.com/hold"), 'container "app" still runs', Severity.ERROR),
    ],
)
def test_what_keeps_a_pod_is_named(built: BuiltPod, says: str, severity: Severity) -> None:
    (finding,) = found(built)
    assert says in finding.says
    assert finding.severity is severity
    assert "2h past its grace period" in finding.evidence


@pytest.mark.parametrize("running", [True, False])
def test_only_a_pod_of_which_nothing_runs_may_be_deleted_by_force(*, running: bool) -> None:
    """kubernetes/kubernetes issue 113289: restarting the kubelet does not help."""
    (finding,) = found(deleted(running=running))
    assert ("kubectl -n shop delete pod/app --grace-period=0 --force" in finding.remedy) is not running


def test_the_kubelet_says_why_it_cannot_stop_a_pod() -> None:
    built = deleted()
    built.said("FailedKillPod", 'error killing pod: plugin type="calico" failed (delete): Unauthorized')
    (finding,) = found(built)
    assert finding.says.endswith(
        'cannot stop it: error killing pod: plugin type="calico" failed (delete): Unauthorized'
    )


def test_a_pod_on_a_node_that_is_down_waits_for_its_node() -> None:
    built = deleted()
    built.node = node(message="kubelet stopped posting node status")
    (finding,) = found(built)
    assert finding.says.endswith("its node is not ready, and cannot stop it")
    assert finding.node == "one"


def test_a_pod_on_a_node_that_is_gone() -> None:
    built = deleted()
    built.pod.spec.nodeName = "gone"
    (finding,) = found(built)
    assert finding.says.endswith("its node does not exist any more")
    assert "delete pod/app --grace-period=0 --force" in finding.remedy
    built.pod.metadata.finalizers.append("example.com/bookkeeping")
    (finding,) = found(built)
    assert finding.says.endswith(
        "its node does not exist any more, but its finalizer example.com/bookkeeping is not removed"
    )


def test_without_the_right_to_see_nodes_and_events_the_rest_is_said() -> None:
    built = deleted()
    cluster = cluster_of({"/api/v1/nodes": "forbidden", "/api/v1/events": "forbidden"}, pods=[built.pod])
    (finding,) = pod(cluster)
    assert "still runs" in finding.says


def test_a_stateful_set_waits_for_the_name_of_its_pod() -> None:
    built = deleted(running=False, finalizer="example.com/hold")
    built.pod.metadata.ownerReferences.add(kind="StatefulSet", name="db", controller=True)
    (finding,) = found(built)
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("before", [300, -3600], ids=["just over", "its grace period lasts"])
def test_a_pod_has_time_to_go(before: int) -> None:
    assert not found(deleted(before))


# --- namespaces ---

DISCOVERY = (
    "Discovery failed for some groups, 1 failing: unable to retrieve the complete list of server APIs: "
    "metrics.k8s.io/v1beta1: stale GroupVersion discovery: metrics.k8s.io/v1beta1"
)


def leaving(before: int = 7200, **conditions: str) -> pb.Namespace:
    """Return a namespace that has been deleted so many seconds ago, with these conditions true."""
    stuck = pb.Namespace(metadata=pb.ObjectMeta(name="old", deletionTimestamp=ago(before)))
    stuck.status.phase = "Terminating"
    stuck.spec.finalizers.append("kubernetes")
    for kind, message in conditions.items():
        stuck.status.conditions.add(type=kind, status="True", message=message)
    return stuck


CONTENT = (
    "Some resources are remaining: configmaps. has 2 resource instances, widgets.example.com has 1 resource instances"
)


CALL = '{}: Post "https://hook.hooks.svc:443/convert?timeout=30s": service "hook" not found'


@pytest.mark.parametrize(
    ("stuck", "says", "remedy"),
    [
        (
            leaving(NamespaceDeletionDiscoveryFailure=DISCOVERY, NamespaceContentRemaining=CONTENT),
            "APIService v1beta1.metrics.k8s.io does not answer",
            "kubectl get apiservice v1beta1.metrics.k8s.io",
        ),
        (leaving(NamespaceDeletionDiscoveryFailure="no"), "cannot list all kinds: no", "fix what the message reports"),
        (
            leaving(NamespaceDeletionContentFailure='Failed to delete all resource types, 1 remaining: webhook "x"'),
            'its content cannot be deleted: Failed to delete all resource types, 1 remaining: webhook "x"',
            "fix what the message reports",
        ),
        (
            leaving(NamespaceDeletionContentFailure=CALL.format('failed calling webhook "x.example.com"')),
            'cannot be deleted: failed calling webhook "x.example.com"',
            "bring Service/hooks/hook back, or delete the configuration of the webhook",
        ),
        (
            leaving(
                NamespaceDeletionContentFailure=CALL.format("conversion webhook for x.io/v1, Kind=Challenge failed")
            ),
            "cannot be deleted: conversion webhook",
            "or delete the CustomResourceDefinition of Challenge",
        ),
        (
            leaving(NamespaceDeletionGroupVersionParsingFailure="bad group"),
            "its content cannot be deleted: bad group",
            "fix what the message reports",
        ),
        (
            leaving(
                NamespaceContentRemaining=CONTENT,
                NamespaceFinalizersRemaining="Some content in the namespace has finalizers remaining: "
                "example.com/hold in 3 resource instances",
            ),
            "finalizers are not removed on 2 configmaps, 1 widgets.example.com: example.com/hold (3×)",
            "kubectl -n old get configmaps,widgets.example.com",
        ),
        (
            leaving(NamespaceContentRemaining=CONTENT),
            "in it are left 2 configmaps, 1 widgets.example.com",
            "get configmaps",
        ),
        (leaving(), "nothing deletes what is in it", "kube-controller-manager"),
    ],
)
def test_what_keeps_a_namespace_is_named(stuck: pb.Namespace, says: str, remedy: str) -> None:
    (finding,) = namespace(cluster_of(namespaces=[stuck]))
    assert says in finding.says
    assert remedy in finding.remedy
    assert finding.severity is Severity.WARNING


def test_the_service_of_a_webhook_is_concerned() -> None:
    (finding,) = namespace(cluster_of(namespaces=[leaving(NamespaceDeletionContentFailure=CALL.format("no"))]))
    assert list(map(str, finding.concerns)) == ["Service/hooks/hook"]


def test_the_api_service_is_concerned() -> None:
    (finding,) = namespace(cluster_of(namespaces=[leaving(NamespaceDeletionDiscoveryFailure=DISCOVERY)]))
    assert list(map(str, finding.concerns)) == ["APIService/v1beta1.metrics.k8s.io"]


def test_a_finalizer_of_the_namespace_itself() -> None:
    stuck = leaving()
    stuck.metadata.finalizers.append("controller.cattle.io/namespace-auth")
    (finding,) = namespace(cluster_of(namespaces=[stuck]))
    assert "its finalizer controller.cattle.io/namespace-auth is not removed" in finding.says


def test_a_namespace_has_time_to_go() -> None:
    assert not list(namespace(cluster_of(namespaces=[leaving(300, NamespaceContentRemaining=CONTENT)])))


def test_a_list_without_a_phase_shows_no_fault() -> None:
    stuck = leaving()
    stuck.status.phase = ""
    assert not list(namespace(cluster_of(namespaces=[stuck])))


def in_old(built: BuiltPod) -> pb.Pod:
    built.pod.metadata.namespace = "old"
    return built.pod


def test_a_pod_in_its_grace_period_keeps_its_namespace_as_it_may() -> None:
    assert not list(namespace(cluster_of(namespaces=[leaving()], pods=[in_old(deleted(-60))])))


def test_a_pod_that_does_not_go_is_why_its_namespace_does_not() -> None:
    claim = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(name="data", namespace="old", deletionTimestamp=ago(60)))
    cluster = cluster_of(namespaces=[leaving()], pods=[in_old(deleted())], claims=[claim])
    (finding,) = namespace(cluster)
    assert list(map(str, finding.concerns)) == ["Pod/old/app", "PersistentVolumeClaim/old/data"]
