"""Deliberate mistakes from real voices: ``python -m training.mistakes --data DIR --reciter NAME``.

Cuts recordings of a reciter who was never trained on into words (forced alignment), makes mistakes
of them, has the product listen in its live windows, and counts: were the mistakes reported on the
right words, and was anything else accused? Same seed, same mistakes.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr_worker.engines.ctranslate2 import CTranslate2Engine
from asr_worker.engines.model_parts import ComputeOptions
from cli.modelling.listening import Listener
from shared.audio.pcm import to_pcm16
from shared.recitation.grading.policy import DEFAULT, FeedbackPolicy
from shared.recitation.reference.passage import VerseRange, load_passage
from shared.recitation.report.review import review
from training import audio, manifest
from training.audio import SAMPLE_RATE, Floats
from training.likeness import difference, in_doubt, shared
from training.passages import verse
from training.word_cuts import LONGEST_S, WordCutter

Rng = np.random.Generator
Place = tuple[int, int]
"""Verse and word, both from 1."""

PAUSE_S = 0.25
"""Silence between two verses."""
FADE = 80
"""Samples (5 ms) faded at a cut, so that it does not click."""
LEAST_WORDS = 4
FOREIGN_SOUNDS = 3
FOREIGN_DISTANCE = 0.6
"""A swapped-in word differs in at least this share of its sounds: a mistake nobody would overlook."""
LIKE_SHARE = 0.5
"""A verse of which this share of the words, in order, is in another one too may be taken for that one."""
ACCUSED = ("wrong", "missing")


@dataclass(frozen=True, slots=True)
class Verse:
    """One recorded verse with its word borders (samples); `words` are their sounds."""

    sura: int
    aya: int
    samples: Floats
    borders: tuple[int, ...]
    words: tuple[tuple[str, ...], ...]

    def part(self, first: int, last: int) -> Floats:
        """Words `first` to `last` (from 1, both included), faded at both ends."""
        return _faded(self.samples[self.borders[first - 1] : self.borders[last]])


@dataclass(frozen=True, slots=True)
class Case:
    """A recitation to judge. `mistaken` are the words recited wrongly on purpose, `unsaid` those
    after the point where the reciter stopped, `unclear` those of which nobody could tell: with the first
    of two equal words left out or with the second, the same is said."""

    verses: VerseRange
    samples: Floats
    mistaken: frozenset[Place] = frozenset()
    unsaid: frozenset[Place] = frozenset()
    unclear: frozenset[Place] = frozenset()


@dataclass(slots=True)
class Tally:
    """Counts of one kind of mistake."""

    cases: int = 0
    mistaken: Counter[str] = field(default_factory=Counter)
    innocent: Counter[str] = field(default_factory=Counter)
    unsaid: Counter[str] = field(default_factory=Counter)

    def rates(self) -> dict[str, float | None]:
        """`reported`: mistaken words that were called wrong or missing; `minor`: only minor;
        `false_alarms`: words said correctly that were accused; `punished`: the same of unsaid ones."""
        return {
            "cases": self.cases,
            "reported": _share(self.mistaken, *ACCUSED),
            "minor": _share(self.mistaken, "minor_mistake"),
            "false_alarms": _share(self.innocent, *ACCUSED),
            "correct": _share(self.innocent, "correct"),
            "punished": _share(self.unsaid, *ACCUSED),
        }


def _share(counts: Counter[str], *names: str) -> float | None:
    return round(sum(counts[name] for name in names) / counts.total(), 4) if counts else None


def _faded(samples: Floats) -> Floats:
    faded = samples.copy()
    length = min(FADE, faded.size // 2)
    ramp = np.linspace(0, 1, length, dtype=np.float32)
    faded[:length] *= ramp
    faded[faded.size - length :] *= ramp[::-1]
    return faded


def joined(*parts: Floats) -> Floats:
    """Verses one after the other, with a pause between them."""
    pause = np.zeros(round(PAUSE_S * SAMPLE_RATE), np.float32)
    return np.concatenate([piece for part in parts for piece in (part, pause)])


@dataclass(frozen=True, slots=True)
class Scene:
    """Three consecutive verses, and another one to take a foreign word from."""

    before: Verse
    here: Verse
    after: Verse
    foreign: Verse

    def case(self, edited: Floats, *wrong: int) -> Case:
        """The three verses, the middle one edited, with its mistaken words."""
        return Case(
            VerseRange.of(self.here.sura, self.before.aya, self.after.aya),
            joined(self.before.samples, edited, self.after.samples),
            frozenset((self.here.aya, word) for word in wrong),
        )

    def without(self, samples: Floats, *left_out: int) -> Case:
        """Words of the middle verse left out, as far as it can be told which."""
        words = [
            (verse.aya, at)
            for verse in (self.before, self.here, self.after)
            for at in range(1, len(verse.words) + 1)
        ]
        sounds = [*self.before.words, *self.here.words, *self.after.words]
        missed = {place for place, (aya, at) in enumerate(words) if aya == self.here.aya and at in left_out}
        unclear = in_doubt(sounds, missed)
        verses = VerseRange.of(self.here.sura, self.before.aya, self.after.aya)
        return Case(
            verses,
            samples,
            mistaken=frozenset(words[place] for place in missed - unclear),
            unclear=frozenset(words[place] for place in unclear),
        )


def _inner_word(scene: Scene, rng: Rng) -> int:
    return int(rng.integers(2, len(scene.here.words)))


def clean(scene: Scene, rng: Rng) -> Case:
    """No mistake."""
    return scene.case(scene.here.samples)


def skip_word(scene: Scene, rng: Rng) -> Case | None:
    """A word inside the verse left out."""
    word, here = _inner_word(scene, rng), scene.here
    edited = np.concatenate([here.part(1, word - 1), here.part(word + 1, len(here.words))])
    case = scene.without(joined(scene.before.samples, edited, scene.after.samples), word)
    return case if case.mistaken else None


def swap_word(scene: Scene, rng: Rng) -> Case | None:
    """A word of another verse in the place of one inside the verse."""
    word, here, foreign = _inner_word(scene, rng), scene.here, scene.foreign
    usable = [
        at
        for at, sounds in enumerate(foreign.words, start=1)
        if len(sounds) >= FOREIGN_SOUNDS and difference(sounds, here.words[word - 1]) >= FOREIGN_DISTANCE
    ]
    if not usable:
        return None
    taken = int(rng.choice(usable))
    parts = [here.part(1, word - 1), foreign.part(taken, taken), here.part(word + 1, len(here.words))]
    return scene.case(np.concatenate(parts), word)


def repeat_phrase(scene: Scene, rng: Rng) -> Case:
    """Two or three words said twice: no mistake."""
    here = scene.here
    first = int(rng.integers(1, len(here.words) - 1))
    last = min(len(here.words), first + int(rng.integers(1, 3)))
    return scene.case(np.concatenate([here.part(1, last), here.part(first, len(here.words))]))


def stop_early(scene: Scene, rng: Rng) -> Case:
    """The reciter stops inside the second verse: what was not said is no mistake."""
    word, here = _inner_word(scene, rng), scene.here
    unsaid = [(here.aya, at) for at in range(word + 1, len(here.words) + 1)]
    unsaid += [(scene.after.aya, at) for at in range(1, len(scene.after.words) + 1)]
    samples = joined(scene.before.samples, here.part(1, word))
    return Case(scene.case(samples).verses, samples, unsaid=frozenset(unsaid))


def skip_verse(scene: Scene, rng: Rng) -> Case | None:
    """The second verse left out, unless the third passes for the first said again, or for the second."""
    before, here, after = scene.before, scene.here, scene.after
    if max(shared(after.words, before.words), shared(after.words, here.words)) >= LIKE_SHARE:
        return None
    case = scene.without(joined(before.samples, after.samples), *range(1, len(here.words) + 1))
    return case if case.mistaken else None


KINDS: dict[str, Callable[[Scene, Rng], Case | None]] = {
    "clean": clean,
    "skip_word": skip_word,
    "swap_word": swap_word,
    "repeat_phrase": repeat_phrase,
    "stop_early": stop_early,
    "skip_verse": skip_verse,
}


def aligned_verses(data: Path, reciter: str, cutter: WordCutter) -> dict[Place, Verse]:
    """The reciter's verses that are short enough and could be aligned, by sura and verse."""
    found: dict[Place, Verse] = {}
    for clip in manifest.recited(data):
        if clip.reciter != reciter or clip.seconds > LONGEST_S:
            continue
        samples = audio.read(clip.path)
        words = tuple(word.sounds for word in verse(clip.sura, clip.first))
        try:
            borders = tuple(cutter.borders(samples, words))
        except ValueError:
            continue
        found[clip.sura, clip.first] = Verse(clip.sura, clip.first, samples, borders, words)
    return found


