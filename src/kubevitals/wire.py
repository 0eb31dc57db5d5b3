"""Kubernetes' protobuf answers, and the messages that are kept of them."""

from collections.abc import Iterator
from functools import cache
from io import BytesIO
from typing import TypeVar

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, proto
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.text import redact

M = TypeVar("M", bound=Message)

MAGIC = b"k8s\x00"
_METADATA, _ITEM = b"\x0a", b"\x12"
_FREE_TEXTS = ("message", "path")
_READ_ANNOTATIONS = frozenset({"storageclass.kubernetes.io/is-default-class", "volume.kubernetes.io/selected-node"})
CLUSTER_CIDR = "--cluster-cidr="
"""The flag of kube-controller-manager that names the networks of which nodes get their podCIDRs."""

_READ_ARGUMENTS = (CLUSTER_CIDR,)


def decode_list(body: bytes, schema: type[M]) -> tuple[pb.ListMeta, list[M]]:
    """Parse a list answer item by item; what stands in no field of ours is dropped at once.

    Raises:
        NotObserved: the bytes are no list in Kubernetes' protobuf encoding.
    """
    try:
        return _decode_list(body, schema)
    except (DecodeError, EOFError, ValueError, OverflowError) as error:
        raise NotObserved(
            f"the answer is no list of {schema.__name__} in Kubernetes' protobuf encoding: {error}"
        ) from error


def _decode_list(body: bytes, schema: type[M]) -> tuple[pb.ListMeta, list[M]]:
    if not body.startswith(MAGIC):
        raise DecodeError(f"it starts with {body[:20]!r}")
    stream = BytesIO(pb.Envelope.FromString(body[len(MAGIC) :]).raw)
    metadata, items = pb.ListMeta(), []
    while tag := stream.read(1):
        if tag == _ITEM:
            items.append(_reduce(_item(stream, schema)))
        elif tag == _METADATA and (found := proto.parse_length_prefixed(pb.ListMeta, stream)):
            metadata = found
        else:
            raise DecodeError(f"unexpected field {tag!r}")
    return metadata, items


def _item(stream: BytesIO, schema: type[M]) -> M:
    start = stream.tell()
    item: M | None
    try:
        item = proto.parse_length_prefixed(schema, stream)
    except DecodeError as error:
        if "UTF-8" not in str(error):
            raise
        stream.seek(start)
        item = _repaired(stream, schema)
    if item is None:
        raise DecodeError("an item is cut off")
    return item


def _reduce(item: M) -> M:
    """Return a copy without unknown fields: discarding them in place would not free their memory."""
    item.DiscardUnknownFields()
    metadata = getattr(item, "metadata", None)
    if isinstance(metadata, pb.AnnotatedMeta):
        for key in metadata.annotations.keys() - _READ_ANNOTATIONS:
            del metadata.annotations[key]
    if isinstance(item, pb.Pod):
        for container in item.spec.containers:
            for words in (container.command, container.args):
                words[:] = [word for word in words if word.startswith(_READ_ARGUMENTS)]
    return type(item).FromString(item.SerializeToString())


def _repaired(stream: BytesIO, schema: type[M]) -> M | None:
    """Parse an item whose strings hold invalid UTF-8 (the kubelet cuts messages anywhere); bad bytes become U+FFFD."""
    if (item := proto.parse_length_prefixed(_lenient(schema.DESCRIPTOR.full_name), stream)) is None:
        return None
    item.DiscardUnknownFields()
    for message in _messages(item):
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_STRING and isinstance(value, bytes):
                setattr(message, field.name, value.decode("utf-8", "replace"))
    return schema.FromString(item.SerializeToString())


@cache
def _lenient(name: str) -> type[Message]:
    """Return a message of the schema as proto2, where strings may hold any bytes."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    file.syntax = "proto2"
    for declared in file.message_type:
        for own in declared.field:
            own.ClearField("proto3_optional")
            own.ClearField("oneof_index")
        del declared.oneof_decl[:]
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _messages(message: Message) -> Iterator[Message]:
    """Yield the message and all messages in it, but not those in maps, whose keys and values are names."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.GetOptions().map_entry:
            continue
        for child in [value] if isinstance(value, Message) else value:
            yield from _messages(child)


def encode_list(metadata: pb.ListMeta, items: list[M]) -> bytes:
    """Return a list as the API server would send it, every free text in it redacted."""
    out = BytesIO()
    out.write(_METADATA)
    proto.serialize_length_prefixed(metadata, out)
    for item in items:
        for message in _messages(item):
            for field in _FREE_TEXTS:
                if text := getattr(message, field, ""):
                    setattr(message, field, redact(text))
        out.write(_ITEM)
        proto.serialize_length_prefixed(item, out)
    return MAGIC + pb.Envelope(raw=out.getvalue()).SerializeToString()


def encode_status(body: bytes) -> bytes:
    """Return a refusal with what the API server says in it redacted, whichever encoding it chose."""
    status = pb.Status(message=redact(error_message(body)))
    return MAGIC + pb.Envelope(raw=status.SerializeToString()).SerializeToString()


class _JsonStatus(msgspec.Struct):
    message: str


_JSON_STATUS = msgspec.json.Decoder(_JsonStatus)
"""Made here, before several threads use it: making it is not safe."""


def error_message(body: bytes) -> str:
    """Return what the API server says of a refused request, whichever encoding it chose, or the answer's beginning."""
    try:
        if body.startswith(MAGIC):
            return pb.Status.FromString(pb.Envelope.FromString(body[len(MAGIC) :]).raw).message
        return _JSON_STATUS.decode(body).message
    except (DecodeError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body[:200].decode("utf-8", "replace")
