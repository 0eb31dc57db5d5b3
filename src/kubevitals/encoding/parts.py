"""What a file in JSON or YAML consists of: single values, and lists, whose items are read one by one."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

PART_LIMIT = 8 << 20
"""Characters of one object; the API server accepts requests of up to 3 MiB."""


class Damaged(Exception):
    """A file is cut off, or not in its format, from some place on; the message says why."""


class Single(NamedTuple):
    """A value that is not in a list."""

    value: Any


class Item(NamedTuple):
    """An item of a list, with what was read of the list so far: its kind may come after its items."""

    value: Any
    head: Mapping[str, Any]


class End(NamedTuple):
    """The end of a list; its head is empty if it is a bare array."""

    head: Mapping[str, Any]


class Log(NamedTuple):
    """The log of a container between two lines that name it, as `kubectl cluster-info dump` writes it."""

    namespace: str
    pod: str
    container: str
    tail: str


Part = Single | Item | End | Log
Parts = Iterator[Part]
