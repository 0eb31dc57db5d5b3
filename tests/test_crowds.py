"""Whoever owns one namespace can put very much into it: that must not take the time of all others' checks."""

from collections.abc import Callable
from time import process_time

import pytest

from checks import test_config_mount as config_mount
from checks import test_startup_error as startup_error
from checks import test_volume_claim as volume_claim
from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import EVENT_LIMIT
from kubevitals.facts.pods.sandbox_errors import explain, plain
from kubevitals.facts.pods.start_errors import runtime_words
from kubevitals.facts.volumes import attaching
from kubevitals.facts.volumes.mounting import volume_words
from kubevitals.inventory.cluster import Cluster
from kubevitals.inventory.near_names import HINTS
from tests.fakes import CREATED, ago, cluster_of
from tests.networks import node

COUNT = 500
"""Of each kind: what grows with the square takes 8 s with so many."""

SECONDS = 3

EXISTING = [f"the-settings-of-service-{number:05}-x" for number in range(COUNT)]
JOBS = [f"job-{number}" for number in range(3 * COUNT)]
MISSING = [f"the-settings-of-service-{number:05}-y" for number in range(COUNT)]


def meta(name: str) -> pb.ObjectMeta:
    return pb.ObjectMeta(name=name, namespace="crowd", uid=name, creationTimestamp=CREATED)


def spec(source: pb.VolumeSource) -> pb.PodSpec:
    container = pb.Container(name="app", volumeMounts=[pb.VolumeMount(name="data")])
    return pb.PodSpec(nodeName="one", containers=[container], volumes=[pb.Volume(name="data", volumeSource=source)])


def config_map(name: str) -> pb.VolumeSource:
    return pb.VolumeSource(configMap=pb.ConfigMapVolumeSource(localObjectReference=pb.LocalObjectReference(name=name)))


def claimed(name: str) -> pb.VolumeSource:
    return pb.VolumeSource(persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName=name))


def stuck(name: str, source: pb.VolumeSource) -> pb.Pod:
    conditions = [
        pb.PodCondition(type=kind, status=status, lastTransitionTime=ago(600))
        for kind, status in (("PodScheduled", "True"), ("PodReadyToStartContainers", "False"))
    ]
    return pb.Pod(metadata=meta(name), spec=spec(source), status=pb.PodStatus(phase="Pending", conditions=conditions))


def claim(name: str, **wanted: object) -> pb.PersistentVolumeClaim:
    return pb.PersistentVolumeClaim(
        metadata=pb.AnnotatedMeta(name=name, namespace="crowd", creationTimestamp=CREATED),
        spec=pb.PersistentVolumeClaimSpec(accessModes=["ReadWriteMany"], **wanted),  # type: ignore[arg-type]
        status=pb.PersistentVolumeClaimStatus(phase="Pending"),
    )


def volume(name: str) -> pb.PersistentVolume:
    offered = pb.PersistentVolumeSpec(storageClassName="manual", accessModes=["ReadWriteOnce"])
    return pb.PersistentVolume(
        metadata=pb.ObjectMeta(name=name), spec=offered, status=pb.PersistentVolumeStatus(phase="Available")
    )


def deployment(name: str) -> pb.Deployment:
    template = pb.PodTemplateSpec(spec=spec(config_map(name)))
    return pb.Deployment(metadata=meta(name), spec=pb.DeploymentSpec(replicas=1, template=template))


def job(name: str) -> pb.Job:
    made = pb.Job(metadata=meta(name))
    made.metadata.ownerReferences.add(kind="CronJob", name=name, uid=f"of-{name}", controller=True)
    made.status.conditions.add(type="Failed", status="True", lastTransitionTime=ago(60))
    return made


def failed(name: str) -> pb.Pod:
    made = pb.Pod(metadata=meta(name), spec=pb.PodSpec(nodeName="one"), status=pb.PodStatus(phase="Failed"))
    made.metadata.ownerReferences.add(kind="Job", name=name, uid=name, controller=True)
    status = made.status.containerStatuses.add(name="app")
    status.state.terminated.exitCode = 1
    return made


def cron_job(name: str) -> pb.CronJob:
    made = pb.CronJob(metadata=meta(name))
    made.metadata.uid = f"of-{name}"
    return made


NODES = [node("one")]
SETTINGS = [pb.ConfigMap(metadata=meta(name)) for name in EXISTING]
MANUAL = [pb.StorageClass(metadata=pb.AnnotatedMeta(name="manual"), provisioner="kubernetes.io/no-provisioner")]

