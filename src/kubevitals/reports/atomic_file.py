"""Writes reports: a file in one step, by renaming a complete one; a device or a pipe directly."""

import os
import tempfile
from errno import EISDIR
from pathlib import Path

STREAMS = ("/dev/stdout", "/dev/stderr", "/dev/fd/", "/proc/self/fd/")
"""Names of files that are open already. They are written to: another process may go on writing to the same file."""


def prepare(path: Path) -> Path | None:
    """Create the folder of a file, and check that the file can be written later.

    Returns:
        The folder, if it did not exist.

    Raises:
        OSError: it could not be written.
    """
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    if is_special(path):
        if not path.is_fifo():  # to open one waits for its reader
            path.open("ab").close()
        return None
    folder = path.resolve().parent
    made = None if folder.exists() else folder
    folder.mkdir(parents=True, exist_ok=True)
    tempfile.TemporaryFile(dir=folder).close()
    return made


def write(path: Path, content: bytes | str) -> None:
    """Write a file in one step: a reader sees the old content or the new one, never a part of it.

    A link stays, and its target is written. A device, a pipe or a standard stream is written directly.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
    if is_special(path):
        with path.open("ab", buffering=0) as stream:
            stream.write(data)
    else:
        _replace(path.resolve(), data)


def is_special(path: Path) -> bool:
    """Return whether a path is no regular file, and is not to become one."""
    return str(path).startswith(STREAMS) or (path.exists() and not path.is_file())


def _replace(path: Path, data: bytes) -> None:
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(part).chmod(path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask())
        Path(part).replace(path)
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
