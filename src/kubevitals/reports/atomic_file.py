"""Atomic writes: a file is written under a temporary name and renamed when it is complete."""

import os
import tempfile
from errno import EISDIR
from pathlib import Path


def prepare(path: Path) -> None:
    """Create the folder of a file, and check that the file can be written later.

    Raises:
        OSError: it could not be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        raise IsADirectoryError(EISDIR, os.strerror(EISDIR))
    tempfile.TemporaryFile(dir=path.parent).close()


def write(path: Path, content: bytes | str) -> None:
    """Write a file in one step: a reader sees the old content or the new one, never a part of it.

    Raises:
        OSError: it cannot be written; the old file is unchanged.
    """
    data = content.encode("utf-8", "replace") if isinstance(content, str) else content
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
