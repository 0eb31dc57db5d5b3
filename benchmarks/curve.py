"""Draws time and memory of a run over the size of the cluster: ``python -m benchmarks.curve docs/performance.svg``.

The clusters are made up and have 1,000, 10,000 and 30,000 pods, ten per node. The figures are medians of three runs.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.runs import MB, measured

SIZES = (1_000, 10_000, 30_000)
RUNS = 3
WIDTH, HEIGHT, MARGIN = 360, 240, 50


class Panel(NamedTuple):
    """One diagram over the number of pods."""

    title: str
    unit: str
    lines: dict[str, list[float]]


def main() -> None:
    """Measure the runs and draw the diagrams."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.curve", description=__doc__)
    parser.add_argument("path", type=Path, help="the picture, an SVG")
    path = parser.parse_args().path
    figures = [measured(RUNS, ["--kubelet=none"], (pods // 10, pods)) for pods in SIZES]
    for pods, run in zip(SIZES, figures, strict=True):
        sys.stdout.write(f"{pods:7,} pods: {run['wall']:5.2f} s, CPU {run['cpu']:5.2f} s, {run['peak'] / MB:4.0f} MB\n")
    seconds = {"wall": [run["wall"] for run in figures], "CPU": [run["cpu"] for run in figures]}
    memory = {"peak memory": [run["peak"] / MB for run in figures]}
    path.write_text("\n".join(_svg([Panel("Time of a run", "s", seconds), Panel("Memory", "MB", memory)])) + "\n")


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
    top = max(max(values) for values in panel.lines.values()) * 1.1
    yield f'<text x="{MARGIN}" y="24" font-weight="bold">{panel.title}, {panel.unit}</text>'
    yield f'<path d="M{MARGIN} 36V{HEIGHT - MARGIN}H{WIDTH - 30}" stroke="#555" fill="none"/>'
    for pods in SIZES:
        yield f'<text x="{_x(pods):.0f}" y="{HEIGHT - 30}" text-anchor="middle">{pods:,}</text>'
    yield f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">pods</text>'
    for (name, values), colour in zip(panel.lines.items(), ("#0b62a8", "#b3541e"), strict=False):
        points = [(_x(pods), _y(value, top)) for pods, value in zip(SIZES, values, strict=True)]
        yield f'<polyline points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in points)}" stroke="{colour}" fill="none"/>'
        for (x, y), value in zip(points, values, strict=True):
            shown = f"{value:.1f}" if value < 10 else f"{value:.0f}"
            yield f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>'
            yield f'<text x="{x:.0f}" y="{y - 7:.0f}" text-anchor="middle" fill="{colour}">{shown}</text>'
        x, y = points[-1]
        yield f'<text x="{x:.0f}" y="{y + 18:.0f}" text-anchor="end" fill="{colour}">{name}</text>'


def _x(pods: int) -> float:
    return MARGIN + (WIDTH - MARGIN - 50) * pods / SIZES[-1]


def _y(value: float, top: float) -> float:
    return HEIGHT - MARGIN - (HEIGHT - MARGIN - 40) * value / top


if __name__ == "__main__":
    main()
