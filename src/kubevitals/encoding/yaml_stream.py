"""Reads YAML as it arrives, document after document: of a list only the current item is held in memory."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from kubevitals.encoding.parts import PART_LIMIT, Damaged, End, Item, Parts, Single
from kubevitals.encoding.yaml_values import yaml_value

_ITEMS = re.compile(r"items:\s*(?:#.*)?$")
_DASH = re.compile(r"( *)-(?: |$)")


_UNREAD = re.compile(r"( *)(?:- )?managedFields:\s*$")
"""The beginning of the fields of an object that are often its larger half, and that no check reads."""


def yaml_parts(chunks: Iterable[str]) -> Parts:
    """Yield the parts of YAML documents.

    Raises:
        Damaged: it is cut off, or not YAML, after the last part.
    """
    document = _Document()
    for line in _lines(chunks):
        if line.startswith(("---", "...")):
            yield from document.end()
            document = _Document()
        else:
            yield from document.add(line)
    yield from document.end()


def _lines(chunks: Iterable[str]) -> Iterator[str]:
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split("\n")
        yield from lines
        if len(rest) > PART_LIMIT:
            raise Damaged(f"a line has more than {PART_LIMIT:,} characters")
    if rest:
        yield rest


class _Document:
    """One document: the lines around its list of items, and the lines of the current item."""

    def __init__(self) -> None:
        self._head = _Lines()
        self._item = _Lines()
        self._indent: str | None = None
        self._in_items = self._is_list = False

    def add(self, line: str) -> Parts:
        if self._in_items:
            dash = _DASH.match(line)
            if dash and self._indent in (None, dash[1]):
                self._indent = dash[1]
                yield from self._end_item()
            elif line[:1] not in ("", " ", "#", "\t"):
                yield from self._end_item()
                self._in_items = False
                self._head.add(line)
                return
            self._item.add(line)
        elif _ITEMS.match(line):
            self._in_items = self._is_list = True
        else:
            self._head.add(line)

    def _end_item(self) -> Parts:
        if self._item.lines:
            loaded = self._item.load()
            for value in loaded if isinstance(loaded, list) else ():
                yield Item(value, self._head.load_known())

    def end(self) -> Parts:
        yield from self._end_item()
        head = self._head.load()
        items = head.pop("items", ()) if isinstance(head, dict) else ()
        if isinstance(items, list):  # [] or another list on one line
            yield from (Item(value, head) for value in items)
        if self._is_list or isinstance(items, list | None):
            yield End(head if isinstance(head, dict) else {})
        elif isinstance(head, list):
            yield from (Item(value, {}) for value in head)
            yield End({})
        elif head is not None:
            yield Single(head)


class _Lines:
    """Lines of a part of a document."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._size = 0
        self._known: dict[str, Any] | None = None

    def add(self, line: str) -> None:
        self.lines.append(line)
        self._size += len(line) + 1
        if self._size > PART_LIMIT:
            raise Damaged(f"an object has more than {PART_LIMIT:,} characters")

    def load(self) -> Any:
        """Return the value of the lines, and forget them."""
        text = "".join(f"{line}\n" for line in _without_unread(self.lines))
        self.lines, self._size = [], 0
        return yaml_value(text)

    def load_known(self) -> dict[str, Any]:
        """Return the value of the lines so far, without forgetting them."""
        if self._known is None:
            pairs = (line.partition(":") for line in self.lines if line[:1] not in ("", " ", "#"))
            self._known = {key: value.strip().strip("\"'") for key, _, value in pairs}
        return self._known


def _without_unread(lines: Iterable[str]) -> Iterator[str]:
    indent = -1
    for line in lines:
        if indent >= 0 and (not line.strip() or line.startswith((" " * (indent + 1), " " * indent + "-"))):
            continue
        unread = _UNREAD.match(line)
        indent = len(unread[1]) if unread and "- " not in line else -1
        if indent < 0:
            yield line
