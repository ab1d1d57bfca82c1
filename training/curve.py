"""The course of a training run as a picture (SVG), from the table that the run writes."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

WIDTH, HEIGHT, MARGIN = 900, 420, 60
COLOURS = ("#1b6e53", "#b5542b", "#3c5a99", "#8a6d1d", "#7a3b69")
MARKS = 6
"""Labelled places on each axis."""


@dataclass(frozen=True, slots=True)
class Line:
    """A named curve: points of (hours of audio heard, value)."""

    name: str
    points: Sequence[tuple[float, float]]


def read_log(path: Path, columns: Sequence[str]) -> list[Line]:
    """The curves of a run's table: step, minutes, hours heard, then one value for each of ``columns``.

    A run of so few steps that it wrote no table has curves without points.
    """
    if not path.exists():
        return [Line(name, []) for name in columns]
    with path.open(encoding="utf-8", newline="") as lines:
        rows = [[float(cell) for cell in row] for row in csv.reader(lines)]
    return [Line(name, [(row[2], row[place]) for row in rows]) for place, name in enumerate(columns, start=3)]


def drawn(lines: Sequence[Line], title: str) -> str:
    """An SVG with all curves over hours of audio; values above zero, on a linear scale."""
    points = [point for line in lines for point in line.points]
    most_x = max((x for x, _ in points), default=1.0) or 1.0
    most_y = max((y for _, y in points), default=1.0) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        across = MARGIN + x / most_x * (WIDTH - 2 * MARGIN)
        return round(across, 1), round(HEIGHT - MARGIN - y / most_y * (HEIGHT - 2 * MARGIN), 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="24" font-size="15">{title}</text>',
        f'<text x="{WIDTH - MARGIN}" y="{HEIGHT - 14}" text-anchor="end">hours of audio heard</text>',
    ]
    for mark in range(MARKS + 1):
        x, _ = place(most_x * mark / MARKS, 0.0)
        left, y = place(0.0, most_y * mark / MARKS)
        parts.append(
            f'<text x="{x}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">'
            f"{most_x * mark / MARKS:.1f}</text>"
        )
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{most_y * mark / MARKS:.2f}</text>')
        parts.append(f'<line x1="{left}" y1="{y}" x2="{WIDTH - MARGIN}" y2="{y}" stroke="#ddd"/>')
    for number, line in enumerate(lines):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in line.points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(
            f'<text x="{WIDTH - MARGIN}" y="{44 + 16 * number}" text-anchor="end" fill="{colour}">'
            f"{line.name}</text>"
        )
    return "\n".join([*parts, "</svg>"]) + "\n"
