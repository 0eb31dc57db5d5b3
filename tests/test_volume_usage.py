"""Volumes of which no kubelet has figures: not observed, unless what their pods say shows that they are full."""

import json
from typing import Any

import pytest

from checks.test_storage_full import no_space_in_log, volume
from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved, observed
from kubevitals.findings.declaration import Rule
from kubevitals.findings.finding import Finding
from kubevitals.source.request import Answer
from tests.built import node
from tests.fakes import ago, cluster_of

GI = 1 << 30
ENOSPC = "Readiness probe failed: sh: write error: No space left on device"
AT_DATA = "Readiness probe failed: touch: /data/x: No space left on device"


def claim(name: str = "data", **spec: Any) -> pb.PersistentVolumeClaim:
    made = pb.PersistentVolumeClaim(metadata=pb.AnnotatedMeta(name=name, namespace="shop"))
    made.spec.MergeFrom(pb.PersistentVolumeClaimSpec(**spec))
    return made


def pod(*volumes: pb.Volume, ready: str = "False", since: int = 600, started: int = 600) -> pb.Pod:
    mounts = [pb.VolumeMount(name=volume.name, mountPath=f"/{volume.name}") for volume in volumes]
    condition = pb.PodCondition(type="Ready", status=ready, lastTransitionTime=ago(since))
    running = pb.ContainerState(running=pb.ContainerStateRunning(startedAt=ago(started)))
    return pb.Pod(
        metadata=pb.ObjectMeta(name="app", namespace="shop", uid="1"),
        spec=pb.PodSpec(nodeName="one", containers=[pb.Container(name="app", volumeMounts=mounts)], volumes=volumes),
        status=pb.PodStatus(
            phase="Running",
            startTime=ago(started),
            conditions=[condition],
            containerStatuses=[pb.ContainerStatus(name="app", state=running, ready=ready == "True")],
        ),
    )


def claiming(name: str = "data") -> pb.Volume:
    source = pb.PersistentVolumeClaimVolumeSource(claimName=name)
    return pb.Volume(name=name, volumeSource=pb.VolumeSource(persistentVolumeClaim=source))


def on_host(name: str = "data") -> pb.Volume:
    source = pb.HostPathVolumeSource(path="/srv/data")
    return pb.Volume(name=name, volumeSource=pb.VolumeSource(hostPath=source))


def said(text: str, before: int = 20) -> pb.Event:
    about = pb.ObjectReference(kind="Pod", namespace="shop", name="app", uid="1", fieldPath="spec.containers{app}")
    return pb.Event(involvedObject=about, reason="Unhealthy", message=text, lastTimestamp=ago(before))


def judged(
    seen: pb.Pod,
    *claims: pb.PersistentVolumeClaim,
    event: pb.Event | None = None,
    log: str = "",
    figures: int = 0,
    disk: int = 50,
    by: Rule = volume,
) -> tuple[list[Finding], NotObserved | None]:
    """Judge a pod whose claim's volume has so many bytes, if its kubelet has any figures of it."""
    space = {"capacityBytes": figures, "availableBytes": figures}
    name = {"name": "data", "namespace": "shop"}
    volumes = [{"name": "data", "pvcRef": name} | space] if figures else []
    whole = {"capacityBytes": 100 * GI, "availableBytes": disk * GI}
    summary = {"node": {"fs": whole}, "pods": [{"podRef": name, "volume": volumes}]}
    answers = {"/api/v1/nodes/one/proxy/stats/summary": Answer(200, json.dumps(summary).encode())}
    answers["/api/v1/namespaces/shop/pods/app/log"] = Answer(200, log.encode())
    events = [event] if event else []
    cluster = cluster_of(answers, nodes=[node()], pods=[seen], claims=[*claims], all_events=events)
    result = observed(by(cluster))
    return result.items, result.unseen


def test_a_volume_without_figures_is_not_observed() -> None:
    found, unseen = judged(pod(claiming()), claim())
    assert not found
    assert "no figures of PersistentVolumeClaim/shop/data" in str(unseen)


@pytest.mark.parametrize(("source", "unasked"), [("hostPath", True), ("csi", False)])
def test_figures_of_a_directory_of_the_node_are_not_required(source: str, unasked: bool) -> None:
    of_claim = claim()
    of_claim.spec.volumeName = "disk"
    disk = pb.PersistentVolume(metadata=pb.ObjectMeta(name="disk"))
    getattr(disk.spec.persistentVolumeSource, source).SetInParent()
    summary = {"node": {"fs": {"capacityBytes": 9, "availableBytes": 5}}, "pods": []}
    answers = {"/api/v1/nodes/one/proxy/stats/summary": Answer(200, json.dumps(summary).encode())}
    one = cluster_of(answers, claims=[of_claim], nodes=[node()], pods=[pod(claiming())], volumes=[disk])
    result = observed(volume(one))
    assert not result.items
    assert result.unseen is not None
    assert "figures of" in str(result.unseen)
    assert result.unseen.unasked is unasked
    other = claim()
    other.metadata.name = "other"
    both = pod(claiming(), claiming("other"))
    two = cluster_of(answers, claims=[of_claim, other], nodes=[node()], pods=[both], volumes=[disk])
    mixed = observed(volume(two))
    assert mixed.unseen is not None
    assert mixed.unseen.unasked is False
    assert "shop/other" in str(mixed.unseen)


