"""The free texts in Kubernetes' objects, which may hold credentials."""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any, NamedTuple

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from kubevitals.redaction import redact, redacting

_FREE_TEXTS = frozenset({"message", "path"})

_redacted = lru_cache(maxsize=4096)(redact)
"""Pods of one owner say the same."""


class _Way(NamedTuple):
    """A field that leads to free texts."""

    name: str
    repeated: bool
    further: "_Plan"


class _Plan(NamedTuple):
    """Where a kind of message has free texts: in fields of its own, and in messages below it."""

    texts: tuple[str, ...]
    ways: tuple[_Way, ...]


def redact_texts(message: Message) -> None:
    """Redact every free text in a message."""
    if redacting():
        _redact(message, _plan(message.DESCRIPTOR))


def _redact(message: Any, plan: _Plan) -> None:
    for name in plan.texts:
        if text := getattr(message, name):
            setattr(message, name, _redacted(text))
    for name, repeated, further in plan.ways:
        if repeated:
            for child in getattr(message, name):
                _redact(child, further)
        elif message.HasField(name):
            _redact(getattr(message, name), further)


@cache
def _plan(descriptor: Descriptor) -> _Plan:
    """Find out once for each kind of message; the schema has no message that holds itself."""
    texts = (f.name for f in descriptor.fields if f.name in _FREE_TEXTS and f.type == FieldDescriptor.TYPE_STRING)
    return _Plan(tuple(texts), tuple(_ways(descriptor)))


def _ways(descriptor: Descriptor) -> Iterator[_Way]:
    for field in descriptor.fields:
        kind = field.message_type
        if kind and not kind.GetOptions().map_entry and any(further := _plan(kind)):
            yield _Way(field.name, field.is_repeated, further)
