"""What an earlier run found, read from its findings file, and what has changed since."""

from datetime import datetime
from pathlib import Path

import msgspec

from kubevitals.diagnosis.result import SCHEMA, ClusterInfo, Comparison, Past, Report, ReportedFinding, Status
from kubevitals.errors import Unusable
from kubevitals.findings.finding import Severity
from kubevitals.input_files import require_readable
from kubevitals.source.scope import Scope
from kubevitals.text import clean

SIZE_LIMIT = 1 << 30
"""Bytes of a findings file. One with ten thousand findings has some 50 million."""


class _Head(msgspec.Struct):
    schema: int
    kubevitals: str


class History:
    """The findings of an earlier run; empty if there is no such run."""

    def __init__(self, report: Report | None = None) -> None:
        self.report = report
        self._first_seen: dict[str, datetime] = {}
        self._were_errors: set[str] = set()
        for past in self._all():
            known = self._first_seen.get(base(past.id), past.first_seen)
            self._first_seen[base(past.id)] = min(known, past.first_seen)
            if past.severity is Severity.ERROR:
                self._were_errors.add(base(past.id))

    def _all(self) -> list[Past]:
        if not self.report:
            return []
        unconfirmed = self.report.comparison.unconfirmed if self.report.comparison else []
        return [*map(_past, self.report.findings), *map(_cleaned, unconfirmed)]

    def first_seen(self, identity: str) -> datetime | None:
        """Return when an earlier run first had this finding; nothing if none had."""
        return self._first_seen.get(identity)

    def status(self, identity: str, severity: Severity) -> Status | None:
        """Return what has changed about a finding since the earlier run; nothing if there is no such run."""
        if not self.report:
            return None
        if identity not in self._first_seen:
            return "new"
        return "worse" if severity is Severity.ERROR and identity not in self._were_errors else "ongoing"

    def compare(self, findings: list[ReportedFinding], judged: set[str], scope: Scope) -> Comparison | None:
        """Return what has changed since the earlier run; nothing if there is no such run.

        A finding that is gone is resolved if `scope` covers its namespace and if its check is in `judged`, the checks
        that saw everything they need.
        """
        if not self.report:
            return None
        present = {base(finding.id) for finding in findings}
        gone = {base(past.id): past for past in self._all() if base(past.id) not in present}.values()
        seen = {past.id for past in gone if past.check in judged and scope.covers(past.namespace)}
        return Comparison(
            taken=self.report.taken,
            new=sum(finding.status == "new" for finding in findings),
            worse=sum(finding.status == "worse" for finding in findings),
            ongoing=sum(finding.status == "ongoing" for finding in findings),
            resolved=[past for past in gone if past.id in seen],
            unconfirmed=[past for past in gone if past.id not in seen],
        )

    def refuse_another(self, cluster: ClusterInfo) -> None:
        """Refuse to compare two different clusters.

        Raises:
            Unusable: the earlier run looked at another cluster.
        """
        if self.report and not same_cluster(self.report.cluster, cluster):
            raise Unusable(
                f"--compare: the findings file is about another cluster, {clean(self.report.cluster.context)}"
            )


def base(id_: str) -> str:
    """Return the part of an id that is the same for all groups of one identity."""
    return id_.partition(".")[0]


def _past(finding: ReportedFinding) -> Past:
    place = finding.places[0].object
    texts = finding.id, finding.check, finding.namespace, place, finding.says
    return _cleaned(Past(*texts, finding.severity, finding.first_seen, finding.root, finding.known is not None))


def _cleaned(past: Past) -> Past:
    """Return a past finding whose texts are safe to show: the file may have been changed by anybody."""
    texts = {name: clean(getattr(past, name)) for name in ("id", "check", "namespace", "object", "says", "root")}
    return msgspec.structs.replace(past, **texts)


def same_cluster(one: ClusterInfo, other: ClusterInfo) -> bool:
    """Return whether both are the same cluster, by the uid of kube-system or, if one uid is unknown, by name."""
    if one.uid and other.uid:
        return one.uid == other.uid
    return one.context.removesuffix(" (recording)") == other.context.removesuffix(" (recording)")


def load(path: Path) -> History:
    """Return the history in a findings file, or in the newest one in a folder. An empty folder is no history.

    Raises:
        Unusable: a file cannot be read, is not a findings file, or was written by a newer kubevitals.
    """
    try:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        reports = [read(file) for file in files]
    except OSError as error:
        raise Unusable(f"--compare {clean(str(path))} cannot be read: {error.strerror}") from error
    return History(max(reports, key=lambda report: report.taken, default=None))


def read(path: Path) -> Report:
    """Return the report in a findings file.

    Raises:
        OSError: it cannot be read.
        Unusable: it is not a findings file, or was written by a newer kubevitals.
    """
    content, name = require_readable(path, SIZE_LIMIT).read_bytes(), clean(str(path))
    try:
        head = msgspec.json.decode(content, type=_Head)
        if head.schema > SCHEMA:
            raise Unusable(f"{name} was written by a newer kubevitals ({clean(head.kubevitals)}): use that version")
        return msgspec.json.decode(content, type=Report)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unusable(f"{name} is not a findings file of kubevitals: {clean(str(error))}") from error
