"""Decodes and encodes Kubernetes' protobuf answers."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Generic, NamedTuple, TypeVar, cast

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.kept import Compact, reduce
from kubevitals.encoding.list_type import ListType
from kubevitals.encoding.shared_pods import SharedPods
from kubevitals.encoding.stream import Stream, delimited, varint
from kubevitals.errors import NotObserved
from kubevitals.redaction import redact

M = TypeVar("M", bound=Message)

MAGIC = b"k8s\x00"
_TYPE, _RAW = pb.Envelope.TYPEMETA_FIELD_NUMBER << 3 | 2, pb.Envelope.RAW_FIELD_NUMBER << 3 | 2
"""Tags of an envelope's fields: first what its content is (apimachinery pkg/runtime/serializer/protobuf)."""

OBJECTS = 1_000_000
"""Objects of one answer; Kubernetes does not send more."""

OBJECT_LIMIT = 8 << 20
"""Bytes of one object; the API server accepts requests of up to 3 MiB."""

_METADATA, _ITEM = 1 << 3 | 2, 2 << 3 | 2
"""Tags of length-delimited fields: an envelope's content, and the two fields that every list has."""


class Page(NamedTuple):
    """A list, or one page of it."""

    metadata: pb.ListMeta
    items: Sequence[Any]


def decode_list(
    chunks: Iterable[bytes],
    schema: type[M],
    wanted: Callable[[M], bool] | None = None,
    expected: ListType | None = None,
    *,
    shared: bool = False,
) -> tuple[pb.ListMeta, list[M]]:
    """Parse a list item by item as it arrives; unwanted items and unknown fields are dropped at once.

    A recording does not say what its lists are: there nothing is `expected`. If pods are `shared`, those that are ready
    are no messages, but what `kubevitals.encoding.shared_pods` describes.

    Raises:
        NotObserved: the bytes are not a list in Kubernetes' protobuf encoding.
    """
    try:
        return _decode_list(Stream(chunks), _Items(schema, wanted, shared=shared), expected)
    except (DecodeError, EOFError, ValueError, OverflowError) as error:
        raise NotObserved(
            f"the answer is not a list of {schema.__name__} in Kubernetes' protobuf encoding: {error}"
        ) from error


class _Items(Generic[M]):
    """The items of a list that are wanted, reduced."""

    def __init__(self, schema: type[M], wanted: Callable[[M], bool] | None, *, shared: bool) -> None:
        self._schema, self._wanted = schema, wanted
        self._shared = SharedPods(cast("Callable[[pb.Pod], bool] | None", wanted)) if shared else None
        self._items = Compact(schema)

    def add(self, raw: bytes) -> None:
        if self._shared and self._shared.add_ready(raw):
            return
        item = _item(raw, self._schema)
        if not self._wanted or self._wanted(item):
            reduce(item)
            (self._shared or self._items).add(cast("Any", item))

    def all(self) -> list[M]:
        return cast("list[M]", (self._shared or self._items).all())


def _decode_list(stream: Stream, items: _Items[M], expected: ListType | None) -> tuple[pb.ListMeta, list[M]]:
    if (start := stream.peek(20))[: len(MAGIC)] != MAGIC:
        raise DecodeError(f"it starts with {start!r}")
    stream.read(len(MAGIC))
    content, said = None, pb.TypeMeta()
    while stream.peek(1):
        tag, size = stream.field()
        if tag == _RAW:
            if expected:
                ListType(said.apiVersion, said.kind).require(expected)
            content = _content(stream, stream.position + size, items)
        elif tag == _TYPE:
            said = pb.TypeMeta.FromString(_read(stream, size))
        else:
            _read(stream, size)
    if content is None:
        raise DecodeError("it contains no list")
    return content


def _content(stream: Stream, end: int, items: _Items[M]) -> tuple[pb.ListMeta, list[M]]:
    metadata, count = pb.ListMeta(), 0
    while stream.position < end:
        tag, size = stream.field()
        if tag == _ITEM:
            if (count := count + 1) > OBJECTS:
                raise DecodeError(f"it has more than {OBJECTS:,} objects")
            items.add(_read(stream, size))
        elif tag == _METADATA:
            metadata = pb.ListMeta.FromString(_read(stream, size))
        else:
            raise DecodeError(f"unexpected field {tag}")
    if stream.position > end:
        raise DecodeError("an item is longer than the list")
    return metadata, items.all()


def _read(stream: Stream, size: int) -> bytes:
    if size > OBJECT_LIMIT:
        raise DecodeError(f"an object has {size:,} bytes, more than {OBJECT_LIMIT:,}")
    return stream.read(size)


def _item(raw: bytes, schema: type[M]) -> M:
    try:
        return schema.FromString(raw)
    except DecodeError as error:
        if "UTF-8" not in str(error):
            raise
        return _repaired(raw, schema)


def _repaired(raw: bytes, schema: type[M]) -> M:
    """Parse an item with invalid UTF-8: the kubelet truncates messages within a character. Bad bytes become U+FFFD."""
    item = _lenient(schema.DESCRIPTOR.full_name).FromString(raw)
    item.DiscardUnknownFields()
    for message in _messages(item):
        for field, value in message.ListFields():
            if field.type == FieldDescriptor.TYPE_BYTES and not field.is_repeated:
                setattr(message, field.name, _utf8(value))
            elif field.type == FieldDescriptor.TYPE_BYTES:
                value[:] = map(_utf8, value)
    return schema.FromString(item.SerializeToString())


def _utf8(value: bytes) -> bytes:
    return value.decode("utf-8", "replace").encode()


@cache
def _lenient(name: str) -> type[Message]:
    """Return a type of the schema with bytes instead of strings, also in maps, which become lists of entries."""
    file = descriptor_pb2.FileDescriptorProto()
    pb.DESCRIPTOR.CopyToProto(file)
    for declared in file.message_type:
        for message in (declared, *declared.nested_type):
            message.options.ClearField("map_entry")
            for field in message.field:
                if field.type == descriptor_pb2.FieldDescriptorProto.TYPE_STRING:
                    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_BYTES
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _messages(message: Message) -> Iterator[Message]:
    """Yield the message and all messages in it."""
    yield message
    for field, value in message.ListFields():
        if field.message_type:
            for child in [value] if isinstance(value, Message) else value:
                yield from _messages(child)


def encode_list(page: Page) -> list[bytes]:
    """Return a list as the API server would send it, in pieces."""
    pieces = [*delimited(_METADATA, page.metadata.SerializeToString())]
    for item in page.items:
        pieces += delimited(_ITEM, item.SerializeToString())
    return [MAGIC, varint(_RAW), varint(sum(map(len, pieces))), *pieces]


def encode_status(body: bytes) -> bytes:
    """Return a refusal with a redacted message, whatever its encoding was."""
    status = pb.Status(message=redact(error_message(body)))
    return MAGIC + pb.Envelope(raw=status.SerializeToString()).SerializeToString()


class _JsonStatus(msgspec.Struct):
    message: str


_JSON_STATUS = msgspec.json.Decoder(_JsonStatus)
"""Created at import: creating it is not thread-safe."""


def error_message(body: bytes) -> str:
    """Return the API server's message for a refused request, in either encoding, or the beginning of the answer."""
    try:
        if body.startswith(MAGIC):
            return pb.Status.FromString(pb.Envelope.FromString(body[len(MAGIC) :]).raw).message
        return _JSON_STATUS.decode(body).message
    except (DecodeError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return body[:200].decode("utf-8", "replace")
