"""Files that the user names as input: regular ones only, since a pipe or a device may never end."""

from pathlib import Path

from kubevitals.errors import Unusable
from kubevitals.text import clean


def require_readable(path: Path, limit: int) -> Path:
    """Return the path of a file or folder, even if nothing is there.

    Raises:
        Unusable: it is a pipe or a device, or a file of more than `limit` bytes.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise Unusable(f"{clean(str(path))} is not a regular file: give a file, since a pipe or a device may never end")
    if path.is_file() and path.stat().st_size > limit:
        raise Unusable(f"{clean(str(path))} has more than {limit:,} bytes: it cannot be such a file")
    return path
