"""The `rattil` command: parses, then hands over. Each command's `--help` has examples."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from enum import IntEnum
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from cli import model, preflight, reference
from cli.bench import NoBenchmarks, become_benchmark
from cli.demo import demo as run_demo
from cli.embedded_redis import MAX_MEMORY_MB
from cli.processes import PortInUse
from cli.recite import Exit, gateways, recite_and_report, target_of
from cli.stack import ANY_ROUTER_PORT, LOOPBACK, Counts, Plan, Ports
from cli.transcribe import Exit as TranscribeExit
from cli.transcribe import transcribe as run_transcribe
from cli.up import up as run_up
from rattil.client import Listener, Transcription
from rattil.client.microphone import Microphone
from rattil.client.sound_source import pieces, read_file, standard_input
from rattil.client.transcription import ServerEvent as TranscriptEvent
from shared.errors import BadRequest, RattilError
from shared.pools import parse_pools
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

SERVICES = {"gateway": "gateway", "worker": "asr_worker", "router": "session_router"}
"""Command to Python package: `rattil gateway` is `python -m gateway`."""

_PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True}

Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show all log lines of all parts.")]


@app.command()
def up(
    host: Annotated[str, typer.Option(envvar="HOST", help="Address the gateways listen on.")] = LOOPBACK,
    port: Annotated[
        int, typer.Option(envvar="PORT", min=0, max=65535, help="First gateway's port; 0 = any free one.")
    ] = 8000,
    router_port: Annotated[
        int,
        typer.Option(
            envvar="ROUTER_PORT",
            min=-1,
            max=65535,
            show_default="8100, or any free one",
            help="First router's port; 0 = any free.",
        ),
    ] = ANY_ROUTER_PORT,
    gateways: Annotated[int, typer.Option(min=1, max=64, help="How many gateways.")] = 1,
    workers: Annotated[int, typer.Option(min=1, max=64, help="How many workers (in each pool).")] = 1,
    pool: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=MODEL",
            show_default="POOLS, or one pool with ASR_MODEL",
            help="A pool of workers with a model of its own; repeat it for several models side by side.",
        ),
    ] = None,
    routers: Annotated[int, typer.Option(min=1, max=16, help="How many routers.")] = 1,
    redis: Annotated[int, typer.Option(min=1, max=16, help="How many embedded Redis shards.")] = 1,
    redis_url: Annotated[
        str, typer.Option(envvar="REDIS_URL", help="Use these Redis servers (comma-separated) instead.")
    ] = "",
    stream: Annotated[
        bool, typer.Option("--stream", help="Serve committed lines, too: TCP 43007, WebSocket 43008.")
    ] = False,
    redis_mb: Annotated[
        int,
        typer.Option(
            envvar="EMBEDDED_REDIS_MB",
            min=16,
            help="Memory of one embedded Redis, MB; new sessions are refused before it is used up.",
        ),
    ] = MAX_MEMORY_MB,
    verbose: Verbose = False,
) -> None:
    """Run a whole Rattil here: Redis, router, worker, gateway. Ctrl-C stops everything.

    Parts start in order, each waiting for the one before to be ready. A part that dies ends all.

    [bold]Examples[/]

      rattil up
      rattil up --port 9000 --verbose
      rattil up --gateways 2 --workers 2 --routers 2 --redis 2
      rattil up --pool fast=rattil-tiny --pool accurate=rattil-base
      REDIS_URL=redis://10.0.0.5:6379/0 HOST=0.0.0.0 rattil up
    """
    try:
        pools = parse_pools(",".join(pool) if pool else os.environ.get("POOLS", ""))
        counts = Counts(gateways, workers, routers, redis, len(pools) or 1)
        ports = Ports.fixed(counts, host, port, router_port)
    except ValueError as error:
        _fail(f"--pool or POOLS: {error}", Exit.USAGE)
    except PortInUse as error:
        _fail(str(error), Exit.USAGE)
    env = {"STREAM_ENABLED": "true"} if stream else {}
    plan = Plan(counts, ports, host, redis_url, env, redis_mb, pools)
    for warning in preflight.warnings(os.environ):
        Console(stderr=True).print(warning, style="yellow", markup=False, soft_wrap=True)
    found = asyncio.run(preflight.problems(plan))
    if found:
        _fail("\n".join(found), Exit.USAGE)
    raise typer.Exit(asyncio.run(run_up(plan, Console(), verbose=verbose)))


@app.command(context_settings=_PASS_ON)
def gateway(context: typer.Context) -> None:
    """Run one gateway: the WebSocket edge. Same as [bold]python -m gateway[/].

    Everything is set by environment variables: [bold]python -m gateway --help[/] lists them.

    [bold]Example[/]

      REDIS_URL=redis://127.0.0.1:6379/0 ROUTER_URL=http://127.0.0.1:8100 PORT=8000 rattil gateway
    """
    _become("gateway", context.args)


@app.command(context_settings=_PASS_ON)
def worker(context: typer.Context) -> None:
    """Run one ASR worker: batches the segments of many sessions. Same as [bold]python -m asr_worker[/].

    Everything is set by environment variables: [bold]python -m asr_worker --help[/] lists them.

    [bold]Examples[/]

      REDIS_URL=redis://127.0.0.1:6379/0 rattil worker
      ASR_MODEL=/models/my-ct2-whisper ASR_DEVICE=cuda REDIS_URL=redis://10.0.0.5/0 rattil worker
    """
    _become("worker", context.args)


@app.command(context_settings=_PASS_ON)
def router(context: typer.Context) -> None:
    """Run one session router: admission and capacity. Same as [bold]python -m session_router[/].

    Everything is set by environment variables: [bold]python -m session_router --help[/] lists them.

    [bold]Example[/]

      REDIS_URL=redis://127.0.0.1:6379/0 ROUTER_PORT=8100 rattil router
    """
    _become("router", context.args)


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

      recitations: real recordings through the running system

    Examples:

      rattil bench asr --quick

      rattil bench serve --peers --json serve.json

      rattil bench gateway --help
    """
    try:
        become_benchmark(context.args)
    except NoBenchmarks as error:
        _fail(str(error), 2)


