import tracemalloc
from collections.abc import Callable

import pytest
from google.protobuf.message import Message
from hypothesis import given
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.free_texts import redact_texts
from kubevitals.encoding.kept import BATCH
from kubevitals.encoding.protobuf import Page, decode_list, encode_list, encode_status, error_message
from kubevitals.errors import NotObserved
from tests.fakes import envelope, item_bytes, list_bytes, list_meta, proto_field, status_bytes, status_json

NAMES = st.text(max_size=20)
PODS = st.builds(
    lambda name, labels, restarts: pb.Pod(
        metadata=pb.ObjectMeta(name=name, labels=labels),
        status=pb.PodStatus(containerStatuses=[pb.ContainerStatus(restartCount=restarts)]),
    ),
    NAMES,
    st.dictionaries(NAMES, NAMES, max_size=3),
    st.integers(0, 2**31 - 1),
)


@given(st.lists(PODS, max_size=5), st.text(max_size=30))
def test_what_is_encoded_decodes_to_the_same(pods: list[pb.Pod], token: str) -> None:
    metadata, decoded = decode_list(encode_list(Page(list_meta(token), pods)), pb.Pod)
    assert decoded == pods
    assert getattr(metadata, "continue") == token


def test_fields_that_no_check_reads_are_dropped() -> None:
    name = proto_field(1, b"web-0")
    unknown = proto_field(15, b"a managed field")
    body = envelope(proto_field(2, proto_field(1, name + unknown) + unknown))
    (pod,) = decode_list([body], pb.Pod)[1]
    assert pod == pb.Pod(metadata=pb.ObjectMeta(name="web-0"))
    assert b"managed" not in pod.SerializeToString()


def test_only_annotations_that_checks_read_are_kept() -> None:
    read = {"storageclass.kubernetes.io/is-default-class": "true"}
    notes = {"kubectl.kubernetes.io/last-applied-configuration": "{password: hunter2}"}
    sent = pb.StorageClass(metadata=pb.AnnotatedMeta(name="fast", annotations=read | notes))
    (kept,) = decode_list([list_bytes([sent])], pb.StorageClass)[1]
    assert dict(kept.metadata.annotations) == read


def commands(*told: str) -> pb.PodSpec:
    return pb.PodSpec(containers=[pb.Container(command=told)], initContainers=[pb.Container(args=told)])


@pytest.mark.parametrize(
    "sent",
    [
        pb.Pod(spec=commands("serve", "--token=hunter2")),
        pb.Deployment(spec=pb.DeploymentSpec(template=pb.PodTemplateSpec(spec=commands("--token=hunter2")))),
        pb.DaemonSet(spec=pb.DaemonSetSpec(template=pb.PodTemplateSpec(spec=commands("--token=hunter2")))),
        pb.StatefulSet(spec=pb.StatefulSetSpec(template=pb.PodTemplateSpec(spec=commands("--token=hunter2")))),
        pb.CronJob(
            spec=pb.CronJobSpec(
                jobTemplate=pb.JobTemplateSpec(
                    spec=pb.JobSpec(template=pb.PodTemplateSpec(spec=commands("--token=hunter2")))
                )
            )
        ),
    ],
    ids=lambda sent: type(sent).__name__,
)
def test_arguments_are_dropped_wherever_they_are(sent: Message) -> None:
    (kept,) = decode_list([list_bytes([sent])], type(sent))[1]
    assert b"hunter2" not in kept.SerializeToString()


def test_only_arguments_that_checks_read_are_kept() -> None:
    told = ["kube-controller-manager", "--token=hunter2", "--cluster-cidr=10.244.0.0/16"]
    sent = pb.Pod(spec=pb.PodSpec(containers=[pb.Container(command=told), pb.Container(args=told)]))
    (kept,) = decode_list([list_bytes([sent])], pb.Pod)[1]
    assert [[*c.command, *c.args] for c in kept.spec.containers] == [["--cluster-cidr=10.244.0.0/16"]] * 2


def test_of_the_resources_that_containers_have_only_those_are_kept_that_they_are_not_to_have() -> None:
    def memory(limit: str) -> pb.ResourceRequirements:
        return pb.ResourceRequirements(limits={"memory": pb.Quantity(string=limit)})

    spec = pb.PodSpec(containers=[pb.Container(name=name, resources=memory("2Gi")) for name in ("settled", "growing")])
    statuses = [
        pb.ContainerStatus(name="settled", resources=memory("2Gi")),
        pb.ContainerStatus(name="growing", resources=memory("1Gi")),
    ]
    sent = pb.Pod(spec=spec, status=pb.PodStatus(containerStatuses=statuses))
    (kept,) = decode_list([list_bytes([sent])], pb.Pod)[1]
    assert [status.HasField("resources") for status in kept.status.containerStatuses] == [False, True]


def test_of_variables_only_those_are_kept_that_refer_to_something() -> None:
    key = pb.EnvVarSource(configMapKeyRef=pb.KeySelector(key="colour"))
    sent = pb.Pod(spec=pb.PodSpec(containers=[pb.Container(env=[{"name": "A"}, {"name": "B", "valueFrom": key}])]))
    (kept,) = decode_list([list_bytes([sent])], pb.Pod)[1]
    assert [variable.name for variable in kept.spec.containers[0].env] == ["B"]


@pytest.mark.parametrize("count", [0, 1, BATCH - 1, BATCH, BATCH + 1, 3 * BATCH])
def test_lists_of_any_length_are_whole_and_in_order(count: int) -> None:
    sent = [pb.Pod(metadata=pb.ObjectMeta(name=f"web-{n}")) for n in range(count)]
    assert decode_list([list_bytes(sent)], pb.Pod)[1] == sent


