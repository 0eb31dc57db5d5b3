"""The clusters of a fleet as a result shows them: each with its state, whether it was looked at or not."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.check_names import cause_in
from kubevitals.findings.finding import Severity
from kubevitals.fleet.clusters_file import Listed
from kubevitals.fleet.findings_file import NAME, UNREACHABLE, Looked, SeenRoot
from kubevitals.fleet.gather import SKEW, Candidates, File
from kubevitals.fleet.result import SEEN, Count, FleetCluster, State
from kubevitals.text import clean, duration, plural

PAGES = ("health.html", "{stem}.html")
"""Where the page of a cluster is, beside its findings file."""

_STATES = {
    Outcome.BROKEN: State.BROKEN,
    Outcome.WARNED: State.WARNED,
    Outcome.KNOWN: State.KNOWN,
    Outcome.HEALTHY: State.HEALTHY,
}

_UNLISTED = Listed(name="")


class Seen(NamedTuple):
    """A cluster, and what its findings file says, if it has one that counts."""

    cluster: FleetCluster
    looked: Looked | None

    @property
    def roots(self) -> Sequence[SeenRoot]:
        """The root causes of the cluster."""
        return self.looked.roots if self.looked else ()

    @property
    def is_current(self) -> bool:
        """Whether the cluster was looked at within its period."""
        return self.cluster.state in SEEN


class When(NamedTuple):
    """The time of the roll-up, and how old findings may be, in seconds, where the clusters file does not say."""

    now: datetime
    period: float


def clusters(candidates: Iterable[Candidates], when: When, folder: Path, page: Path | None) -> list[Seen]:
    """Return all clusters; `page` is where the page of the fleet will be."""
    seen = [_seen(each, when) for each in candidates]
    for cluster, _ in seen:
        cluster.link = cluster.link or _own_page(cluster, folder, page)
    return seen


def in_order(seen: Sequence[Seen]) -> list[Seen]:
    """Return the clusters, the worst first; those with the same name are told apart by their uids."""
    _distinguish([cluster for cluster, _ in seen])
    order = {state: position for position, state in enumerate(State)}
    return sorted(seen, key=lambda each: (order[each.cluster.state], -len(each.roots), each.cluster.name))


def _seen(candidates: Candidates, when: When) -> Seen:
    listed, file = candidates.listed or _UNLISTED, candidates.newest(when.now)
    looked = file.looked if file else None
    state, reason = _state(file, listed, when)
    uid = clean(listed.uid, NAME) or (looked.uid if looked else "")
    cluster = FleetCluster(
        id=uid or candidates.name,
        name=candidates.name,
        uid=uid,
        state=state,
        reason=reason,
        notes=candidates.notes,
        group=clean(listed.group, NAME),
        owner=clean(listed.owner, NAME),
        link=clean(listed.link),
        file=clean(file.path) if file else "",
    )
    if looked:
        cluster.version, cluster.kubevitals, cluster.taken = looked.version, looked.kubevitals, looked.taken
        cluster.checks, cluster.blind, cluster.causes = looked.checks, looked.blind, _causes(looked.roots)
    return Seen(cluster, looked)


def _state(file: File | None, listed: Listed, when: When) -> tuple[State, str]:
    """Return the state of a cluster, and why."""
    if not file:
        return State.NO_REPORT, "has no findings file"
    if not file.looked:
        return State.UNUSABLE, f"{clean(file.path)} {file.why}"
    period = listed.seconds or when.period
    return _age(file.looked.taken, period, when.now) or _outcome(file.looked)


def _age(taken: datetime, period: float, now: datetime) -> tuple[State, str] | None:
    """Return that findings are too old, or may be; nothing if they are current."""
    if taken > now + SKEW:
        ahead = duration((taken - now).total_seconds())
        return (
            State.STALE,
            f"the time of its findings is {ahead} in the future: a clock is wrong, so their age is unknown",
        )
    age = now - taken
    if age > timedelta(seconds=period):
        return (
            State.STALE,
            f"its findings are {duration(age.total_seconds())} old, and its period is {duration(period)}",
        )
    return None


def _outcome(looked: Looked) -> tuple[State, str]:
    unreachable = next((root for root in looked.roots if root.words.check == UNREACHABLE), None)
    if unreachable:
        return State.UNREACHABLE, unreachable.words.says
    partial = f"the run was stopped: {plural(looked.unjudged, 'check')} not judged" if looked.unjudged else ""
    state = _STATES.get(looked.outcome)
    if state and looked.checks:
        blind = f"{looked.blind} of {plural(looked.checks, 'check')} could not see everything" if looked.blind else ""
        return state, "; ".join(filter(None, (partial, blind)))
    return State.NOT_OBSERVED, partial or looked.why_blind or "its run had no checks"


def _causes(roots: Iterable[SeenRoot]) -> dict[str, Count]:
    errors, warnings, known = Counter[str](), Counter[str](), Counter[str]()
    for root in roots:
        counter = known if root.known else errors if root.severity is Severity.ERROR else warnings
        counter[cause_in(root.words.check)] += 1
    names = sorted({*errors, *warnings, *known})
    return {name: Count(errors[name], warnings[name], known[name]) for name in names}


def _own_page(cluster: FleetCluster, folder: Path, page: Path | None) -> str:
    """Return the relative address of the page beside a findings file, if there is one."""
    if not cluster.file or not page:
        return ""
    file = folder / cluster.file
    pages = (file.with_name(name.format(stem=file.stem)) for name in PAGES)
    own = next((own for own in pages if own.is_file() and own.resolve() != page.resolve()), None)
    return quote(Path(os.path.relpath(own, page.parent)).as_posix()) if own else ""


def _distinguish(all_of_them: Sequence[FleetCluster]) -> None:
    """Add the uid to the names of clusters that have the same name, and a number to ids that are the same."""
    names, ids = Counter(each.name for each in all_of_them), Counter[str]()
    for cluster in all_of_them:
        if names[cluster.name] > 1:
            cluster.name = f"{cluster.name} ({cluster.uid[:8] or 'uid not known'})"
        ids[cluster.id] += 1
        if ids[cluster.id] > 1:
            cluster.id = f"{cluster.id}#{ids[cluster.id]}"
