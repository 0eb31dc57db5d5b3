"""ConfigMaps and Secrets that were created after a container missed them: the kubelet tries again in its own time."""

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.facts.pods.faults import PodFault, pod_faults
from kubevitals.inventory.cluster import Cluster
from tests.built import BuiltPod
from tests.fakes import ago, cluster_of


def made(name: str, before: int) -> pb.ConfigMap:
    return pb.ConfigMap(metadata=pb.ObjectMeta(name=name, namespace="shop", creationTimestamp=ago(before)))


def lacking(
    words: str, *config_maps: pb.ConfigMap, secrets: tuple[pb.Secret, ...] = (), asked: bool = False
) -> Cluster:
    """Return a cluster in which a container waits for ten minutes with these words, and its events have expired."""
    pod = BuiltPod()
    pod.waiting("web", "CreateContainerConfigError", words)
    cluster = cluster_of(
        pods=[pod.pod], nodes=[pod.node], all_events=[], config_maps=[*config_maps], secrets=[*secrets]
    )
    cluster.secret_names = asked
    return cluster


def faults_in(cluster: Cluster) -> list[PodFault]:
    return [fault for fault, symptoms in pod_faults(cluster).symptoms.items() if symptoms]


MISSING = 'configmap "settings" not found'


def test_what_was_created_after_the_last_attempt_is_no_fault_yet() -> None:
    cluster = lacking(MISSING, made("settings", 60))
    assert not faults_in(cluster)
    assert cluster.remarks == [
        "too young to be judged: 1 ConfigMap in existence for less than 1m30s (shop/settings)",
    ]


@pytest.mark.parametrize(
    ("words", "config_maps"),
    [
        (MISSING, []),
        (MISSING, [made("settings", 100)]),
        (MISSING, [made("other", 10)]),
        (f'{MISSING}, secret "db" not found', [made("settings", 10)]),
        ("couldn't find key mode in ConfigMap shop/settings", [made("settings", 10)]),
    ],
    ids=["absent", "too long ago", "another one", "a Secret is missing too", "a key is missing"],
)
def test_what_is_still_missing_is_a_fault(words: str, config_maps: list[pb.ConfigMap]) -> None:
    assert faults_in(lacking(words, *config_maps)) == [PodFault.BAD_REFERENCE]


@pytest.mark.parametrize(("asked", "faults"), [(True, []), (False, [PodFault.BAD_REFERENCE])])
def test_a_secret_counts_as_created_only_where_secrets_are_listed(asked: bool, faults: list[PodFault]) -> None:
    secret = pb.Secret(metadata=pb.ObjectMeta(name="db", namespace="shop", creationTimestamp=ago(10)))
    assert faults_in(lacking('secret "db" not found', secrets=(secret,), asked=asked)) == faults
