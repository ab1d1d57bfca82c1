"""Pictures of the dashboards from a real Prometheus: `python -m deploy.dashboards.picture URL FOLDER`.

For documents and for those without a Grafana: the same queries, drawn as SVG by this module.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

import httpx

from deploy.dashboards.boards import BOARDS
from deploy.dashboards.panels import Dashboard, Panel
from deploy.dashboards.queries import Series, ask

COLUMNS = 3
WIDTH, HEIGHT, GAP, LEGEND = 400, 150, 16, 62
COLOURS = ("#2b8a3e", "#1864ab", "#e67700", "#862e9c", "#c92a2a", "#0b7285", "#5c940d", "#495057")


def main() -> None:
    """Draw every dashboard over the last minutes."""
    parser = argparse.ArgumentParser(prog="python -m deploy.dashboards.picture", description=__doc__)
    parser.add_argument("url", help="a Prometheus that has scraped Rattil, e.g. http://127.0.0.1:9090")
    parser.add_argument("folder", type=Path, help="where to write latency.svg, throughput.svg, errors.svg")
    parser.add_argument("--minutes", type=float, default=15)
    chosen = parser.parse_args()
    end_s = time.time()
    for name, board in BOARDS.items():
        with httpx.Client(base_url=chosen.url) as http:
            text = draw(board, http, end_s - 60 * chosen.minutes, end_s)
        (chosen.folder / f"{name}.svg").write_text(text, encoding="utf-8")
        print(f"wrote {name}.svg")


def draw(board: Dashboard, http: httpx.Client, start_s: float, end_s: float, rate: str = "1m") -> str:
    """One dashboard as SVG. `http`: see `ask`. `rate`: what `$__rate_interval` stands for."""
    rows = math.ceil(len(board.panels) / COLUMNS)
    width = COLUMNS * (WIDTH + GAP) + GAP
    row_height = 18 + HEIGHT + LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {40 + rows * row_height}" '
        'font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{40 + rows * row_height}" fill="#ffffff"/>',
        f'<text x="{GAP}" y="24" font-size="16">{escape(board.title)}</text>',
    ]
    for at, panel in enumerate(board.panels):
        x, y = GAP + at % COLUMNS * (WIDTH + GAP), 40 + at // COLUMNS * row_height
        series = [
            line
            for query in panel.queries
            for line in ask(http, query.expr, query.legend, start_s, end_s, rate)
        ]
        parts.append(f'<g transform="translate({x},{y})">')
        parts += _panel(panel, series, start_s, end_s)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, series: Sequence[Series], start_s: float, end_s: float) -> Iterator[str]:
    top = max([value for line in series for _, value in line.points] + [panel.limit or 0.0, 1e-9]) * 1.1
    yield f'<text x="0" y="12" font-weight="bold">{escape(panel.title)}</text>'
    yield f'<rect x="0" y="18" width="{WIDTH}" height="{HEIGHT}" fill="none" stroke="#ced4da"/>'
    shown = _shown(top, panel.unit) if top > 1e-6 else "0"
    yield f'<text x="4" y="30" fill="#868e96">{shown}</text>'
    if panel.limit is not None:
        y = 18 + HEIGHT * (1 - panel.limit / top)
        yield f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#fa5252" stroke-dasharray="4 3"/>'
    for number, line in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        places = " ".join(
            f"{WIDTH * (at_s - start_s) / (end_s - start_s):.1f},{18 + HEIGHT * (1 - value / top):.1f}"
            for at_s, value in line.points
        )
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{places}"/>'
        if number < 2 * COLUMNS:
            x, y_text = number % COLUMNS * (WIDTH / COLUMNS), 18 + HEIGHT + 14 + number // COLUMNS * 14
            highest = _shown(max(value for _, value in line.points), panel.unit)
            name = escape(line.name[:18])
            yield f'<text x="{x:.0f}" y="{y_text}" fill="{colour}">{name} ≤ {highest}</text>'


def _shown(value: float, unit: str) -> str:
    match unit:
        case "s":
            return f"{1000 * value:.0f} ms" if value < 10 else f"{value:.0f} s"
        case "percentunit":
            return f"{100 * value:.0f} %"
        case "bytes":
            return f"{value / 1e6:.0f} MB"
        case "reqps":
            return f"{value:.2g}/s"
        case _:
            return f"{value:.3g}"


if __name__ == "__main__":
    main()
