"""From recordings to the accurate model: ``python -m training.accurate --data DIR --out models/NAME``.

Stages, each leaving files in the work folder so that a stopped run goes on where it was: speech (samples
and what the teacher hears in them), start (Whisper base's encoder), learn, export, evaluate. The curve
of the run is ``learn.svg`` in the work folder. Hours and machine: ``training/README.md``.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from training import manifest
from training.accurate import speech
from training.accurate.export import export
from training.accurate.learn import LOSSES, Plan
from training.accurate.network import exported
from training.accurate.workers import Job, begin, load, save_start, train
from training.curve import drawn, read_log
from training.evaluate import evaluate
from training.export import card, swap
from training.unheard import UNHEARD_SURAS

SYNTHETIC_CLIPS = 6000
SEED = 200_000
USUAL = Plan()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.accurate",
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter,
    )
    data = os.environ.get("RATTIL_DATA")
    parser.add_argument(
        "--data", type=Path, default=data, required=data is None, help="recordings (RATTIL_DATA)"
    )
    parser.add_argument("--out", type=Path, default=Path("models/rattil-base"))
    parser.add_argument("--work", type=Path, default=Path(".run/accurate"), help="speech, checkpoints, curve")
    parser.add_argument("--teacher", type=Path, default=Path("models/rattil-tiny"), help="a phoneme model")
    parser.add_argument("--start-from", type=Path, help="a model made by this command: train it on")
    parser.add_argument("--layers", type=int, default=6, help="of Whisper's encoder, the first ones")
    parser.add_argument("--minutes", type=float, default=USUAL.minutes, help="of training, all runs together")
    parser.add_argument("--rate", type=float, default=USUAL.peak_rate, help="highest learning rate")
    parser.add_argument("--processes", type=int, default=2, help="one core each")
    parser.add_argument(
        "--dtype", choices=("float32", "bfloat16"), default=USUAL.dtype, help="bfloat16 pays with AMX"
    )
    parser.add_argument("--synthetic", type=int, default=SYNTHETIC_CLIPS, help="clips to synthesise")
    parser.add_argument("--all-suras", action="store_true", help="train on the suras kept for measuring, too")
    parser.add_argument("--version", default="0.1.0", help="written to model.json")
    parser.add_argument("--limit", type=int, default=150, help="evaluated verses of each reciter")
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    taught = options.start_from is None
    return Plan(
        minutes=options.minutes,
        peak_rate=options.rate,
        dtype=options.dtype,
        # A model that was trained before has nothing more to learn from the teacher.
        first_teaching=USUAL.first_teaching if taught else 0.0,
        last_teaching=USUAL.last_teaching if taught else 0.0,
    )


def _begin(options: argparse.Namespace, file: Path) -> None:
    if options.start_from is None:
        begin(options.work / "speech", options.teacher, options.layers, file)
    else:
        save_start(exported(options.start_from), file)


def _publish(options: argparse.Namespace, checkpoint: Path) -> None:
    """Export, measure, and put the model in its place with its figures."""
    name = options.out.name
    fresh = options.out.with_name(f"{name}.new")
    marks = manifest.fingerprint(clip for clip in manifest.recited(options.data) if not clip.held_out)
    ears = load(checkpoint, options.teacher, averaged=True).eval()
    export(ears, fresh, card(name, options.version, marks, {}))
    results = evaluate(fresh, options.data, options.limit)
    shutil.rmtree(fresh)
    export(ears, fresh, card(name, options.version, marks, results))
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
