"""On a full disk every report is whole, or the one before is still there; one that fails does not stop the next."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from resource import RLIMIT_FSIZE, getrlimit, setrlimit
from secrets import token_hex

import pytest

from kubevitals.errors import EXIT_NOT_OBSERVED
from kubevitals.source.recording import Recording
from kubevitals.source.request import Answer, Request
from tests.fake_server import ApiServer
from tests.fakes import FakeSource
from tests.runs import Run

pytest_plugins = ["pytester"]

REPORTS = {
    "--junitxml": "junit.xml",
    "--findings": "findings.json",
    "--markdown": "summary.md",
    "--metrics": "metrics.prom",
    "--html": "page.html",
    "--record": "cluster.recording",
}


@contextmanager
def full(left: int) -> Iterator[None]:
    """Let no file become longer, which fails as a full disk does."""
    before = getrlimit(RLIMIT_FSIZE)
    setrlimit(RLIMIT_FSIZE, (left, before[1]))
    try:
        yield
    finally:
        setrlimit(RLIMIT_FSIZE, before)


def test_no_report_is_half_written(run: Run, healthy: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for file in REPORTS.values():
        Path(file).write_text("old")
    with full(60):
        files = (f"{option}={file}" for option, file in REPORTS.items())
        result = run("--self-contained-html", *files, checks=["jobs"])
    assert result.ret == EXIT_NOT_OBSERVED, result.stderr.str()
    assert {file: Path(file).read_text() for file in REPORTS.values()} == dict.fromkeys(REPORTS.values(), "old")
    assert [str(left) for left in Path().iterdir() if left.name.startswith(".")] == []
    for option, file in REPORTS.items():
        result.stdout.fnmatch_lines([f"{option} *{file} cannot be written: File too large"])
    assert "generated xml file" not in result.stdout.str()


def test_a_run_goes_on_where_its_recording_cannot(tmp_path: Path) -> None:
    recording = Recording(FakeSource({"/big": Answer(200, token_hex(500_000).encode())}), tmp_path / "x")
    with full(1000):
        for _ in range(3):
            assert recording.get(Request("/big")).status == 200
        with pytest.raises(OSError, match="File too large"):
            recording.close()
    recording.close()
    assert list(tmp_path.iterdir()) == []
