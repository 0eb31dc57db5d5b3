"""Finds the findings files in a folder, and decides for each cluster which of them counts."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from kubevitals.errors import Unusable
from kubevitals.fleet import findings_file
from kubevitals.fleet.clusters_file import Listed
from kubevitals.fleet.findings_file import NAME, IsRollup, Looked
from kubevitals.text import clean, plural

SKEW = timedelta(minutes=5)
"""By how much the clocks of two machines may differ."""

SHOWN = 100
"""How many remarks are kept of each kind."""


class File(NamedTuple):
    """A findings file, or what should be one.

    Attributes:
        path: where it is, below the folder.
        looked: what it says; nothing if it cannot be read.
        why: why it cannot be read, or empty.
    """

    path: str
    looked: Looked | None
    why: str = ""

    @property
    def places(self) -> list[str]:
        """The names that the file's place gives its cluster: its folder's, and its own without ``.json``."""
        name = self.path.rpartition("/")[2].removesuffix(".json")
        return [clean(part, NAME) for part in (self.folder, name) if part]

    @property
    def folder(self) -> str:
        """The folder in which the file is; empty for the folder of all files."""
        return self.path.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The name of the cluster, as far as the file or its place says."""
        context = self.looked.context if self.looked else ""
        return self.places[0] if findings_file.is_generic(context) else context


@dataclass
class Candidates:
    """A cluster with all files that are about it.

    Attributes:
        file: the one that counts: the newest that can be read and is not from the future.
        notes: what to know of the others.
    """

    name: str
    listed: Listed | None = None
    files: list[File] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def newest(self, now: datetime) -> File | None:
        """Return the file that counts; one that cannot be read only if there is no other."""
        return max(self.files, key=lambda file: _currency(file, now), default=None)

    def refused(self, now: datetime) -> list[File]:
        """Return the files that cannot be used, without one that is the reason of the cluster's state."""
        counts = self.newest(now)
        return [file for file in self.files if file.why and file is not counts]


def _currency(file: File, now: datetime) -> tuple[bool, bool, float]:
    """Return a key by which files are ordered; the time of one from the future says nothing about its age."""
    if not file.looked:
        return False, False, 0.0
    return True, file.looked.taken <= now + SKEW, file.looked.taken.timestamp()


def gather(folder: Path, listed: Sequence[Listed] | None, now: datetime) -> tuple[list[Candidates], list[str]]:
    """Return all clusters, those that are listed first; and remarks about the files.

    Raises:
        Unusable: the folder cannot be read, or there is nothing in it and no cluster is listed.
    """
    try:
        files = list(_files(folder))
    except OSError as error:
        raise Unusable(f"--findings-dir {clean(str(folder))} cannot be read: {error.strerror}") from error
    if not files and not listed:
        raise Unusable(f"--findings-dir {clean(str(folder))} has no findings files: each must be named *.json")
    register = _Register(listed)
    for file in files:
        register.add(file)
    register.unite()
    clusters = register.clusters()
    for cluster in clusters:
        _note_others(cluster, now)
    return clusters, _remarks(clusters, register, now)


def _files(folder: Path, below: str = "") -> Iterator[File]:
    """Yield the files in a folder and in its own folders. Names that begin with a dot are of unfinished files."""
    for entry in sorted(os.scandir(folder / below), key=lambda entry: entry.name):
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.name.startswith("."):
            continue
        if entry.name.endswith(".json"):
            yield from _read(folder, path)
        elif not below and entry.is_dir():
            try:
                yield from _files(folder, path)
            except OSError as error:
                yield File(path, None, f"cannot be read: {error.strerror}")


def _read(folder: Path, path: str) -> Iterator[File]:
    try:
        yield File(path, findings_file.read(folder / path))
    except Unusable as error:
        yield File(path, None, str(error))
    except IsRollup:
        return


class _Register:
    """Gives each file to its cluster."""

    def __init__(self, listed: Sequence[Listed] | None) -> None:
        self.has_list = listed is not None
        self._listed = [Candidates(clean(each.name, NAME), each) for each in listed or ()]
        self._by_uid = {c.listed.uid: c for c in self._listed if c.listed and c.listed.uid}
        self._by_name: dict[str, list[Candidates]] = defaultdict(list)
        for cluster in self._listed:
            self._by_name[cluster.name].append(cluster)
        self.others: dict[tuple[str, str], Candidates] = {}
        self._unread: list[File] = []

    def add(self, file: File) -> None:
        """Give a file to its cluster."""
        if not file.looked:
            self._unread.append(file)
        elif cluster := self._by_uid.get(file.looked.uid):
            cluster.files.append(file)
        else:
            self._add_by_name(file, file.looked)

    def _add_by_name(self, file: File, looked: Looked) -> None:
        named = [cluster for name in (file.name, *file.places) for cluster in self._by_name.get(name, ())]
        fitting = {id(c): c for c in named if c.listed and not (c.listed.uid and looked.uid)}
        if len(fitting) == 1:
            next(iter(fitting.values())).files.append(file)
        elif named and not fitting:
            uid = named[0].listed.uid if named[0].listed else ""
            line = f"is about another cluster: its kube-system uid is {looked.uid}, and the clusters file says {uid}"
            named[0].files.append(File(file.path, None, clean(line)))
        else:
            self.others.setdefault((file.name, looked.uid), Candidates(file.name)).files.append(file)

    def unite(self) -> None:
        """Give files without a uid to the only other cluster of their name, and those that cannot be read to theirs."""
        named: dict[str, list[Candidates]] = defaultdict(list)
        for (name, uid), cluster in self.others.items():
            if uid:
                named[name].append(cluster)
        for (name, uid), cluster in list(self.others.items()):
            if not uid and len(named[name]) == 1:
                named[name][0].files += cluster.files
                del self.others[name, uid]
        homes = {file.folder: c for c in (*self._listed, *self.others.values()) for file in c.files if file.folder}
        for file in self._unread:
            of_place = [cluster for place in file.places for cluster in self._by_name.get(place, ())]
            home = homes.get(file.folder) or next(iter(of_place), None)
            (home or self.others.setdefault((file.name, ""), Candidates(file.name))).files.append(file)

    def clusters(self) -> list[Candidates]:
        """Return all clusters."""
        for cluster in self.others.values() if self.has_list else ():
            cluster.notes.append("is not in the clusters file")
        return [*self._listed, *self.others.values()]


def _note_others(cluster: Candidates, now: datetime) -> None:
    counts = cluster.newest(now)
    if counts and len(cluster.files) > 1:
        cluster.notes.append(f"has {len(cluster.files)} findings files: the newest counts, {clean(counts.path)}")


def _remarks(clusters: Sequence[Candidates], register: _Register, now: datetime) -> list[str]:
    """Return what to know of the files, each kind bounded."""
    several = sum(len(cluster.files) > 1 for cluster in clusters)
    refused = [file for cluster in clusters for file in cluster.refused(now)]
    unlisted = len(register.others) if register.has_list else 0
    remarks = [f"refused: {clean(file.path)} {file.why}" for file in refused[:SHOWN]]
    if len(refused) > SHOWN:
        remarks.append(f"refused: {plural(len(refused) - SHOWN, 'more file')}")
    if several:
        remarks.append(f"{plural(several, 'cluster')} with several findings files: the newest of each counts")
    if unlisted:
        remarks.append(f"{plural(unlisted, 'cluster')} with findings, but not in the clusters file")
    return remarks
