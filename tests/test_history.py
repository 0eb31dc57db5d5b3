"""The last runs, which --history keeps in a folder: since when and how often a finding was found."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from kubevitals.diagnosis.kept_runs import KEPT, KeptRuns, open_folder
from kubevitals.diagnosis.result import ClusterInfo, Report
from kubevitals.diagnosis.trend import Occurrences, PastRun
from kubevitals.diagnosis.verdict import Verdict
from kubevitals.errors import NotObserved, Unusable
from kubevitals.reports.html.page import render
from kubevitals.reports.wording import chart, often, root_line, trend
from tests.fake_server import ApiServer
from tests.findings import finding, report_of, verdict
from tests.runs import Run

pytest_plugins = ["pytester"]

CLUSTER = ClusterInfo("production", "uid-1")
FIRST = datetime.fromisoformat("2026-03-01T12:00:00Z")
SEEN = verdict("a[b]", finding("Node/a"))
GONE = verdict("a[b]")
BLIND = verdict("a[b]", unseen=NotObserved("forbidden"))
ID = report_of(SEEN).findings[0].id


def hour(number: int) -> datetime:
    return FIRST + timedelta(hours=number)


def result(number: int, *verdicts: Verdict, cluster: ClusterInfo = CLUSTER) -> Report:
    return msgspec.structs.replace(report_of(*verdicts), taken=hour(number), cluster=cluster)


def keep(folder: Path, report: Report) -> Path:
    """Keep a result as a run does."""
    runs = open_folder(folder, report.cluster, report.taken)
    path = runs.path_of(report)
    path.write_bytes(msgspec.json.encode(report))
    for old in runs.superfluous(path):
        old.unlink()
    return path


def kept(folder: Path, *verdicts: Verdict) -> KeptRuns:
    """Return the runs of a folder in which one run had each of these verdicts."""
    for number, each in enumerate(verdicts):
        keep(folder, result(number, each))
    return open_folder(folder, CLUSTER, hour(len(verdicts)))


@pytest.mark.parametrize(
    ("past", "found", "of", "returned", "first"),
    [
        ((), 1, 1, 0, 0),
        ((SEEN, SEEN), 3, 3, 0, 0),
        ((GONE, GONE), 1, 3, 1, 2),
        ((SEEN, GONE, SEEN, GONE), 3, 5, 2, 0),
        ((SEEN, BLIND, BLIND), 2, 2, 0, 0),
        ((SEEN, verdict("c[d]")), 2, 2, 0, 0),
    ],
    ids=["first run", "ongoing", "new", "flapping", "not observed in between", "not run in between"],
)
def test_how_often_a_finding_was_found(
    tmp_path: Path, past: tuple[Verdict, ...], found: int, of: int, returned: int, first: int
) -> None:
    """A run whose check could not see everything does not count as one that did not find it."""
    runs = kept(tmp_path, *past)
    assert runs.occurrences(ID, "a[b]", hour(len(past))) == Occurrences(found, of, returned, hour(first))


def test_what_an_earlier_run_could_not_confirm_is_not_gone(tmp_path: Path) -> None:
    """Its check saw everything, and its namespace was not checked."""
    content = msgspec.json.decode(msgspec.json.encode(result(1, GONE))) | {"comparison": {"unconfirmed": [{"id": ID}]}}
    (tmp_path / "1.json").write_bytes(msgspec.json.encode(content))
    assert open_folder(tmp_path, CLUSTER, hour(2)).occurrences(ID, "a[b]", hour(2)).of == 1


def test_the_last_runs_are_kept_and_no_other_file_is_removed(tmp_path: Path) -> None:
    keep(tmp_path, result(0, SEEN)).rename(tmp_path / "findings.json")
    for number in range(1, KEPT + 3):
        keep(tmp_path, result(number, SEEN))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == KEPT + 1
    assert names[0] == "findings.json"
    times = [f"{hour(number):%Y%m%dT%H%M%SZ}.json" for number in (3, KEPT + 2)]
    assert [name.rpartition("-")[2] for name in (names[1], names[-1])] == times


def test_the_newest_run_is_compared_with(tmp_path: Path) -> None:
    report = kept(tmp_path, SEEN, GONE).newest.report
    assert report
    assert report.taken == hour(1)


def test_what_cannot_be_used_is_said_and_stays(tmp_path: Path) -> None:
    first = keep(tmp_path, result(0, SEEN))
    keep(tmp_path, result(0, SEEN, cluster=ClusterInfo("staging", "uid-2")))
    keep(tmp_path, result(9, SEEN))
    (tmp_path / "package.json").write_text('{"name": "x"}')
    (tmp_path / "cut.json").write_bytes(first.read_bytes()[:200])
    (tmp_path / "newer.json").write_bytes(first.read_bytes().replace(b'"schema":1', b'"schema":2', 1))
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "health.html").write_text("<html>")
    os.mkfifo(tmp_path / "pipe.json")
    before = sorted(tmp_path.iterdir())
    runs = open_folder(tmp_path, CLUSTER, hour(1))
    assert runs.occurrences(ID, "a[b]", hour(1)).found == 2
    text = "\n".join(runs.remarks)
    assert len(runs.remarks) == 5
    assert "1 file not used: about another cluster, staging: run-" in text
    assert "1 file not used: later than the clock of this run: run-" in text
    assert "3 files not used: not a findings file of kubevitals: cut.json, package.json, pipe.json" in text
    assert "1 file not used: written by a newer kubevitals: newer.json" in text
    assert "1 file not used: cannot be read: Is a directory: folder.json" in text
    assert sorted(tmp_path.iterdir()) == before


def test_a_damaged_newest_run_is_passed_over(tmp_path: Path) -> None:
    keep(tmp_path, result(0, SEEN))
    path = keep(tmp_path, result(1, SEEN))
    path.write_bytes(path.read_bytes().replace(b'"evidence":[]', b'"evidence":7'))
    runs = open_folder(tmp_path, CLUSTER, hour(2))
    assert runs.newest.report
    assert runs.newest.report.taken == hour(0)
    assert runs.remarks == [f"--history: {path.name} is damaged, and not used"]


def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unusable, match="file cannot be used: it is not a folder"):
        open_folder(tmp_path / "file", CLUSTER, FIRST)
    with pytest.raises(Unusable, match="cannot be used: Not a directory"):
        open_folder(tmp_path / "file" / "x", CLUSTER, FIRST)


def shown(folder: Path, *past: Verdict) -> Report:
    """Return the result of a run that finds it, with such runs before."""
    runs, now = kept(folder, *past), hour(len(past))
    report = result(len(past), SEEN)
    seen = runs.occurrences(ID, "a[b]", now)
    findings = [msgspec.structs.replace(found, occurrences=seen) for found in report.findings]
    this = PastRun(now, report.outcome, len(report.roots))
    return msgspec.structs.replace(report, findings=findings, runs=runs.all_runs(this))


def test_a_flapping_finding_is_shown(tmp_path: Path) -> None:
    """A run that observed nothing is not drawn as one without root causes."""
    report = shown(tmp_path, SEEN, GONE, SEEN, BLIND, GONE)
    (found,) = report.findings
    assert often(found) == "found in 3 of 5 runs, first 2026-03-01 12:00:00 UTC, came back 2 times"
    assert root_line(report.roots[0], {found.id: found}) == "error, flapping: Node/a: is broken"
    assert (trend(report), chart(report)) == ("root causes in the last 6 runs: 0 to 1", "█▁█?▁█")
    page = render(report)
    assert "came back 2 times" in page
    assert page.count('<rect class="seen"') == 5
    assert '<rect class="unseen"' in page
    assert "2026-03-01 13:00:00 UTC: 0 root causes" in page


def test_at_the_first_run_there_is_nothing_to_show(tmp_path: Path) -> None:
    report = shown(tmp_path)
    assert (trend(report), often(report.findings[0])) == ("", "")
    assert 'class="spark"' not in render(report)


def test_a_run_keeps_its_findings_and_compares_with_the_last_one(run: Run, broken: ApiServer, tmp_path: Path) -> None:
    options = ("-v", f"--history={tmp_path}/runs", "--only-new")
    first = run(*options, checks=["startup-error"])
    assert first.ret == 1
    assert f"no earlier run in {tmp_path}/runs to compare with: nothing is new or resolved" in first.stdout.str()
    second = run(*options, checks=["startup-error"])
    assert second.ret == 0
    assert "0 new, 1 ongoing, 0 resolved" in second.stdout.str()
    (tmp_path / "file").touch()
    refused = run(f"--history={tmp_path}/file", checks=["startup-error"])
    assert refused.ret == 4
    assert "file cannot be used: it is not a folder" in refused.stderr.str()
