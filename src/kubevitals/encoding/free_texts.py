"""Redacts the free texts of Kubernetes objects, which may contain credentials."""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kubevitals.redaction import redact, redacting

_FREE_TEXTS = frozenset({"message", "path", "reason", "url"})

_redacted = lru_cache(maxsize=4096)(redact)
"""Cached, because pods of one owner have the same texts."""


class _Nested(NamedTuple):
    """A field whose messages contain free texts."""

    name: str
    repeated: bool
    plan: "_Plan"


class _Plan(NamedTuple):
    """Where a type of message has free texts: in its own fields, and in nested messages."""

    texts: tuple[str, ...]
    nested: tuple[_Nested, ...]


def redact_texts(message: Message) -> None:
    """Redact every free text in a message."""
    if redacting():
        _redact(message, _plan(message.DESCRIPTOR))


def _redact(message: Any, plan: _Plan) -> None:
    for name in plan.texts:
        if text := getattr(message, name):
            setattr(message, name, _redacted(text))
    for name, repeated, nested in plan.nested:
        if repeated:
            for child in getattr(message, name):
                _redact(child, nested)
        elif message.HasField(name):
            _redact(getattr(message, name), nested)


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    """Return the plan of a type of message; no type in the schema contains itself."""
    texts = (f.name for f in descriptor.fields if f.name in _FREE_TEXTS and f.type == FieldDescriptor.TYPE_STRING)
    return _Plan(tuple(texts), tuple(_nested(descriptor)))


def _nested(descriptor: Descriptor) -> Iterator[_Nested]:
    for field in descriptor.fields:
        kind = field.message_type
        if kind and not kind.GetOptions().map_entry and any(plan := _plan(kind)):
            yield _Nested(field.name, field.is_repeated, plan)