def scenes(verses: dict[Place, Verse], limit: int, rng: Rng) -> list[Scene]:
    """At most `limit` triples of neighbouring verses whose middle one is long enough, evenly drawn."""
    middles = [
        (sura, aya)
        for sura, aya in sorted(verses)
        if {(sura, aya - 1), (sura, aya + 1)} <= verses.keys() and len(verses[sura, aya].words) >= LEAST_WORDS
    ]
    chosen = [middles[at * len(middles) // limit] for at in range(limit)] if limit < len(middles) else middles
    strangers = sorted(verses)
    return [
        Scene(
            verses[sura, aya - 1],
            verses[sura, aya],
            verses[sura, aya + 1],
            verses[strangers[int(rng.integers(len(strangers)))]],
        )
        for sura, aya in chosen
    ]


DRAWN = tuple(kind for kind in KINDS if kind not in ("clean", "skip_verse"))
"""Kinds of which a scene gives another case at every draw."""


def cases(
    found: Sequence[Scene], seed: int, kinds: Collection[str] = tuple(KINDS)
) -> Iterator[tuple[str, Case]]:
    """Every kind of mistake made of every scene that allows it."""
    for number, (kind, make) in enumerate(KINDS.items()):
        for at, scene in enumerate(found if kind in kinds else ()):
            case = make(scene, np.random.default_rng([seed, number, at]))
            if case is not None:
                yield kind, case


def judge(listener: Listener, case: Case, tally: Tally, policy: FeedbackPolicy = DEFAULT) -> None:
    """Hear a case in live windows and count how its words stand at the end."""
    hearings = listener.live(to_pcm16(case.samples))
    tally.cases += 1
    passage = load_passage(case.verses)
    for word, reference in zip(review(passage, hearings, policy).words, passage.words, strict=True):
        place = (reference.verse.ayah, reference.position)
        if place in case.unclear:
            continue
        counts = (
            tally.mistaken
            if place in case.mistaken
            else tally.unsaid
            if place in case.unsaid
            else tally.innocent
        )
        counts[word.status] += 1


def measure(model: Path, data: Path, reciter: str, limit: int, seed: int, draws: int = 1) -> dict[str, Tally]:
    """Counts for every kind of mistake, with `draws` words drawn from each verse."""
    listener = Listener(CTranslate2Engine(model, ComputeOptions("cpu", "int8", threads=1)))
    verses = aligned_verses(data, reciter, WordCutter(model))
    tallies: dict[str, Tally] = {kind: Tally() for kind in KINDS}
    for draw in range(seed, seed + draws):
        found = scenes(verses, limit, np.random.default_rng(draw))
        for kind, case in cases(found, draw, KINDS if draw == seed else DRAWN):
            judge(listener, case, tallies[kind])
    return tallies


def main() -> None:
    """Print a table, one line per kind of mistake."""
    parser = argparse.ArgumentParser(prog="python -m training.mistakes", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with manifest.tsv")
    parser.add_argument("--reciter", action="append", choices=manifest.HELD_OUT, help="default: all held out")
    parser.add_argument("--model", type=Path, default=Path("models/rattil-tiny"))
    parser.add_argument("--limit", type=int, default=60, help="verses to take (default 60)")
    parser.add_argument("--draws", type=int, default=1, help="words drawn from each verse (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    figures: dict[str, dict[str, dict[str, float | None]]] = {}
    for reciter in options.reciter or manifest.HELD_OUT:
        tallies = measure(options.model, options.data, reciter, options.limit, options.seed, options.draws)
        figures[reciter] = {kind: tally.rates() for kind, tally in tallies.items()}
        print(f"{reciter:<16}{'cases':>7}{'reported':>10}{'minor':>8}{'false alarms':>14}{'punished':>10}")
        for kind, rates in figures[reciter].items():
            shown = [_percent(rates[name]) for name in ("reported", "minor", "false_alarms", "punished")]
            print(f"  {kind:<14}{rates['cases']:>7}{shown[0]:>10}{shown[1]:>8}{shown[2]:>14}{shown[3]:>10}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def _percent(rate: float | None) -> str:
    return "-" if rate is None else f"{rate * 100:.1f}"


if __name__ == "__main__":
    main()
