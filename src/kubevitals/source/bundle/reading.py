"""Reads all files of a bundle once: objects, logs, and what the bundle says of itself."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from kubevitals.encoding.parts import Damaged, Log, Parts
from kubevitals.source.bundle import layouts
from kubevitals.source.bundle.clock import Taken, stamp
from kubevitals.source.bundle.contents import Contents
from kubevitals.source.bundle.file_reader import FileReader
from kubevitals.source.bundle.files import BROKEN, File, Files
from kubevitals.source.bundle.kinds import Kinds
from kubevitals.source.bundle.logs import BundleLogs
from kubevitals.source.bundle.texts import parts_of, texts
from kubevitals.text import clean

ANSWERS = 64 << 20
"""Bytes of kubelets' answers that are kept. Their figures of a node with 100 pods have 0.2 MB."""

ANSWER = 16
"""Pieces of one answer that are read."""

NAMED = 3
"""Files that are named in a line about them."""


@dataclass
class Read:
    """What was read of a bundle.

    Attributes:
        answers: answers of the API server that are not lists, by their path.
        stamp: when the bundle was taken, if it says so.
        omits_empty: whether its tool writes no file for an empty list.
        damaged: files that are not whole, with why; `unknown` are those without objects.
    """

    files: Files
    contents: Contents
    logs: BundleLogs = field(default_factory=BundleLogs)
    answers: dict[str, bytes] = field(default_factory=dict)
    stamp: Taken | None = None
    omits_empty: bool = False
    damaged: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def remarks(self) -> list[str]:
        """Return a line for all that could not be read, or is not read."""
        lines = self.files.remarks()
        damaged = [*self.damaged.items()][: 2 * NAMED]
        lines += [f"only a part of {clean(file, 200)} could be read: {clean(why, 200)}" for file, why in damaged]
        lines += [f"and {len(self.damaged) - len(damaged):,} more"] if len(self.damaged) > len(damaged) else []
        return lines + [f"{count:,} × not read: {clean(why, 300)}" for why, count in self._unread().most_common(NAMED)]

    def _unread(self) -> Counter[str]:
        if not self.unknown:
            return self.contents.unread
        names = ", ".join(self.unknown[:NAMED])
        return self.contents.unread + Counter({f"files without objects, such as {names}": len(self.unknown)})


def read(path: Path, kinds: Kinds) -> Read:
    """Read a bundle; what cannot be read of it is in its remarks."""
    files = Files(path)
    reader = _Reader(Read(files, Contents(kinds)))
    for file in files:
        reader.read(file)
    reader.close()
    return reader.result


class _Reader:
    """Reads the files of a bundle one after the other."""

    def __init__(self, result: Read) -> None:
        self.result = result
        self._collected: set[str] = set()
        self._dumped: set[str] = set()
        self._room = ANSWERS
        self._undecided: list[tuple[str, FileReader]] = []

    def read(self, file: File) -> None:
        """Read a file, unless it has Secrets."""
        if layouts.is_secret(file.path):
            return
        if place := layouts.log_at(file.path):
            self.result.logs.add_file(place, file)
            return
        try:
            with file.open() as stream:
                self._read_text(file.path, texts(stream))
        except (Damaged, *BROKEN) as error:
            self.result.damaged[file.path] = str(error) or type(error).__name__

    def _read_text(self, path: str, pieces: Iterator[str]) -> None:
        folder, _, name = path.rpartition("/")
        if answer := layouts.kubelet_at(path):
            self._keep_answer(answer, pieces)
        elif name in (layouts.MARKER, "timestamp"):
            self._read_stamp(path, next(pieces, ""))
        elif name == "readyz.txt":
            self.result.answers["/readyz"] = next(pieces, "").encode()
        elif (parts := parts_of(path, pieces)) is None:
            self.result.unknown.append(clean(path, 100))
        else:
            self._dumped |= {folder} if name.startswith(layouts.DUMP_ONLY) else set()
            self._read_parts(path, parts)

    def _keep_answer(self, path: str, pieces: Iterator[str]) -> None:
        """Keep what a kubelet answered, as long as there is room."""
        body = "".join(islice(pieces, ANSWER)).encode("utf-8", "replace")
        self._room -= len(body)
        if self._room > 0:
            self.result.answers[path] = body

    def _read_parts(self, path: str, parts: Parts) -> None:
        place = layouts.list_at(path)
        self.result.omits_empty |= layouts.omits_empty_lists(path)
        reader = FileReader(self.result.contents, path, place)
        for part in parts:
            if isinstance(part, Log):
                self.result.logs.add(part)
            elif (value := reader.read(part)) is not None:
                self._note(value)
        if place:
            reader.close(place)
        else:
            self._undecided.append((path, reader))

    def _read_stamp(self, path: str, text: str) -> None:
        folder, _, name = path.rpartition("/")
        self._collected |= {folder} if name == layouts.MARKER else set()
        if moment := stamp(text):
            self.result.stamp = self.result.stamp or Taken(moment, f"that in its file {clean(path, 100)}")

    def _note(self, value: Any) -> None:
        """Note what a tool writes about the bundle: its time, the version of Kubernetes."""
        if not isinstance(value, dict):
            return
        created = value.get("bundleCreatedAt")
        if isinstance(created, str) and (moment := stamp(created)):
            self.result.stamp = self.result.stamp or Taken(moment, "that in its metadata")
        for version in (value, value.get("serverVersion"), value.get("info")):
            if isinstance(version, dict):
                self._note_version(version.get("gitVersion") or version.get("kubernetesVersion"))

    def _note_version(self, version: Any) -> None:
        if isinstance(version, str):
            self.result.answers.setdefault("/version", msgspec.json.encode({"gitVersion": version}))

    def close(self) -> None:
        """Decide what the files have all objects of whose folder says so only together with another file."""
        for path, reader in self._undecided:
            folder, _, name = path.rpartition("/")
            place = None
            if folder in self._collected:
                place = layouts.ListPlace(layouts.plural_of(name.partition(".")[0]), layouts.ALL)
            elif folder in self._dumped:
                place = layouts.dumped_at(path)
            reader.close(place)
