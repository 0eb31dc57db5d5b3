"""What programs say if they may not watch files any more: the kernel limits inotify for each user of a node."""

import re
from collections.abc import Sequence
from typing import NamedTuple

_WATCHING = r"inotify|fsnotify|file ?watch"
_REFUSED = r"no space left on device|ENOSPC|too many open files|no file descriptors available|EMFILE"
EXHAUSTED = re.compile(
    rf"(?:{_WATCHING}).{{0,200}}?(?:{_REFUSED})|(?:{_REFUSED}).{{0,200}}?(?:{_WATCHING})"
    rf"|limit.{{0,100}}?(?:{_WATCHING}).{{0,100}}?reached",
    re.IGNORECASE,
)
"""A message in which inotify_init(2) or inotify_add_watch(2) failed: fsnotify/fsnotify backend_inotify.go, nodejs/node
lib/internal/fs/watchers.js, dotnet/runtime FileSystemWatcher.Linux.cs, busybox miscutils/inotifyd.c; musl's words for
EMFILE are those of src/errno/__strerror.h."""

_OF_WATCHES = re.compile(r"no space left on device|ENOSPC|watches|file watchers", re.IGNORECASE)
"""ENOSPC is the answer of inotify_add_watch(2), EMFILE that of inotify_init(2)."""

READ = 2000
"""Characters of a line that are read."""


class InotifyLimit(NamedTuple):
    """A limit of inotify for one user of a node: what it counts, and the sysctl that sets it."""

    counts: str
    sysctl: str


WATCHES = InotifyLimit("inotify watches", "fs.inotify.max_user_watches")
INSTANCES = InotifyLimit("inotify instances", "fs.inotify.max_user_instances")


def exhausted_line(lines: Sequence[str]) -> str | None:
    """Return the last line that says that a limit of inotify is reached, or nothing."""
    return next((line for line in reversed(lines) if EXHAUSTED.search(line, 0, READ)), None)


def reached_limit(line: str) -> InotifyLimit:
    """Return the limit that such a line is about."""
    return WATCHES if _OF_WATCHES.search(line, 0, READ) else INSTANCES
