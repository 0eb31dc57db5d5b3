"""An object that is not listed is missing only where the list is complete."""

from collections.abc import Sequence
from typing import Any

import pytest

from checks.test_cni_daemonset import not_running as without_cni
from checks.test_config_mount import dangling_reference
from checks.test_kube_proxy import not_running
from checks.test_volume_claim import unbound
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotApplicable, NotObserved, observed
from kubevitals.facts.pods.faults import PodFault
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.completeness import ROOT_CA
from kubevitals.source.request import Answer
from kubevitals.source.scope import Scope
from tests.built import BuiltPod, owner_of
from tests.built import config_map as mounted
from tests.fakes import CREATED, FakeSource, cluster_of, list_bytes
from tests.networks import node

NAMESPACES = ("shop", "billing")


def config_map(namespace: str, name: str = ROOT_CA) -> pb.ConfigMap:
    return pb.ConfigMap(metadata=pb.ObjectMeta(namespace=namespace, name=name))


def deployment(namespace: str) -> pb.Deployment:
    """A Deployment that reads its variables from a ConfigMap that is not listed."""
    source = pb.EnvFromSource(configMapRef={"localObjectReference": {"name": "settings"}})
    template = pb.PodTemplateSpec(spec=pb.PodSpec(containers=[pb.Container(name="app", envFrom=[source])]))
    return pb.Deployment(
        metadata=pb.ObjectMeta(namespace=namespace, name="web"), spec=pb.DeploymentSpec(replicas=1, template=template)
    )


def waiting_pod(namespace: str) -> pb.Pod:
    """A pod whose PersistentVolumeClaim is not listed."""
    source = pb.VolumeSource(persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName="data"))
    return pb.Pod(
        metadata=pb.ObjectMeta(namespace=namespace, name="db", creationTimestamp=CREATED),
        spec=pb.PodSpec(volumes=[pb.Volume(name="data", volumeSource=source)]),
        status=pb.PodStatus(phase="Pending"),
    )


def dump(*listed: str, config_maps: Sequence[pb.ConfigMap] | None = None) -> Cluster:
    """Return a cluster of which a source has the ConfigMaps of some namespaces only."""
    answers: dict[str, Any] = {
        "/api/v1/configmaps": config_maps or [config_map(namespace) for namespace in listed],
        "/apis/apps/v1/deployments": [deployment(namespace) for namespace in NAMESPACES],
        "/api/v1/pods": [waiting_pod(namespace) for namespace in NAMESPACES],
        "/api/v1/nodes": [node("worker")],
    }
    return Cluster(FakeSource({path: Answer(200, list_bytes(items)) for path, items in answers.items()}))


@pytest.mark.parametrize("rule", [dangling_reference, unbound])
def test_what_a_partial_source_does_not_list_may_exist(rule: Any) -> None:
    judged = observed(rule(dump("shop")))
    assert [finding.obj.namespace for finding in judged.items] == ["shop"]
    assert judged.unseen
    assert "kube-root-ca.crt, which every namespace has, is not listed in billing" in judged.unseen.reason
    assert not judged.unseen.unasked


@pytest.mark.parametrize("rule", [dangling_reference, unbound])
def test_what_a_complete_source_does_not_list_does_not_exist(rule: Any) -> None:
    judged = observed(rule(dump(*NAMESPACES)))
    assert sorted(finding.obj.namespace for finding in judged.items) == ["billing", "shop"]
    assert judged.unseen is None


@pytest.mark.parametrize(
    ("listed", "expected"), [(("shop",), PodFault.MISSING_OBJECT), (("billing",), PodFault.NOT_STARTED)]
)
def test_a_stuck_pod_misses_a_config_map_only_where_all_are_listed(listed: tuple[str, ...], expected: PodFault) -> None:
    pod = BuiltPod()
    pod.mounting("settings", configMap=mounted("settings"))
    answers: dict[str, Any] = {
        "/api/v1/configmaps": list(map(config_map, listed)),
        "/api/v1/pods": [pod.pod],
        "/api/v1/nodes": [pod.node],
        "/api/v1/events": [],
    }
    cluster = Cluster(FakeSource({path: Answer(200, list_bytes(items)) for path, items in answers.items()}))
    assert owner_of(cluster) is expected


def test_other_config_maps_of_a_namespace_do_not_prove_that_all_are_listed() -> None:
    judged: Any = observed(dangling_reference(dump(config_maps=[config_map("shop", "other"), config_map("billing")])))
    assert [finding.obj.namespace for finding in judged.items] == ["billing"]
    assert judged.unseen


def test_a_cluster_without_kube_proxy_is_told_from_a_source_without_kube_system() -> None:
    with pytest.raises(NotObserved, match="not listed in kube-system"):
        list(not_running(dump("shop")))
    with pytest.raises(NotApplicable):
        list(not_running(dump("shop", "kube-system")))


def test_without_the_right_to_list_config_maps_other_lists_are_believed() -> None:
    cluster = cluster_of({"/api/v1/configmaps": "forbidden"}, pods=[waiting_pod("shop")])
    assert cluster.is_complete("shop")
    found = list(unbound(cluster))
    assert [finding.obj.name for finding in found] == ["data"]


def test_a_namespace_outside_the_scope_is_not_complete() -> None:
    lists = {"/api/v1/namespaces/shop/configmaps": Answer(200, list_bytes([config_map("shop")]))}
    cluster = Cluster(FakeSource(lists), scope=Scope(["shop"], namespaced_only=True))
    assert cluster.is_complete("shop")
    assert not cluster.is_complete("billing")
    with pytest.raises(NotObserved) as caught:
        cluster.need_complete("shop", "billing")
    assert caught.value.unasked


def test_what_a_bundle_holds_only_a_part_of_is_not_missing() -> None:
    daemons = pb.DaemonSet(
        metadata=pb.ObjectMeta(name="kindnet", namespace="kube-system", uid="k", creationTimestamp=CREATED)
    )
    answers = FakeSource(
        {
            "/apis/apps/v1/daemonsets": Answer(200, list_bytes([daemons])),
            "/api/v1/nodes": Answer(200, list_bytes([node("worker", cidr="10.244.1.0/24")])),
            "/api/v1/configmaps": Answer(200, list_bytes([config_map("kube-system")])),
        }
    )
    judged: Any = observed(without_cni(Cluster(answers)))
    assert [finding.obj.name for finding in judged.items] == ["worker"]
    judged = observed(without_cni(Cluster(answers, scope=Scope(incomplete=["kube-system"]))))
    assert judged.items == []
    assert "the bundle may have only some of the objects in kube-system, so others may exist" in judged.unseen.reason
