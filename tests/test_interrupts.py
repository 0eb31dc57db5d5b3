"""Ctrl-C and SIGTERM: what was seen so far is reported, marked as partial, and the run ends soon."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Event

import pytest

from kubevitals.diagnosis.history import read
from kubevitals.diagnosis.result import Report
from kubevitals.diagnosis.verdict import Outcome
from kubevitals.findings.check_names import cause_in
from kubevitals.source.recording import Snapshot
from kubevitals.source.request import Request
from tests.fake_server import ApiServer, Handler, Reply
from tests.networks import node
from tests.runs import checks_in, crashing, log_path

pytest_plugins = ["pytester"]

DEADLINE = 60
"""Seconds that a run may take to begin, or to end: ten times what it takes on a machine that is busy."""

REPORTS = ("findings.json", "reports/health.html", "metrics.prom", "summary.md", "junit.xml", "cluster.recording")

Start = Callable[..., subprocess.Popen[str]]


class Stuck:
    """A request that is never answered.

    Attributes:
        asked: set once it was made.
    """

    def __init__(self, server: ApiServer) -> None:
        self._server, self.asked = server, Event()

    def __call__(self, handler: Handler) -> None:
        """Hang."""
        self.asked.set()
        self._server.hang(handler)


@pytest.fixture
def stuck(server: ApiServer) -> Stuck:
    """A cluster with a pod that crashes, and something that can be made to hang."""
    server.serve("/api/v1/nodes", node("worker"))
    server.serve("/api/v1/pods", crashing("web-0"))
    server.script(log_path("web-0"), Reply(b"cannot open config\n"))
    return Stuck(server)


@pytest.fixture
def start(tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts runs in processes of their own."""
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    monkeypatch.chdir(tmp_path)
    started: list[subprocess.Popen[str]] = []

    def start(*options: str, checks: Sequence[str]) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "pytest", *map(str, checks_in(checks)), "--request-timeout=2"]
        files = [
            f"--{name}={file}"
            for name, file in zip(
                ("findings", "metrics", "markdown", "junitxml", "record"), (REPORTS[0], *REPORTS[2:]), strict=True
            )
        ]
        started.append(
            subprocess.Popen([*command, *files, *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        )
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def interrupted(process: subprocess.Popen[str], stuck: Stuck, number: signal.Signals) -> tuple[Report, str]:
    """Interrupt a run once it hangs; return what it reports, and what it says."""
    assert stuck.asked.wait(DEADLINE), process.communicate()
    process.send_signal(number)
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
    assert [file for file in REPORTS if not Path(file).stat().st_size] == []
    return read(Path("findings.json")), said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_judged_so_far_is_reported_as_partial(
    server: ApiServer, stuck: Stuck, start: Start, number: signal.Signals
) -> None:
    server.script("/api/v1/nodes/worker/proxy/stats/summary", stuck)
    report, said = interrupted(start(checks=["startup-error", "storage-full"]), stuck, number)
    assert [root.objects for root in report.roots] == ["Pod/shop/web-0"]
    assert {cause_in(item.check) for item in report.items} == {"startup-error"}
    assert report.unjudged[0] == "storage-full[volume]"
    assert f"interrupted: {number.name}" in report.remarks
    judged = len(report.items)
    verdict = f"Partial: {judged} of {judged + len(report.unjudged)} checks judged. Broken: 1 root cause"
    assert verdict in said
    assert verdict in Path("reports/health.html").read_text()
    assert "storage-full\\[volume]" in Path("summary.md").read_text()
    assert "kubevitals_unjudged 4" in Path("metrics.prom").read_text()
    assert Snapshot(Path("cluster.recording")).get(Request("/api/v1/pods?limit=1000&resourceVersion=0")).status == 200


def test_a_run_that_is_stopped_while_it_lists_waits_for_nothing(server: ApiServer, stuck: Stuck, start: Start) -> None:
    server.script("/api/v1/pods", stuck)
    report, said = interrupted(start(checks=["node-ready"]), stuck, signal.SIGTERM)
    assert report.items == []
    assert report.outcome is Outcome.NOT_OBSERVED
    assert report.cluster.pods is None
    assert re.search(r"^Partial: 0 of \d+ checks judged. Nothing broken so far", said, re.MULTILINE)


def test_a_run_that_is_stopped_while_it_collects_asks_for_nothing(
    start: Start, server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stop.py").write_text("def pytest_collection_modifyitems(): raise KeyboardInterrupt")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    process = start("-p", "stop", checks=["node-ready"])
    said, _ = process.communicate(timeout=DEADLINE)
    assert process.returncode == pytest.ExitCode.INTERRUPTED, said
    assert server.requests == []
