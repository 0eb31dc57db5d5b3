"""Ready pods that share what they have in common: every check finds the same on them as on messages."""

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.protobuf import Page, decode_list, encode_list
from kubevitals.encoding.shared_pods import Pod, alike, is_calm, ready_after
from kubevitals.facts.pods.evictions import MEMORY, evicted_for
from kubevitals.inventory.cluster import Cluster
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer, Request, answered
from scenarios.harness import MANIFESTS, RECORDINGS, verdicts
from tests.fakes import list_bytes
from tests.test_mutations import RECORDED, Mutated

CLUSTERS = 2 if settings.default.max_examples <= 100 else 3_000  # type: ignore[union-attr]
"""Clusters that are tried: 3,000 with ``--hypothesis-profile=thorough``."""


def ready_pod(name: str = "web-1", **spec: Any) -> pb.Pod:
    made = pb.Pod(spec=pb.PodSpec(nodeName="node-1", **spec))
    made.metadata.name, made.metadata.namespace, made.metadata.uid = name, "shop", f"uid of {name}"
    made.metadata.creationTimestamp.seconds = 1_700_000_000
    made.metadata.labels["app"] = "web"
    made.metadata.ownerReferences.add(kind="ReplicaSet", name="web-7c9d", controller=True)
    made.status.phase = "Running"
    made.status.conditions.add(type="Ready", status="True")
    return made


def kept(*pods: pb.Pod) -> list[pb.Pod]:
    return decode_list([list_bytes(pods)], pb.Pod, shared=True)[1]


def is_shared(pod: pb.Pod) -> bool:
    return isinstance(pod, Pod)


def test_every_field_of_a_recorded_pod_has_its_value() -> None:
    messages = Snapshot(RECORDINGS / f"{MANIFESTS}.recording").get(
        Request("/api/v1/pods?limit=1000&resourceVersion=0", pb.Pod)
    )
    every = decode_list([b"".join(encode_list(messages.page))], pb.Pod, shared=True)[1]
    assert len(every) == len(messages.page.items)
    assert sum(map(is_shared, every)) > len(every) / 4
    for pod, message in zip(every, messages.page.items, strict=True):
        for part in ("metadata", "spec", "status"):
            _assert_same(getattr(pod, part), getattr(message, part))


def _assert_same(part: Any, message: Any) -> None:
    for field in message.DESCRIPTOR.fields:
        value, expected = getattr(part, field.name), getattr(message, field.name)
        if field.name == "creationTimestamp":
            assert (value.seconds, value.nanos) == (expected.seconds, expected.nanos)
        elif field.name == "affinity":
            assert value.podAntiAffinity == expected.podAntiAffinity
        elif isinstance(expected, Mapping):
            assert dict(value) == dict(expected)
        elif field.is_repeated:
            assert _token_volumes_alike(list(value)) == _token_volumes_alike(list(expected))
        else:
            assert value == expected
        if field.message_type and not field.is_repeated and field.name != "affinity":
            assert part.HasField(field.name) == message.HasField(field.name)


def _token_volumes_alike(values: list[Any]) -> list[Any]:
    for value in values:
        for named in (value, *getattr(value, "volumeMounts", ())):
            if getattr(named, "name", "").startswith("kube-api-access-"):
                named.name = "kube-api-access-"
    return values


def test_pods_of_one_template_share_their_specification() -> None:
    first, second = kept(ready_pod(), ready_pod("web-2"))
    assert is_shared(first)
    assert first.spec.containers is second.spec.containers
    assert first.metadata.labels is second.metadata.labels
    assert (first.metadata.name, second.metadata.name) == ("web-1", "web-2")
    assert first.spec.nodeName == "node-1"


def test_pods_of_templates_that_differ_in_labels_share_their_specification_and_nothing_else() -> None:
    pods = [ready_pod(name, containers=[pb.Container(name="app")]) for name in ("web-1", "web-2")]
    pods[1].metadata.labels["app"] = "api"
    first, second = kept(*pods)
    assert first.spec.containers is second.spec.containers
    assert (first.metadata.labels["app"], second.metadata.labels["app"]) == ("web", "api")
    assert len(alike([first, second])) == len(pods)


def test_pods_are_grouped_by_what_they_share_and_messages_stand_alone() -> None:
    ill = ready_pod("ill")
    ill.status.conditions[0].status = "False"
    other = ready_pod("other", hostNetwork=True)
    groups = alike(kept(ready_pod(), other, ill, ready_pod("web-2"), ill))
    assert [[pod.metadata.name for pod in pods] for pods in groups] == [["web-1", "web-2"], ["other"], ["ill"], ["ill"]]


@pytest.mark.parametrize("init", [False, True])
@pytest.mark.parametrize(("changed", "calm"), [({}, True), ({"restartCount": 1}, False), ({"ready": False}, False)])
def test_a_pod_is_calm_if_all_containers_are_ready_and_none_restarted(
    changed: dict[str, Any], calm: bool, init: bool
) -> None:
    pod = ready_pod()
    statuses = pod.status.initContainerStatuses if init else pod.status.containerStatuses
    statuses.add(**{"name": "app", "ready": True} | changed)
    [shared] = kept(pod)
    assert is_calm(shared) == calm
    assert not is_calm(pod)


def test_a_pod_that_is_evicted_and_still_ready_is_not_calm() -> None:
    pod = ready_pod()
    pod.status.reason, pod.status.message = "Evicted", "The node was low on resource: memory. "
    [shared] = kept(pod)
    assert is_shared(shared)
    assert evicted_for(shared, MEMORY)
    assert not is_calm(shared)


