"""Reads JSON as it arrives, value after value: of a list only the current item is held in memory."""

import json
import re
from collections.abc import Iterable
from typing import Any

from kubevitals.encoding.parts import PART_LIMIT, Damaged, End, Item, Log, Part, Parts, Single

TAIL = 8192
"""Characters that are kept of the end of a log between values."""

_SPACE = re.compile(r"[\s,]*")
_START = re.compile(r"==== START logs for container (\S{1,253}) of pod (\S{1,253})/(\S{1,253}) ====\s*")
_END = "==== END logs for container"
_decode = json.JSONDecoder().raw_decode


def json_parts(chunks: Iterable[str]) -> Parts:
    """Yield the parts of JSON values that follow each other, perhaps with logs between them.

    Raises:
        Damaged: it is cut off, or not JSON, after the last part.
    """
    return _Reader(chunks).parts()


class _Reader:
    def __init__(self, chunks: Iterable[str]) -> None:
        self._chunks = iter(chunks)
        self._text, self._at = "", 0

    def parts(self) -> Parts:
        while sign := self._next_sign():
            if sign == "{":
                yield from self._object()
            elif sign == "[":
                yield from self._array({})
                yield End({})
            else:
                yield from self._log()

    def _more(self) -> bool:
        """Read the next chunk, and forget what was consumed; return whether there is one."""
        chunk = next(self._chunks, "")
        self._text, self._at = self._text[self._at :] + chunk, 0
        return bool(chunk)

    def _next_sign(self) -> str:
        """Skip space and commas; return the next character, or an empty text at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _value(self) -> Any:
        """Read a value as a whole."""
        while True:
            try:
                value, end = _decode(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if isinstance(error, RecursionError) or len(self._text) - self._at > PART_LIMIT or not self._more():
                    raise Damaged(f"not valid JSON, or cut off: {error}") from error
                continue
            if end < len(self._text) or not self._more():  # else a number may go on in the next chunk
                self._at = end
                return value

    def _object(self) -> Parts:
        """Read an object; if it has items, they are parts of their own."""
        self._at += 1
        head: dict[str, Any] = {}
        is_list = False
        while (sign := self._next_sign()) != "}":
            key = self._value() if sign == '"' else None
            if not isinstance(key, str) or self._next_sign() != ":":
                raise Damaged("not valid JSON, or cut off")
            self._at += 1
            if key == "items" and self._next_sign() == "[":
                is_list = True
                yield from self._array(head)
            else:
                head[key] = self._value() if self._next_sign() else None
                is_list |= key == "items" and head[key] is None  # as Go writes a list that was never filled
        self._at += 1
        yield End(head) if is_list else Single(head)

    def _array(self, head: dict[str, Any]) -> Parts:
        self._at += 1
        while (sign := self._next_sign()) != "]":
            if not sign:
                raise Damaged("a list is cut off")
            yield Item(self._value(), head)
        self._at += 1

    def _log(self) -> Parts:
        while "\n" not in self._text[self._at : self._at + 1000] and self._more():
            pass
        if not (start := _START.match(self._text, self._at)):
            raise Damaged(f"neither JSON nor a log: {self._text[self._at : self._at + 40]!r}")
        self._at = start.end()
        yield self._log_of(start)

    def _log_of(self, start: re.Match[str]) -> Part:
        tail = ""
        while (end := self._text.find(_END, self._at)) < 0:
            keep = max(self._at, len(self._text) - len(_END))
            tail = (tail + self._text[self._at : keep])[-TAIL:]
            self._at = keep
            if not self._more():
                raise Damaged("a log is cut off")
        tail = (tail + self._text[self._at : end])[-TAIL:]
        self._at = end
        self._skip_line()
        return Log(start[2], start[3], start[1], tail)

    def _skip_line(self) -> None:
        while (end := self._text.find("\n", self._at)) < 0:
            self._at = len(self._text)
            if not self._more():
                return
        self._at = end + 1
