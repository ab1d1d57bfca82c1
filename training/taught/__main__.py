"""A model taught by another one: ``python -m training.taught --data DIR --out models/NAME``.

Without more, the accurate model: Whisper base's encoder taught by the fast model. With ``--start-from`` an
exported model is trained on; with ``--teacher`` it is taught by another one, so
``--start-from models/rattil-tiny --teacher models/rattil-base`` makes a better fast model of the same cost.
``--keep-layers`` and ``--keep-units`` begin a smaller model with a part of ``--start-from``.

Stages, each leaving files in the work folder so that a stopped run goes on where it was: speech (samples
and what the teacher hears in them), start, learn, export, evaluate. The curve of the run is ``learn.svg``
in the work folder. Hours and machine: ``training/README.md``.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from training import manifest
from training.audio import SAMPLE_RATE
from training.curve import drawn, read_log
from training.evaluate import evaluate
from training.export import card, swap
from training.taught import speech
from training.taught.export import export
from training.taught.learn import LOSSES, Plan
from training.taught.network import exported, load, save
from training.taught.workers import Job, Parts, begin, begin_smaller, train
from training.unheard import UNHEARD_SURAS

SYNTHETIC_CLIPS = 6000
SEED = 200_000
USUAL = Plan()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.taught",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    data = os.environ.get("RATTIL_DATA")
    parser.add_argument(
        "--data", type=Path, default=data, required=data is None, help="recordings (RATTIL_DATA)"
    )
    parser.add_argument("--out", type=Path, default=Path("models/rattil-base"))
    parser.add_argument("--work", type=Path, default=Path(".run/taught"), help="speech, checkpoints, curve")
    parser.add_argument("--teacher", type=Path, default=Path("models/rattil-tiny"), help="a phoneme model")
    parser.add_argument("--start-from", type=Path, help="an exported model to train on, not Whisper base")
    parser.add_argument(
        "--keep-layers",
        type=int,
        nargs="+",
        metavar="N",
        help="of --start-from, counted from 0: a smaller model",
    )
    parser.add_argument(
        "--keep-units",
        type=int,
        metavar="N",
        help="feed-forward units of each of its layers, the busiest ones",
    )
    parser.add_argument("--layers", type=int, default=6, help="of Whisper's encoder, the first ones")
    parser.add_argument(
        "--hop-ms",
        type=int,
        choices=(10, 20),
        default=20,
        help="between features: 20, or 10 as Whisper was trained, for more than twice the cost",
    )
    parser.add_argument("--minutes", type=float, default=USUAL.minutes, help="of training, all runs together")
    parser.add_argument("--rate", type=float, default=USUAL.peak_rate, help="highest learning rate")
    parser.add_argument("--processes", type=int, default=2, help="one core each")
    parser.add_argument(
        "--dtype",
        choices=("float32", "bfloat16"),
        default=USUAL.dtype,
        help="bfloat16 pays with AMX or AVX512-BF16",
    )
    parser.add_argument(
        "--teaching",
        type=float,
        nargs=2,
        default=(USUAL.first_teaching, USUAL.last_teaching),
        metavar=("FIRST", "LAST"),
        help="weight of the teacher against the true sounds, at the beginning and at the end",
    )
    parser.add_argument("--synthetic", type=int, default=SYNTHETIC_CLIPS, help="clips to synthesise")
    parser.add_argument("--all-suras", action="store_true", help="train on the suras kept for measuring, too")
    parser.add_argument("--version", default="0.1.0", help="written to model.json")
    parser.add_argument("--limit", type=int, default=150, help="evaluated verses of each reciter")
    options = parser.parse_args()
    options.parts = None
    if options.keep_layers is not None or options.keep_units is not None:
        if options.start_from is None:
            parser.error("--keep-layers and --keep-units need --start-from, the model to take them from")
        try:
            options.parts = Parts.of(options.start_from, options.keep_layers, options.keep_units)
        except ValueError as fault:
            parser.error(f"--keep-layers, --keep-units: {fault}")
    return options


def _plan(options: argparse.Namespace) -> Plan:
    return Plan(
        minutes=options.minutes,
        peak_rate=options.rate,
        dtype=options.dtype,
        first_teaching=options.teaching[0],
        last_teaching=options.teaching[1],
    )


def _begin(options: argparse.Namespace, file: Path) -> None:
    speech = options.work / "speech"
    if options.parts is not None:
        begin_smaller(speech, options.teacher, options.parts, file)
    elif options.start_from is None:
        hop_length = round(options.hop_ms * SAMPLE_RATE / 1000)
        begin(speech, options.teacher, options.layers, hop_length, file)
    else:
        save(exported(options.start_from), file)


def _publish(options: argparse.Namespace, checkpoint: Path) -> None:
    """Export, measure, and put the model in its place with its figures."""
    name = options.out.name
    fresh = options.out.with_name(f"{name}.new")
    marks = manifest.fingerprint(clip for clip in manifest.recited(options.data) if not clip.held_out)
    ears = load(checkpoint, averaged=True).eval()
    hop_length = ears.sizes.encoder.hop_length
    export(ears, fresh, card(name, options.version, marks, {}, hop_length))
    results = evaluate(fresh, options.data, options.limit)
    shutil.rmtree(fresh)
    export(ears, fresh, card(name, options.version, marks, results, hop_length))
    swap(fresh, options.out)
    for group, rates in results.items():
        print(f"{group}: {rates}")


def main() -> None:
    """Run what is left to do."""
    options = _options()
    work: Path = options.work
    work.mkdir(parents=True, exist_ok=True)
    unheard = () if options.all_suras else UNHEARD_SURAS
    listed = list(speech.jobs(options.data, options.synthetic, SEED, unheard))
    speech.prepare(work / "speech", listed, options.teacher, options.processes)
    start, checkpoint = work / "start.pt", work / "learn.pt"
    if not start.exists():
        _begin(options, start)
    job = Job(work / "speech", options.teacher, start, checkpoint, _plan(options), options.processes)
    train(job)
    curve = drawn(read_log(checkpoint.with_suffix(".csv"), LOSSES), f"{options.out.name}: losses")
    (work / "learn.svg").write_text(curve, encoding="utf-8")
    _publish(options, checkpoint)


if __name__ == "__main__":
    main()
