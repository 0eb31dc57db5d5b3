"""The commands kubevitals and kubectl vitals, and checks that are chosen by their names."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kubevitals.plugin import command, given_options
from kubevitals.version import __version__
from tests.fake_server import ApiServer
from tests.runs import Run

pytest_plugins = ["pytester"]

CHECKS = Path(__file__).parents[1] / "checks"

Command = Callable[..., pytest.RunResult]


@pytest.fixture
def kubevitals(pytester: pytest.Pytester) -> Command:
    """The command."""
    return lambda *arguments: pytester.runpytest_inprocess(*command.FIRST, *arguments, plugins=[command.ByName()])


@pytest.fixture
def project(pytester: pytest.Pytester) -> None:
    """Stand in a folder that is about something else."""
    pytester.makeconftest("raise RuntimeError('this project has nothing to do with it')")
    pytester.makeini("[pytest]\naddopts = --an-option-of-this-project\ntestpaths = absent")


def test_the_command_runs_the_installed_checks_that_are_named(
    kubevitals: Command, project: None, broken: ApiServer, kubeconfig: Path
) -> None:
    """The kubeconfig that is given is used, and is in the commands that are printed; pytest-kind is not there."""
    del project, broken
    named = ("startup-error[app-exit]", "-k", "nodes_are_ready or startup", "node-ready")
    result = kubevitals(f"--kubeconfig={kubeconfig}", "--kubelet", "none", "-v", *named)
    assert result.ret == 1
    ran = {line.partition(" ")[0] for line in result.outlines if "::" in line}
    of_nodes = [
        f"test_node_ready.py::test_nodes_are_ready[{variant}]" for variant in ("not-ready", "silent", "pressure")
    ]
    assert ran == {"test_startup_error.py::test_containers_start_and_stay[app-exit]", *of_nodes}
    assert f"kubectl --kubeconfig {kubeconfig} -n shop logs pod/web-0" in " ".join(result.stdout.str().split())
    assert Path("reports/health.html").exists()
    assert not Path(".pytest_cache").exists()


def test_an_unknown_name_is_one_line(kubevitals: Command, project: None, server: ApiServer) -> None:
    """It says which name is near, and nothing is asked for."""
    del project
    result = kubevitals("startup-error[app-exi]", "--snapshot=demo")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert line == 'ERROR: there is no check startup-error[app-exi] (did you mean "startup-error[app-exit]"?)'
    assert server.requests == []
    assert not Path("reports").exists()


def test_the_command_has_the_version_of_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["kubectl-vitals", "--version"])
    assert command.main() == 0
    assert capsys.readouterr().out == f"kubevitals {__version__}\n"


def test_names_of_checks_select_them_and_the_kubeconfig_option_of_pytest_kind_is_ours(
    run: Run, broken: ApiServer, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The option is declared once, by whichever plugin is there."""
    pytest.importorskip("pytest_kind")
    monkeypatch.delenv("KUBECONFIG")
    result = run(
        "-p",
        "pytest_kind.plugin",
        "--kubeconfig",
        kubeconfig,
        "--check=startup-error",
        "-k",
        "error[app-exit]",
        checks=["startup-error"],
    )
    assert result.ret == 1
    result.stdout.fnmatch_lines(["* 1 broken in *"])
    assert broken.requests


UNPARSABLE = {
    "--later -1h": "--later: give a value; one that begins with - is written --later=VALUE",
    "--snapshot": "--snapshot: give a value; one that begins with - is written --snapshot=VALUE",
    "--fail-on warnings": "--fail-on: invalid choice: 'warnings' .*",
    "--kubelet=indirect": "--kubelet: invalid choice: 'indirect' .*",
    "--findings=": "--findings: the path is empty: give a path, or omit the option",
    "--probe=yes": "--probe: ignored explicit argument 'yes'",
}


@pytest.mark.parametrize(("arguments", "message"), UNPARSABLE.items(), ids=UNPARSABLE)
def test_an_option_that_cannot_be_parsed_is_one_line(arguments: str, message: str) -> None:
    with pytest.raises(pytest.UsageError, match=f"^{message}$"):
        given_options.refuse_unparsable(["checks/", "-k", "x", "--color=no", *arguments.split()])


def test_an_option_that_is_misspelt_is_one_line(run: Run, server: ApiServer) -> None:
    """Those of other plugins are theirs to refuse."""
    result = run("--exclude-namespac=shop", checks=["api-server"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert line == 'ERROR: there is no option --exclude-namespac (did you mean "--exclude-namespace"?)'
    assert server.requests == []


def test_the_locale_need_not_be_one_of_utf_8(tmp_path: Path) -> None:
    """A locale's encoding, such as that of Windows, counts for what is read without an encoding."""
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0"}
    run = [sys.executable, "-m", "pytest", f"{CHECKS}", "--snapshot=demo", "-k", "jobs"]
    subprocess.run(run, cwd=tmp_path, env=ascii_only, check=True)
