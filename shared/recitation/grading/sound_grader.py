"""The grader for engines with a phoneme head: compares sounds with sounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from rapidfuzz.distance import Levenshtein

from shared.hearing import Hearing
from shared.recitation.alignment.phoneme_costs import INVENTORY, LONG_VOWELS, is_consonant
from shared.recitation.alignment.reference_units import MoveCosts, ReferenceUnits
from shared.recitation.alignment.sound_units import HeardSound, expected_sounds, heard_sound, sound_reference
from shared.recitation.alignment.visits import Visit
from shared.recitation.grading.grader import WRONG, Verdict
from shared.recitation.grading.pace import ms_per_sound
from shared.recitation.grading.policy import FeedbackPolicy, FitLimits
from shared.recitation.grading.sound_comparison import (
    SoundComparison,
    WordSounds,
    compare_sounds,
    word_sounds,
)
from shared.recitation.reference.passage import Passage, VerseRange

_SAME_MOMENT_MS: Final = 80
"""Two windows place one sound within this distance of each other (four 20 ms frames)."""
_LONG_VOWEL: Final = tuple(ord(symbol[0]) if symbol in LONG_VOWELS else 0 for symbol in INVENTORY)
"""Per sound, the quality of a long vowel, else 0. No two vowels follow each other in the recitation: two long
ones of one quality are one."""
_CONSONANT: Final = tuple(map(is_consonant, INVENTORY))

_Key = tuple[object, ...]
"""A visit and the sounds it is made of, all that its weight depends on; the sounds by identity, as
hashing them would take longer than most of what is looked up."""


class SoundGrader:
    """Units are heard sounds."""

    def __init__(self, passage: Passage, policy: FeedbackPolicy) -> None:
        self._passage = passage
        self._policy = policy
        self._sounds = sound_reference(passage.range)
        self._expected = expected_sounds(passage.range)
        self._ways = _ways(passage.range)
        # Comparisons of the visits of the newest two windows compared: bounded by their open units.
        self._now: dict[_Key, tuple[Sequence[HeardSound], SoundComparison | None]] = {}
        self._before: dict[_Key, tuple[Sequence[HeardSound], SoundComparison | None]] = {}
        # By identity, those of this window's visits: each is judged once more when the noise is known.
        self._of_visits: dict[int, tuple[Visit, SoundComparison | None]] = {}

    @property
    def reference(self) -> ReferenceUnits[HeardSound]:
        return self._sounds.units

    @property
    def costs(self) -> MoveCosts:
        return self._policy.sound_moves

    @property
    def replaced_share(self) -> float:
        return self._policy.sounds.replaced_share

    @property
    def fit_limits(self) -> FitLimits:
        return self._policy.sound_fit

    @property
    def settle_units(self) -> int:
        return self._policy.settle_heard_sounds

    @property
    def settle_batch(self) -> int:
        return self._policy.settle_batch

    def units(self, hearing: Hearing) -> list[HeardSound]:
        self._before, self._now = self._now, {}
        self._of_visits.clear()
        return [heard_sound(phone) for phone in hearing.phones or ()]

    def join(
        self, old: Sequence[HeardSound], new: Sequence[HeardSound], overlap: tuple[int, int]
    ) -> tuple[int, list[HeardSound]]:
        return join_sounds(old, new, overlap)

    def composed(self, units: Sequence[HeardSound]) -> list[tuple[HeardSound, int]]:
        """A vowel held over several windows is heard in each of them, and is one vowel."""
        composed: list[tuple[HeardSound, int]] = []
        before = 0
        for unit in units:
            vowel = _LONG_VOWEL[unit.sound]
            if vowel and vowel == before:
                last, count = composed[-1]
                held = msgspec.structs.replace(last, end_ms=max(last.end_ms, unit.end_ms))
                composed[-1] = held, count + 1
            else:
                composed.append((unit, 1))
            before = vowel
        return composed

    def too_slow(self, units: Sequence[HeardSound]) -> bool:
        sounds = self._policy.sounds
        return ms_per_sound(units, sounds.pace_least) > sounds.slowest_ms

    def judge(self, visit: Visit, units: Sequence[HeardSound], noise: float | None) -> Verdict | None:
        compared = self._compared(visit, units)
        return None if compared is None else compared.verdict(noise, self._policy.sounds)

    def judge_with_strays(
        self, own: Verdict, visit: Visit, units: Sequence[HeardSound], noise: float | None
    ) -> Verdict | None:
        compared = self._compared(visit, units)
        return (
            None if compared is None else compared.verdict_with_strays(own.grade, noise, self._policy.sounds)
        )

    def may_be_stray(self, units: Sequence[HeardSound]) -> bool:
        return any([_CONSONANT[unit.sound] for unit in units])

    def _compared(self, visit: Visit, units: Sequence[HeardSound]) -> SoundComparison | None:
        """Looked up: most visits are those of the window before, and all are judged again with the noise."""
        known = self._of_visits.get(id(visit))
        if known is not None:
            return known[1]
        said = units[visit.span]
        key = (visit.matched, visit.inserted, visit.strays, *map(id, said))
        found = self._now.get(key) or self._before.get(key)
        if found is None:
            start, _ = self._sounds.units.bounds(visit.word)
            compared = compare_sounds(visit, units, self._ways[visit.word], start, self._policy.sounds)
            # With the sounds: as long as they live, their identity is theirs alone.
            found = (said, compared)
        self._now[key] = found
        self._of_visits[id(visit)] = visit, found[1]
        return found[1]

    def judge_replaced(self, units: Sequence[HeardSound]) -> Verdict:
        return Verdict(
            grade=WRONG,
            error=100,
            confidence=sum(unit.certainty for unit in units) // len(units),
            heard=" ".join(unit.symbol for unit in units),
            start_ms=units[0].start_ms,
            end_ms=units[-1].end_ms,
        )

    def extra(self, units: Sequence[HeardSound]) -> str | None:
        consonants = sum([_CONSONANT[unit.sound] for unit in units])
        if len(units) < self._policy.sounds.shortest_extra or consonants < 2:
            return None
        return " ".join(unit.symbol for unit in units)

    def saved_position(self, position: int) -> int:
        return self._sounds.saved_position(position)

    def position(self, saved: int) -> int:
        return self._sounds.position(saved)

    def expected(self, index: int) -> str:
        return self._expected[index]

    def expected_as(self, index: int, heard: str) -> str:
        others = self._passage.words[index].pronunciations
        if not others or heard in ("", self._expected[index]):
            return self._expected[index]
        said = heard.split()
        nearest = min(
            (self._passage.words[index].phones, *others),
            key=lambda sounds: Levenshtein.distance(said, sounds),
        )
        return " ".join(nearest)


@lru_cache(maxsize=64)
def _ways(verses: VerseRange) -> tuple[tuple[WordSounds, ...], ...]:
    """The ways to say each word of the aligner's reference; shared."""
    return tuple(tuple(map(word_sounds, word)) for word in sound_reference(verses).pronunciations)


