"""The roll-up of many clusters, from findings files that are built in memory."""

import json
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from markdown_it import MarkdownIt
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from kubevitals.diagnosis.result import json_schema
from kubevitals.diagnosis.verdict import Outcome, Verdict
from kubevitals.errors import NotObserved
from kubevitals.findings.finding import Severity
from kubevitals.fleet import compare, wording
from kubevitals.fleet.clusters_file import Listed
from kubevitals.fleet.markdown import markdown
from kubevitals.fleet.metrics import openmetrics
from kubevitals.fleet.page import page
from kubevitals.fleet.result import Rollup, State
from kubevitals.plugin import command
from tests.fakes import NOW
from tests.findings import finding, verdict
from tests.fleets import CRASH, PREMIUM, by_name, report, rolled_up, write
from tests.runs import checks_in

pytest_plugins = ["pytester"]

UNREACHABLE = verdict("api-server[unreachable]", finding("APIServer/kube-apiserver", says="does not answer"))
NOTHING = verdict("startup-error[app-exit]", unseen=NotObserved("forbidden", "list pods"))
OLD = NOW - timedelta(days=3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five clusters: two with the same fault, one healthy, one stale, one that does not answer."""
    write(tmp_path, "a.json", report(PREMIUM, CRASH, context="prod-a", uid="ua"))
    write(tmp_path, "b.json", report(PREMIUM, context="prod-b", uid="ub", version="v1.33.0"))
    write(tmp_path, "c/findings.json", report(context="in-cluster", uid="uc"))
    write(tmp_path, "c/health.html", "<p>")
    write(tmp_path, "d.json", report(CRASH, context="prod-d", uid="ud", taken=OLD))
    write(tmp_path, "e.json", report(UNREACHABLE, context="prod-e"))
    return tmp_path


def test_each_cluster_has_a_state_and_the_same_fault_is_one(folder: Path) -> None:
    result = rolled_up(folder)
    clusters = by_name(result)
    assert {name: cluster.state for name, cluster in clusters.items()} == {
        "prod-a": State.BROKEN,
        "prod-b": State.BROKEN,
        "prod-e": State.UNREACHABLE,
        "prod-d": State.STALE,
        "c": State.HEALTHY,
    }
    assert clusters["c"].link == "c/health.html"
    assert clusters["prod-d"].reason == "its findings are 3d old, and its period is 1d2h"
    premium = next(fault for fault in result.faults if fault.objects == "StorageClass/premium")
    assert (str(premium), premium.clusters) == ("StorageClass/premium: does not exist", ["ua", "ub"])
    assert wording.heading(result) == "Broken: 2 of 5 clusters (1 unreachable, 1 stale, 1 healthy)"
    crash = next(fault for fault in result.faults if fault.says == "exits")
    line = wording.fault_line(crash, {cluster.id: cluster for cluster in result.clusters})
    assert line == "Pod/shop/web-0: exits: 2 clusters (prod-a, prod-d; 1 stale)"


def test_a_listed_cluster_without_findings_is_not_healthy(folder: Path) -> None:
    """A file with another uid than that of the clusters file is refused; a file from the wrong place is not."""
    listed = [
        Listed(name="prod-a", uid="another", group="prod"),
        Listed(name="renamed", uid="ub", group="prod", owner="shop", link="https://b.example/"),
        Listed(name="prod-d", period="7d", group="prod", owner="shop"),
        Listed(name="prod-z", group="prod"),
        Listed(name="c", group="prod"),
    ]
    result = rolled_up(folder, listed)
    clusters = by_name(result)
    assert {name: cluster.state for name, cluster in clusters.items()} == {
        "renamed": State.BROKEN,
        "prod-d": State.BROKEN,
        "prod-e": State.UNREACHABLE,
        "prod-z": State.NO_REPORT,
        "prod-a": State.UNUSABLE,
        "c": State.HEALTHY,
    }
    assert clusters["prod-a"].reason == (
        "a.json is about another cluster: its kube-system uid is ua, and the clusters file says another"
    )
    assert clusters["renamed"].link == "https://b.example/"
    assert clusters["prod-e"].notes == ["is not in the clusters file"]
    (group,), (owner,) = result.groups, result.owners
    assert (owner.name, owner.states, owner.faults) == ("shop", {State.BROKEN: 2}, 2)
    lines = [wording.difference_line(d, {c.id: c for c in result.clusters}) for d in group.differences]
    assert sorted(lines) == [
        "Kubernetes v1.33.0: only in renamed (not in 2 others)",
        "Pod/shop/web-0: exits: only in prod-d (not in 2 others)",
        "StorageClass/premium: does not exist: only in renamed (not in 2 others)",
    ]


def test_a_check_that_could_not_see_makes_no_difference_and_resolves_nothing(folder: Path) -> None:
    before = _saved(folder, rolled_up(folder))
    write(folder, "a.json", report(NOTHING, context="prod-a", uid="ua"))
    write(folder, "b.json", report(CRASH, context="prod-b", uid="ub"))
    result = rolled_up(folder, earlier=compare.load(before))
    changes = result.changes
    assert changes
    premium, exits = "StorageClass/premium", "Pod/shop/web-0"
    assert {(past.objects, *past.clusters) for past in changes.resolved} == {(premium, "ua", "ub")}
    assert {(past.objects, *past.clusters) for past in changes.unconfirmed} == {(exits, "ua")}
    (crash,) = [fault for fault in result.faults if fault.says == "exits"]
    assert (crash.status, crash.new_in, changes.new) == ("spread", ["ub"], 1)
    assert [(turn.cluster, turn.before, turn.now) for turn in changes.turns] == [("ua", "broken", "healthy")]
    listed = [Listed(name=name, group="prod") for name in ("prod-a", "prod-b", "c")]
    (group,) = rolled_up(folder, listed).groups
    assert [(d.what, d.clusters, d.others) for d in group.differences] == [("Pod/shop/web-0: exits", ["ub"], 1)]
    assert by_name(result)["prod-a"].reason == "1 of 2 checks could not see everything"
    write(folder, "a.json", replace(report(NOTHING, context="prod-a", uid="ua"), outcome=Outcome.NOT_OBSERVED))
    blind = by_name(rolled_up(folder))["prod-a"]
    assert (blind.state, blind.reason) == (State.NOT_OBSERVED, "forbidden (missing right: list pods)")


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ((), "Healthy: all of 1 cluster"),
        ((NOTHING,), "No fault in what was observed: in 1 of 1 cluster, some checks could not see everything"),
    ],
    ids=["complete", "blind"],
)
def test_healthy_is_said_only_where_all_was_seen(verdicts: tuple[Verdict, ...], says: str, tmp_path: Path) -> None:
    write(tmp_path, "a.json", report(*verdicts, context="a"))
    assert wording.heading(rolled_up(tmp_path)) == says


def _saved(folder: Path, result: Rollup) -> Path:
    path = folder.parent / "rollup.json"
    path.write_bytes(msgspec.json.encode(result))
    return path


def test_a_cluster_that_is_gone_stays_a_row(folder: Path) -> None:
    """The JSON of a roll-up among the findings files is no cluster; an unreachable cluster is known by its name."""
    before = _saved(folder, rolled_up(folder))
    (folder / "a.json").unlink()
    write(folder, "b.json", report(UNREACHABLE, context="prod-b"))
    write(folder, "fleet.json", before.read_bytes())
    result = rolled_up(folder, earlier=compare.load(before))
    clusters = by_name(result)
    assert (len(clusters), clusters["prod-a"].state) == (5, State.NO_REPORT)
    assert clusters["prod-a"].reason == "was in the roll-up of 2026-03-01 12:00:00 UTC, and has no findings file now"
    assert clusters["prod-b"].state is State.UNREACHABLE
    assert result.changes
    assert not result.changes.resolved
    assert {id_ for past in result.changes.unconfirmed for id_ in past.clusters} == {"ua", "ub"}


def test_the_newest_of_several_files_counts_but_none_from_the_future(tmp_path: Path) -> None:
    write(tmp_path, "x/1.json", report(CRASH, context="x", uid="u", taken=OLD))
    write(tmp_path, "x/2.json", report(context="x", uid="u"))
    write(tmp_path, "x/3.json", report(CRASH, context="x", uid="u", taken=NOW + timedelta(days=400)))
    write(tmp_path, "x/4.json", '{"schema": 1')
    write(tmp_path, "y.json", report(context="y", uid="v", taken=NOW + timedelta(days=400)))
    result = rolled_up(tmp_path)
    clusters = by_name(result)
    assert (clusters["x"].state, clusters["x"].notes) == (
        State.HEALTHY,
        ["has 4 findings files: the newest counts, x/2.json"],
    )
    assert clusters["y"].state is State.STALE
    assert "400d in the future: a clock is wrong" in clusters["y"].reason
    assert result.remarks[0].startswith("refused: x/4.json is not a findings file of kubevitals: ")
    assert result.remarks[1:] == ["1 cluster with several findings files: the newest of each counts"]


def test_two_clusters_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """A file without a uid could be about either."""
    write(tmp_path, "1.json", report(CRASH, context="kind", uid="11111111-a"))
    write(tmp_path, "2.json", report(context="kind", uid="22222222-b"))
    write(tmp_path, "3.json", report(UNREACHABLE, context="kind"))
    assert {name: cluster.state for name, cluster in by_name(rolled_up(tmp_path)).items()} == {
        "kind (11111111)": State.BROKEN,
        "kind (22222222)": State.HEALTHY,
        "kind (uid not known)": State.UNREACHABLE,
    }


HOSTILE = "</script><script>alert(1)</script>\x1b[31m\u202e| `x` {{ 7 * 7 }}" + "y" * 5000


def test_nothing_that_a_file_says_acts_in_any_report(tmp_path: Path) -> None:
    bad = verdict("a[b]", finding(f"Node/{HOSTILE}", says=HOSTILE, remedy=HOSTILE))
    whole = report(bad, context=HOSTILE, uid=HOSTILE, version=HOSTILE)
    root = replace(whole.roots[0], says=HOSTILE, objects=HOSTILE, check=HOSTILE)
    write(tmp_path, "x.json", replace(whole, roots=[root]))
    listed = [Listed(name=HOSTILE, group=HOSTILE, owner=HOSTILE)]
    result = rolled_up(tmp_path, listed)
    html, prose = page(result), markdown(result)
    assert "<script" not in html
    assert "{{" not in html.replace("{{ 7 * 7 }}", "")
    assert "script-src &#39;none&#39;" in html
    assert "<script" not in MarkdownIt("commonmark").render(prose)
    for text in (html, prose, openmetrics(result), msgspec.json.encode(result).decode()):
        assert not {"\x1b", "\u202e"} & set(text)
    assert max(len(cluster.name) for cluster in result.clusters) <= 200


def test_metrics_have_no_roots_of_clusters_that_were_not_looked_at(folder: Path) -> None:
    families = {family.name: family for family in text_string_to_metric_families(openmetrics(rolled_up(folder)))}
    roots = {
        (sample.labels["cluster"], sample.labels["severity"]): sample.value
        for sample in families["kubevitals_fleet_cluster_roots"].samples
    }
    assert roots == {
        ("prod-a", "error"): 2,
        ("prod-a", "warning"): 0,
        ("prod-b", "error"): 1,
        ("prod-b", "warning"): 0,
        ("c", "error"): 0,
        ("c", "warning"): 0,
    }


def test_the_schema_is_up_to_date() -> None:
    schema = Path(__file__).parents[1] / "docs/fleet.schema.json"
    assert schema.read_text() == json_schema(Rollup), "run: tools/schema fleet > docs/fleet.schema.json"


@pytest.mark.parametrize(
    ("outcome", "state"),
    [(Outcome.WARNED, "warned"), (Outcome.KNOWN, "known"), (Outcome.NOT_APPLICABLE, "not observed")],
)
def test_an_outcome_is_a_state(outcome: Outcome, state: str, tmp_path: Path) -> None:
    write(tmp_path, "x.json", replace(report(context="x"), outcome=outcome))
    assert [cluster.state for cluster in rolled_up(tmp_path).clusters] == [state]


def test_the_command_writes_every_report_and_selects_by_owner(
    folder: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "2000")
    clusters = [{"name": "prod-a", "owner": "shop"}, {"name": "prod-b"}, {"name": "prod-z", "owner": "shop"}]
    Path("clusters.yaml").write_text(json.dumps({"clusters": clusters}))
    files = ("--findings=fleet.json", "--markdown=fleet.md", "--metrics=fleet.prom", "--html=fleet.html")
    options = (f"--findings-dir={folder}", "--clusters=clusters.yaml", f"--now={NOW.isoformat()}", *files)
    result = pytester.runpytest_inprocess(*command.OF_FLEET, "-v", "-k", "shop", "--junitxml=junit.xml", *options)
    assert result.ret == 1
    assert [line.split()[0:2] for line in result.outlines if line.startswith("fleet::")] == [
        ["fleet::prod-a", "BROKEN"],
        ["fleet::prod-z", "NO"],
    ]
    output = result.stdout.str()
    assert "error: StorageClass/premium: does not exist: 1 cluster (prod-a)\n  remedy: fix it" in output
    assert "prod-z: no report: has no findings file" in output
    assert "Broken: 1 of 2 clusters (1 no report)" in output
    rolled = msgspec.json.decode(Path("fleet.json").read_bytes(), type=Rollup)
    assert rolled.remarks[0] == "2 of 6 clusters selected"
    assert [cluster.name for cluster in rolled.clusters] == ["prod-a", "prod-z"]
    assert Path("fleet.md").read_text().startswith("## Broken: 1 of 2 clusters")
    assert "kubevitals_fleet_clusters" in Path("fleet.prom").read_text()
    assert "<h1>" in Path("fleet.html").read_text()
    assert "StorageClass/premium: does not exist</failure>" in Path("junit.xml").read_text()


@pytest.mark.parametrize(
    ("options", "code", "line"),
    [
        ((), 4, "ERROR: a roll-up needs the findings files of all clusters: add --findings-dir PATH"),
        (("--findings-dir=x", "-k", "prod-e"), 10, "Nothing broken in what was seen, but unreachable: 1 of 1 cluster"),
    ],
    ids=["no folder", "unreachable"],
)
def test_exit_codes(options: tuple[str, ...], code: int, line: str, folder: Path, pytester: pytest.Pytester) -> None:
    Path("x").symlink_to(folder)
    result = pytester.runpytest_inprocess(*command.OF_FLEET, f"--now={NOW.isoformat()}", *options)
    assert result.ret == code
    assert line in [*result.outlines, *result.errlines]


def test_a_run_of_checks_is_no_roll_up(folder: Path, pytester: pytest.Pytester) -> None:
    result = pytester.runpytest_inprocess(*checks_in(["jobs"]), "--snapshot=demo", f"--findings-dir={folder}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "ERROR: --findings-dir is for roll-ups: " in result.stderr.str()


def test_severity_is_the_gravest_and_known_only_where_all_are(tmp_path: Path) -> None:
    warning = verdict("a[b]", finding("Node/a", severity=Severity.WARNING))
    write(tmp_path, "x.json", report(warning, context="x"))
    one = report(verdict("a[b]", finding("Node/a")), context="y")
    write(tmp_path, "y.json", replace(one, roots=[replace(one.roots[0], known=True)]))
    (fault,) = rolled_up(tmp_path).faults
    assert (fault.severity, fault.known, fault.clusters) == (Severity.ERROR, False, ["y", "x"])
