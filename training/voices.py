"""The synthesised part of the training mix: many espeak-ng voices, any words of the Quran."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from training.audio import SAMPLE_RATE, Floats
from training.cache import Source
from training.passages import TRAINED_SURAS, WordRef, phrase, refs, verse, verse_count
from training.synth import Voice, speak

VARIANTS = (
    *("m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f4", "f5", "klatt"),
    *("klatt2", "klatt4", "adam", "Alex", "Andy", "Mario", "Michael", "Denis", "Lee", "anika"),
    *("Annie", "steph", "linda", "belinda", "max", "michel", "pablo", "quincy", "rob", "marcelo"),
)
LONGEST_WORDS = 12
SYNTHETIC_PREFIX = "synth-"
"""How the names of synthetic voices begin."""

Rng = np.random.Generator


def spelled(words: Sequence[WordRef]) -> str:
    """Key of a clip: its words as ``s:a:w,s:a:w``."""
    return ",".join(f"{word.sura}:{word.aya}:{word.word}" for word in words)


def parsed(key: str) -> list[WordRef]:
    """The words of a key made by :func:`spelled`."""
    return [WordRef(*(int(part) for part in word.split(":"))) for word in key.split(",")]


def _some_words(rng: Rng, suras: Sequence[int]) -> list[WordRef]:
    """A run of 1 to 12 words of one verse."""
    sura = int(rng.choice(suras))
    aya = int(rng.integers(1, verse_count(sura) + 1))
    length = len(verse(sura, aya))
    count = min(length, int(rng.integers(2, LONGEST_WORDS + 1)))
    first = int(rng.integers(1, length - count + 2))
    return refs(sura, aya, first, first + count - 1)


def _edited(words: list[WordRef], rng: Rng) -> list[WordRef]:
    """At times a mistake: a word left out, replaced or added, so that sounds beat memory."""
    if len(words) < 3 or rng.random() < 0.5:
        return words
    place = int(rng.integers(1, len(words) - 1))
    kind = rng.random()
    if kind < 0.4:
        return words[:place] + words[place + 1 :]
    foreign = _some_words(rng, range(1, 115))[:1]
    return words[:place] + foreign + words[place + (kind < 0.8) :]


def passage(rng: Rng) -> list[WordRef]:
    """Words of one synthetic clip: a known verse, an edited one, or any words of the Quran."""
    kind = rng.random()
    if kind < 0.15:
        return refs(1, int(rng.integers(1, 8)))
    suras = TRAINED_SURAS if kind < 0.55 else range(1, 115)
    return _edited(_some_words(rng, suras), rng)


def _samples(words: list[WordRef], voice: Voice, seed: int) -> Floats:
    rng = np.random.default_rng(seed)
    silence = [np.zeros(int(rng.uniform(0.05, 0.5) * SAMPLE_RATE), dtype=np.float32) for _ in "ab"]
    spoken = speak(phrase(words), voice)
    noise = rng.standard_normal(spoken.size + sum(map(len, silence))) * 10.0 ** -rng.uniform(3, 6)
    joined = np.concatenate([silence[0], spoken, silence[1]])
    noisy: Floats = (joined + noise).astype(np.float32)
    return noisy


def sources(count: int, seed: int) -> list[Source]:
    """``count`` synthetic clips, ready to be cached."""
    rng = np.random.default_rng(seed)
    made = []
    for index in range(count):
        words = passage(rng)
        variant = str(rng.choice(VARIANTS))
        voice = Voice(variant, int(rng.integers(95, 165)), int(rng.integers(20, 75)))
        made.append(
            Source(spelled(words), SYNTHETIC_PREFIX + variant, partial(_samples, words, voice, seed + index))
        )
    return made
