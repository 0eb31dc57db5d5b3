"""Decodes a list in JSON, from a server that does not answer in Kubernetes' protobuf encoding."""

from codecs import getincrementaldecoder
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.json_objects import filled, message_of
from kubevitals.encoding.json_stream import json_parts
from kubevitals.encoding.kept import Compact, reduce
from kubevitals.encoding.list_type import ANY_LIST, ListType
from kubevitals.encoding.parts import Damaged, End, Item
from kubevitals.encoding.protobuf import OBJECTS
from kubevitals.errors import NotObserved

M = TypeVar("M", bound=Message)


def decode_json_list(
    chunks: Iterable[bytes],
    schema: type[M],
    wanted: Callable[[M], bool] | None = None,
    expected: ListType | None = None,
) -> tuple[pb.ListMeta, list[M]]:
    """Parse a list item by item as it arrives, as `kubevitals.encoding.protobuf.decode_list` does in protobuf.

    Raises:
        NotObserved: the bytes are not a list of this type in JSON.
    """
    try:
        return _decode(chunks, schema, wanted, expected)
    except (Damaged, ValueError) as error:
        raise NotObserved(f"the answer is not a list of {schema.__name__} in JSON: {error}") from error


def _decode(
    chunks: Iterable[bytes], schema: type[M], wanted: Callable[[M], bool] | None, expected: ListType | None
) -> tuple[pb.ListMeta, list[M]]:
    items, metadata, count = Compact(schema), None, 0
    for part in json_parts(_texts(chunks)):
        if isinstance(part, Item) and isinstance(part.value, dict):
            if (count := count + 1) > OBJECTS:
                raise ValueError(f"it has more than {OBJECTS:,} objects")
            item = message_of(schema, part.value)
            if not wanted or wanted(item):
                reduce(item)
                items.add(item)
        elif isinstance(part, End):
            if expected:
                ListType(*(str(part.head.get(key, "")) for key in ("apiVersion", "kind"))).require(expected, ANY_LIST)
            metadata = filled(pb.ListMeta, part.head.get("metadata"))
        else:
            raise Damaged("it is another value")
    if metadata is None:
        raise ValueError("it contains no list")
    return metadata, items.all()


def _texts(chunks: Iterable[bytes]) -> Iterator[str]:
    decoder = getincrementaldecoder("utf-8")("replace")
    for chunk in chunks:
        if text := decoder.decode(chunk):
            yield text
