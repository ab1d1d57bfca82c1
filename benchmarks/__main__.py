"""`rattil bench NAME` (or `python -m benchmarks NAME`): parses, measures, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from asr_worker.engines.model_files import BUNDLED, locate
from benchmarks.report import publish

app = typer.Typer(
    name="rattil bench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

WIDTH = 140
Quick = Annotated[bool, typer.Option("--quick", help="Fewer and shorter rounds: a first impression.")]
Json = Annotated[Path | None, typer.Option("--json", help="Save everything measured to this file.")]
Model = Annotated[str, typer.Option(envvar="ASR_MODEL", help="Model directory or name.")]


@app.callback()
def _choose() -> None:
    """Measure Rattil on this machine. The last line of each is `headline: key=number …`."""


@app.command()
def asr(quick: Quick = False, json: Json = None, model: Model = BUNDLED) -> None:
    """Batched short windows against a lock with 30 s padding, and faster-whisper's two front doors."""
    from benchmarks.asr.bench import run_asr

    console = _console()
    publish(run_asr(locate(model), console, quick=quick), console, json)


@app.command()
def bus(quick: Quick = False, json: Json = None) -> None:
    """Segments per second through Redis: push, claim, commit, deliver; one and two shards."""
    from benchmarks.bus.bench import run_bus

    console = _console()
    publish(run_bus(console, quick=quick), console, json)


@app.command()
def gateway(quick: Quick = False, json: Json = None) -> None:
    """Live reciters per core of one gateway, and memory per idle and per live connection."""
    from benchmarks.gateway import run_gateway

    console = _console()
    publish(run_gateway(console, quick=quick), console, json)


def _console() -> Console:
    """Wide enough for the tables when nobody looks."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


if __name__ == "__main__":
    app(prog_name="rattil bench")
