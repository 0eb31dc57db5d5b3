"""The findings files of the last runs that --history keeps in a folder: which had a finding, and how many roots."""

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path

import msgspec
from msgspec import Struct

from kubevitals.diagnosis.history import SIZE_LIMIT, History, base, read, same_cluster
from kubevitals.diagnosis.result import SCHEMA, ClusterInfo, Report
from kubevitals.diagnosis.trend import Occurrences, PastRun, Time
from kubevitals.diagnosis.turns import some
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import Unusable
from kubevitals.input_files import require_readable
from kubevitals.text import clean, plural

KEPT = 30
"""How many runs are kept."""

BYTES = 512 << 20
"""How many bytes the kept files may have together; the newest file is kept in any case."""


_OWN = re.compile(r"run-[0-9a-f]{8}-\d{8}T\d{6}Z\.json")
"""The names of the files that are written, and so the only ones that are removed."""


class _Id(Struct):
    id: str


class _Item(Struct):
    check: str
    unseen: str = ""


class _Comparison(Struct):
    unconfirmed: list[_Id] = []


class _Read(Struct):
    """What is read of the findings file of each kept run."""

    schema: int
    cluster: ClusterInfo
    taken: Time
    outcome: Outcome
    roots: list[_Id]
    findings: list[_Id]
    items: list[_Item]
    comparison: _Comparison | None = None


class KeptRun:
    """A run of the past."""

    def __init__(self, path: Path, content: _Read) -> None:
        self.path, self.cluster, self.taken = path, content.cluster, content.taken
        self.past = PastRun(content.taken, content.outcome, len(content.roots))
        unconfirmed = content.comparison.unconfirmed if content.comparison else []
        self._found = {base(found.id) for found in content.findings}
        self._unknown = {base(found.id) for found in unconfirmed}
        self._judged = {item.check for item in content.items if not item.unseen}

    def found(self, identity: str, check: str) -> bool | None:
        """Return whether this run had a finding; nothing if its check was not run or could not see everything."""
        if identity in self._found:
            return True
        return False if check in self._judged and identity not in self._unknown else None


class KeptRuns:
    """The runs that --history keeps, the oldest first.

    Attributes:
        folder: where they are.
        remarks: what is in the folder and is not used.
    """

    def __init__(self, folder: Path, runs: Sequence[KeptRun] = (), remarks: Sequence[str] = ()) -> None:
        self.folder, self._runs, self.remarks = folder, list(runs), list(remarks)

    @cached_property
    def newest(self) -> History:
        """What the newest run found; empty if there is none."""
        while self._runs:
            try:
                return History(read(self._runs[-1].path))
            except (Unusable, OSError):
                self.remarks.append(f"--history: {clean(self._runs.pop().path.name)} is damaged, and not used")
        return History()

    def occurrences(self, identity: str, check: str, now: datetime) -> Occurrences:
        """Return in how many runs a finding of this run was found, with this one."""
        told = [(run.taken, found) for run in self._last if (found := run.found(identity, check)) is not None]
        told.append((now, True))
        came_back = sum(found and not before for (_, before), (_, found) in pairwise(told))
        times = [taken for taken, found in told if found]
        return Occurrences(found=len(times), of=len(told), returned=came_back, first=times[0])

    def all_runs(self, this: PastRun) -> list[PastRun]:
        """Return the runs, with this one as the last."""
        return [*(run.past for run in self._last), this]

    @property
    def _last(self) -> list[KeptRun]:
        return self._runs[-(KEPT - 1) :]

    def path_of(self, report: Report) -> Path:
        """Return the path for the result of this run. Another cluster's run of the same second has another one."""
        cluster = blake2b((report.cluster.uid or report.cluster.context).encode(), digest_size=4).hexdigest()
        return self.folder / f"run-{cluster}-{report.taken:%Y%m%dT%H%M%SZ}.json"

    def superfluous(self, newest: Path) -> Iterator[Path]:
        """Yield the files of this cluster that are no longer kept, once the newest is written."""
        size = newest.stat().st_size
        files = [run.path for run in reversed(self._runs) if run.path != newest and _OWN.fullmatch(run.path.name)]
        for number, path in enumerate(files, start=1):
            size += path.stat().st_size
            if number >= KEPT or size > BYTES:
                yield path


def open_folder(folder: Path, cluster: ClusterInfo, now: datetime) -> KeptRuns:
    """Return the runs of this cluster in a folder, which is created if it does not exist.

    Files that are damaged, not findings files, about another cluster, or later than `now` are not used, and stay.

    Raises:
        Unusable: it is a file, or cannot be read or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
        paths = [Path(entry.path) for entry in os.scandir(folder) if entry.name.endswith(".json")]
    except OSError as error:
        reason = "it is not a folder" if isinstance(error, FileExistsError) else error.strerror
        raise Unusable(f"--history {clean(str(folder))} cannot be used: {reason}") from error
    runs: dict[datetime, KeptRun] = {}
    unused: dict[str, list[str]] = {}
    for path in sorted(paths):
        run = _read(path)
        if isinstance(run, KeptRun) and not (why := _unfit(run, cluster, now)):
            runs[run.taken] = run
        else:
            why = run if isinstance(run, str) else why
            unused.setdefault(why, []).append(clean(path.name))
    remarks = [
        f"--history: {plural(len(names), 'file')} not used: {why}: {some(names)}" for why, names in unused.items()
    ]
    return KeptRuns(folder, [runs[taken] for taken in sorted(runs)], remarks)


def _unfit(run: KeptRun, cluster: ClusterInfo, now: datetime) -> str:
    if not same_cluster(run.cluster, cluster):
        return f"about another cluster, {clean(run.cluster.context)}"
    return "later than the clock of this run" if run.taken > now else ""


def _read(path: Path) -> KeptRun | str:
    """Return the run in a file, or why the file cannot be used."""
    try:
        content = msgspec.json.decode(require_readable(path, SIZE_LIMIT).read_bytes(), type=_Read)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except (Unusable, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return "not a findings file of kubevitals"
    return KeptRun(path, content) if content.schema <= SCHEMA else "written by a newer kubevitals"
