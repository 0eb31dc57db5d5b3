"""Objects that a check declares itself: only the fields that it reads, decoded from the API server's JSON."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from hashlib import blake2b
from typing import Any, TypeVar, get_args, get_origin

import msgspec

from kubevitals import schema_pb2 as pb
from kubevitals.encoding.list_type import ListType
from kubevitals.errors import NotObserved
from kubevitals.redaction import redact


class Fields(msgspec.Struct, frozen=True):
    """The fields of a part of an object that a check reads, with their types and defaults.

    Their names are Kubernetes' names. Give every field a default: the API server omits empty fields, and if one
    object has neither value nor default, the whole list is *not observed*. Other fields are dropped on arrival.
    """


class Metadata(Fields, frozen=True):
    """An object's metadata. To read annotations, derive a class with that field."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    creationTimestamp: pb.Time = msgspec.field(default_factory=pb.Time)  # noqa: N815
    deletionTimestamp: pb.Time = msgspec.field(default_factory=pb.Time)  # noqa: N815
    labels: dict[str, str] = {}


class Resource(Fields, frozen=True):
    """A Kubernetes object of a kind that a check declares. The name of the derived class is the kind."""

    metadata: Metadata = Metadata()


R = TypeVar("R", bound=Resource)


class _ListMeta(msgspec.Struct):
    continue_: str = msgspec.field(default="", name="continue")
    remainingItemCount: int = 0  # noqa: N815


def decode_resources(
    body: bytes, schema: type[R], wanted: Callable[[R], bool] | None = None, expected: ListType | None = None
) -> tuple[pb.ListMeta, list[R]]:
    """Parse a list in JSON. Recordings and bundles do not say what their lists are: there nothing is `expected`.

    Raises:
        NotObserved: it is not a list, or its objects do not have the fields that the schema declares.
    """
    try:
        listed = _decoder(schema).decode(body)
        if expected:
            _require(expected, ListType(listed.apiVersion, listed.kind))
        metadata = _list_meta(listed.metadata.continue_, listed.metadata.remainingItemCount)
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        raise NotObserved(f"the answer is not a list of {schema.__name__} in JSON: {error}") from error
    kept = [item for item in listed.items if not wanted or wanted(item)]
    return metadata, kept


def _require(expected: ListType, said: ListType) -> None:
    """Require the type of a list. A CustomResourceDefinition may give its lists any kind (spec.names.listKind)."""
    said.require(expected if said.kind in ("", "Status") else expected._replace(kind=said.kind))


def _list_meta(token: str, remaining: int) -> pb.ListMeta:
    metadata = pb.ListMeta(remainingItemCount=remaining)
    setattr(metadata, "continue", token)  # a keyword of Python
    return metadata


def encode_resources(metadata: pb.ListMeta, items: Sequence[Resource]) -> bytes:
    """Return a list as the API server would send it."""
    head = {"continue": getattr(metadata, "continue"), "remainingItemCount": metadata.remainingItemCount}
    return msgspec.json.encode({"metadata": head, "items": items}, enc_hook=_encoded)


def redacted_resource(item: R) -> R:
    """Return the object with everything redacted that looks like a credential."""
    return msgspec.convert(_redacted(msgspec.to_builtins(item, enc_hook=_encoded)), type(item), dec_hook=_decoded)


def fields_of(schema: type[Resource]) -> str:
    """Return a hash of the schema's fields, in twelve hexadecimal digits."""
    return blake2b(str(_shape(schema, ())).encode(), digest_size=6).hexdigest()


def _shape(kind: Any, within: tuple[Any, ...]) -> object:
    """Return the names and types of all fields, recursively; a type that contains itself is returned as its name."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind not in within:
        return [(f.encode_name, _shape(f.type, (*within, kind))) for f in msgspec.structs.fields(kind)]
    if inner := get_args(kind):
        return [str(get_origin(kind)), *(_shape(argument, within) for argument in inner)]
    return getattr(kind, "__name__", str(kind))


@cache
def _decoder(schema: type[Resource]) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a list. It is created when the kind is declared: creating it is not thread-safe.

    Raises:
        TypeError: a field has a type that JSON does not have.
    """
    items: Any = list[schema]  # type: ignore[valid-type]
    metadata = ("metadata", _ListMeta, msgspec.field(default_factory=_ListMeta))
    fields: list[Any] = [("apiVersion", str, ""), ("kind", str, ""), metadata, ("items", items)]
    listed = msgspec.defstruct("List", fields, kw_only=True)
    return msgspec.json.Decoder(listed, dec_hook=_decoded)


def prepare(schema: type[Resource]) -> None:
    """Create the decoder of a schema.

    Raises:
        TypeError: a field has a type that JSON does not have.
    """
    _decoder(schema)


def _decoded(kind: type, value: object) -> pb.Time:
    """Return a time of the type that `Cluster`'s lists have."""
    if kind is not pb.Time:
        raise NotImplementedError
    if value is None:
        return pb.Time()
    moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"{value!r} is not a time")
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
            return [_redacted(item) for item in value]
        case dict():
            return {key: _redacted(item) for key, item in value.items()}
    return value
