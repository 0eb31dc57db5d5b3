"""Draws time and memory of a run over the size of the cluster: ``python -m benchmarks.curve docs/performance.svg``.

The clusters are made up and have up to 150,000 pods, 30 per node: Kubernetes' own limit. The figures are medians of
three runs.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.runs import MB, measured

SIZES = (3_000, 50_000, 100_000, 150_000)
RUNS = 3
WIDTH, HEIGHT, MARGIN = 360, 240, 50
COLOUR = "#0b62a8"


class Panel(NamedTuple):
    """One diagram over the number of pods."""

    title: str
    unit: str
    values: Sequence[float]


def main() -> None:
    """Measure the runs and draw the diagrams."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curve", description=__doc__)
    parser.add_argument("path", type=Path, help="the picture, an SVG")
    path = parser.parse_args().path
    figures = [measured(RUNS, ["--kubelet=none"], (pods // 30, pods, 0)) for pods in SIZES]
    for pods, run in zip(SIZES, figures, strict=True):
        sys.stdout.write(f"{pods:7,} pods: {run['wall']:5.2f} s, CPU {run['cpu']:5.2f} s, {run['peak'] / MB:4.0f} MB\n")
    time = Panel("Time of a run", "s", [run["wall"] for run in figures])
    memory = Panel("Peak memory", "MB", [run["peak"] / MB for run in figures])
    path.write_text("\n".join(_svg([time, memory])) + "\n")


def _svg(panels: Sequence[Panel]) -> Iterator[str]:
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH * len(panels)} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">'
    )
    yield f'<rect width="{WIDTH * len(panels)}" height="{HEIGHT}" fill="white"/>'
    for number, panel in enumerate(panels):
        yield f'<g transform="translate({number * WIDTH} 0)">'
        yield from _panel(panel)
        yield "</g>"
    yield "</svg>"


def _panel(panel: Panel) -> Iterator[str]:
    top = max(panel.values) * 1.1
    yield f'<text x="{MARGIN}" y="24" font-weight="bold">{panel.title}, {panel.unit}</text>'
    yield f'<path d="M{MARGIN} 36V{HEIGHT - MARGIN}H{WIDTH - 30}" stroke="#555" fill="none"/>'
    for pods in SIZES:
        yield f'<text x="{_x(pods):.0f}" y="{HEIGHT - 30}" text-anchor="middle">{pods:,}</text>'
    yield f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">pods</text>'
    points = [(_x(pods), _y(value, top)) for pods, value in zip(SIZES, panel.values, strict=True)]
    yield f'<polyline points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in points)}" stroke="{COLOUR}" fill="none"/>'
    for (x, y), value in zip(points, panel.values, strict=True):
        shown = f"{value:.1f}" if value < 10 else f"{value:.0f}"
        yield f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{COLOUR}"/>'
        yield f'<text x="{x:.0f}" y="{y - 7:.0f}" text-anchor="middle" fill="{COLOUR}">{shown}</text>'


def _x(pods: int) -> float:
    return MARGIN + (WIDTH - MARGIN - 50) * pods / SIZES[-1]


def _y(value: float, top: float) -> float:
    return HEIGHT - MARGIN - (HEIGHT - MARGIN - 40) * value / top


if __name__ == "__main__":
    main()
