"""`rattil bench NAME` (or `python -m benchmarks NAME`): parses, measures, publishes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from asr_worker.engines.model_files import BUNDLED, locate
from benchmarks.machine import ROOT
from benchmarks.report import publish
from shared.extras import how_to_install

app = typer.Typer(
    name="rattil bench",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

WIDTH = 140
MEASURED = ROOT / "docs" / "performance"
"""What the other benchmarks saved."""
Quick = Annotated[bool, typer.Option("--quick", help="Fewer and shorter rounds: a first impression.")]
Json = Annotated[Path | None, typer.Option("--json", help="Save everything measured to this file.")]
Model = Annotated[str, typer.Option(envvar="ASR_MODEL", help="Model directory or name.")]


def _example(arguments: str) -> str:
    """Where a command's `--help` ends: one that can be run as it stands, in a clone."""
    return f"Example: rattil bench {arguments}"


@app.callback()
def _choose() -> None:
    """Measure Rattil on this machine. The last line of each is `headline: key=number …`."""


@app.command(epilog=_example("asr --quick --json asr.json"))
def asr(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    recordings: Annotated[
        Path | None,
        typer.Option(help="Folder of SSSAAA files or a manifest for the error rates; default: bundled."),
    ] = None,
    reciter: Annotated[list[str] | None, typer.Option(help="Only these reciters of it.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each reciter; 0: all.")] = 0,
) -> None:
    """Batched short windows against a lock with 30 s padding, and faster-whisper's two front doors."""
    from benchmarks.asr.bench import run_asr
    from cli.modelling.recordings import Choice, find_recordings

    console = _console()
    voices = find_recordings(recordings, Choice(tuple(reciter or ()), limit)) if recordings else []
    publish(run_asr(locate(model), console, quick=quick, voices=voices), console, json)


@app.command(epilog=_example("bus --quick"))
def bus(quick: Quick = False, json: Json = None) -> None:
    """Segments per second through Redis: push, claim, commit, deliver; one and two shards."""
    from benchmarks.bus.bench import run_bus

    console = _console()
    publish(run_bus(console, quick=quick), console, json)


@app.command(epilog=_example("codecs --quick --limit 10"))
def codecs(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder or manifest of recordings; none: the bundled ones.")
    ] = None,
    reciter: Annotated[list[str] | None, typer.Option(help="Only this reciter; may be repeated.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each reciter; 0: all.")] = 60,
) -> None:
    """Ways to carry a segment's audio: bytes, CPU at both ends, and what they do to the words."""
    from benchmarks.codecs import run_codecs, sources_of

    console = _console()
    sources = sources_of(recordings, reciter or (), limit)
    publish(run_codecs(locate(model), console, sources, quick=quick), console, json)


@app.command(epilog=_example("gateway --quick"))
def gateway(quick: Quick = False, json: Json = None) -> None:
    """Live reciters per core of one gateway, and memory per idle and per live connection."""
    from benchmarks.gateway import run_gateway

    console = _console()
    publish(run_gateway(console, quick=quick), console, json)


@app.command(epilog=_example("serve --quick --dialect all"))
def serve(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    peers: Annotated[bool, typer.Option("--peers", help="Run the installed peers, too.")] = False,
    device: Annotated[str, typer.Option(envvar="ASR_DEVICE", help="auto, cpu or cuda.")] = "auto",
    dialect: Annotated[
        list[str] | None,
        typer.Option(help="Clients of this dialect (all: each in turn) instead; may be repeated."),
    ] = None,
) -> None:
    """Live reciters served by the whole system at p95 of 500 ms, and its overhead at half load."""
    from benchmarks.serve.bench import run_serve

    console = _console()
    if dialect:
        _serve_dialects(model, dialect, console, json, quick=quick, peers=peers)
        return
    publish(run_serve(locate(model), console, quick=quick, peers=peers, device=device), console, json)


def _serve_dialects(
    model: str, asked: list[str], console: Console, json: Path | None, *, quick: bool, peers: bool
) -> None:
    from benchmarks.dialects.bench import run_dialects
    from benchmarks.dialects.wires import WIRES

    names = list(WIRES) if "all" in asked else list(dict.fromkeys(asked))
    unknown = [name for name in names if name not in WIRES]
    if unknown:
        raise typer.BadParameter(f"there is no dialect {unknown[0]}; it is one of all, {', '.join(WIRES)}")
    shown = Path(model).name
    publish(run_dialects(locate(model), shown, console, names, quick=quick, peers=peers), console, json)


@app.command(epilog=_example("overload --quick --sessions 4"))
def overload(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    sessions: Annotated[int, typer.Option(min=0, help="Capacity to offer; 0: the workers' own.")] = 0,
    most: Annotated[
        int,
        typer.Option(min=0, help="Bound of the workers' own, where the load shares their cores; 0: none."),
    ] = 0,
) -> None:
    """Twice the offered capacity for a minute: do accepted reciters notice, is every refusal said?"""
    from benchmarks.overload import run_overload

    console = _console()
    publish(run_overload(locate(model), console, quick=quick, sessions=sessions, most=most), console, json)