@app.command()
def recite(
    file: Annotated[str, typer.Argument(help="wav, flac, mp3, ogg/opus; - = raw PCM16 16 kHz mono.")],
    verse: Annotated[str, typer.Option("--verse", help="What is recited: 1:5, 1:1-7, or 112 (a sura).")],
    url: Annotated[
        str,
        typer.Option(envvar="RATTIL_URL", help="Gateways, comma-separated; failing over to the next."),
    ] = "ws://127.0.0.1:8000",
    token: Annotated[str, typer.Option(envvar="RATTIL_TOKEN", help="API key, where one is needed.")] = "",
    model: Annotated[
        str, typer.Option(help="What hears it: fast, accurate, or what the service offers.")
    ] = "default",
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="At the speed it was recited, or as fast as possible.")
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")] = False,
    strict: Annotated[bool, typer.Option(help="Exit with 1 if a word is wrong or missing.")] = False,
) -> None:
    """Recite a recording to a running service and watch the words change colour.

    A broken connection is resumed on the next gateway; nothing is lost, nothing is counted twice.

    Exit codes: 0 done, 1 mistakes (with --strict), 2 wrong usage, 3 refused by the server,
    4 server unreachable, 5 no final result.

    [bold]Examples[/]

      rattil recite cli/samples/fatiha_clean.opus --verse 1:1-7
      rattil recite my.wav --verse 112 --fast --json
      rattil recite my.mp3 --verse 1:1-7 --url ws://a:8000,ws://b:8000
      rattil recite my.mp3 --verse 1:1-7 --model accurate
      arecord -q -f S16_LE -r 16000 -c 1 | rattil recite - --verse 1:1-7
    """
    try:
        verses = VerseRange.parse(verse)
        target = target_of(url, verses, token, model)
        audio = standard_input() if file == "-" else pieces(read_file(Path(file)), realtime=realtime)
    except (RattilError, ValueError) as error:
        _fail(str(error), Exit.USAGE)
    title = f"{verses}  {'standard input' if file == '-' else Path(file).name}"
    code = asyncio.run(recite_and_report(target, audio, Console(), title, as_json=as_json, strict=strict))
    raise typer.Exit(code)


