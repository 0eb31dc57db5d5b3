"""Reads the findings file of one cluster, and keeps of it only what the fleet needs: its root causes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from stat import S_ISDIR, S_ISREG
from typing import NamedTuple

import msgspec

from kubevitals.diagnosis.history import base
from kubevitals.diagnosis.identity import DIGEST
from kubevitals.diagnosis.result import SCHEMA
from kubevitals.diagnosis.trend import Time
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import Unusable
from kubevitals.findings.finding import Severity
from kubevitals.fleet.result import ROLLUP
from kubevitals.source.request import IN_CLUSTER
from kubevitals.text import LINE_LIMIT, clean

SIZE_LIMIT = 256 << 20
"""Bytes of a findings file. One with ten thousand findings has some 50 million."""

NAME, TEXTS = 200, 50_000
"""Characters of a name that are kept, and how many texts are held so that equal ones are cleaned once."""

UNREACHABLE = "api-server[unreachable]"
"""The check that finds an API server that does not answer."""


class _Head(msgspec.Struct):
    schema: int
    kubevitals: str
    fleet: str = ""


class _Cluster(msgspec.Struct):
    context: str
    uid: str = ""
    version: str = ""


class _Item(msgspec.Struct):
    check: str
    unseen: str = ""
    right: str = ""


class _Finding(msgspec.Struct):
    id: str
    owner: str
    remedy: str
    missing: list[str]
    first_seen: Time
    since: Time | None = None


class _Root(msgspec.Struct):
    id: str
    check: str
    objects: str
    says: str
    severity: Severity
    others: list[str]
    known: bool = False


class _Report(_Head, kw_only=True):
    cluster: _Cluster
    taken: Time
    outcome: Outcome
    roots: list[_Root]
    findings: list[_Finding]
    items: list[_Item]
    unjudged: list[str] = []


_HEAD, _REPORT = msgspec.json.Decoder(_Head), msgspec.json.Decoder(_Report)


class Words(NamedTuple):
    """What a root cause says. The roots of many clusters share it."""

    check: str
    objects: str
    says: str
    remedy: str


class SeenRoot(NamedTuple):
    """A root cause of a cluster.

    Attributes:
        fault: what identifies it in every cluster.
        began: when it is known to have existed first.
    """

    fault: str
    words: Words
    severity: Severity
    known: bool
    began: datetime


class Looked(NamedTuple):
    """What a findings file says about its cluster.

    Attributes:
        judged: the checks that saw everything they need.
        checks: how many checks there were.
        blind: how many of them could not see everything, and the most common reason.
        unjudged: how many checks have no outcome.
    """

    context: str
    uid: str
    version: str
    kubevitals: str
    taken: datetime
    outcome: Outcome
    roots: tuple[SeenRoot, ...]
    judged: frozenset[str]
    checks: int
    blind: int
    why_blind: str
    unjudged: int


class IsRollup(Exception):
    """The file is the result of an earlier roll-up."""


def read(path: Path) -> Looked:
    """Return what a findings file says.

    Raises:
        Unusable: it cannot be read, or is not a findings file of this format. The message does not name the file.
        IsRollup: it is about a fleet.
    """
    try:
        content = _content(path)
        try:
            report = _REPORT.decode(content)
        except msgspec.ValidationError:
            _require_format(_HEAD.decode(content))
            raise
        _require_format(report)
        return _looked(report)
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Unusable(f"is not a findings file of kubevitals: {clean(str(error))}") from error


def _content(path: Path) -> bytes:
    """Return the bytes of a regular file: a pipe or a device may never end."""
    status = path.stat()
    if S_ISDIR(status.st_mode):
        raise Unusable("is a folder, not a findings file")
    if not S_ISREG(status.st_mode):
        raise Unusable("is not a regular file: a pipe or a device may never end")
    if status.st_size > SIZE_LIMIT:
        raise Unusable(f"has {status.st_size:,} bytes: a findings file has at most {SIZE_LIMIT:,}")
    if not status.st_size:
        raise Unusable("is empty: the run that should have written it may have been killed")
    return path.read_bytes()


def _require_format(head: _Head) -> None:
    if head.fleet == ROLLUP:
        raise IsRollup
    age = "a newer" if head.schema > SCHEMA else "an older"
    if head.schema != SCHEMA:
        version = clean(head.kubevitals, NAME)
        raise Unusable(f"has {age} format ({head.schema}, of kubevitals {version}): use the same version everywhere")


def _looked(report: _Report) -> Looked:
    cluster = report.cluster
    return Looked(
        context=_text(cluster.context, NAME).removesuffix(" (recording)"),
        uid=_text(cluster.uid, NAME),
        version=_text(cluster.version, NAME),
        kubevitals=_text(report.kubevitals, NAME),
        taken=report.taken.astimezone(UTC),
        outcome=report.outcome,
        roots=tuple(_roots(report)),
        judged=_shared(frozenset(_text(item.check, NAME) for item in report.items if not item.unseen)),
        checks=len(report.items),
        blind=sum(item.unseen != "" for item in report.items),
        why_blind=_most_common(report.items),
        unjudged=len(report.unjudged),
    )


def _roots(report: _Report) -> Iterator[SeenRoot]:
    findings = {finding.id: finding for finding in report.findings}
    for root in report.roots:
        finding = findings.get(root.id) or _Finding(root.id, "", "", [], report.taken)
        began = min(finding.since or finding.first_seen, finding.first_seen).astimezone(UTC)
        words = Words(_text(root.check, NAME), *_says(root, finding), _text(finding.remedy))
        yield SeenRoot(_fault(root, finding), _same(words), root.severity, root.known, began)


def _says(root: _Root, finding: _Finding) -> tuple[str, str]:
    """Return what has the fault, and what is wrong with it. An owner has one name in many clusters, its pods do not."""
    if finding.missing:
        return _text(", ".join(finding.missing)), "does not exist" if len(finding.missing) == 1 else "do not exist"
    return _text(root.objects if root.others else finding.owner or root.objects), _text(root.says)


def _fault(root: _Root, finding: _Finding) -> str:
    """Return what identifies a root in every cluster.

    Whatever refers to an object that does not exist, the fault is that it does not exist.
    """
    if not finding.missing:
        return _text(base(root.id), NAME)
    key = "\0".join(("missing", *sorted(finding.missing)))
    return blake2b(key.encode("utf-8", "replace"), digest_size=DIGEST).hexdigest()


def _most_common(items: Iterable[_Item]) -> str:
    reasons = Counter(f"{i.unseen} (missing right: {i.right})" if i.right else i.unseen for i in items if i.unseen)
    return _text(reasons.most_common(1)[0][0]) if reasons else ""


@lru_cache(TEXTS)
def _text(text: str, limit: int = LINE_LIMIT) -> str:
    """Return a text that is safe to show: a file may have been changed by anybody."""
    return clean(text, limit)


@lru_cache(TEXTS)
def _same(words: Words) -> Words:
    """Return one object for all equal ones."""
    return words


@lru_cache(1000)
def _shared(checks: frozenset[str]) -> frozenset[str]:
    return checks


def is_generic(context: str) -> bool:
    """Return whether a context is no name that distinguishes clusters."""
    return context in ("", IN_CLUSTER)
