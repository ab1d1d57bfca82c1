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

    console = Console()
    publish(run_asr(locate(model), console, quick=quick), console, json)


if __name__ == "__main__":
    app(prog_name="rattil bench")