Url = Annotated[
    str, typer.Option(envvar="RATTIL_URL", help="Gateways, comma-separated; failing over to the next.")
]
Token = Annotated[str, typer.Option(envvar="RATTIL_TOKEN", help="API key, where one is needed.")]
Language = Annotated[str, typer.Option(help="Code of the spoken language, such as en or ar.")]
Model = Annotated[str, typer.Option(help="What transcribes: default, or what the service offers.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object a line instead.")]


@app.command()
def transcribe(
    file: Annotated[str, typer.Argument(help="wav, flac, mp3, ogg/opus; - = raw PCM16 16 kHz mono.")],
    language: Language = "en",
    model: Model = "default",
    url: Url = "ws://127.0.0.1:8000",
    token: Token = "",
    realtime: Annotated[
        bool, typer.Option("--realtime/--fast", help="At the speed it was spoken, or as fast as possible.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Transcribe a recording, or standard input, live through a running service.

    The service needs a general model: [bold]ASR_MODEL=whisper-base rattil up[/]. A broken connection is
    resumed; nothing is lost, nothing comes twice.

    Exit codes: 0 done, 2 wrong usage, 3 refused by the server, 4 server unreachable, 5 stopped.

    [bold]Examples[/]

      rattil transcribe talk.mp3
      rattil transcribe talk.wav --language ar --json --fast
      arecord -q -f S16_LE -r 16000 -c 1 | rattil transcribe -
    """
    try:
        audio = standard_input() if file == "-" else pieces(read_file(Path(file)), realtime=realtime)
    except RattilError as error:
        _fail(str(error), TranscribeExit.USAGE)

    def open_session(screen: Listener[TranscriptEvent]) -> Transcription:
        urls = gateways(url)
        return Transcription(urls, language=language, token=token, listener=screen, model=model)

    _finish(run_transcribe(open_session, audio, Console(), as_json=as_json))


@app.command()
def listen(
    language: Language = "en",
    model: Model = "default",
    url: Url = "ws://127.0.0.1:8000",
    token: Token = "",
    device: Annotated[
        str, typer.Option(help="Microphone, as python -m sounddevice lists them; default: the system's.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Transcribe what the microphone hears, live; Ctrl-C ends it.

    Needs [bold]pip install 'rattil\\[microphone]'[/] and PortAudio. While the service is away, two minutes of
    sound are kept and sent afterwards.

    [bold]Examples[/]

      rattil listen --language ar
      rattil listen --url wss://speech.example.org --token KEY
    """
    microphone = Microphone(device=device or None)

    def open_session(screen: Listener[TranscriptEvent]) -> Transcription:
        urls = gateways(url)
        return Transcription(urls, language=language, token=token, listener=screen, model=model)

    work = run_transcribe(open_session, microphone.pieces(), Console(), as_json=as_json, stop=microphone.stop)
    _finish(work)


def _finish(work: Coroutine[object, object, IntEnum]) -> NoReturn:
    try:
        code = asyncio.run(work)
    except ValueError as error:  # an address that is none
        _fail(str(error), TranscribeExit.USAGE)
    raise typer.Exit(code)


@app.command()
def demo(
    fast: Annotated[bool, typer.Option("--fast", help="Send the samples faster than real time.")] = False,
    verbose: Verbose = False,
) -> None:
    """Start everything on free ports, recite two bundled samples, check what the service says, stop.

    One sample is without mistakes, the other has a left-out word, a wrong word and a repetition.
    Exit code 0 if exactly that was seen, 1 otherwise (with what differed).

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
        _fail(error.message, Exit.USAGE)
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


def main() -> None:
    """Entry point of the `rattil` script."""
    app()


def _become(service: str, arguments: list[str]) -> NoReturn:
    """Replace this process by the service, so that signals and the exit code are its own."""
    os.execv(sys.executable, [sys.executable, "-m", SERVICES[service], *arguments])


def _fail(message: str, code: int) -> NoReturn:
    Console(stderr=True).print(message, style="red", markup=False, soft_wrap=True)
    raise typer.Exit(code)


if __name__ == "__main__":
    main()
