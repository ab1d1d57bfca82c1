"""The `rattil` command: parses, then hands over. Each command's `--help` has examples."""

from __future__ import annotations

import asyncio
from importlib.metadata import version as installed_version
from typing import Annotated

import typer
from rich.console import Console

from cli import model, reference, service_commands, speech_commands
from cli.bench import NoBenchmarks, become_benchmark
from cli.demo import demo as run_demo
from cli.failure import fail
from cli.recite import Exit
from shared.errors import BadRequest
from shared.recitation.reference.passage import VerseRange, load_passage

app = typer.Typer(
    name="rattil",
    help="Rattil: real-time feedback on Quran recitation, word by word.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
app.add_typer(model.app, name="model")
app.add_typer(reference.app, name="reference")

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

app.command()(service_commands.up)
app.command(context_settings=_PASS_ON)(service_commands.gateway)
app.command(context_settings=_PASS_ON)(service_commands.worker)
app.command(context_settings=_PASS_ON)(service_commands.router)


@app.command(context_settings={**_PASS_ON, "allow_interspersed_args": False}, no_args_is_help=True)
def bench(context: typer.Context) -> None:
    """Measure this machine. Each benchmark prints a table, saves JSON if asked to, and ends with a line
    `headline: key=number …`; `rattil bench NAME --help` shows its options.

    Benchmarks:

      asr: batched short windows against one lock with 30 s padding

      bus: segments per second through Redis

      codecs: ways to carry a segment's audio

      gateway: live reciters per core of one gateway

      serve: live reciters of the whole system at p95 of 500 ms

      overload: twice the offered capacity for a minute

      scaling: workers that come and go with the reciters, by the autoscaler's query

      soak: ten minutes of coming and going; does memory grow?

      capacity: what 1,000 to 100,000 reciters need

      words: from the end of a word to its colour

      agreement: ways to cut a transcription, compared

      recitations: real recordings through the running system

    Examples:

      rattil bench asr --quick

      rattil bench serve --peers --json serve.json

      rattil bench gateway --help
    """
    try:
        become_benchmark(context.args)
    except NoBenchmarks as error:
        fail(str(error), 2)


app.command()(speech_commands.recite)
app.command()(speech_commands.transcribe)
app.command()(speech_commands.listen)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Send the samples faster than real time.")] = False,
    verbose: service_commands.Verbose = False,
) -> None:
    """Start everything on free ports, recite two bundled samples, check what the service says, stop.

    One sample is without mistakes, the other has a left-out word, a wrong word and a repetition.
    Exit code 0 if exactly that was seen, 1 otherwise (with what differed), 130 if stopped by Ctrl-C.

    [bold]Example[/]

      rattil demo
    """
    raise typer.Exit(asyncio.run(run_demo(Console(), realtime=not fast, verbose=verbose)))


@app.command()
def verses(
    passage: Annotated[str, typer.Argument(help="1:5, 1:1-7, 112:1-114:6 or 112 (a sura).")],
    phonemes: Annotated[bool, typer.Option(help="Also show how each word is recited (IPA).")] = False,
) -> None:
    """Show the words a recitation is compared with.

    [bold]Examples[/]

      rattil verses 1:1-7
      rattil verses 112 --phonemes
    """
    try:
        words = load_passage(VerseRange.parse(passage)).words
    except BadRequest as error:
        fail(error.message, Exit.USAGE)
    out = Console(highlight=False)
    if phonemes:
        for word in words:
            place = f"{word.verse.key}:{word.position}"
            out.print(f"{place:<10} {word.display}  {' '.join(word.phones)}", soft_wrap=True, markup=False)
        return
    by_verse: dict[str, list[str]] = {}
    for word in words:
        by_verse.setdefault(word.verse.key, []).append(word.display)
    for key, texts in by_verse.items():
        out.print(f"{key:<8} {' '.join(texts)}", soft_wrap=True, markup=False)


@app.command()
def version() -> None:
    """Show the version.

    [bold]Example[/]

      rattil version
    """
    print(f"rattil {installed_version('rattil')}")
