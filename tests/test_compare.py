"""What changed since an earlier run."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from kubevitals.diagnosis.assemble import assemble
from kubevitals.diagnosis.history import History, load
from kubevitals.diagnosis.result import ClusterInfo, Report
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.errors import NotObserved, Unusable
from kubevitals.findings.finding import Finding, Severity
from kubevitals.objects import Ref
from kubevitals.source.scope import Scope
from tests.fakes import NOW
from tests.findings import finding, report_of, run_of, verdict

WEB = Ref("Deployment", "shop", "web")
YESTERDAY = NOW - timedelta(days=1)


def earlier(*verdicts: Verdict, history: History | None = None) -> Report:
    """Return the report of yesterday's run."""
    report = report_of(*verdicts, history=history)
    findings = [
        msgspec.structs.replace(found, first_seen=YESTERDAY) if found.first_seen == NOW else found
        for found in report.findings
    ]
    return msgspec.structs.replace(report, taken=YESTERDAY, findings=findings)


def test_new_ongoing_and_resolved_are_told_apart() -> None:
    before = earlier(verdict("a[b]", finding("Node/a"), finding("Node/b")))
    now = report_of(verdict("a[b]", finding("Node/b"), finding("Node/c")), history=History(before))
    assert {found.places[0].object: (found.status, found.first_seen) for found in now.findings} == {
        "Node/b": ("ongoing", YESTERDAY),
        "Node/c": ("new", NOW),
    }
    assert now.comparison
    assert [past.object for past in now.comparison.resolved] == ["Node/a"]
    assert (now.comparison.new, now.comparison.ongoing, now.comparison.unconfirmed) == (1, 1, [])


def test_without_an_earlier_run_nothing_is_new() -> None:
    report = report_of(verdict("a[b]", finding("Node/a")))
    assert report.comparison is None
    assert report.findings[0].status is None


def test_other_replicas_of_a_deployment_are_ongoing() -> None:
    before = earlier(verdict("a[b]", finding("Pod/shop/web-1", owner=WEB)))
    now = report_of(verdict("a[b]", finding("Pod/shop/web-2", owner=WEB)), history=History(before))
    assert [found.status for found in now.findings] == ["ongoing"]


def test_since_when_is_carried_on_over_runs_that_could_not_see() -> None:
    first = earlier(verdict("a[b]", finding("Node/a")))
    blind = report_of(verdict("a[b]", unseen=NotObserved("forbidden")), history=History(first))
    assert blind.comparison
    assert blind.comparison.resolved == []
    assert [past.object for past in blind.comparison.unconfirmed] == ["Node/a"]
    third = report_of(verdict("a[b]", finding("Node/a")), history=History(blind))
    assert (third.findings[0].status, third.findings[0].first_seen) == ("ongoing", YESTERDAY)


def test_a_check_that_was_not_run_resolves_nothing() -> None:
    before = earlier(verdict("a[b]", finding("Node/a")))
    now = report_of(verdict("c[d]"), history=History(before))
    assert now.comparison
    assert now.comparison.resolved == []
    assert len(now.comparison.unconfirmed) == 1


def test_what_is_in_namespaces_that_are_not_looked_at_is_not_resolved() -> None:
    before = earlier(verdict("a[b]", finding("Pod/shop/web"), finding("Pod/blog/web"), finding("Node/a")))
    run = run_of(verdict("a[b]"), history=History(before))
    run.cluster.scope = Scope(chosen=["shop"])
    now = assemble(run).comparison
    assert now
    assert {past.object for past in now.resolved} == {"Pod/shop/web", "Node/a"}
    assert [past.object for past in now.unconfirmed] == ["Pod/blog/web"]


# --- only what is new fails ---


def outcome(before: Report, *findings: Finding) -> Outcome:
    run = run_of(history=History(before), only_new=True)
    return verdict("a[b]", *findings, run=run).outcome


def test_only_new_lets_ongoing_findings_pass() -> None:
    before = earlier(verdict("a[b]", finding("Node/a")))
    assert outcome(before, finding("Node/a")) == Outcome.KNOWN
    assert outcome(before, finding("Node/a"), finding("Node/b")) == Outcome.BROKEN
    assert outcome(before, finding("Node/a"), finding("Node/b", severity=Severity.WARNING)) == Outcome.WARNED
    assert outcome(before) == Outcome.HEALTHY


