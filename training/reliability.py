"""Is a word's confidence what it says? ``python -m training.reliability MODEL --data DIR``.

Held-out reciters, as they recited and with words left out or replaced (`training.mistakes`), are followed
live. A verdict is right when a word said correctly is called correct or a minor mistake, and a word that
was not said is called anything but correct. The table shows, for verdicts of one confidence, how many
were right; the expected calibration error is the mean distance between the two, weighed by words.

``--write`` puts the curves fitted on all of them into the model's ``model.json``: words then show what the
curves say (`shared.confidence`). What they are worth on a voice that they were not fitted on, the tables say.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec
import numpy as np

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener
from shared.audio.pcm import to_pcm16
from shared.confidence import (
    MOST_POINTS,
    UNMEASURED,
    ConfidenceCurve,
    ConfidenceCurves,
    corrected,
    curves_fault,
)
from shared.recitation.reference.passage import load_passage
from shared.recitation.report.review import review
from training import manifest
from training.export import write_json
from training.mistakes import Case, aligned_verses, cases, scenes
from training.word_cuts import WordCutter

BINS = 10
JUDGED = ("correct", "minor_mistake", "wrong")
KINDS = ("clean", "skip_word", "swap_word")


@dataclass(frozen=True, slots=True)
class Verdict:
    """One judged word: how it was called, with what confidence (0-1), and whether rightly."""

    status: str
    confidence: float
    right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Verdicts of about one confidence."""

    verdicts: int
    confidence: float
    right: float


def table(verdicts: Sequence[Verdict], bins: int = BINS) -> list[Bin]:
    """Verdicts grouped by confidence, in equal steps; empty groups are left out."""
    found = []
    for number in range(bins):
        members = [verdict for verdict in verdicts if min(bins - 1, int(verdict.confidence * bins)) == number]
        if members:
            found.append(
                Bin(
                    len(members),
                    sum(verdict.confidence for verdict in members) / len(members),
                    sum(verdict.right for verdict in members) / len(members),
                )
            )
    return found


def expected_error(groups: Iterable[Bin]) -> float:
    """Expected calibration error: how far confidence is from the share that was right."""
    listed = list(groups)
    total = sum(group.verdicts for group in listed)
    return sum(group.verdicts * abs(group.confidence - group.right) for group in listed) / max(1, total)


