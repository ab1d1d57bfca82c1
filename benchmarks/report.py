"""What every benchmark hands over: tables for people, JSON for machines, one headline for both."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table as RichTable

from benchmarks.machine import describe_machine

Figure = float | int | str


@dataclass(frozen=True)
class Table:
    """One table; cells are shown as given."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    how_to_read: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome of one benchmark. `figures` is everything measured, for the JSON file."""

    name: str
    headline: Mapping[str, Figure]
    tables: Sequence[Table]
    figures: Mapping[str, object]
    model: str = ""
    notes: Sequence[str] = ()
    machine: Mapping[str, object] = field(default_factory=describe_machine)

    def as_json(self) -> bytes:
        """The report with machine, versions and command, indented."""
        content = {
            "benchmark": self.name,
            "headline": self.headline,
            "model": self.model,
            "command": shlex.join(["rattil", "bench", *sys.argv[1:]]),
            "machine": self.machine,
            "notes": self.notes,
            "tables": [
                {"title": table.title, "columns": table.columns, "rows": table.rows} for table in self.tables
            ],
            "figures": self.figures,
        }
        return msgspec.json.format(msgspec.json.encode(_finite(content)), indent=1) + b"\n"


def headline(figures: Mapping[str, Figure]) -> str:
    """The last line of every benchmark: `headline: key=number key=number`."""
    return "headline: " + " ".join(f"{name}={_short(value)}" for name, value in figures.items())


def publish(report: Report, console: Console, json_file: Path | None) -> None:
    """Print the tables, save the JSON if asked to, print the headline last."""
    for table in report.tables:
        console.print(_rich(table))
        if table.how_to_read:
            console.print(table.how_to_read, style="dim", markup=False)
    for note in report.notes:
        console.print(f"note: {note}", style="yellow", markup=False)
    machine = report.machine
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, load {machine['load_1min']} at the end, "
        f"commit {machine['commit']}",
        style="dim",
        markup=False,
    )
    if json_file is not None:
        json_file.parent.mkdir(parents=True, exist_ok=True)
        json_file.write_bytes(report.as_json())
        console.print(f"saved {json_file}", style="dim", markup=False)
    print(headline(report.headline), flush=True)


def _rich(table: Table) -> RichTable:
    drawn = RichTable(title=table.title, box=box.SIMPLE, title_justify="left", title_style="bold")
    for number, column in enumerate(table.columns):
        drawn.add_column(column, justify="left" if number == 0 else "right")
    for row in table.rows:
        drawn.add_row(*row)
    return drawn


def _short(value: Figure) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def _finite(value: object) -> object:
    """JSON has no NaN: unknown figures become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
