"""The ends of the logs in a bundle."""

import os
import re
from collections.abc import Callable
from io import BufferedReader
from typing import IO

from kubevitals.encoding.json_stream import json_parts
from kubevitals.encoding.parts import Damaged, Log
from kubevitals.source.bundle.files import BROKEN, File
from kubevitals.source.bundle.layouts import LogPlace
from kubevitals.source.bundle.texts import texts

TAIL = 8192
"""Bytes that are kept of the end of a log."""

READ = 256 << 20
"""Bytes of one log that are unpacked to reach its end."""

KEPT = 64 << 20
"""Bytes of logs that are kept of an archive that is read only once."""

_STAMPS = re.compile(r"(?m)^\d{4}-\d\d-\d\dT[\d:.]{8,20}(?:Z|[+-]\d\d:\d\d) ?")
"""The times that ``kubectl logs --timestamps`` puts before each line."""

_Key = tuple[str, str, str, bool]
_Read = Callable[[], str]


class BundleLogs:
    """The logs of a bundle, by namespace, pod, container and whether it is the previous instance's."""

    def __init__(self) -> None:
        self._logs: dict[_Key, _Read] = {}
        self._kept = 0

    def add_file(self, place: LogPlace, file: File) -> None:
        """Note a log, or keep its end if it can only be read now."""
        if not place.container:
            self._add_sections(file)
        elif file.lasting:
            self._logs[_key(place)] = lambda: _end(file, place)
        elif self._kept < KEPT:
            self._keep(_key(place), _end(file, place))

    def add(self, log: Log) -> None:
        """Keep the end of a log that is in a file with others."""
        if self._kept < KEPT:
            self._keep((log.namespace, log.pod, log.container, False), log.tail)

    def _keep(self, key: _Key, text: str) -> None:
        self._kept += len(text)
        self._logs[key] = lambda: text

    def _add_sections(self, file: File) -> None:
        try:
            with file.open() as stream:
                for part in json_parts(texts(stream)):
                    if isinstance(part, Log):
                        self.add(part)
        except (Damaged, *BROKEN):
            return

    def tail(self, namespace: str, pod: str, container: str, lines: int, size: int, *, previous: bool) -> bytes | None:
        """Return the last lines of a log, up to a number of bytes, as a kubelet does; nothing if it is not there."""
        read = self._logs.get((namespace, pod, container, previous))
        if read is None:
            return None
        last = read().splitlines()[-lines:]
        return "".join(f"{line}\n" for line in last).encode("utf-8", "replace")[:size]


def _key(place: LogPlace) -> _Key:
    return place.namespace, place.pod, place.container, place.previous


def _end(file: File, place: LogPlace) -> str:
    try:
        with file.open() as stream:
            end = _last_bytes(stream)
    except BROKEN:
        return ""
    text = end.replace(b"\0", b"").decode("utf-8", "replace")
    if len(end) == TAIL and "\n" in text[:-1]:
        text = text.partition("\n")[2]
    return _STAMPS.sub("", text) if place.stamped else text


def _last_bytes(stream: IO[bytes]) -> bytes:
    if isinstance(stream, BufferedReader) and hasattr(stream.raw, "fileno"):
        size = os.fstat(stream.fileno()).st_size
        stream.seek(max(0, size - TAIL))
        return stream.read(TAIL)
    end, done = b"", 0
    while (piece := stream.read(1 << 20)) and done < READ:
        end, done = (end + piece)[-TAIL:], done + len(piece)
    return end
