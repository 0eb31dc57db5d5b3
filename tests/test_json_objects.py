"""Objects in JSON and YAML: what is read of them, whatever is written there."""

import json
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.json_objects import ELEMENTS, filled, message_of
from kubevitals.encoding.json_stream import json_parts
from kubevitals.encoding.parts import PART_LIMIT, Damaged, End, Item, Log, Part, Single
from kubevitals.encoding.yaml_stream import yaml_parts
from kubevitals.encoding.yaml_values import yaml_value
from kubevitals.errors import NotObserved
from kubevitals.source.bundle.texts import parts_of
from kubevitals.source.request import PROTOBUF, Request, answered
from tests.bundles import to_json
from tests.mutations import HOSTILE

NAMED = {"metadata": {"name": "web-0"}}


def pod(**fields: Any) -> pb.Pod:
    return message_of(pb.Pod, NAMED | fields)


def test_fields_are_read_by_their_type() -> None:
    volume = {"name": "v", "configMap": {"name": "settings", "optional": True}}
    probe = {"httpGet": {"path": "/livez", "port": "http"}, "periodSeconds": 5, "exec": None}
    limits = {"limits": {"cpu": 2, "memory": "1Gi"}}
    container = {"name": "app", "livenessProbe": probe, "resources": limits, "lifecycle": {"postStart": {"exec": {}}}}
    read = pod(spec={"volumes": [volume], "containers": [container]}, status={"startTime": "2026-03-01T12:00:00Z"})
    assert read.spec.volumes[0].volumeSource.configMap.localObjectReference.name == "settings"
    app = read.spec.containers[0]
    assert (app.livenessProbe.handler.httpGet.port.strVal, app.livenessProbe.periodSeconds) == ("http", 5)
    assert not app.livenessProbe.handler.HasField("exec")
    assert app.lifecycle.HasField("postStart")
    assert app.resources.limits["cpu"].string == "2"
    assert read.status.startTime.seconds == 1_772_366_400


@pytest.mark.parametrize("wrong", [7, -1.5, "x", True, [], ["a", 3], {"a": {"b": 1}}, None, [[{}]], 1e400, 2**80])
def test_a_value_of_another_type_is_missing(wrong: Any) -> None:
    fields = {
        "phase": wrong,
        "conditions": wrong,
        "startTime": wrong,
        "containerStatuses": [wrong, {"restartCount": wrong}],
    }
    read = pod(spec=wrong, status=fields)
    assert read.metadata.name == "web-0"
    assert read.status.phase in ("", "x")
    assert read.status.startTime == pb.Time()


def test_times_that_are_none_are_missing() -> None:
    for text in ("0001-01-01T00:00:00Z", "yesterday", "2026-03-01T12:00:00", "9" * 100):
        assert pod(status={"startTime": text}).status.startTime.seconds == 0


def test_half_characters_are_replaced() -> None:
    assert pod(status={"message": "a\ud800b"}).status.message == "a?b"


def test_an_object_without_a_name_or_with_millions_of_parts_is_refused() -> None:
    with pytest.raises(ValueError, match="no name"):
        message_of(pb.Pod, {"metadata": {"name": "***HIDDEN***"}})
    with pytest.raises(ValueError, match="elements"):
        pod(spec={"containers": [{}] * (ELEMENTS + 1)})


def test_redacted_bytes_are_not_empty() -> None:
    for text, read in (("***HIDDEN***", b"***HIDDEN***"), ("Q0E=", b"CA"), ("no base64", b""), (7, b"")):
        assert filled(pb.WebhookClientConfig, {"caBundle": text}).caBundle == read


def parts(text: str, size: int = 7) -> list[Part]:
    return list(json_parts(text[at : at + size] for at in range(0, len(text), size)))


def test_json_is_read_in_pieces_of_any_size() -> None:
    text = (
        json.dumps({"kind": "PodList", "items": [{"a": [1, 2]}, {"b": "}{"}], "n": 12}) + '\n[{"c": 1}]\n{"d": null} 34'
    )
    expected = [
        Item({"a": [1, 2]}, {"kind": "PodList", "n": 12}),
        Item({"b": "}{"}, {"kind": "PodList", "n": 12}),
        End({"kind": "PodList", "n": 12}),
        Item({"c": 1}, {}),
        End({}),
        Single({"d": None}),
    ]
    for size in (1, 2, 7, 1000):
        with pytest.raises(Damaged, match="neither JSON nor a log"):
            parts(text, size)
        assert parts(text.removesuffix(" 34"), size) == expected


def test_logs_between_values_are_read() -> None:
    of = "logs for container app of pod shop/web-0 ====\n"
    text = f'{{"a": 1}}\n==== START {of}one {{\ntwo\n==== END {of}{{"b": 2}}'
    for size in (1, 5, 1000):
        assert parts(text, size) == [Single({"a": 1}), Log("shop", "web-0", "app", "one {\ntwo\n"), Single({"b": 2})]


@pytest.mark.parametrize(
    "text",
    [
        '{"a": ',
        '{"items": [{"a": 1}',
        '{"items": [{"a": 1} {',
        "[1, 2",
        '{"a" 1}',
        "{1: 2}",
        "[" * 200_000,
        '{"a": nul}',
    ],
)
def test_json_that_is_cut_off_or_none_is_damaged(text: str) -> None:
    with pytest.raises(Damaged):
        parts(text, 1000)