def test_a_warning_that_has_become_an_error_is_no_ongoing_one() -> None:
    before = earlier(verdict("a[b]", finding("Node/a", severity=Severity.WARNING)))
    assert outcome(before, finding("Node/a")) == Outcome.BROKEN
    now = report_of(verdict("a[b]", finding("Node/a")), history=History(before))
    assert (now.findings[0].status, now.findings[0].first_seen) == ("worse", YESTERDAY)


# --- files ---


def write(path: Path, report: Report) -> Path:
    path.write_bytes(msgspec.json.encode(report))
    return path


def test_of_a_folder_the_newest_run_is_compared_with(tmp_path: Path) -> None:
    report = report_of(verdict("a[b]", finding("Node/a")))
    write(tmp_path / "1.json", report)
    newest = msgspec.structs.replace(report, taken=NOW + timedelta(hours=1))
    write(tmp_path / "0.json", newest)
    os.utime(tmp_path / "0.json", (0, 0))
    (tmp_path / "health.html").write_text("<html>")
    assert load(tmp_path).report == newest


def test_an_empty_folder_is_the_first_run(tmp_path: Path) -> None:
    assert load(tmp_path).report is None


Change = Callable[[bytes], bytes]

BROKEN: dict[str, tuple[Change, str]] = {
    "cut off": (lambda text: text[:100], "is not a findings file of kubevitals"),
    "empty": (lambda _: b"", "is not a findings file"),
    "no JSON": (lambda _: b"\xff\xfe", "is not a findings file"),
    "foreign": (lambda _: b'{"name": "package"}', "is not a findings file .* missing required field `schema`"),
    "newer": (
        lambda text: text.replace(b'"schema":1', b'"schema":2', 1),
        "was written by a newer kubevitals",
    ),
    "without objects": (lambda text: text.replace(b'"places":[{', b'"places":[],"x":[{'), "length >= 1"),
    "deep": (lambda _: b'{"schema":' + b"[" * 100_000, "is not a findings file"),
}


@pytest.mark.parametrize(("change", "message"), BROKEN.values(), ids=BROKEN)
def test_a_broken_or_foreign_file_is_refused_in_one_line(tmp_path: Path, change: Change, message: str) -> None:
    path = write(tmp_path / "findings.json", report_of(verdict("a[b]", finding("Node/a"))))
    path.write_bytes(change(path.read_bytes()))
    for given in (path, tmp_path):
        with pytest.raises(Unusable, match=message) as error:
            load(given)
        assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot be read: No such file"):
        load(tmp_path / "absent.json")


CLUSTERS = {
    "same uid": (ClusterInfo("a", "1"), ClusterInfo("b", "1"), True),
    "another uid": (ClusterInfo("a", "1"), ClusterInfo("a", "2"), False),
    "uid not observed": (ClusterInfo("a", "1"), ClusterInfo("a"), True),
    "another name": (ClusterInfo("a"), ClusterInfo("b"), False),
    "recorded": (ClusterInfo("a (recording)"), ClusterInfo("a"), True),
}


@pytest.mark.parametrize(("one", "other", "same"), CLUSTERS.values(), ids=CLUSTERS)
def test_only_runs_on_one_cluster_are_compared(one: ClusterInfo, other: ClusterInfo, same: bool) -> None:
    history = History(msgspec.structs.replace(report_of(verdict("a[b]")), cluster=one))
    if same:
        history.refuse_another(other)
    else:
        with pytest.raises(Unusable, match="about another cluster, a"):
            history.refuse_another(other)


def test_what_a_file_says_is_cleaned() -> None:
    before = earlier(verdict("a[b]", finding("Node/a")))
    (found,) = before.findings
    before = msgspec.structs.replace(before, findings=[msgspec.structs.replace(found, says="\x1b[2J")])
    now = report_of(verdict("a[b]"), history=History(before))
    assert now.comparison
    assert now.comparison.resolved[0].says == r"\x1b[2J"
