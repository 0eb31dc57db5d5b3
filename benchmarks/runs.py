"""Measures whole runs of the checks: ``python -m benchmarks.runs [--made-up NODES PODS] [-- PYTEST OPTIONS]``.

Each run is a separate process, against the cluster of KUBECONFIG or a made-up one. The floor, a plain download of the
same lists, is measured as often before: it leaves an API server garbage to collect. With ``--beside COMMAND`` another
program is measured after each run. Figures are medians, and a ratio is the median of those of each run and the other
program's next one. With a real cluster, the API server's own counters give its requests and CPU time.
"""

import argparse
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any, NamedTuple
from unittest.mock import patch

from benchmarks.api_server import Counts, counts
from kubevitals.source.live import Live

MB = 1_000_000


class Used(NamedTuple):
    """What a process used: seconds, CPU seconds, bytes of memory at its peak; with its exit code and output."""

    wall: float
    cpu: float
    peak: int
    code: int
    said: str


def main() -> None:
    """Measure the runs and print the figures."""
    options, more = _options()
    made_up = [*options.made_up, options.broken, *["apart"] * options.apart] if options.made_up else []
    figures = measured(options.runs, more, made_up, shlex.split(options.beside))
    sys.stdout.write("\n".join(_table(figures)) + "\n")


def _options() -> tuple[argparse.Namespace, list[str]]:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="how often to measure (default: 5)")
    parser.add_argument(
        "--made-up", type=int, nargs=2, metavar=("NODES", "PODS"), help="use a made-up cluster of this size"
    )
    parser.add_argument("--broken", type=int, default=0, help="how many of the made-up pods are broken")
    parser.add_argument(
        "--apart", action="store_true", help="the broken pods have no owners, and no two the same image"
    )
    parser.add_argument(
        "--beside", default="", metavar="COMMAND", help="another program to run after each run, on the same cluster"
    )
    given = sys.argv[1:]
    end = given.index("--") if "--" in given else len(given)
    return parser.parse_args(given[:end]), given[end + 1 :]


def measured(
    runs: int, options: list[str], made_up: Sequence[object] = (), beside: Sequence[str] = ()
) -> dict[str, Any]:
    """Return the figures of runs with these options of pytest, against a made-up cluster or that of KUBECONFIG.

    Each run writes its report, and a recording if ``--record`` is given without a path. The command `beside` is run in
    turn with them.
    """
    with cluster(made_up), tempfile.TemporaryDirectory() as folder:
        written = {"report": Path(folder) / "report.html", "recording": Path(folder) / "recording"}
        arguments = [f"--record={written['recording']}" if option == "--record" else option for option in options]
        figures = _measure(runs, [*arguments, f"--html={written['report']}"], beside, real=not made_up)
        figures["command"] = " ".join(["pytest checks/", *options])
        return figures | {what: path.stat().st_size for what, path in written.items() if path.exists()}


@contextmanager
def cluster(made_up: Sequence[object]) -> Iterator[None]:
    """Set KUBECONFIG to a made-up cluster, with these arguments of `benchmarks.made_up`; without any, leave it."""
    if not made_up:
        yield
        return
    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, KUBECONFIG=f"{folder}/kubeconfig"):
        command = [sys.executable, "-m", "benchmarks.made_up", os.environ["KUBECONFIG"], *map(str, made_up)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as server:  # noqa: S603 - a module of ours
            try:
                if not server.stdout or not server.stdout.readline():
                    raise SystemExit("the made-up cluster did not start")
                yield
            finally:
                server.terminate()


def _measure(runs: int, options: list[str], beside: Sequence[str], *, real: bool) -> dict[str, Any]:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "checks/", *options]
    floors = [tuple(map(float, process("-m", "benchmarks.floor").said.split())) for _ in range(runs)]
    used, others, counted = [], [], []
    live = Live() if real else None
    for _ in range(runs):
        before = counts(live) if live else None
        used.append(process(*command[1:]))
        if used[-1].code not in (0, 1):
            raise SystemExit(used[-1].said)
        if live and before:
            counted.append(counts(live).since(before))
        if beside:
            others.append(command_used(*beside))
    return {
        "pods": _pods(used[-1].said),
        "last": [line for line in used[-1].said.splitlines() if line][-1].strip("= "),
        "start-up": process(*command[1:6], "--collect-only", "-q").cpu,
        "floor": median(seconds for seconds, _ in floors),
        "bytes": int(floors[-1][1]),
        "wall": median(run.wall for run in used),
        "cpu": median(run.cpu for run in used),
        "peak": max(run.peak for run in used),
        **(_counted(counted) if counted else {}),
        **(_compared(used, others) if others else {}),
    }


def _compared(used: Sequence[Used], others: Sequence[Used]) -> dict[str, Any]:
    pairs = list(zip(used, others, strict=True))
    return {
        "beside": _medians(others),
        "wall ratio": median(ours.wall / other.wall for ours, other in pairs),
        "cpu ratio": median(ours.cpu / other.cpu for ours, other in pairs),
    }


def _medians(used: Sequence[Used]) -> Used:
    last = used[-1]
    return last._replace(
        wall=median(run.wall for run in used), cpu=median(run.cpu for run in used), peak=max(run.peak for run in used)
    )


def _counted(counted: list[Counts]) -> dict[str, Any]:
    last = counted[-1]
    return {
        "api server cpu": median(counters.cpu for counters in counted),
        "requests": {what: [count, last.sent[what]] for what, count in sorted(last.requests.items())},
    }


def process(*arguments: str) -> Used:
    """Run Python in a separate process, and return what it used."""
    return command_used(sys.executable, *arguments)


def command_used(*command: str) -> Used:
    """Run a command, and return what it used."""
    began = perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(command, stdout=said, stderr=subprocess.STDOUT)  # noqa: S603
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        wall = perf_counter() - began
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    return Used(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, child.returncode, text)


def _pods(said: str) -> int:
    before = " ".join(said.split()).partition(" pods, as of")[0].rpartition(" ")[2]
    return int(before.replace(",", "")) if before.replace(",", "").isdecimal() else 0


def _table(figures: dict[str, Any]) -> Iterator[str]:
    yield f"{figures['command']}: {figures['pods']:,} pods: {figures['last']}"
    wall, floor = figures["wall"], figures["floor"]
    yield f"wall {wall:.2f} s, {wall / floor:.1f} × the floor: {figures['bytes'] / MB:.1f} MB in {floor:.2f} s"
    yield f"CPU {figures['cpu']:.2f} s, peak memory {figures['peak'] / MB:.0f} MB"
    yield f"start-up CPU {figures['start-up']:.2f} s (--collect-only)"
    yield ", ".join(f"{what} {figures[what] / MB:.2f} MB" for what in ("report", "recording") if what in figures)
    if "beside" in figures:
        other: Used = figures["beside"]
        yield f"beside: wall {other.wall:.2f} s, CPU {other.cpu:.2f} s, peak memory {other.peak / MB:.0f} MB"
        yield f"ratio: wall {figures['wall ratio']:.2f}, CPU {figures['cpu ratio']:.2f}"
    if "requests" in figures:
        yield f"API server CPU {figures['api server cpu']:.2f} s"
        yield "requests and bytes, including those of other clients in the same seconds:"
        for what, (count, sent) in figures["requests"].items():
            yield f"  {what:40} {count:5} {sent:14,}"


if __name__ == "__main__":
    main()
