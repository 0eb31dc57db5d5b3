"""Changes Kubernetes objects at random, into what no API server would send, and what some do."""

from random import Random
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

HOSTILE = "<script>alert(1)</script>\x1b[2J\u202egnp"

TEXTS = (
    "",
    " ",
    "\n",
    "\x00",
    "-1",
    "99999999999999999999",
    "1e999",
    "NaN",
    "100%",
    "10.0.0.0/33",
    "::ffff:10.0.0.1",
    "a/b:c@d",
    "[](",
    "(?P<x>",
    "True",
    "Maybe",
    "Frobnicated",
    HOSTILE,
    "x" * 20_000,
    "é\u0301\U0001f4a5",
)
NUMBERS = (0, 1, -1, 2**31 - 1, -(2**31))
NEXT_CENTURY = 4_102_444_800
"""Seconds from 1970 to 2100."""

LONG_NUMBERS = (*NUMBERS, NEXT_CENTURY, 2**63 - 1, -(2**63))

LOGS = (
    b"",
    b"\n\n\n",
    b"\xff\xfe\x00",
    "panic: schl\u00fcssel\nbye".encode("utf-16"),
    "ERROR \u00fc".encode("latin-1"),
    b"E" * 1_000_000,
    b"level=error msg=" * 60_000,
    b"panic: " + b"(" * 100_000 + b"\nlast",
    HOSTILE.encode(),
)
"""What containers write that no logger would."""


def mutate(message: Message, random: Random) -> None:
    """Change something in a message, mostly deep down where it is set."""
    present = [field for field, _ in message.ListFields()]
    fields: list[Any] = present if present and random.random() < 0.85 else list(message.DESCRIPTOR.fields)
    if not fields:
        return
    field = random.choice(fields)
    if field.message_type and field.message_type.GetOptions().map_entry:
        _mutate_map(getattr(message, field.name), field.message_type.fields_by_name["value"], random)
    elif field.is_repeated:
        _mutate_repeated(getattr(message, field.name), field, random)
    elif random.random() < 0.15:
        message.ClearField(field.name)
    elif field.message_type:
        inner = getattr(message, field.name)
        inner.SetInParent()
        mutate(inner, random)
    else:
        setattr(message, field.name, _value(field, random))


def _mutate_repeated(values: Any, field: FieldDescriptor, random: Random) -> None:
    if values and random.random() < 0.6:
        at = random.randrange(len(values))
        if field.message_type:
            mutate(values[at], random)
        else:
            values[at] = _value(field, random)
    elif values and random.random() < 0.5:
        del values[random.randrange(len(values))]
    elif field.message_type:
        values.add().CopyFrom(random.choice(values)) if values else values.add()
    else:
        values.append(_value(field, random))


def _mutate_map(values: Any, kind: FieldDescriptor, random: Random) -> None:
    key = random.choice([*values, *TEXTS])
    if key in values and random.random() < 0.4:
        del values[key]
    elif kind.message_type:
        mutate(values[key], random)
    else:
        values[key] = _value(kind, random)


def _value(field: FieldDescriptor, random: Random) -> Any:
    match field.cpp_type:
        case FieldDescriptor.CPPTYPE_STRING:
            text = random.choice(TEXTS)
            return text.encode() if field.type == FieldDescriptor.TYPE_BYTES else text
        case FieldDescriptor.CPPTYPE_BOOL:
            return random.random() < 0.5
        case FieldDescriptor.CPPTYPE_INT64:
            return random.choice(LONG_NUMBERS)
        case FieldDescriptor.CPPTYPE_INT32:
            return random.choice(NUMBERS)
    return random.choice((0, 1, 2))
