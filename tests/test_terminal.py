"""What a person reads in the terminal: the verdict last, in few words, whatever pytest's options leave out."""

import re
from pathlib import Path

import pytest

from kubevitals.errors import EXIT_NOT_OBSERVED
from tests.fakes import ApiServer, Reply, status_json
from tests.runs import CHECKS, Run, crashing

pytest_plugins = ["pytester"]

TWO_FAULTS = f"--snapshot={CHECKS.parent / 'scenarios/recordings/two-faults-at-once.recording'}"
COREDNS = "Deployment/kube-system/coredns: does not serve DNS: its Corefile has an error"
NODE = "Node/kubevitals-7bb40c-worker2: has no network for pods: KubeletNotReady: "
EVIDENCE = "    | log: /etc/coredns/Corefile:13 - Error during parsing: Unknown directive 'forwrd'"


@pytest.mark.parametrize("options", [[], ["-q"], ["-qq"], ["-v"], ["--tb=no"], ["-rA"], ["--no-summary"]])
def test_the_verdict_is_the_last_that_is_shown(run: Run, options: list[str]) -> None:
    lines = [line for line in run(TWO_FAULTS, *options).outlines if not re.search(r" in [\d.]+s", line)]
    assert re.match(r"\d+ healthy, \d+ broken, \d+ not observed", lines[-4])
    assert lines[-3].startswith(f"start with: {NODE}")
    assert lines[-2:] == [
        "  remedy: restart the CNI's pod on the node: usually it then writes its configuration and routes again",
        "  look:   kubectl -n kube-system logs pod/kindnet-b76k2 --tail=50",
    ]


def test_a_quiet_run_has_the_diagnosis_and_a_very_quiet_one_has_not(run: Run) -> None:
    diagnosis = "*= diagnosis: broken: 2 root causes, with 4 symptoms =*"
    run(TWO_FAULTS, "-q").stdout.fnmatch_lines(
        [diagnosis, COREDNS, "  cluster-dns[[]failing]", "  explains 2 symptoms:"]
    )
    run(TWO_FAULTS, "-qq").stdout.no_fnmatch_line(diagnosis)


def test_a_line_is_all_that_is_shown_of_a_failure_where_no_more_is_asked_for(run: Run) -> None:
    lines = run(TWO_FAULTS, "--tb=line").outlines
    assert f"cluster-dns[failing]: {COREDNS}" in lines
    assert EVIDENCE not in lines
    assert EVIDENCE in run(TWO_FAULTS, "--tb=short").outlines


def test_what_is_not_observed_for_one_reason_is_told_by_cause(run: Run) -> None:
    lines = run(TWO_FAULTS).outlines
    (reason,) = [number for number, line in enumerate(lines) if line == "the recorded run had no probe"]
    dns = "service-unreachable, pod-unreachable, resolv-conf-pod, resolv-conf-node, upstream"
    assert lines[reason + 1] == (
        f"  affects cluster-dns[{dns}], cni-daemonset[no-route], conntrack, dns-answer[wrong-answer], "
        "kube-proxy[rules-wrong, node-port], node-limits[open-files, threads]"
    )


def test_who_may_see_nothing_is_not_told_that_the_cluster_is_healthy(run: Run, server: ApiServer) -> None:
    server.otherwise = Reply(status_json("it is forbidden"), 403)
    result = run()
    assert result.ret == EXIT_NOT_OBSERVED
    result.stdout.fnmatch_lines(
        [
            "2 healthy, * not observed",
            "nothing was observed: this run says nothing about the cluster",
            "most common reason: it is forbidden (missing right: list pods)",
        ]
    )
    assert "Healthy" not in Path("reports/health.html").read_text().partition('id="pytest"')[0]
    assert run("-k", "test_api_server").ret == 0


def test_credentials_that_have_expired_are_what_is_told_in_the_end(
    run: Run, server: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    server.otherwise = Reply(status_json("Unauthorized"), 401)
    server.script("/readyz", server.otherwise)
    result = run("--markdown=summary.md")
    assert result.ret == EXIT_NOT_OBSERVED
    told = "the API server rejects the credentials (401): they are wrong or have expired; log in again"
    assert result.outlines[-3] == f"most common reason: {told}"
    assert (
        f"::error title=not observed::Not observed: this run says nothing about the cluster: {told}" in result.outlines
    )
    assert f"<b>Most common reason:</b> {told}" in Path("reports/health.html").read_text()
    assert "**Most common reason:** the API server rejects the credentials" in Path("summary.md").read_text()


def test_commands_are_for_the_context_that_was_named(run: Run, healthy: ApiServer) -> None:
    healthy.serve("/api/v1/pods", crashing("web-0"))
    for options, command in ([], "kubectl -n shop"), (["--context=fake"], "kubectl --context fake -n shop"):
        run(*options).stdout.fnmatch_lines([f"  look:   {command} *web-0*"])
        assert f"{command} " in Path("findings.json").read_text()


def test_checks_are_not_spread_over_processes(run: Run, server: ApiServer, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        worker="def pytest_configure(config): config.workerinput = {}\n"
        "def pytest_sessionfinish(session): print(f'stopped: {session.shouldstop}')\n"
    )
    pytester.syspathinsert()
    run("-p", "worker", "-s").stdout.fnmatch_lines(["*stopped: checks share what they read*omit -n*"])
    assert server.requests == []


def test_a_known_issue_of_a_variant_that_there_is_not_is_reported(run: Run, healthy: ApiServer) -> None:
    issue = '[[issue]]\ncheck = "startup-error[{}]"\nobject = "*"\nreason = "next sprint"\nuntil = 9999-01-01\n'
    Path("known-issues.toml").write_text("".join(map(issue.format, ("app-exit", "app-exits"))))
    lines = run("-k", "bad-command or node").outlines
    assert [line for line in lines if line.startswith("known issue")] == [
        "known issue names a check that does not exist: startup-error[app-exits] on *: next sprint (until 9999-01-01)"
    ]


@pytest.mark.parametrize("option", ["--compare", "--known-issues", "--record", "--findings"])
def test_an_empty_path_is_not_the_current_folder(run: Run, server: ApiServer, option: str) -> None:
    result = run(f"{option}=")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*error: argument {option}: the path is empty: give a path, or omit the option"])
    assert server.requests == []