@app.command(epilog=_example("scaling --quick --picture scaling.svg"))
def scaling(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    sessions: Annotated[int, typer.Option(min=1, max=500, help="Reciters at the height of the tide.")] = 40,
    slots: Annotated[int, typer.Option(min=1, help="Sessions one worker takes.")] = 16,
    most: Annotated[int, typer.Option(min=1, max=100, help="Most workers (maxReplicas).")] = 8,
    hurry: Annotated[
        float, typer.Option(min=1, max=60, help="The chart's waits are divided by it; 1: as in a cluster.")
    ] = 10.0,
    picture: Annotated[Path | None, typer.Option(help="Draw the run into this SVG file.")] = None,
) -> None:
    """Workers come and go by KEDA's query while reciters come and go: to zero and back, nothing lost?"""
    from benchmarks.scaling.bench import run_scaling
    from benchmarks.scaling.picture import draw_saved

    console = _console()
    try:
        report = run_scaling(
            locate(model), console, quick=quick, sessions=sessions, slots=slots, hurry=hurry, most=most
        )
    except ImportError as error:
        raise typer.BadParameter(f"{error}; to render the chart, {how_to_install('dev')}") from error
    if picture is not None:
        picture.write_text(draw_saved(report.figures), encoding="utf-8")
    publish(report, console, json)


@app.command(epilog=_example("soak --quick"))
def soak(quick: Quick = False, json: Json = None, model: Model = BUNDLED) -> None:
    """Ten minutes of reciters coming and going: does memory grow?"""
    from benchmarks.soak import run_soak

    console = _console()
    publish(run_soak(locate(model), console, quick=quick), console, json)


@app.command(epilog=_example("capacity --gpu-segments-per-s 400"))
def capacity(
    quick: Quick = False,
    json: Json = None,
    folder: Annotated[
        Path,
        typer.Option(
            "--from",
            help="Folder with asr.json, gateway.json, bus.json, serve.json; what is missing is assumed.",
            show_default="docs/performance",
        ),
    ] = MEASURED,
    gpu_segments_per_s: Annotated[
        float, typer.Option(min=0, help="Segments per second of one GPU worker; 0: no table for GPUs.")
    ] = 0.0,
) -> None:
    """What 1,000, 10,000 and 100,000 reciters need, from measured costs and a simulation."""
    from benchmarks.capacity.bench import run_capacity

    console = _console()
    publish(run_capacity(console, folder, gpu_segments_per_s, quick=quick), console, json)


@app.command(epilog=_example("words --quick --reciters 1 --window 1.0"))
def words(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    reciters: Annotated[
        list[int] | None, typer.Option(min=1, help="Reciters at a time; may be repeated. Default: 1, 32, 64.")
    ] = None,
    capacity: Annotated[
        int, typer.Option(min=0, help="Measure 1, half of this and this many reciters; see `bench serve`.")
    ] = 0,
    window: Annotated[
        list[float] | None,
        typer.Option(min=0.5, max=5, help="Window length, seconds; may be repeated. Default: 1, 1.5, 2.5."),
    ] = None,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder or manifest of recordings; none: the bundled ones.")
    ] = None,
    reciter: Annotated[list[str] | None, typer.Option(help="Only these reciters of it.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each reciter.")] = 8,
) -> None:
    """How long after a word was said is it shown, and when is its state settled?"""
    from benchmarks.speech import recording_of
    from benchmarks.words import run_words, shares_of
    from cli.modelling.recordings import Choice, find_recordings

    console = _console()
    found = find_recordings(recordings, Choice(tuple(reciter or ()), limit)) if recordings else []
    voices = [recording_of(one.path.stem, one.path, str(one.verses)) for one in found]
    report = run_words(
        locate(model),
        console,
        quick=quick,
        reciters=reciters or shares_of(capacity) or ((1, 8) if quick else (1, 32, 64)),
        windows_s=window or ((1.0,) if quick else (1.0, 1.5, 2.5)),
        voices=voices,
    )
    publish(report, console, json)


@app.command(epilog=_example("agreement --quick"))
def agreement(
    quick: Quick = False,
    json: Json = None,
    model: Model = BUNDLED,
    recordings: Annotated[
        Path | None, typer.Option(help="Folder or manifest of recordings; none: the bundled ones.")
    ] = None,
    reciter: Annotated[list[str] | None, typer.Option(help="Only these reciters of it.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many of each reciter.")] = 20,
) -> None:
    """Fixed windows, growing windows and utterances: errors, revisions, delays and cost."""
    from benchmarks.agreement import run_agreement
    from benchmarks.speech import recording_of
    from cli.modelling.recordings import Choice, find_recordings

    console = _console()
    found = find_recordings(recordings, Choice(tuple(reciter or ()), limit)) if recordings else []
    voices = [recording_of(one.path.stem, one.path, str(one.verses)) for one in found]
    publish(
        run_agreement(locate(model), Path(model).name, console, quick=quick, voices=voices), console, json
    )


@app.command(epilog=_example("recitations recordings/ --at-once 4"))
def recitations(
    source: Annotated[Path, typer.Argument(help="Folder of SSSAAA files or a manifest.")],
    reciter: Annotated[list[str] | None, typer.Option(help="Only these reciters.")] = None,
    limit: Annotated[int, typer.Option(min=0, help="At most so many of each reciter; 0: all.")] = 0,
    at_once: Annotated[int, typer.Option(min=1, max=200, help="Reciters at a time.")] = 16,
    json: Json = None,
    model: Model = BUNDLED,
) -> None:
    """Real recordings through the running system, paced: how many words end correct, how many falsely not?"""
    from benchmarks.recitations import run_recitations
    from cli.modelling.recordings import Choice, find_recordings

    console = _console()
    found = find_recordings(source, Choice(tuple(reciter or ()), limit))
    publish(run_recitations(locate(model), found, console, at_once=at_once), console, json)


def _console() -> Console:
    """Wide enough for the tables when nobody looks."""
    console = Console()
    return console if console.is_terminal else Console(width=WIDTH)


if __name__ == "__main__":
    app(prog_name="rattil bench")
