"""Objects in JSON or YAML as messages of the schema. A value of another type than its field's counts as missing."""

import base64
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple, TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kubevitals import schema_pb2 as pb

M = TypeVar("M", bound=Message)

ELEMENTS = 100_000
"""Elements of all lists in one object. A YAML file of a few lines can have millions, by references to its parts."""

INLINE = frozenset(
    {
        "Volume.volumeSource",
        "ConfigMapVolumeSource.localObjectReference",
        "ObjectProjection.localObjectReference",
        "EnvFromReference.localObjectReference",
        "KeySelector.localObjectReference",
        "Probe.handler",
        "PersistentVolumeSpec.persistentVolumeSource",
        "IngressRule.ingressRuleValue",
        "RuleWithOperations.rule",
    }
)
"""Messages whose fields are in their parent in JSON (``json:",inline"`` in kubernetes/api types.go)."""

HIDDEN = "***HIDDEN***"
"""What Troubleshoot writes for a redacted text (replicatedhq/troubleshoot pkg/redact)."""

_HIDDEN_WHOLE = frozenset({HIDDEN, "[redacted]", "********"})
"""What stands for a whole value that was redacted: by Troubleshoot, by a recording, by sos."""

_FREE_TEXT = "message"
"""The field that stays readable if a part of it was redacted."""

_LIMITS = {FieldDescriptor.CPPTYPE_INT32: 1 << 31, FieldDescriptor.CPPTYPE_INT64: 1 << 63}


class _Budget:
    """How many elements of lists may still be read of one object."""

    def __init__(self) -> None:
        self.left = ELEMENTS

    def spend(self, count: int) -> None:
        self.left -= count
        if self.left < 0:
            raise ValueError(f"an object has more than {ELEMENTS:,} list elements")


_Fill = Callable[[Any, Any, _Budget], None]
"""Sets a field of a message from a JSON value."""


class _Field(NamedTuple):
    """A field of a message, with its name in JSON; without a name, the value is the parent's own."""

    name: str
    fill: _Fill


def message_of(schema: type[M], value: Mapping[str, Any]) -> M:
    """Return an object of this type from its JSON value.

    Raises:
        ValueError: it has no name, or far too many parts.
    """
    message = filled(schema, value)
    if not getattr(message, "metadata").name:  # noqa: B009 - not every message has it
        raise ValueError("an object has no name")
    return message


def filled(schema: type[M], value: Any) -> M:
    """Return a message of this type from its JSON value; an empty one if the value is no object.

    Raises:
        ValueError: it has far too many parts.
    """
    message = schema()
    _fill(message, value, _Budget())
    return message


def _fill(message: Message, value: Any, budget: _Budget) -> None:
    if not isinstance(value, dict):
        return
    for name, fill in _fields(message.DESCRIPTOR):
        part = value.get(name) if name else value
        if part is not None:
            fill(message, part, budget)


@cache
def _fields(descriptor: Descriptor) -> tuple[_Field, ...]:
    return tuple(_field(field, descriptor) for field in descriptor.fields)


def _field(field: FieldDescriptor, parent: Descriptor) -> _Field:
    name, kind = field.name, field.message_type
    if f"{parent.name}.{name}" in INLINE:
        return _Field("", _whole(name, _fill))
    if kind and kind.GetOptions().map_entry:
        return _Field(name, _map(name, kind.fields_by_name["value"]))
    if field.is_repeated:
        return _Field(name, _messages(name) if kind else _scalars(name, field))
    return _Field(name, _whole(name, _special(kind)) if kind else _scalar(name, field))


def _special(kind: Descriptor) -> _Fill:
    """Return how a message is filled that is no object in JSON, or how objects are."""
    special = {pb.Time.DESCRIPTOR: _time, pb.Quantity.DESCRIPTOR: _quantity, pb.IntOrString.DESCRIPTOR: _int_or_string}
    return special.get(kind, _fill)


