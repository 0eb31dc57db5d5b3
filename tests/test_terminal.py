"""What a person reads in the terminal: one screen, and more of it with each -v."""

import re
from pathlib import Path

import pytest

from kubevitals import schema_pb2 as pb
from kubevitals.diagnosis.assemble import assemble
from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.reports.terminal import EVIDENCE, SHOWN, Level, lines_of
from kubevitals.reports.terminal import ROWS as ROWS_SHOWN
from tests.fake_server import ApiServer, Reply
from tests.fakes import CREATED, status_json
from tests.findings import finding, run_of, verdict
from tests.runs import CHECKS, Run, crashing

pytest_plugins = ["pytester"]

TWO_FAULTS = f"--snapshot={CHECKS.parent / 'scenarios/recordings/two-faults-at-once.recording'}"
CHOSEN = ("cni-daemonset", "cluster-dns", "node-ready", "startup-error")
VERDICT = "Broken: 2 root causes, with 3 symptoms"
ROWS = re.findall(r"^\| (`-\w+`|none) \|.*\| (.*) \|$", (CHECKS.parent / "docs/reports.md").read_text(), re.MULTILINE)
"""The options of the table of levels, and the beginnings of the lines that each adds."""


def told(lines: list[str]) -> list[str]:
    """Return the lines of the report, without those of pytest."""
    return [line for line in lines[lines.index(VERDICT) :] if not re.search(r" in [\d.]+s\b", line)]


def is_part(lines: list[str], of: list[str]) -> bool:
    """Return whether all lines are among the others, in the same order."""
    rest = iter(of)
    return all(line in rest for line in lines)


