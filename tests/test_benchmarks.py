"""The benchmarks run, and what they measure stays within its bounds on small made-up clusters."""

import sys

import pytest

from benchmarks.runs import main, process

POD = 1.0
"""KB that a ready pod may take in memory."""


def test_a_ready_pod_takes_little_memory() -> None:
    said = process("-m", "benchmarks.pod_memory", "shared", "2000").said
    assert 0 < float(said.split()[1]) < POD, said


def test_a_run_of_the_benchmark_tells_what_it_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    of_runs = ["--runs=1", "--made-up", "4", "100", "--broken=50", "--apart", "--beside=true"]
    options = [*of_runs, "--", "--kubelet=none", "--record"]
    monkeypatch.setattr(sys, "argv", ["benchmarks.runs", *options])
    main()
    said = capsys.readouterr().out
    assert said.startswith("pytest checks/ --kubelet=none --record: 100 pods: Broken: 50 root causes")
    assert "× the floor" in said
    assert "recording 0.0" in said
    assert "beside: wall " in said
