"""Rewrites links: in the repository they lead to files, on the site to pages."""

import re
from collections.abc import Callable, Mapping
from os.path import normpath
from pathlib import Path, PurePosixPath
from posixpath import relpath

REPOSITORY = Path(__file__).parents[1]

FILES = "files"
"""The folder of the site for files of the repository that pages link to."""

_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)([^)#\s]+)(#[^)\s]*)?(?=\))")
_FENCE = re.compile(r"^\s*(```|~~~)")


class Links:
    """Rewrites the links of all pages, and collects the files that they lead to."""

    def __init__(self, pages: Mapping[str, str]) -> None:
        """Take the path of every page on the site, by the file or folder that it is generated from."""
        self._pages = pages
        self.files: set[str] = set()

    def rewrite(self, markdown: str, source: str, page: str) -> str:
        """Return a page whose links are relative to its path on the site, not to its file in the repository."""
        return _outside_code(markdown, lambda line: _LINK.sub(lambda found: self._link(found, source, page), line))

    def _link(self, found: re.Match[str], source: str, page: str) -> str:
        target = normpath(PurePosixPath(source).parent / found[1])
        if target not in self._pages and not (REPOSITORY / target).is_file():
            return found[0]
        return relpath(self._published(target), str(PurePosixPath(page).parent)) + (found[2] or "")

    def _published(self, target: str) -> str:
        if target in self._pages:
            return self._pages[target]
        if target.startswith("docs/"):
            return target.removeprefix("docs/")
        self.files.add(target)
        return f"{FILES}/{target}"


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    lines, code = [], False
    for line in markdown.splitlines(keepends=True):
        code ^= bool(fence := _FENCE.match(line))
        lines.append(line if code or fence else change(line))
    return "".join(lines)
