"""The benchmarks run, and what they measure stays within its bounds on small made-up clusters."""

import sys
from pathlib import Path

import pytest

from benchmarks.runs import cluster, main, process

GROWTH = 8_000
"""Bytes that a run may take for each pod more."""


def test_memory_grows_by_less_than_8_kb_a_pod(tmp_path: Path) -> None:
    peaks = {pods: _peak(pods, tmp_path / "health.html") for pods in (100, 1_600)}
    assert (peaks[1_600] - peaks[100]) / 1_500 < GROWTH


def _peak(pods: int, report: Path) -> int:
    with cluster((10, pods)):
        run = process("-m", "pytest", "checks/", "--kubelet=none", f"--html={report}")
    assert f" {pods:,} pods, as of" in run.said
    return run.peak


def test_a_run_of_the_benchmark_tells_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--runs=1", "--made-up", "4", "100", "--broken=50", "--", "--kubelet=none", "--record"]
    monkeypatch.setattr(sys, "argv", ["benchmarks.runs", *options])
    main()
    said = capsys.readouterr().out
    assert said.startswith("pytest checks/ --kubelet=none --record: 100 pods: Broken: ")
    assert "× the floor" in said
    assert "recording 0.0" in said