@pytest.mark.parametrize(("status", "seconds"), [("True", 7), ("False", 0)])
def test_seconds_until_the_containers_were_ready(status: str, seconds: int) -> None:
    pod = ready_pod()
    pod.status.startTime.seconds = 100
    pod.status.conditions.add(type="ContainersReady", status=status, lastTransitionTime=pb.Time(seconds=107))
    assert [ready_after(each) for each in (pod, *kept(pod))] == [seconds, seconds]


def test_pods_differ_in_what_differs() -> None:
    other = ready_pod("web-2", containers=[pb.Container(name="other")])
    first, second = kept(ready_pod(containers=[pb.Container(name="app")]), other)
    assert [c.name for c in (*first.spec.containers, *second.spec.containers)] == ["app", "other"]


@pytest.mark.parametrize("state", ["not ready", "deleted", "finished", "unscheduled", "not UTF-8"])
def test_other_pods_stay_messages_in_their_order(state: str) -> None:
    pod = ready_pod("ill")
    if state == "not ready":
        pod.status.conditions[0].status = "False"
    elif state == "deleted":
        pod.metadata.deletionTimestamp.SetInParent()
    elif state == "finished":
        pod.status.phase = "Succeeded"
    elif state == "unscheduled":
        pod.spec.nodeName = ""
    sent = list_bytes([ready_pod(), pod, ready_pod("web-2")])
    if state == "not UTF-8":
        sent = sent.replace(b"uid of ill", b"uid of \xff\xfel")
    pods = decode_list([sent], pb.Pod, shared=True)[1]
    assert [pod.metadata.name for pod in pods] == ["web-1", "ill", "web-2"]
    assert [is_shared(pod) for pod in pods] == [True, False, True]


TOKEN = "kube-api-access-abcde"


def projected(name: str = TOKEN) -> pb.Volume:
    return pb.Volume(name=name, volumeSource=pb.VolumeSource(projected=pb.ProjectedVolumeSource()))


def test_the_volume_with_the_token_is_the_same_in_all_pods() -> None:
    mounts = pb.Container(name="app", volumeMounts=[pb.VolumeMount(name=TOKEN)])
    first, second = kept(
        ready_pod(volumes=[projected()], containers=[mounts]),
        ready_pod("web-2", volumes=[projected("kube-api-access-fghij")], containers=[mounts]),
    )
    assert first.spec.volumes[0] is second.spec.volumes[0]
    assert first.spec.volumes[0].name == first.spec.containers[0].volumeMounts[0].name == "kube-api-access-xxxxx"


SO_NAMED = {
    "an ephemeral volume": pb.Volume(name=TOKEN, volumeSource=pb.VolumeSource(ephemeral=pb.Present())),
    "a volume with two sources": pb.Volume(
        name=TOKEN, volumeSource=pb.VolumeSource(projected=pb.ProjectedVolumeSource(), ephemeral=pb.Present())
    ),
    "a claim": pb.Volume(
        name="data",
        volumeSource=pb.VolumeSource(persistentVolumeClaim=pb.PersistentVolumeClaimVolumeSource(claimName=TOKEN)),
    ),
}


@pytest.mark.parametrize("volume", SO_NAMED.values(), ids=SO_NAMED)
def test_a_pod_with_another_thing_named_like_that_volume_stays_a_message(volume: pb.Volume) -> None:
    [pod] = kept(ready_pod(volumes=[projected(), volume]))
    assert not is_shared(pod)
    assert TOKEN in str(pod.spec.volumes[1])


def test_a_label_like_that_volume_is_kept() -> None:
    labelled = ready_pod(volumes=[projected()])
    labelled.metadata.labels["volume"] = TOKEN
    [pod] = kept(labelled)
    assert pod.metadata.labels["volume"] == TOKEN


def test_only_wanted_pods_are_kept() -> None:
    sent = list_bytes([ready_pod(), ready_pod("web-2")])
    pods = decode_list([sent], pb.Pod, lambda pod: pod.metadata.name == "web-2", shared=True)[1]
    assert [(pod.metadata.name, pod.status.phase) for pod in pods] == [("web-2", "Running")]


class Encoded:
    """A source whose lists of pods are decoded again, as messages or shared."""

    def __init__(self, source: Snapshot, *, shared: bool) -> None:
        self._source, self._shared = source, shared
        self.context, self.waits, self.now = source.context, source.waits, source.now
        self.clock, self.probe, self.close = source.clock, source.probe, source.close

    def get(self, request: Request) -> Answer:
        """Return the answer of the source, decoded again if it is a list."""
        answer = self._source.get(request._replace(shared=False))
        if request.schema is not pb.Pod or answer.status != 200:
            return answer
        encoded = encode_list(Page(answer.page.metadata, answer.page.items))
        return answered(request._replace(shared=self._shared), 200, encoded, recorded=True)._replace(date=answer.date)


def found(source: Snapshot, *, shared: bool) -> list[Any]:
    cluster = Cluster(Encoded(source, shared=shared))
    return [(verdict.check, verdict.outcome, verdict.all_findings) for verdict in verdicts(cluster)]


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDINGS.iterdir()))
def test_every_check_finds_the_same_on_recorded_clusters(name: str) -> None:
    source = Snapshot(RECORDINGS / f"{name}.recording")
    assert found(source, shared=True) == found(source, shared=False)


@settings(max_examples=CLUSTERS, phases=[Phase.generate])
@given(st.sampled_from(RECORDED), st.integers(0, 2**32))
def test_every_check_finds_the_same_on_any_cluster(name: str, seed: int) -> None:
    shared, messages = (found(Mutated(name, Random(seed)), shared=shared) for shared in (True, False))
    assert shared == messages
