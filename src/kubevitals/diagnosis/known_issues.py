"""Known issues: findings that are expected until a given date, each with a reason."""

from collections.abc import Collection, Iterable
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from kubevitals.errors import Unusable
from kubevitals.findings.check_names import check_name
from kubevitals.findings.finding import Finding
from kubevitals.input_files import require_readable
from kubevitals.text import clean

DEFAULT_FILE = Path("known-issues.toml")

SIZE_LIMIT = 10 << 20
"""Bytes of the file: tens of thousands of issues."""

A_DATE = "write a date without quotes, such as until = 2030-12-31"


class KnownIssue(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An expected finding.

    Attributes:
        check: the cause (``volume-claim``), or one variant of it (``volume-claim[unbound]``).
        object: a pattern of objects, or of their owners (``PersistentVolumeClaim/legacy/*``, ``Deployment/shop/*``).
        reason: why the finding is accepted.
        until: the last day on which it is accepted.
    """

    check: str
    object: str
    reason: str
    until: date

    def covers(self, cause: str, variant: str) -> bool:
        """Return whether the issue is about this variant of a cause."""
        return self.check in (cause, check_name(cause, variant))

    def matches(self, cause: str, variant: str, finding: Finding) -> bool:
        """Return whether this is the expected finding."""
        objects = filter(None, (finding.obj, finding.owner))
        return self.covers(cause, variant) and any(fnmatchcase(str(obj), self.object) for obj in objects)

    def __str__(self) -> str:
        return clean(f"{self.check} on {self.object}: {self.reason} (until {self.until})")


class _File(msgspec.Struct, forbid_unknown_fields=True):
    issue: list[KnownIssue] = []


class KnownIssues:
    """The known issues of a run: those that are still valid today, and those that have expired."""

    def __init__(self, issues: Iterable[KnownIssue], today: date) -> None:
        self.expired = [issue for issue in issues if issue.until < today]
        self.valid = [issue for issue in issues if issue.until >= today]

    def match(self, cause: str, variant: str, finding: Finding) -> KnownIssue | None:
        """Return the issue that expects the finding; nothing if none does."""
        return next((issue for issue in self.valid if issue.matches(cause, variant, finding)), None)

    def stale(self, judged: Iterable[tuple[str, str]], matched: Collection[KnownIssue]) -> list[str]:
        """Return a line for every issue that has expired, or that matched nothing although its check was judged."""
        checks = list(judged)
        lines = [f"expired, no longer applied: {issue}" for issue in self.expired]
        return lines + [
            f"matches nothing: {issue}"
            for issue in self.valid
            if issue not in matched and any(issue.covers(cause, variant) for cause, variant in checks)
        ]


def load(path: Path | None, today: date) -> KnownIssues:
    """Return the known issues of a file; if no path is given, of ``known-issues.toml``, if it exists.

    Raises:
        Unusable: the file cannot be read, is not TOML, or has unknown or missing keys.
    """
    if path is None and not DEFAULT_FILE.exists():
        return KnownIssues([], today)
    path = path or DEFAULT_FILE
    try:
        file = msgspec.toml.decode(require_readable(path, SIZE_LIMIT).read_bytes(), type=_File)
    except OSError as error:
        raise Unusable(f"the known issues {path} cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        hint = f": {A_DATE}" if "`date`" in str(error) else ""
        raise Unusable(f"the known issues {path} cannot be used: {clean(str(error))}{hint}") from error
    return KnownIssues(file.issue, today)
