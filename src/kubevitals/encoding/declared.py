"""Objects that a check declares itself: just the fields that it reads, decoded from the API server's JSON."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.errors import NotObserved
from kubevitals.redaction import redact


class Fields(msgspec.Struct, frozen=True):
    """The fields of a part of an object that a check reads, with their types and defaults.

    They are called as Kubernetes calls them. The API server leaves out what is empty: each needs a default, or the
    whole list is *not observed* where one object lacks it. Other fields are dropped as the list arrives.
    """


class Metadata(Fields, frozen=True):
    """An object's metadata. A check that reads annotations declares them in a class derived from this one."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    creationTimestamp: pb.Time = msgspec.field(default_factory=pb.Time)  # noqa: N815
    deletionTimestamp: pb.Time = msgspec.field(default_factory=pb.Time)  # noqa: N815
    labels: dict[str, str] = {}


class Resource(Fields, frozen=True):
    """An object of Kubernetes, of a kind that checks declare themselves; the class has the kind's name."""

    metadata: Metadata = Metadata()


R = TypeVar("R", bound=Resource)


class _ListMeta(msgspec.Struct):
    continue_: str = msgspec.field(default="", name="continue")


def decode_resources(
    body: bytes, schema: type[R], wanted: Callable[[R], bool] | None = None
) -> tuple[pb.ListMeta, list[R]]:
    """Parse a list in JSON.

    Raises:
        NotObserved: it is none, or its objects do not have the fields that the schema declares.
    """
    try:
        found = _decoder(schema).decode(body)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise NotObserved(f"the answer is no list of {schema.__name__} in JSON: {error}") from error
    kept = [item for item in found.items if not wanted or wanted(item)]
    return pb.ListMeta(**{"continue": found.metadata.continue_}), kept


def encode_resources(metadata: pb.ListMeta, items: Sequence[Resource]) -> bytes:
    """Return a list as the API server would send it."""
    head = {"continue": getattr(metadata, "continue")}
    return msgspec.json.encode({"metadata": head, "items": items}, enc_hook=_encoded)


def redacted_resource(item: R) -> R:
    """Return the object without what looks like a credential in any of its texts."""
    return msgspec.convert(_redacted(msgspec.to_builtins(item, enc_hook=_encoded)), type(item), dec_hook=_decoded)


def fields_of(schema: type[Resource]) -> str:
    """Return what tells schemas with other fields apart, in twelve hexadecimal digits."""
    return blake2b(str(_shape(schema, ())).encode(), digest_size=6).hexdigest()


def _shape(kind: Any, within: tuple[Any, ...]) -> object:
    """Return the names and types of fields, and of those below them; a type that holds itself by its name."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in within:
        return [(f.encode_name, _shape(f.type, (*within, kind))) for f in msgspec.structs.fields(kind)]
    if inner := get_args(kind):
        return [str(get_origin(kind)), *(_shape(each, within) for each in inner)]
    return getattr(kind, "__name__", str(kind))


@cache
def _decoder(schema: type[Resource]) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a list; it is asked for where the kind is declared, since making it is not safe in threads.

    Raises:
        TypeError: there is a type among the fields that JSON does not have.
    """
    items: Any = list[schema]  # type: ignore[valid-type]
    fields: list[Any] = [("metadata", _ListMeta, msgspec.field(default_factory=_ListMeta)), ("items", items)]
    listed = msgspec.defstruct("List", fields, kw_only=True)
    return msgspec.json.Decoder(listed, dec_hook=_decoded)


def prepare(schema: type[Resource]) -> None:
    """Refuse fields that cannot be decoded.

    Raises:
        TypeError: there is a type among them that JSON does not have.
    """
    _decoder(schema)


def _decoded(kind: type, value: object) -> pb.Time:
    """Return a time as the lists of `Cluster` have it."""
    if kind is not pb.Time:
        raise NotImplementedError
    if value is None:
        return pb.Time()
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{value!r} is no time")
    return pb.Time(seconds=int(moment.timestamp()), nanos=moment.microsecond * 1000)


def _encoded(value: object) -> str | None:
    if not isinstance(value, pb.Time):
        raise NotImplementedError
    if not value.seconds and not value.nanos:
        return None
    return (datetime.fromtimestamp(value.seconds, UTC) + timedelta(microseconds=value.nanos // 1000)).isoformat()


def _redacted(value: Any) -> Any:
    match value:
        case str():
            return redact(value)
        case list():
            return [_redacted(each) for each in value]
        case dict():
            return {key: _redacted(each) for key, each in value.items()}
    return value
