"""A run as a picture: sessions above, workers below, over the same time. SVG, pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

import msgspec

from benchmarks.scaling.timeline import Moment

WIDTH, HEIGHT, LEFT, GAP = 760, 130, 40, 34
Series = tuple[str, str, Callable[[Moment], int]]
ABOVE: Sequence[Series] = (("sessions", "#1864ab", lambda moment: moment.sessions),)
BELOW: Sequence[Series] = (
    ("wanted by the router", "#e67700", lambda moment: moment.wanted),
    ("asked for by the autoscaler", "#2b8a3e", lambda moment: moment.there),
    ("ready", "#862e9c", lambda moment: moment.ready),
)


def draw(moments: Sequence[Moment], title: str) -> str:
    """The whole picture."""
    width, height = LEFT + WIDTH + 16, 40 + 2 * (HEIGHT + GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="{LEFT}" y="20" font-size="14">{escape(title)}</text>',
        *_graph(moments, ABOVE, 44),
        *_graph(moments, BELOW, 44 + HEIGHT + GAP),
        *_seconds(moments, 44 + 2 * HEIGHT + GAP),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def draw_saved(figures: Mapping[str, Any]) -> str:
    """The picture of a run whose figures were saved."""
    moments = msgspec.convert(figures["moments"], list[Moment])
    return draw(moments, "Reciters come and go, and workers with them")


def _graph(moments: Sequence[Moment], series: Sequence[Series], top: float) -> Iterator[str]:
    most = max([value(moment) for moment in moments for _, _, value in series] + [1])
    yield f'<rect x="{LEFT}" y="{top}" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ced4da"/>'
    for mark in sorted({0, most}):
        y = top + HEIGHT * (1 - mark / (1.1 * most))
        yield f'<text x="{LEFT - 6}" y="{y + 4:.0f}" text-anchor="end" fill="#868e96">{mark}</text>'
    for number, (name, colour, value) in enumerate(series):
        places = " ".join(_places(moments, value, most, top))
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{places}"/>'
        x = LEFT + 170 * number
        yield f'<text x="{x}" y="{top - 5}" fill="{colour}">{escape(name)}</text>'


def _places(
    moments: Sequence[Moment], value: Callable[[Moment], int], most: int, top: float
) -> Iterator[str]:
    """Steps, not slopes: a number holds until the next moment."""
    last_s = moments[-1].at_s or 1.0
    before = None
    for moment in moments:
        x = LEFT + WIDTH * moment.at_s / last_s
        y = top + HEIGHT * (1 - value(moment) / (1.1 * most))
        if before is not None and before != y:
            yield f"{x:.1f},{before:.1f}"
        if before != y or moment is moments[-1]:
            yield f"{x:.1f},{y:.1f}"
        before = y


def _seconds(moments: Sequence[Moment], bottom: float) -> Iterator[str]:
    last_s = moments[-1].at_s
    for part in range(5):
        x = LEFT + WIDTH * part / 4
        yield (
            f'<text x="{x:.0f}" y="{bottom + 14}" text-anchor="middle" fill="#868e96">'
            f"{last_s * part / 4:.0f} s</text>"
        )
