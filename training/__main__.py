"""From recordings to a model directory: ``python -m training --data DIR --out models/NAME``.

Stages, each leaving files in the work folder so that a broken run goes on where it stopped:
cache (features), align (flat start), first (train), realign (sharper targets), second (train on),
export, evaluate. Two cores need about four hours; see ``training/README.md``.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from training import cache, manifest, prepare
from training.evaluate import evaluate
from training.export import card, export, swap
from training.learn import Plan
from training.passages import Letters
from training.realign import realign
from training.restore import as_checkpoint, deepened, restore
from training.student import Shape
from training.workers import Job, load_student, train

FIRST = Plan(minutes=25)
"""Frame targets carry a network that knows nothing yet."""
SECOND = Plan(
    minutes=180,
    peak_rate=1e-3,
    seconds_per_step=96.0,
    frame_weight=0.2,
    ctc_weight=0.8,
    text_weight=0.6,
    seed=8,
)
"""Smaller steps, and more of them; by now CTC and letters teach more than the frames."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    data = os.environ.get("RATTIL_DATA")
    parser.add_argument(
        "--data", type=Path, default=data, required=data is None, help="recordings (RATTIL_DATA)"
    )
    parser.add_argument("--out", type=Path, default=Path("models/rattil-tiny"))
    parser.add_argument("--work", type=Path, default=Path(".run/training"), help="caches, checkpoints")
    parser.add_argument(
        "--start-from", type=Path, help="a model made by this command: train it on, in place of the first run"
    )
    parser.add_argument("--first-minutes", type=float, default=FIRST.minutes)
    parser.add_argument("--second-minutes", type=float, default=SECOND.minutes)
    parser.add_argument("--processes", type=int, default=2, help="one core each")
    parser.add_argument("--synthetic", type=int, default=prepare.SYNTHETIC_CLIPS, help="clips to synthesise")
    parser.add_argument("--version", default="0.1.0", help="written to model.json")
    parser.add_argument(
        "--float32", type=Path, help="also write it here unquantised, for rattil model quantize"
    )
    parser.add_argument("--limit", type=int, default=150, help="evaluated verses of each reciter")
    return parser.parse_args()


def _sharpen(data: Path, work: Path, checkpoint: Path) -> None:
    """Align everything again with the student of the first run."""
    student = load_student(checkpoint)
    texts = Letters(data / "text" / "quran-simple.txt")
    for name in (prepare.RECITED, prepare.SYNTHETIC):
        store = cache.Store.open(work, name)
        members = prepare.clips(store, name, texts)
        paths = [clip.path for clip in members]
        old = prepare.places(work, store, name, members)
        labels = [path.states[place] for path, place in zip(paths, old, strict=True)]
        features = [np.array(store.features(clip.entries[0])) for clip in members]
        found = realign(student, features, paths, labels)
        prepare.keep_places(work / f"{name}.places.npz", found)


def _publish(options: argparse.Namespace, checkpoint: Path) -> None:
    """Export, measure, and put the model in its place with its figures."""
    name = options.out.name
    fresh = options.out.with_name(f"{name}.new")
    marks = manifest.fingerprint(clip for clip in manifest.recited(options.data) if not clip.held_out)
    student = load_student(checkpoint)
    export(student, fresh, card(name, options.version, marks, {}))
    results = evaluate(fresh, options.data, options.limit)
    export(student, fresh, card(name, options.version, marks, results))
    swap(fresh, options.out)
    if options.float32 is not None:
        export(student, options.float32, card(name, options.version, marks, results), quantization=None)
    for group, rates in results.items():
        print(f"{group}: {rates}")


def main() -> None:
    """Run what is left to do."""
    options = _options()
    work: Path = options.work
    prepare.fill_caches(options.data, work, options.synthetic)
    prepare.align_all(options.data, work)
    first, second, sharpened = work / "first.pt", work / "second.pt", work / "sharpened"
    job = Job(
        options.data,
        work,
        first,
        None,
        replace(FIRST, minutes=options.first_minutes),
        options.processes,
    )
    if options.start_from is None:
        train(job)
    elif not first.exists():
        as_checkpoint(deepened(restore(options.start_from), Shape().encoder_layers), first)
    if not sharpened.exists():
        _sharpen(options.data, work, first)
        sharpened.touch()
    plan = replace(SECOND, minutes=options.second_minutes)
    train(replace(job, checkpoint=second, start_from=first, plan=plan))
    _publish(options, second)


if __name__ == "__main__":
    main()
