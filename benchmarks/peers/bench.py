"""Placeholder."""
from __future__ import annotations
from pathlib import Path
import msgspec
from rich.console import Console
from benchmarks.report import Table


class PeerRun(msgspec.Struct, frozen=True):
    name: str
    best: int


def measure_peers(model: Path, console: Console, *, quick: bool) -> list[PeerRun]:
    return []


def peers_table(runs: list[PeerRun]) -> Table:
    return Table("peers", (), [])