def test_one_object_is_bounded() -> None:
    def endless() -> Iterable[str]:
        yield '{"items": ["'
        while True:
            yield "x" * PART_LIMIT

    with pytest.raises(Damaged):
        list(json_parts(endless()))
    with pytest.raises(Damaged):
        list(yaml_parts(endless()))


LISTS = {
    "kubectl": """apiVersion: v1
items:
- a: 1
  b: |
    text

    - more
- a: 2
kind: List
metadata: {}
""",
    "indented": """---
kind: List
items:
  - a: 1
    b: |
      text

      - more
  - a: 2
apiVersion: v1
metadata: {}
""",
    "on one line": """kind: List
apiVersion: v1
items: [{"a": 1, "b": "text\\n\\n- more\\n"}, {"a": 2}]
metadata: {}
""",
}


@pytest.mark.parametrize("name", LISTS)
def test_yaml_lists_are_read_item_by_item(name: str) -> None:
    *items, end = yaml_parts([LISTS[name][:20], LISTS[name][20:]])
    assert [item.value for item in items if isinstance(item, Item)] == [{"a": 1, "b": "text\n\n- more\n"}, {"a": 2}]
    assert end == End({"kind": "List", "apiVersion": "v1", "metadata": {}})


def test_yaml_documents_follow_each_other() -> None:
    text = "---\nkind: Pod\n---\n# nothing\n---\n- kind: Node\n...\n---\nitems: []\nkind: PodList\n"
    assert list(yaml_parts([text])) == [
        Single({"kind": "Pod"}),
        Item({"kind": "Node"}, {}),
        End({}),
        End({"kind": "PodList"}),
    ]


def test_fields_that_nobody_reads_are_skipped_before_they_are_parsed() -> None:
    text = (
        "metadata:\n  managedFields:\n  - manager: x\n    fieldsV1: {bad\n  - operation: y\n\n    a: b\n  name: web\n"
    )
    assert list(yaml_parts([text])) == [Single({"metadata": {"name": "web"}})]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-2.5", -2.5),
        ("1e3", 1000.0),
        ("yes", "yes"),
        ("true", True),
        ("'1'", "1"),
        ("~", None),
        ("", None),
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00Z"),
        ("012:3", "012:3"),
        (".", "."),
    ],
)
def test_yaml_values_are_those_of_json(text: str, value: Any) -> None:
    assert yaml_value(text) == value


@pytest.mark.parametrize(
    "text", ["a: &x [1]\nb: *x", "a: [", "\x00", "a: b: c", "[" * 50_000, "!!python/object:os.system x: ["]
)
def test_yaml_that_is_damaged_or_refers_to_itself_is_refused(text: str) -> None:
    with pytest.raises(Damaged):
        yaml_value(text)


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**31), 2**31)
    | st.sampled_from(["", "a", "1", "yes", "a: b", "x\ny", HOSTILE]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "items"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=30)
@given(VALUES)
def test_json_and_yaml_are_read_alike(value: Any) -> None:
    text = yaml.safe_dump(value, allow_unicode=True)
    if "*id" not in text:
        assert yaml_value(text) == value


def test_a_message_survives_json() -> None:
    message = pod(spec={"containers": [{"name": "app", "ports": [{"containerPort": 80}]}]}, status={"phase": "Running"})
    assert message_of(pb.Pod, to_json(message)) == message


def sent(*items: Any, kind: str = "PodList") -> bytes:
    head = {"kind": kind, "apiVersion": "v1", "metadata": {"continue": "next"}}
    return json.dumps(head | {"items": [{"metadata": {"name": item}} for item in items]}).encode()


def test_a_server_without_protobuf_is_read_in_json() -> None:
    body = sent("web-0", "web-1")
    request = Request("/api/v1/pods", pb.Pod, PROTOBUF, wanted=lambda pod: pod.metadata.name != "web-0")
    page = answered(request, 200, [body[:30], body[30:]]).page
    assert [pod.metadata.name for pod in page.items] == ["web-1"]
    assert getattr(page.metadata, "continue") == "next"


@pytest.mark.parametrize(
    "body", [sent("web-0")[:-9], sent(kind="NodeList"), b"{}", b"{", sent("web-0") + b"{}", sent("")]
)
def test_what_is_no_list_in_json_is_not_observed(body: bytes) -> None:
    with pytest.raises(NotObserved, match="the answer is not a list of Pod in JSON"):
        answered(Request("/api/v1/pods", pb.Pod, PROTOBUF), 200, [body])


WHOLE = [*LISTS.values(), sent("web-0", "web-1").decode(), "==== START logs for container a of pod b/c ====\nx\n"]


@settings(max_examples=60)
@given(
    st.sampled_from(WHOLE),
    st.lists(st.tuples(st.integers(0, 200), st.sampled_from('{}[]":,-&*|>\n #\x00é')), max_size=5),
)
def test_changed_texts_are_damaged_or_read(text: str, changes: list[tuple[int, str]]) -> None:
    for at, sign in changes:
        text = text[:at] + sign + text[at + 1 :]
    for name in ("a.json", "a.yaml"):
        with suppress(Damaged):
            for part in parts_of(name, iter([text])) or ():
                assert isinstance(part, Single | Item | End | Log)