@pytest.mark.parametrize("figures", [GI, 100 * GI], ids=["its own", "the node's"])
def test_a_volume_with_figures_is_observed(figures: int) -> None:
    assert judged(pod(claiming()), claim(), figures=figures) == ([], None)


SKIPPED = {
    "read-only": claim(accessModes=["ReadOnlyMany"]),
    "block device": claim(volumeMode="Block"),
    "full by design": claim(),
}
SKIPPED["full by design"].metadata.labels["kubevitals.io/full-by-design"] = "true"


@pytest.mark.parametrize("skipped", SKIPPED.values(), ids=SKIPPED)
def test_a_volume_that_may_be_full_needs_no_figures(skipped: pb.PersistentVolumeClaim) -> None:
    assert judged(pod(claiming()), skipped) == ([], None)


def test_a_pod_that_has_just_started_has_no_figures_yet() -> None:
    assert judged(pod(claiming(), started=60), claim()) == ([], None)


def test_of_many_claims_three_are_named() -> None:
    names = [f"data-{number}" for number in range(5)]
    _, unseen = judged(pod(*map(claiming, names)), *map(claim, names))
    assert str(unseen).endswith("PersistentVolumeClaim/shop/data-2 and 2 more")


@pytest.mark.parametrize(("text", "full"), [(AT_DATA, "is full"), (ENOSPC, "is probably full")])
def test_what_a_pod_says_of_its_volume_counts(text: str, full: str) -> None:
    (finding,), unseen = judged(pod(claiming()), claim(), event=said(text))
    assert str(finding.obj) == "PersistentVolumeClaim/shop/data"
    assert finding.says == f'its volume {full}: container "app" reports "no space left on device"'
    assert [str(user) for user in finding.concerns] == ["Pod/shop/app"]
    assert unseen is None


def test_the_log_of_a_pod_that_is_not_ready_counts() -> None:
    log = "write /data/orders: no space left on device\nretrying"
    (finding,), unseen = judged(pod(claiming()), claim(), log=log)
    assert finding.says == 'its volume is full: container "app" reports "no space left on device"'
    assert unseen is None
    assert not judged(pod(claiming(), ready="True"), claim(), log=log)[0]
    assert not judged(pod(claiming(), since=30), claim(), log=log)[0]


def test_what_a_ready_pod_says_of_its_host_path_counts() -> None:
    (finding,), _ = judged(pod(on_host(), ready="True"), event=said(AT_DATA))
    assert (str(finding.obj), finding.part) == ("Pod/shop/app", "data")
    assert finding.says.startswith('volume "data" is full: ')


@pytest.mark.parametrize(
    ("text", "full"),
    [(AT_DATA, 'volume "data" at /data is full: '), (ENOSPC, 'volume "data" is probably full: ')],
    ids=["path", "no path"],
)
def test_a_pod_is_not_ready_because_its_volume_is_full(text: str, full: str) -> None:
    (finding,), _ = judged(pod(on_host()), event=said(text), by=no_space_in_log)
    assert finding.says.startswith(f'container "app" is not ready because {full}')
    assert not judged(pod(on_host()), event=said(text))[0]


def test_a_pod_is_not_ready_because_of_what_its_log_says() -> None:
    log = "semget: No space left on device"
    (finding,), _ = judged(pod(on_host()), log=log, by=no_space_in_log)
    assert "is not ready because the limit for System V semaphores or shared memory is reached" in finding.says
    for other in (pod(on_host(), ready="True"), pod(on_host(), since=30), pod()):
        assert not judged(other, log=log, by=no_space_in_log)[0]


OTHERS = {
    "another path": (pod(claiming()), said("Readiness probe failed: touch: /tmp/x: No space left on device"), 50),
    "one of two volumes": (pod(claiming(), on_host("other")), said(ENOSPC), 50),
    "no volume": (pod(), said(ENOSPC), 50),
    "inotify": (pod(claiming()), said("Readiness probe failed: inotify_add_watch: No space left on device"), 50),
    "the node's disk": (pod(claiming()), said(ENOSPC), 2),
    "long ago": (pod(claiming()), said(ENOSPC, before=500), 50),
    "over": (pod(claiming(), ready="True", since=10), said(ENOSPC), 50),
    "another fault": (pod(claiming()), said("Readiness probe failed: connection refused"), 50),
}


@pytest.mark.parametrize(("seen", "event", "disk"), OTHERS.values(), ids=OTHERS)
def test_other_words_say_nothing_about_the_volume(seen: pb.Pod, event: pb.Event, disk: int) -> None:
    found, _ = judged(seen, claim(), event=event, disk=disk)
    assert not found


def test_figures_count_more_than_words() -> None:
    assert judged(pod(claiming()), claim(), event=said(AT_DATA), figures=GI) == ([], None)
