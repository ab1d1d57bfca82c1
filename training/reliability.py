"""Is a word's confidence what it says? ``python -m training.reliability MODEL --data DIR``.

Held-out reciters, as they recited and with words left out or replaced (`training.mistakes`), are followed
live. A verdict is right when a word said correctly is called correct or a minor mistake, and a word that
was not said is called anything but correct. The table shows, for verdicts of one confidence, how many
were right; the expected calibration error is the mean distance between the two, weighed by words.
"""

from __future__ import annotations

import argparse
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener
from shared.audio.pcm import to_pcm16
from shared.recitation.reference.passage import load_passage
from shared.recitation.report.review import review
from training import manifest
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


def rising(verdicts: Sequence[Verdict], least: int = 40) -> list[tuple[float, float]]:
    """What a confidence should have said: (given, share right), never falling.

    Neighbours are pooled until no share is lower than the one before (isotonic regression), in groups
    of at least ``least`` verdicts.
    """
    pools: list[tuple[int, float, float]] = []
    open_pool = (0, 0.0, 0.0)
    ordered = sorted(verdicts, key=lambda verdict: verdict.confidence)
    for _, equal in itertools.groupby(ordered, key=lambda verdict: verdict.confidence):
        members = list(equal)
        given, right = (
            sum(verdict.confidence for verdict in members),
            sum(verdict.right for verdict in members),
        )
        open_pool = (open_pool[0] + len(members), open_pool[1] + given, open_pool[2] + right)
        if open_pool[0] >= least:
            pools.append(open_pool)
            open_pool = (0, 0.0, 0.0)
    pools += [open_pool] if open_pool[0] else []
    settled: list[tuple[int, float, float]] = []
    for pool in pools:
        settled.append(pool)
        while len(settled) > 1 and settled[-2][2] * settled[-1][0] > settled[-1][2] * settled[-2][0]:
            later, earlier = settled.pop(), settled.pop()
            settled.append((later[0] + earlier[0], later[1] + earlier[1], later[2] + earlier[2]))
    return [(given / count, right / count) for count, given, right in settled]


def corrected(verdict: Verdict, curve: Sequence[tuple[float, float]]) -> Verdict:
    """The verdict with the confidence that :func:`rising` found for it."""
    given, right = zip(*curve, strict=True)
    return Verdict(verdict.status, float(np.interp(verdict.confidence, given, right)), verdict.right)


def judged(listener: Listener, case: Case) -> Iterator[Verdict]:
    """Follow a case live; every word that got a verdict and of which it is known what was said."""
    passage = load_passage(case.verses)
    feedback = review(passage, listener.live(to_pcm16(case.samples)))
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


def main() -> None:
    """A table for each reciter, and what a correction fitted on the others would leave of the error."""
    parser = argparse.ArgumentParser(prog="python -m training.reliability", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=60, help="verses of each reciter")
    parser.add_argument("--json", type=Path, help="also write the tables and curves here")
    options = parser.parse_args()
    by_reciter = {
        name: gather(options.model, options.data, name, options.limit) for name in manifest.HELD_OUT
    }
    written: dict[str, object] = {}
    for reciter, verdicts in by_reciter.items():
        groups = table(verdicts)
        others = [verdict for name, listed in by_reciter.items() if name != reciter for verdict in listed]
        curve = rising(others)
        after = expected_error(table([corrected(verdict, curve) for verdict in verdicts]))
        print(f"{reciter}: {len(verdicts)} verdicts, expected calibration error {expected_error(groups):.3f}")
        print(f"  with confidence corrected by the other voices: {after:.3f}")
        for group in groups:
            print(
                f"  {group.verdicts:>6} verdicts  confidence {group.confidence:.2f}  right {group.right:.3f}"
            )
        written[reciter] = {
            "table": [[group.verdicts, group.confidence, group.right] for group in groups],
            "curve": rising(verdicts),
        }
    if options.json:
        options.json.write_text(json.dumps(written, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