def join_sounds(
    old: Sequence[HeardSound], new: Sequence[HeardSound], overlap: tuple[int, int]
) -> tuple[int, list[HeardSound]]:
    """Cut over from one window to the next at a sound both heard, as near the middle as possible.

    Cutting at a shared sound can neither lose nor double one; only where the windows share none
    does the clock decide, with a sound that straddles the cut kept exactly once.
    """
    start_ms, end_ms = overlap
    if start_ms >= end_ms:
        return len(old), list(new)
    middle = (start_ms + end_ms) / 2
    anchor = _shared_sound(old, new, overlap)
    if anchor is not None:
        return anchor[0], list(new[anchor[1] :])
    if not old or old[-1].centre_ms < start_ms or not new or new[0].centre_ms > end_ms:
        # One of the windows heard nothing there: what the other heard stands.
        return len(old), list(new)
    keep = sum(1 for unit in old if unit.centre_ms < middle)
    skip = sum(1 for unit in new if unit.centre_ms < middle)
    return keep, list(new[skip:])


def _shared_sound(
    old: Sequence[HeardSound], new: Sequence[HeardSound], overlap: tuple[int, int]
) -> tuple[int, int] | None:
    start_ms, end_ms = overlap
    middle = (start_ms + end_ms) / 2
    heard = _centres_by_sound(new, end_ms + _SAME_MOMENT_MS)
    pairs: list[tuple[float, int, int, float]] = []
    for i in range(len(old) - 1, -1, -1):
        mine = old[i].centre_ms
        if mine < start_ms - _SAME_MOMENT_MS:
            break
        for j, centre in heard.get(old[i].sound, ()):
            apart = abs(centre - mine)
            if apart > _SAME_MOMENT_MS:
                continue
            pairs.append((abs((centre + mine) / 2 - middle) + 2 * apart, i, j, apart))
    while pairs:
        best = min(pairs)
        _, i, j, apart = best
        # Of two equal sounds in a row, those that are nearest to one another are the same.
        nearer = [pair for pair in pairs if (pair[1] == i or pair[2] == j) and pair[3] < apart]
        if not nearer:
            return i, j
        pairs.remove(best)
    return None


def _centres_by_sound(units: Sequence[HeardSound], until_ms: int) -> dict[int, list[tuple[int, float]]]:
    """Place and centre (ms) of the units up to that time, by sound."""
    centres: dict[int, list[tuple[int, float]]] = {}
    for at, unit in enumerate(units):
        centre = unit.centre_ms
        if centre > until_ms:
            break
        centres.setdefault(unit.sound, []).append((at, centre))
    return centres