def _whole(name: str, fill: _Fill) -> _Fill:
    def set_message(message: Any, value: Any, budget: _Budget) -> None:
        part = getattr(message, name)
        if fill is not _fill or isinstance(value, dict):
            part.SetInParent()
            fill(part, value, budget)

    return set_message


def _messages(name: str) -> _Fill:
    def set_messages(message: Any, value: Any, budget: _Budget) -> None:
        if isinstance(value, list):
            budget.spend(len(value))
            parts = getattr(message, name)
            for part in value:
                _fill(parts.add(), part, budget)

    return set_messages


def _scalars(name: str, field: FieldDescriptor) -> _Fill:
    read = _reader(field)

    def set_scalars(message: Any, value: Any, budget: _Budget) -> None:
        if isinstance(value, list):
            budget.spend(len(value))
            getattr(message, name).extend(part for part in map(read, value) if part is not None)

    return set_scalars


def _scalar(name: str, field: FieldDescriptor) -> _Fill:
    read = _reader(field)

    def set_scalar(message: Any, value: Any, _: _Budget) -> None:
        part = read(value)
        if part is not None:
            setattr(message, name, part)

    return set_scalar


def _map(name: str, kind: FieldDescriptor) -> _Fill:
    read = _reader(kind)

    def set_map(message: Any, value: Any, budget: _Budget) -> None:
        if not isinstance(value, dict):
            return
        budget.spend(len(value))
        entries = getattr(message, name)
        for key, part in value.items():
            if isinstance(key, str) and kind.message_type:
                _quantity(entries[_utf8(key)], part, budget)
            elif isinstance(key, str) and (text := read(part)) is not None:
                entries[_utf8(key)] = text

    return set_map


def _reader(field: FieldDescriptor) -> Callable[[Any], Any]:
    """Return what reads a value of the field's type; the result is nothing if the value is missing or redacted."""
    if field.type == FieldDescriptor.TYPE_BYTES:
        return _bytes
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        return lambda value: value if isinstance(value, bool) else None
    if limit := _LIMITS.get(field.cpp_type):
        return lambda value: _number(value, limit)
    return _free_text if field.name == _FREE_TEXT else _text


def _text(value: Any) -> str | None:
    if not isinstance(value, str) or value in _HIDDEN_WHOLE or HIDDEN in value:
        return None
    return value if value.isascii() else _utf8(value)


def _free_text(value: Any) -> str | None:
    return _utf8(value) if isinstance(value, str) and value not in _HIDDEN_WHOLE else None


def _utf8(text: str) -> str:
    """Return a text that protobuf accepts: JSON can write half of a surrogate pair."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _number(value: Any, limit: int) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not -limit <= value < limit:
        return None
    return int(value) if value == int(value) else None


def _bytes(value: Any) -> bytes | None:
    """Return the bytes; what is redacted stays as it is, since it is not empty."""
    if isinstance(value, str) and (value in _HIDDEN_WHOLE or HIDDEN in value):
        return value.encode("utf-8", "replace")
    try:
        return base64.b64decode(value, validate=True)
    except (TypeError, ValueError):
        return None


def _quantity(quantity: Any, value: Any, _: _Budget) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        quantity.string = str(value)
    elif (text := _text(value)) is not None:
        quantity.string = text


def _int_or_string(message: Any, value: Any, _: _Budget) -> None:
    if (number := _number(value, _LIMITS[FieldDescriptor.CPPTYPE_INT32])) is not None:
        message.intVal = number
    elif (text := _text(value)) is not None:
        message.type, message.strVal = 1, text


def _time(time: Any, value: Any, _: _Budget) -> None:
    if isinstance(value, str):
        time.seconds, time.nanos = _moment(value)


@lru_cache(maxsize=65_536)
def _moment(text: str) -> tuple[int, int]:
    """Return seconds since 1970 and nanoseconds; zeros if it is not a time, or Go's zero time."""
    try:
        moment = datetime.fromisoformat(text[:40])
    except ValueError:
        return 0, 0
    if moment.tzinfo is None or (seconds := int(moment.timestamp())) <= 0:
        return 0, 0
    return seconds, moment.microsecond * 1000