CROWDS = {
    "mounts of what does not exist": (
        config_mount.missing_object,
        lambda: cluster_of(nodes=NODES, pods=[stuck(n, config_map(n)) for n in MISSING], config_maps=SETTINGS),
    ),
    "templates that name it": (
        config_mount.dangling_reference,
        lambda: cluster_of(deployments=[deployment(n) for n in MISSING], config_maps=SETTINGS),
    ),
    "claims that do not exist": (
        volume_claim.unbound,
        lambda: cluster_of(pods=[stuck(n, claimed(n)) for n in MISSING], claims=[claim(n) for n in EXISTING]),
    ),
    "claims that no free volume fits": (
        volume_claim.unbound,
        lambda: cluster_of(
            claims=[claim(n, storageClassName="manual") for n in MISSING],
            volumes=[volume(n) for n in EXISTING],
            storage_classes=MANUAL,
        ),
    ),
    "claims of volumes that do not exist": (
        volume_claim.unbound,
        lambda: cluster_of(claims=[claim(n, volumeName=n) for n in MISSING], volumes=[volume(n) for n in EXISTING]),
    ),
    "Jobs that fail": (
        startup_error.app_exit,
        lambda: cluster_of(
            nodes=NODES,
            pods=[failed(n) for n in JOBS],
            jobs=[job(n) for n in JOBS],
            cron_jobs=[cron_job(n) for n in JOBS],
        ),
    ),
}


@pytest.mark.parametrize(("rule", "made"), CROWDS.values(), ids=CROWDS)
def test_a_crowd_takes_little_time(rule: Callable[[Cluster], object], made: Callable[[], Cluster]) -> None:
    cluster = made()
    start = process_time()
    found = list(rule(cluster))  # type: ignore[call-overload]
    assert process_time() - start < SECONDS
    assert len(found) >= COUNT


def test_the_first_missing_names_of_each_namespace_have_hints() -> None:
    crowd = [stuck(name, config_map(name)) for name in MISSING]
    shop = stuck("cart", config_map("app-confg"))
    shop.metadata.namespace = "shop"
    there = pb.ConfigMap(metadata=pb.ObjectMeta(name="app-config", namespace="shop"))
    cluster = cluster_of(nodes=NODES, pods=[*crowd, shop], config_maps=[*SETTINGS, there])
    found: dict[str, list[bool]] = {}
    for finding in config_mount.missing_object(cluster):
        found.setdefault(finding.obj.namespace, []).append("did you mean" in finding.says)
    assert found["crowd"].count(True) == HINTS
    assert found["shop"] == [True]


def test_the_number_of_volumes_that_are_not_compared_with_a_claim_is_reported() -> None:
    cluster = cluster_of(
        claims=[claim("data", storageClassName="manual")],
        volumes=[volume(name) for name in EXISTING],
        storage_classes=MANUAL,
    )
    (finding,) = volume_claim.unbound(cluster)
    assert f"and 97 more; {COUNT - 100} others were not compared" in finding.says


MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("look", "unit"),
    [
        (volume_words, "/var/lib/kubelet/x"),
        (explain, "postIpam"),
        (lambda words: plain(words, pb.Pod()), "0123456789abcdef"),
        (runtime_words, ' (pod: "", container: x'),
        (lambda words: list(attaching.unattached(unschedulable(words))), "1"),
    ],
    ids=["a mount's words", "a sandbox's", "a sandbox's ids", "a runtime's", "the scheduler's"],
)
def test_a_megabyte_of_hostile_words_takes_little_time(look: Callable[[str], object], unit: str) -> None:
    start = process_time()
    look(unit * (MEGABYTE // len(unit)))
    assert process_time() - start < SECONDS


def unschedulable(words: str) -> Cluster:
    waiting = pb.PodCondition(type="PodScheduled", status="False", message=words)
    status = pb.PodStatus(phase="Pending", conditions=[waiting])
    return cluster_of(pods=[pb.Pod(metadata=meta("web"), status=status)])


def test_of_what_an_event_says_no_more_is_kept_than_kubernetes_would_say() -> None:
    said = pb.Event(metadata=meta("event"), reason="R" * MEGABYTE, message="m" * MEGABYTE)
    (kept,) = cluster_of(all_events=[said]).all_events
    assert (len(kept.reason), len(kept.message)) == (EVENT_LIMIT, EVENT_LIMIT)
