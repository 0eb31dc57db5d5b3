"""Recordings of this repository that many tests replay: each answer is parsed once for all of them."""

from collections.abc import Callable
from copy import copy
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Answer, Request

_Key = tuple[str, Callable[[Any], bool] | None, bool]
"""The name of an answer in a recording, which of its items are kept, and whether its pods share what they can."""


class Parsed(Snapshot):
    """A recording that parses each answer once. Nobody may change what it returns."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self._parsed: dict[_Key, Answer] = {}

    def get(self, request: Request) -> Answer:
        """Return the recorded answer."""
        key = request.key, request.wanted, request.shared
        if key not in self._parsed:
            self._parsed[key] = super().get(request)
        return self._parsed[key]

    def after(self, duration: timedelta) -> "Parsed":
        """Return the recording as if this time had passed since it was made, with the same parsed answers."""
        moved = copy(self)
        moved.now += duration
        return moved


def parsed(path: Path) -> Parsed:
    """Return a recording, read once for the whole process as long as the file stays the same."""
    return _parsed(path, path.stat().st_mtime_ns)


@cache
def _parsed(path: Path, changed: int) -> Parsed:
    del changed
    return Parsed(path)
