"""What can be told apart by ear: words that differ enough, and left-out words that are missed at all.

Whoever leaves out one of two equal words has said the same as with the other left out, and whoever goes
on with a verse that begins like the one left out may just as well have said that one, wrongly.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from rapidfuzz.distance import LCSseq

from shared.recitation.alignment.phoneme_costs import ECHO, HAMZA, SHORT_VOWELS, distance, is_vowel, weight

Sounds = tuple[str, ...]

_PLAIN = {"rˤ": "r", "lˤ": "l", "m̃": "m", "w̃": "w", "j̃": "j", "ñ": "n", "ŋ": "n"}
"""Sounds that depend on the neighbours of a word, and what they are without."""


def bare(word: Sounds) -> Sounds:
    """A word without what its neighbours and a pause change: joined hamza, last vowel, length, nasality."""
    sounds = [sound[0] if is_vowel(sound) else _PLAIN.get(sound, sound) for sound in word if sound != ECHO]
    if len(sounds) > 2 and sounds[0] == HAMZA:
        del sounds[:2]
    if len(sounds) > 1 and sounds[-1] in SHORT_VOWELS:
        del sounds[-1]
    # Two equal consonants that met, or one that was doubled.
    return tuple(sound[: len(sound) // 2] if _doubled(sound) else sound for sound in sounds)


def _doubled(sound: str) -> bool:
    half = len(sound) // 2
    return half > 0 and sound[:half] == sound[half:]


def difference(one: Sounds, other: Sounds) -> float:
    """Share (0-1) of what two words sound like that differs: edits, weighted as the grading weighs sounds."""
    row = np.concatenate(([0.0], np.cumsum([weight(sound) for sound in other])))
    for sound in one:
        before, row = row, row + weight(sound)
        for at, theirs in enumerate(other, start=1):
            changed = distance(sound, theirs) * max(weight(sound), weight(theirs)) / 100
            row[at] = min(row[at], before[at - 1] + changed, row[at - 1] + weight(theirs))
    whole = max(sum(map(weight, one)), sum(map(weight, other)))
    return float(row[-1] / whole) if whole else 0.0


def shared(part: Sequence[Sounds], whole: Sequence[Sounds]) -> float:
    """Share (0-1) of the words of `part` that are in `whole`, too, in their order."""
    return LCSseq.similarity([bare(word) for word in part], [bare(word) for word in whole]) / len(part)


def in_doubt(words: Sequence[Sounds], left_out: Collection[int]) -> set[int]:
    """Places in `words` of which, with those at `left_out` left out, nobody could tell if they were said."""
    text = [bare(word) for word in words]
    said = [word for at, word in enumerate(text) if at not in left_out]
    first = _earliest(text, said)
    last = [len(text) - 1 - at for at in reversed(_earliest(text[::-1], said[::-1]))]
    # A place may stand for the said word n if there is room for those before and those behind it.
    sayable = {at for n, word in enumerate(said) for at in range(first[n], last[n] + 1) if text[at] == word}
    lackable = {at for at in range(len(text)) if _within(said, text[:at] + text[at + 1 :])}
    return sayable & lackable


def _earliest(text: Sequence[Sounds], said: Sequence[Sounds]) -> list[int]:
    """Where each of the words said stands in the text, as early as possible."""
    found: list[int] = []
    for word in said:
        found.append(text.index(word, found[-1] + 1 if found else 0))
    return found


def _within(said: Sequence[Sounds], text: Sequence[Sounds]) -> bool:
    rest = iter(text)
    return all(word in rest for word in said)