def test_each_level_adds_the_lines_that_the_documentation_names(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    below: list[str] = []
    seen = []
    for option, beginnings in ROWS:
        lines = told(run(TWO_FAULTS, *([] if option == "none" else [option.strip("`")]), checks=CHOSEN).outlines)
        assert is_part(below, lines), option
        assert (lines[0], lines[-1]) == (VERDICT, VERDICT)
        for beginning in re.findall(r"`(.*?)`", beginnings):
            assert any(line.startswith(beginning) for line in lines), (option, beginning)
            assert not any(line.startswith(beginning) for line in below), (option, beginning)
        assert not [line for line in lines if len(line) > 80 and " " in line.strip() and "look: " not in line]
        below = lines
        seen.append(option)
    assert seen == ["`-qq`", "`-q`", "none", "`-v`", "`-vv`"]


def test_pytest_lists_no_check_among_its_failures_but_its_other_tests(
    run: Run, pytester: pytest.Pytester, broken: ApiServer
) -> None:
    pytester.makepyfile(test_mine="def test_mine(): assert 1 == 2")
    result = run("test_mine.py", "-rA", checks=["startup-error"])
    text = result.stdout.str()
    assert result.ret == 1
    assert text.count("Pod/shop/web-0: ") == 1
    assert "assert 1 == 2" in text
    assert [line.partition("::")[2] for line in result.outlines if line.startswith("FAILED")] == [
        "test_mine - assert 1 == 2"
    ]


def test_no_option_of_pytest_hides_the_verdict(run: Run) -> None:
    assert told(run(TWO_FAULTS, "-qq", "--tb=no", "-rA", "--no-summary", checks=CHOSEN).outlines)[-1] == VERDICT


def test_the_dots_are_on_a_line_of_their_own_and_their_letters_are_told(run: Run) -> None:
    lines = run(TWO_FAULTS, checks=CHOSEN).outlines
    dots = next(number for number, line in enumerate(lines) if line.startswith("dots: . healthy, F broken, "))
    assert re.match(r"[.FwkoE-]+ ", lines[dots + 1])
    assert not [line for line in lines if line.startswith("checks/")]


def test_a_healthy_cluster_is_one_verdict_in_a_very_quiet_run(run: Run, healthy: ApiServer) -> None:
    lines = run("-qq", checks=["node-ready"]).outlines
    assert [line for line in lines[1:] if line] == ["Healthy: nothing found"]


def test_of_very_many_roots_ten_are_shown_and_evidence_is_bounded() -> None:
    lines = ["x" * 900] * 60
    crowd = [finding(f"Pod/crowd/{n}", says=f"is broken in way {n}.", evidence=lines) for n in range(30)]
    run = run_of(verdict("pod[broken]", *crowd))
    run.report = assemble(run)
    shown = list(lines_of(run, 80))
    roots = [line.level for line in shown if line.text.startswith("error: ")]
    assert (roots.count(Level.Q), roots.count(Level.VV)) == (SHOWN, 30 - SHOWN)
    assert [line.text for line in shown if line.text.startswith("and ")] == ["and 20 more root causes (-vv shows all)"]
    assert sum(len(line.text) for line in shown if line.text.startswith("| ")) <= EVIDENCE + 1000


def test_names_are_not_broken_and_long_texts_are_cut_until_more_is_asked_for() -> None:
    name = f"Pod/shop/{'a' * 63}-{'b' * 63}"
    run = run_of(verdict("pod[broken]", finding(name, says="fails " * 60, look=f"kubectl describe {name} " + "x" * 60)))
    run.report = assemble(run)
    lines = list(lines_of(run, 80))
    (root,) = (line for line in lines if line.level == Level.Q)
    rows = root.rows(80)
    assert name in rows[1]
    assert len(rows) == ROWS_SHOWN
    assert rows[-1].endswith(" …")
    (full,) = (line for line in lines if line.text.startswith("in full: "))
    assert full.level == Level.V
    assert " ".join(" ".join(full.rows(80)).split()).count("fails") == 60
    (look,) = (line for line in lines if line.text.startswith("look: "))
    assert len(look.rows(80)) == 1


ASKED = {
    "a DaemonSet": ("--cni-daemonset=kube-system/absent", "cni-daemonset", "there is no DaemonSet kube-system/absent"),
    "names of Secrets": ("--secret-names", "config-mount", "forbidden: no secrets (missing right: list secrets)"),
}


@pytest.mark.parametrize(("option", "check", "reason"), ASKED.values(), ids=ASKED)
def test_what_was_asked_for_and_cannot_be_done_comes_after_the_verdict_and_fails_the_run(
    run: Run, healthy: ApiServer, option: str, check: str, reason: str
) -> None:
    secret = pb.EnvFromReference(localObjectReference=pb.LocalObjectReference(name="password"))
    container = pb.Container(name="app", envFrom=[pb.EnvFromSource(secretRef=secret)])
    template = pb.PodTemplateSpec(spec=pb.PodSpec(containers=[container]))
    metadata = pb.ObjectMeta(name="web", namespace="shop", creationTimestamp=CREATED)
    healthy.serve(
        "/apis/apps/v1/deployments",
        pb.Deployment(metadata=metadata, spec=pb.DeploymentSpec(replicas=1, template=template)),
    )
    healthy.script("/api/v1/secrets", Reply(status_json("no secrets"), 403))
    result = run(option, "-qq", checks=[check])
    assert result.ret == EXIT_NOT_OBSERVED
    verdicts = [
        n for n, line in enumerate(result.outlines) if line.startswith(("No fault in what was", "Not observed"))
    ]
    assert result.outlines[verdicts[0] + 1].startswith("asked for, but not observed (")
    assert reason in result.outlines[verdicts[0] + 1]


def test_who_may_see_nothing_is_not_told_that_the_cluster_is_healthy(run: Run, server: ApiServer) -> None:
    server.otherwise = Reply(status_json("it is forbidden"), 403)
    result = run()
    assert result.ret == EXIT_NOT_OBSERVED
    result.stdout.fnmatch_lines(
        [
            "Not observed: this run says nothing about the cluster",
            "not observed (* checks): it is forbidden (missing right: list pods)",
        ]
    )
    assert "Healthy" not in Path("reports/health.html").read_text().partition('id="pytest"')[0]
    assert run(checks=["api-server"]).ret == 0


def test_credentials_that_have_expired_are_the_first_reason(
    run: Run, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    server.otherwise = Reply(status_json("Unauthorized"), 401)
    server.script("/readyz", server.otherwise)
    result = run("--markdown=summary.md", checks=["api-server", "node-ready", "startup-error"])
    assert result.ret == EXIT_NOT_OBSERVED
    told = "the API server rejects the credentials (401): they are wrong or have expired; log in again"
    result.stdout.fnmatch_lines(["Not observed: *", f"not observed (* checks): {told}"])
    assert (
        f"::error title=not observed::Not observed: this run says nothing about the cluster: {told}" in result.outlines
    )
    assert f"<b>Most common reason:</b> {told}" in Path("reports/health.html").read_text()
    assert "**Most common reason:** the API server rejects the credentials" in Path("summary.md").read_text()


def test_commands_are_for_the_context_that_was_named(run: Run, healthy: ApiServer) -> None:
    healthy.serve("/api/v1/pods", crashing("web-0"))
    for options, command in ([], "kubectl -n shop"), (["--context=fake"], "kubectl --context fake -n shop"):
        run(*options, "-v", checks=["startup-error"]).stdout.fnmatch_lines([f"  look: {command} *web-0*"])
        assert f"{command} " in Path("findings.json").read_text()


def test_checks_are_not_spread_over_processes(run: Run, server: ApiServer, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        worker="def pytest_configure(config): config.workerinput = {}\n"
        "def pytest_sessionfinish(session): print(f'stopped: {session.shouldstop}')\n"
    )
    pytester.syspathinsert()
    run("-p", "worker", "-s", checks=["node-ready"]).stdout.fnmatch_lines(
        ["*stopped: checks share what they read*omit -n*"]
    )
    assert server.requests == []


def test_a_known_issue_of_a_variant_that_there_is_not_is_reported(run: Run, healthy: ApiServer) -> None:
    issue = '[[issue]]\ncheck = "startup-error[{}]"\nobject = "*"\nreason = "next sprint"\nuntil = 9999-01-01\n'
    Path("known-issues.toml").write_text("".join(map(issue.format, ("app-exit", "app-exits"))))
    lines = run("-k", "bad-command or node", checks=["startup-error", "node-ready"]).outlines
    assert [line for line in lines if line.startswith("known issue")] == [
        "known issue names a check that does not exist: startup-error[app-exits] on *: next sprint (until 9999-01-01)"
    ]


@pytest.mark.parametrize("option", ["--compare", "--known-issues", "--record", "--findings"])
def test_an_empty_path_is_not_the_current_folder(run: Run, server: ApiServer, option: str) -> None:
    result = run(f"{option}=", checks=["node-ready"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {option}: the path is empty: give a path, or omit the option"])
    assert server.requests == []
