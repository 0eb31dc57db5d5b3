"""The files of a bundle: of a folder, of a tar archive or of a zip archive, one after the other."""

import lzma
import os
import stat
import tarfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple

from kubevitals.text import clean

FILES = 500_000
"""Files of a bundle that are looked at. A pod has a few, with its logs."""

UNPACKED = 32 << 30
"""Bytes that an archive may unpack to until the rest is not read: logs of a large cluster have 10 GB."""

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".zip")
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError)


class File(NamedTuple):
    """A file of a bundle.

    Attributes:
        path: its path within the bundle, with slashes.
        open: opens it for reading.
        lasting: whether it can be opened after the next file was reached.
    """

    path: str
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    lasting: bool = True


@dataclass
class Files:
    """The files of a bundle, and what was skipped.

    Attributes:
        skipped: how many entries were skipped, by what they are.
        cut: why the rest could not be read, or an empty text.
    """

    path: Path
    skipped: Counter[str] = field(default_factory=Counter)
    cut: str = ""

    def __iter__(self) -> Iterator[File]:
        """Yield each file once; `cut` says afterwards whether there are more."""
        try:
            for count, file in enumerate(self._all()):
                if count == FILES:
                    self.cut = f"only its first {FILES:,} files are read"
                    return
                if file.path.lower().endswith(_ARCHIVES):
                    self.skipped["archive in it: unpack it and give it by itself"] += 1
                else:
                    yield file
        except BROKEN as error:
            self.cut = f"it is cut off or damaged: {clean(str(error) or type(error).__name__, 200)}"

    def remarks(self) -> list[str]:
        """Return a line for all that was skipped."""
        lines = [f"{count:,} × {what}" for what, count in self.skipped.items()]
        return [*lines, *([f"the bundle is not whole: {self.cut}"] if self.cut else [])]

    def _all(self) -> Iterator[File]:
        if self.path.is_dir():
            return self._of_folder()
        if zipfile.is_zipfile(self.path):
            return self._of_zip()
        if _is_tar(self.path):
            return self._of_tar()
        return iter([File(self.path.name, lambda: self.path.open("rb"))])

    def _of_folder(self) -> Iterator[File]:
        for folder, names, files in os.walk(self.path):
            names.sort()
            for name in sorted(files):
                path = Path(folder, name)
                if stat.S_ISREG(path.lstat().st_mode):
                    yield File(path.relative_to(self.path).as_posix(), lambda path=path: path.open("rb"))  # type: ignore[misc]
                else:
                    self.skipped["link or device, which is not followed"] += 1

    def _of_zip(self) -> Iterator[File]:
        archive = zipfile.ZipFile(self.path)
        size = 0
        for info in archive.infolist():
            size += info.file_size
            if size > UNPACKED:
                self.cut = f"it unpacks to more than {UNPACKED:,} bytes"
                return
            if info.is_dir():
                continue
            if stat.S_ISLNK(info.external_attr >> 16):
                self.skipped["link or device, which is not followed"] += 1
            elif info.flag_bits & 1:
                self.skipped["encrypted file"] += 1
            else:
                yield File(info.filename, lambda info=info: archive.open(info))  # type: ignore[misc]

    def _of_tar(self) -> Iterator[File]:
        with tarfile.open(self.path, "r|*") as archive:
            for member in archive:
                if member.offset_data + member.size > UNPACKED:
                    self.cut = f"it unpacks to more than {UNPACKED:,} bytes"
                    return
                if member.isreg():
                    content = archive.extractfile(member)
                    if content:
                        yield File(member.name, lambda content=content: nullcontext(content), lasting=False)  # type: ignore[misc]
                elif not member.isdir():
                    self.skipped["link or device, which is not followed"] += 1


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except BROKEN:
        return False


_STARTS = (b"{", b"apiVersion:", b"---", b"items:")
"""How a text with Kubernetes' objects begins."""


def is_bundle(path: Path) -> bool:
    """Return whether the path is a folder, an archive or a text, and so no recording."""
    if path.is_dir():
        return True
    if not path.is_file():
        return False
    if zipfile.is_zipfile(path) or _is_tar(path) or path.suffix in (".json", ".yaml", ".yml"):
        return True
    with suppress(OSError), path.open("rb") as file:
        return file.read(1000).lstrip().startswith(_STARTS)
    return False
