"""What --state keeps of a run: which findings it had, and when they were first seen. No evidence, and no sentence."""

from typing import NamedTuple

import msgspec
from msgspec import Struct

from kubevitals.diagnosis.history import History, base, same_cluster
from kubevitals.diagnosis.result import SCHEMA, ClusterInfo, Comparison, Past, Report
from kubevitals.diagnosis.trend import Time
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.errors import Unusable
from kubevitals.findings.finding import Severity
from kubevitals.text import clean
from kubevitals.version import __version__


class _Kept(Struct, omit_defaults=True):
    id: str
    check: str
    object: str
    severity: Severity
    first_seen: Time
    root: str = ""
    known: bool = False


class _State(Struct):
    schema: int
    kubevitals: str
    context: str
    uid: str
    taken: Time
    findings: list[_Kept]


class Encoded(NamedTuple):
    """The state as a text, and how many findings did not fit."""

    text: str
    left_out: int


def encoded(report: Report, limit: int) -> Encoded:
    """Return what is kept of a result, in at most so many bytes: its findings, then those that were not confirmed."""
    unconfirmed = report.comparison.unconfirmed if report.comparison else []
    found = [
        _Kept(base(f.id), f.check, f.places[0].object, f.severity, f.first_seen, f.root, f.known is not None)
        for f in report.findings
    ]
    gone = [_Kept(base(p.id), p.check, p.object, p.severity, p.first_seen, p.root, p.known) for p in unconfirmed]
    kept = {one.id: one for one in reversed((*found, *gone))}
    findings = [kept[id_] for id_ in reversed(kept)]
    state = _State(SCHEMA, __version__, report.cluster.context, report.cluster.uid, report.taken, [])
    size, fitting = len(msgspec.json.encode(state)), 0
    for one in findings:
        size += len(msgspec.json.encode(one)) + 1
        if size > limit:
            break
        fitting += 1
    state.findings = findings[:fitting]
    return Encoded(msgspec.json.encode(state).decode(), len(findings) - fitting)


def decoded(text: str, cluster: ClusterInfo) -> History:
    """Return what an earlier run of this cluster found; an empty text is no earlier run.

    Raises:
        Unusable: the text is something else, or is about another cluster.
    """
    if not text:
        return History()
    try:
        state = msgspec.json.decode(text.encode("utf-8", "replace"), type=_State)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise Unusable(f"it does not hold the state of an earlier run: {clean(str(error))}") from error
    if state.schema > SCHEMA:
        raise Unusable(f"it was written by a newer kubevitals ({clean(state.kubevitals)})")
    earlier = ClusterInfo(state.context, state.uid)
    if not same_cluster(earlier, cluster):
        raise Unusable(f"it is about another cluster, {clean(state.context)}")
    return History(_report(state, earlier))


def _report(state: _State, cluster: ClusterInfo) -> Report:
    """Return a result in which all findings of the state are such as no run has confirmed or seen gone since."""
    past = [
        Past(f.id, f.check, _namespace(f.object), f.object, "", f.severity, f.first_seen, f.root, f.known)
        for f in state.findings
    ]
    return Report(
        schema=state.schema,
        kubevitals=state.kubevitals,
        cluster=cluster,
        taken=state.taken,
        finished=state.taken,
        seconds=0.0,
        outcome=Outcome.NOT_OBSERVED,
        counts={},
        roots=[],
        findings=[],
        items=[],
        comparison=Comparison(state.taken, 0, 0, 0, [], past),
    )


def _namespace(object_: str) -> str:
    """Return the namespace in ``Kind/namespace/name``."""
    parts = object_.split("/")
    return parts[1] if len(parts) == 3 else ""