def test_a_message_cut_within_a_character_is_repaired_and_its_neighbours_stay() -> None:
    cut = proto_field(1, proto_field(1, b"e1")) + proto_field(4, b"no space \xe2\x82") + proto_field(3, b"Failed")
    whole = pb.Event(metadata=pb.ObjectMeta(name="e2"), message="fine")
    body = envelope(proto_field(2, cut) + proto_field(2, whole.SerializeToString()))
    first, second = decode_list([body], pb.Event)[1]
    assert (first.metadata.name, first.message, first.reason) == ("e1", "no space \N{REPLACEMENT CHARACTER}", "Failed")
    assert second == whole


def test_a_deep_message_is_repaired_and_maps_and_presence_survive() -> None:
    broken = proto_field(3, proto_field(4, b"\xff died"))
    status = proto_field(3, proto_field(8, proto_field(3, broken)))
    labels = proto_field(1, pb.ObjectMeta(name="web-0", labels={"app": "web"}).SerializeToString())
    (pod,) = decode_list([envelope(proto_field(2, labels + status))], pb.Pod)[1]
    assert pod.status.containerStatuses[0].lastState.terminated.message == "\N{REPLACEMENT CHARACTER} died"
    assert dict(pod.metadata.labels) == {"app": "web"}


GOOD = list_bytes([pb.Pod(metadata=pb.ObjectMeta(name=f"web-{n}")) for n in range(3)], "next")


@given(st.integers(1, 50))
def test_a_list_is_the_same_in_chunks_of_any_size(size: int) -> None:
    chunks = [GOOD[start : start + size] for start in range(0, len(GOOD), size)]
    assert decode_list(chunks, pb.Pod) == decode_list([GOOD], pb.Pod)


def test_a_list_is_not_held_while_it_arrives() -> None:
    note = proto_field(1, proto_field(1, b"web-0") + proto_field(15, bytes(100_000)))
    body = envelope(proto_field(1, b"") + item_bytes(note) * 200)
    chunks = (body[start : start + 16_384] for start in range(0, len(body), 16_384))
    tracemalloc.start()
    pods = decode_list(chunks, pb.Pod)[1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(pods) == 200
    assert peak < 1_000_000


def test_what_is_not_wanted_is_dropped() -> None:
    assert [pod.metadata.name for pod in decode_list([GOOD], pb.Pod, lambda pod: pod.metadata.name != "web-1")[1]] == [
        "web-0",
        "web-2",
    ]


FOREIGN = [
    b"",
    b"k8s",
    b"<html><body>Sign in</body></html>",
    b'{"kind": "PodList", "items": null}',
    b"k8s\x00\xff\xff\xff\xff",
    envelope(b"\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
    envelope(b"\x12\xff\xff\xff\xff\x0f"),
    envelope(b"\x12\x7fabc"),
    envelope(b"\x12"),
    envelope(b"\x1a\x01a"),
]


@pytest.mark.parametrize("body", FOREIGN)
def test_what_is_no_list_is_not_observed(body: bytes) -> None:
    with pytest.raises(NotObserved, match="not a list of Pod") as caught:
        decode_list([body], pb.Pod)
    assert str(caught.value).isprintable()


@given(st.integers(0, len(GOOD) - 1))
def test_a_truncated_list_is_not_observed_or_shorter(length: int) -> None:
    assert len(_decoded(GOOD[:length])) < 3


@given(st.binary(max_size=200).map(lambda raw: b"k8s\x00" + raw) | st.binary(max_size=200).map(envelope))
def test_garbage_is_not_observed_and_nothing_else(body: bytes) -> None:
    _decoded(body)


@given(st.lists(st.tuples(st.integers(4, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_a_list_with_flipped_bytes_is_not_observed_or_a_list(changes: list[tuple[int, int]]) -> None:
    body = bytearray(GOOD)
    for place, value in changes:
        body[place] = value
    _decoded(bytes(body))


def _decoded(body: bytes) -> list[pb.Pod]:
    try:
        return decode_list([body], pb.Pod)[1]
    except NotObserved:
        return []


MESSAGES = [
    pb.Event(message="login with password=hunter2 failed"),
    pb.Pod(status=pb.PodStatus(message="password=hunter2")),
    pb.Pod(status=pb.PodStatus(conditions=[pb.PodCondition(message="token: hunter2")])),
    pb.HTTPGetAction(path="/healthz?token=hunter2"),
    pb.Node(status=pb.NodeStatus(conditions=[pb.NodeCondition(message="https://u:hunter2@proxy")])),
    pb.VolumeAttachment(status=pb.VolumeAttachmentStatus(attachError=pb.VolumeError(message="secret=hunter2"))),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_free_texts_are_redacted_wherever_they_are(message: Message) -> None:
    redact_texts(message)
    assert b"hunter2" not in message.SerializeToString()


@pytest.mark.parametrize("encode", [status_bytes, status_json])
@pytest.mark.parametrize("words", ["pods is forbidden", "ü" * 200])
def test_a_refusal_is_read_in_either_encoding(encode: Callable[[str], bytes], words: str) -> None:
    assert error_message(encode(words)) == words


def test_a_refusal_is_redacted_in_either_encoding() -> None:
    for encode in (status_bytes, status_json):
        assert error_message(encode_status(encode("denied: password=hunter2, ask ops"))) == (
            "denied: password=[redacted], ask ops"
        )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"[]",
        b"{}",
        b'{"message": null}',
        b"\xff\xfe",
        b'{"a":' + b"[" * 100_000,
        b"k8s\x00\xff",
    ],
    ids=lambda body: repr(body[:12]),
)
def test_any_other_refusal_is_shown_as_it_begins(body: bytes) -> None:
    assert error_message(body) == body[:200].decode("utf-8", "replace")
