"""The files of reports: what is there already is followed, written to or refused, and never replaced by a file."""

import json
import os
import stat
from pathlib import Path
from threading import Thread

import pytest

from kubevitals.reports import atomic_file
from tests.fake_server import ApiServer
from tests.runs import Run

pytest_plugins = ["pytester"]


def test_a_link_stays_and_its_target_is_written(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "reports" / "health.json"
    target.parent.mkdir()
    target.write_text("old")
    link.symlink_to(target)
    atomic_file.write(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_link_to_nothing_creates_its_target(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "new")
    atomic_file.write(tmp_path / "link", "text")
    assert (tmp_path / "new").read_text() == "text"


def test_a_pipe_is_written_to(tmp_path: Path) -> None:
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    assert atomic_file.prepare(pipe) is None
    reader = Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    atomic_file.write(pipe, "text")
    reader.join()
    assert read == ["text"]
    assert pipe.is_fifo()


def test_a_device_stays_a_device() -> None:
    full = Path("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        atomic_file.write(full, "text")
    assert stat.S_ISCHR(full.stat().st_mode)


def test_a_report_on_standard_output(run: Run, broken: ApiServer, capfd: pytest.CaptureFixture[str]) -> None:
    run("-p", "no:terminal", "--findings=-", checks=["startup-error"])
    report = json.loads(capfd.readouterr().out)
    assert [root["check"] for root in report["roots"]] == ["startup-error[app-exit]"]


def test_a_run_without_pytest_html_has_no_page(run: Run, broken: ApiServer) -> None:
    result = run("-p", "no:html", checks=["startup-error"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not any(line.startswith("page: ") for line in result.outlines)


def test_a_folder_that_is_created_is_told(run: Run, broken: ApiServer, tmp_path: Path) -> None:
    result = run(f"--metrics={tmp_path}/a/b/metrics.prom", checks=["startup-error"])
    result.stdout.fnmatch_lines([f"--metrics: created the folder {tmp_path}/a/b"])


@pytest.mark.parametrize("options", [("--metrics=./x", "--markdown=x"), ("--junitxml=x", "--findings=x")])
def test_two_reports_in_one_file_are_refused(run: Run, broken: ApiServer, options: tuple[str, ...]) -> None:
    result = run(*options, checks=["startup-error"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = filter(None, result.errlines)
    assert " have the same file x: give each its own" in line
    assert not Path("x").exists()
