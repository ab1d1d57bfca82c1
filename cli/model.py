"""`rattil model`: look at a model, convert one, measure one, make it smaller.

What needs CTranslate2 is imported by the command that uses it: no other command should wait for it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import track

from asr_worker.engines.model_files import BUNDLED, locate
from cli.failure import fail
from cli.modelling.recordings import Choice, bundled_recordings, find_recordings
from shared.errors import RattilError

USAGE, NOT_GOOD_ENOUGH = 2, 1

app = typer.Typer(
    help="Look at, convert, measure and quantise speech models.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Model = Annotated[
    str, typer.Option(envvar="ASR_MODEL", help="Directory, Whisper name or Hugging Face id (CTranslate2).")
]
AsJson = Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")]
Limit = Annotated[int, typer.Option(min=0, help="Recordings per reciter at most, evenly drawn; 0 = all.")]
Reciters = Annotated[
    list[str] | None, typer.Option("--reciter", help="Only this reciter; can be given several times.")
]
Device = Annotated[str, typer.Option(envvar="ASR_DEVICE", help="auto, cpu or cuda.")]
ComputeType = Annotated[
    str, typer.Option(envvar="ASR_COMPUTE_TYPE", help="auto, int8, int16, float32, float16, ...")
]
Threads = Annotated[
    int, typer.Option(envvar="ASR_THREADS", min=0, help="CPU threads; 0 = CTranslate2's own.")
]


@app.command()
def info(
    path: Annotated[str, typer.Argument(help="Directory, Whisper name or Hugging Face id.")] = BUNDLED,
    as_json: AsJson = None,
) -> None:
    """Say what a model is: size, vocabulary, prompt, script, context, phoneme head, results.

    [bold]Examples[/]

      rattil model info
      rattil model info /models/my-ct2-whisper --json facts.json
    """
    from cli.modelling import tables
    from cli.modelling.information import facts

    try:
        found = facts(locate(path))
    except RattilError as error:
        fail(error.message, USAGE)
    out = Console()
    out.print(tables.facts_table(found))
    results = {name: rates for name, rates in found.results.items() if isinstance(rates, dict)}
    if results:
        out.print(tables.results_table(results))
    _write_json(as_json, found)


@app.command(name="convert")
def convert_command(
    source: Annotated[str, typer.Argument(help="Hugging Face id or directory of a Whisper checkpoint.")],
    out: Annotated[Path, typer.Argument(help="Directory to write.")],
    quantization: Annotated[
        str, typer.Option(help="int8, int8_float16, int16, float16, bfloat16 or float32.")
    ] = "int8",
    script: Annotated[str, typer.Option(help="How the model spells: imlai or uthmani.")] = "imlai",
    force: Annotated[bool, typer.Option(help="Replace a directory that is there.")] = False,
) -> None:
    """Convert a Hugging Face Whisper to a directory for ASR_MODEL. Needs the extra "convert".

    Take --quantization float32 if you want to compare number types with [bold]rattil model quantize[/].

    [bold]Examples[/]

      rattil model convert tarteel-ai/whisper-base-ar-quran models/base-quran
      rattil model convert ./my-finetune models/mine --quantization float16 --script uthmani
      ASR_MODEL=models/base-quran rattil up
    """
    from cli.modelling import tables
    from cli.modelling.conversion import Conversion, convert
    from cli.modelling.information import facts

    console = Console(stderr=True)
    try:
        with console.status(f"converting {source}"):
            convert(Conversion(source, out, quantization, script, force))
        found = facts(out)
    except RattilError as error:
        fail(error.message, USAGE)
    Console().print(tables.facts_table(found))


@app.command(name="evaluate")
def evaluate_command(
    source: Annotated[Path, typer.Argument(help="Folder of SSSAAA.ext files, or a tab-separated manifest.")],
    model: Model = BUNDLED,
    as_json: AsJson = None,
    limit: Limit = 0,
    reciter: Reciters = None,
    all_flags: Annotated[bool, typer.Option(help="Use flagged rows of a manifest as well.")] = False,
    window: Annotated[float, typer.Option(min=0.5, max=30, help="Live windows, seconds.")] = 2.5,
    overlap: Annotated[float, typer.Option(min=0, max=5, help="Their overlap, seconds.")] = 0.5,
    beam_size: Annotated[int, typer.Option(min=1, max=16, help="As ASR_BEAM_SIZE; 1: greedy.")] = 8,
    device: Device = "auto",
    compute_type: ComputeType = "auto",
    threads: Threads = 1,
) -> None:
    """Measure a model on recordings of correct recitations, by reciter, in percent.

    WER and CER: the decoder's text, spelling folded. PER: the phoneme head, on the whole recording and
    in live windows. Then how the words stood at the end of a live session; since nobody made a mistake,
    every wrong or missing word is a false alarm.

    A manifest has the columns file, sura, aya and, if needed, aya_end, reciter and flag (rows with
    another flag than "ok" are left out). In a folder, the folder of a file names its reciter.

    [bold]Examples[/]

      rattil model evaluate recordings/
      rattil model evaluate data/manifest.tsv --reciter ajmy --limit 60 --json figures.json
      rattil model evaluate recordings/ --beam-size 1   # what the text is like without a second look
      rattil model evaluate recordings/ --model /models/my-ct2-whisper --device cuda
    """
    from asr_worker.engines.ctranslate2 import CTranslate2Engine
    from asr_worker.engines.model_parts import ComputeOptions
    from asr_worker.engines.rescoring import Rescoring
    from cli.modelling import tables
    from cli.modelling.evaluation import evaluate
    from cli.modelling.listening import Listener, LiveWindows

    if overlap * 2 > window:
        fail("The overlap may be at most half of the window.", USAGE)
    try:
        recordings = find_recordings(source, Choice(tuple(reciter or ()), limit, all_flags))
        compute = ComputeOptions(device, compute_type, threads)
        engine = CTranslate2Engine(locate(model), compute, rescoring=Rescoring(beam_size))
        watched = track(recordings, "listening", console=Console(stderr=True), transient=True)
        figures = evaluate(Listener(engine, LiveWindows(window, overlap)), watched)
    except RattilError as error:
        fail(error.message, USAGE)
    _console().print(tables.evaluation_table(figures))
    print(
        f"percent; {figures.windows} windows, {figures.ms_per_window:g} ms of engine time each "
        f"(batches of 16, {threads or 'all'} thread(s))"
    )
    _write_json(as_json, figures)


@app.command()
def quantize(
    source: Annotated[Path, typer.Argument(help="CTranslate2 directory, best one in float32.")],
    out: Annotated[Path, typer.Argument(help="Where to write one directory per type.")],
    types: Annotated[str, typer.Option(help="float32, int16, int8; on CUDA float16, int8_float16.")] = (
        "int8,int16,float32"
    ),
    max_wer_increase: Annotated[
        float, typer.Option(help="Points of WER and PER that a type may be worse than float32.")
    ] = 2.0,
    on: Annotated[
        Path | None, typer.Option(help="Folder or manifest to measure on; default: the bundled samples.")
    ] = None,
    limit: Limit = 0,
    reciter: Reciters = None,
    as_json: AsJson = None,
) -> None:
    """Write a model in several number types, and show what each costs in accuracy, size and time.

    Exit codes: 0 fine, 1 a type loses more than --max-wer-increase, 2 wrong usage.

    [bold]Examples[/]

      rattil model quantize models/mine-float32 models/mine --on recordings/
      rattil model quantize models/mine-float32 models/mine --types int8 --max-wer-increase 0.5
    """
    from cli.modelling import tables
    from cli.modelling.quantisation import compare, parse_types

    try:
        chosen = Choice(tuple(reciter or ()), limit)
        recordings = bundled_recordings() if on is None else find_recordings(on, chosen)
        found = compare(
            locate(str(source)), out, parse_types(types), recordings, max_wer_increase, _say_measuring
        )
    except RattilError as error:
        fail(error.message, USAGE)
    _console().print(tables.comparison_table(found))
    if found.source_type != "float32":
        print(
            f"The source is stored as {found.source_type}: what that had lost already is not seen here. "
            "Export it as float32 to see it."
        )
    _write_json(as_json, found)
    if not found.acceptable:
        fail(
            f"At least one type is more than {max_wer_increase:g} points worse than float32.", NOT_GOOD_ENOUGH
        )


def _say_measuring(number_type: str) -> None:
    Console(stderr=True).print(f"measuring {number_type} ...", style="dim")


def _console() -> Console:
    """Wide enough for a table when the output is a file or a pipe."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def _write_json(path: Path | None, figures: msgspec.Struct) -> None:
    if path is not None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