def rising(verdicts: Sequence[Verdict], least: int = 40) -> ConfidenceCurve:
    """What a confidence should have said: the curve (given, share right), never falling.

    Neighbours are pooled until no share is lower than the one before (isotonic regression), in groups
    of at least ``least`` verdicts. No share is 1: half a right and half a wrong verdict are added to each.
    """
    least = max(least, -(-len(verdicts) // MOST_POINTS))
    pools: list[_Pool] = []
    open_pool = _Pool()
    ordered = sorted(verdicts, key=lambda verdict: verdict.confidence)
    for _, equal in itertools.groupby(ordered, key=lambda verdict: verdict.confidence):
        members = list(equal)
        given = sum(verdict.confidence for verdict in members)
        open_pool += _Pool(len(members), given, sum(verdict.right for verdict in members))
        if open_pool.count >= least:
            pools.append(open_pool)
            open_pool = _Pool()
    if open_pool.count:
        pools[-1:] = [pools[-1] + open_pool] if pools else [open_pool]
    settled: list[_Pool] = []
    for pool in pools:
        settled.append(pool)
        while len(settled) > 1 and settled[-2].share >= settled[-1].share:
            later, earlier = settled.pop(), settled.pop()
            settled.append(earlier + later)
    return tuple((round(pool.given / pool.count, 4), round(pool.share, 4)) for pool in settled)


@dataclass(frozen=True, slots=True)
class _Pool:
    """Verdicts of neighbouring confidences: how many, the sum of their confidences, how many were right."""

    count: int = 0
    given: float = 0.0
    right: float = 0.0

    def __add__(self, other: _Pool) -> _Pool:
        return _Pool(self.count + other.count, self.given + other.given, self.right + other.right)

    @property
    def share(self) -> float:
        return (self.right + 0.5) / (self.count + 1)


def fitted(verdicts: Sequence[Verdict]) -> ConfidenceCurves:
    """The curves of accepted and of wrong words."""
    return ConfidenceCurves(
        rising([verdict for verdict in verdicts if verdict.status != "wrong"]),
        rising([verdict for verdict in verdicts if verdict.status == "wrong"]),
    )


def with_curves(verdicts: Iterable[Verdict], curves: ConfidenceCurves) -> list[Verdict]:
    """The verdicts with the confidence that words would show with these curves."""
    return [
        replace(
            verdict,
            confidence=corrected(
                verdict.confidence, curves.wrong if verdict.status == "wrong" else curves.accepted
            ),
        )
        for verdict in verdicts
    ]


def judged(listener: Listener, case: Case) -> Iterator[Verdict]:
    """Follow a case live; every word that got a verdict and of which it is known what was said.

    Confidences are the model's own, whatever curves its card has already.
    """
    passage = load_passage(case.verses)
    hearings = [
        msgspec.structs.replace(heard, confidence_curves=UNMEASURED)
        for heard in listener.live(to_pcm16(case.samples))
    ]
    feedback = review(passage, hearings)
    for word, reference in zip(feedback.words, passage.words, strict=True):
        place = (reference.verse.ayah, reference.position)
        if word.status not in JUDGED or place in case.unclear or place in case.unsaid:
            continue
        mistaken = place in case.mistaken
        right = word.status != "correct" if mistaken else word.status != "wrong"
        yield Verdict(word.status, word.confidence, right)


def gather(model: Path, data: Path, reciter: str, limit: int, seed: int = 1) -> list[Verdict]:
    """All verdicts on one held-out reciter's recitations, clean and with mistakes."""
    listener = Listener(CTranslate2Engine(model, ComputeOptions("cpu", "int8", threads=1)))
    verses = aligned_verses(data, reciter, WordCutter(model))
    found = scenes(verses, limit, np.random.default_rng(seed))
    return [verdict for _, case in cases(found, seed, KINDS) for verdict in judged(listener, case)]


def write_curves(model: Path, curves: ConfidenceCurves) -> None:
    """Put the curves into the model's card. Raises `ValueError` for some that no worker would take."""
    if fault := curves_fault(curves):
        raise ValueError(f"the curves cannot be used: {fault}")
    path = model / "model.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, card | {"confidence_curves": msgspec.to_builtins(curves)})


def main() -> None:
    """A table for each reciter, and what a correction fitted on the others leaves of the error."""
    parser = argparse.ArgumentParser(prog="python -m training.reliability", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=60, help="verses of each reciter")
    parser.add_argument("--json", type=Path, help="also write the tables and curves here")
    parser.add_argument("--write", action="store_true", help="write the curves of all voices to model.json")
    options = parser.parse_args()
    by_reciter = {
        name: gather(options.model, options.data, name, options.limit) for name in manifest.HELD_OUT
    }
    written: dict[str, object] = {}
    for reciter, verdicts in by_reciter.items():
        groups = table(verdicts)
        others = [verdict for name, listed in by_reciter.items() if name != reciter for verdict in listed]
        after = with_curves(verdicts, fitted(others))
        print(f"{reciter}: {len(verdicts)} verdicts, expected calibration error {expected_error(groups):.3f}")
        _show(groups)
        print(f"  with the curves fitted on the other voices: {expected_error(table(after)):.3f}")
        _show(table(after))
        wrong = [verdict for verdict in after if verdict.status == "wrong"]
        print(f"  words called wrong alone: {expected_error(table(wrong)):.3f}")
        _show(table(wrong))
        written[reciter] = {
            "table": [[group.verdicts, group.confidence, group.right] for group in groups],
            "curves": msgspec.to_builtins(fitted(verdicts)),
        }
    if options.json:
        options.json.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")
    if options.write:
        write_curves(options.model, fitted([verdict for listed in by_reciter.values() for verdict in listed]))


def _show(groups: Sequence[Bin]) -> None:
    for group in groups:
        print(f"  {group.verdicts:>6} verdicts  confidence {group.confidence:.2f}  right {group.right:.3f}")


if __name__ == "__main__":
    main()
