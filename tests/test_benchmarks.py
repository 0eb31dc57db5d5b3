"""The benchmarks run, and what they measure stays within its bounds on small made-up clusters."""

from benchmarks.runs import measured, process

GROWTH = 8_000
"""Bytes that a run may take for each pod more."""


def test_memory_grows_by_less_than_8_kb_a_pod() -> None:
    small, large = (measured(1, ["--kubelet=none"], (10, pods)) for pods in (500, 5_500))
    assert (small["pods"], large["pods"]) == (500, 5_500)
    assert (large["peak"] - small["peak"]) / 5_000 < GROWTH


def test_a_run_of_the_benchmark_tells_what_it_measured() -> None:
    said = process(
        "-m", "benchmarks.runs", "--runs=1", "--made-up", "4", "100", "--broken=50", "--", "--kubelet=none", "--record"
    ).said
    assert said.startswith("pytest checks/ --kubelet=none --record: 100 pods: 1 failed")
    assert "× the floor" in said
    assert "recording 0.0" in said
