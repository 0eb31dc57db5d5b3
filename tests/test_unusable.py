"""Options, files and environments that cannot be used: one line says so, before anything is asked or written."""

import json
import re
from pathlib import Path

import pytest

from tests.fake_server import ApiServer
from tests.runs import Run, checks_in

pytest_plugins = ["pytester"]

UNUSABLE = {
    "unknown context": (["--context=other"], r"the kubeconfig .* has no context other; its contexts: fake"),
    "nearly a context": (["--context=fakes"], r'it has no context fakes \(did you mean "fake"\?\); its contexts: fake'),
    "no context": (["--context="], "--context is empty: give a value, or omit the option"),
    "no snapshot": (["--snapshot="], "--snapshot is empty: give a value, or omit the option"),
    "a recording and a cluster": (["--snapshot=demo", "--context=fake"], "--context .* --snapshot .*: omit one"),
    "no recording": (["--snapshot=absent"], "absent cannot be read: No such file or directory"),
    "broken recording": (["--snapshot=broken"], "broken is not a kubevitals recording"),
    "record a recording": (["--snapshot=broken", "--record=x"], "--record needs a cluster"),
    "record nowhere": (["--record=absent/x"], "the recording cannot be written to absent/x: No such file"),
    "record a folder": (["--record=."], r"the recording cannot be written to \.: it is not a regular file"),
    "no known issues": (["--known-issues=absent"], "the known issues absent cannot be read"),
    "broken known issues": (["--known-issues=broken"], "the known issues broken cannot be used"),
    "unknown threshold": (
        ["--threshold=pod.stack=5m"],
        r"--threshold pod\.stack=5m: no such threshold \(did you mean \"pod\.stuck\"\?\); there are: .*pod\.stuck",
    ),
    "bad threshold": (
        ["--threshold=pod.stuck=soon"],
        r"--threshold pod\.stuck=soon: give a number such as 60, or a duration",
    ),
    "bad time limit": (["--request-timeout=soon"], "--request-timeout: 'soon' is not a duration"),
    "no time at all": (["--request-timeout=0"], "--request-timeout: give more than 0"),
    "too much time": (["--request-timeout=999999999d"], "--request-timeout: give .* at most 3600 s"),
    "only new of what": (["--only-new"], "--only-new needs an earlier run to compare with: add --compare"),
    "compare with nothing": (["--compare=absent"], "--compare absent cannot be read: No such file or directory"),
    "compare with what is none": (["--compare=broken"], "broken is not a findings file of kubevitals"),
    "findings into a folder": (["--findings=."], r"--findings \. cannot be written: Is a directory"),
    "bad CNI": (["--cni-daemonset=kindnet"], "--cni-daemonset kindnet: give NAMESPACE/NAME"),
    "bad later": (["--snapshot=broken", "--later=soon"], "--later: 'soon' is not a duration"),
    "later live": (["--later=1h"], "--later sets the time of a recording or bundle: add --snapshot"),
    "now live": (["--now=2026-03-01"], "--now sets the time of a recording or bundle: add --snapshot"),
    "now of a recording": (["--snapshot=demo", "--now=2026-03-01"], "--now sets the time of a support bundle"),
    "a folder without objects": (["--snapshot=."], "holds no objects of Kubernetes in JSON or YAML"),
}


@pytest.mark.parametrize(("options", "message"), UNUSABLE.values(), ids=UNUSABLE)
def test_what_cannot_be_used_is_one_line_and_exit_code_4(
    run: Run, server: ApiServer, options: list[str], message: str
) -> None:
    Path("broken").write_text("[[issue")
    _is_refused(run(*options, checks=["node-ready"]), message)
    assert server.requests == []
    assert not Path("x").exists()


def test_without_a_kubeconfig_the_user_is_told_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBECONFIG")
    _is_refused(run(checks=["node-ready"]), "no cluster to check: set KUBECONFIG")


def _is_refused(result: pytest.RunResult, message: str) -> None:
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert re.fullmatch(f"ERROR: .*{message}.*", line)
    assert "Traceback" not in result.stdout.str()


def test_what_is_refused_leaves_every_report_as_it_was(run: Run, broken: ApiServer) -> None:
    one = ["startup-error"]
    run("--findings=other.json", checks=one)
    other = json.loads(Path("other.json").read_bytes()) | {"cluster": {"context": "other"}}
    Path("other.json").write_text(json.dumps(other))
    kept = {path: path.read_bytes() for path in (Path("reports/health.html"), Path("other.json"))}
    result = run("--compare=other.json", "--findings=other.json", checks=one)
    _is_refused(result, "the findings file is about another cluster, other")
    assert {path: path.read_bytes() for path in kept} == kept


def test_a_run_of_its_own_that_is_refused_has_the_exit_code_and_the_error_on_stderr(
    pytester: pytest.Pytester, run: Run
) -> None:
    """That of a run that finds a fault is 1: test_a_run_on_the_shop_fails."""
    del run
    (file,) = checks_in(["api-server"])
    _is_refused(pytester.runpytest_subprocess(file, "--context=other"), "has no context other")
