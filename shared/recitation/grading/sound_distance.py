"""How well one visit to a word was recited, judged by its sounds. Lenient where recognisers err."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

import msgspec

from shared.recitation.alignment.phoneme_costs import (
    HAMZA,
    INVENTORY,
    SHORT_VOWELS,
    WEIGHT,
    is_consonant,
    sound_id,
)
from shared.recitation.alignment.sound_columns import Pronunciation
from shared.recitation.alignment.sound_units import HeardSound, mismatch
from shared.recitation.alignment.visits import Visit
from shared.recitation.grading.grader import CORRECT, MINOR, WRONG, Grade, Verdict
from shared.recitation.grading.policy import SoundGrading

_UNSTABLE_SHARE: Final = 0.25
"""Weight of a sound that good reciters leave out by rule: a word's last short vowel (dropped at a
pause) and a word's first hamza (dropped in connected speech)."""


@dataclass(frozen=True, slots=True)
class _Tally:
    """What a visit's sounds add up to; 1.0 = one whole consonant."""

    weight: float
    error: float
    consonants: int
    consonants_heard: int
    consonant_error: float


@dataclass(frozen=True, slots=True)
class SoundComparison:
    """A visit's sounds compared with the word's, before anything is known of the voice around it."""

    tally: _Tally
    error: float
    matched: int
    as_correct: Verdict

    def verdict(self, noise: float | None, policy: SoundGrading) -> Verdict | None:
        """The verdict where the voice is heard with this `noise` (0-1, `None` if the voice is not known yet).

        `None` where no honest one is possible.
        """
        if noise is not None and noise > policy.noise_limit and self.error >= policy.minor_error:
            return None
        grade = _grade(self.tally, self.error, noise, policy)
        return self._graded(grade)

    def verdict_with_strays(self, own: Grade, noise: float | None, policy: SoundGrading) -> Verdict | None:
        """The verdict with strays on a word graded `own` without them; `None` if it stays the same."""
        if _grade(self.tally, self.error, noise, policy) != WRONG:
            return None
        if own == CORRECT and self.matched > policy.chance_sounds:
            return None
        grade = WRONG if noise is None or noise <= policy.stray_noise else MINOR
        return self._graded(grade) if grade > own else None

    def _graded(self, grade: Grade) -> Verdict:
        return self.as_correct if grade == CORRECT else msgspec.structs.replace(self.as_correct, grade=grade)


def compare_sounds(
    visit: Visit,
    units: Sequence[HeardSound],
    pronunciations: Sequence[Pronunciation],
    start: int,
    policy: SoundGrading,
) -> SoundComparison | None:
    """Compare a visit with whichever of its word's `pronunciations` fits best.

    `start` is the position of the word's first column. `None` when too little of the word was heard to
    call it said.
    """
    best: SoundComparison | None = None
    for pronunciation in pronunciations:
        compared = _compare(visit, units, pronunciation, start, policy)
        if compared is not None and (best is None or compared.tally.error < best.tally.error):
            # By what is wrong in all: a share would favour long pronunciations.
            best = compared
        if best is not None and best.error == 0:
            break
    return best


def _compare(
    visit: Visit, units: Sequence[HeardSound], pronunciation: Pronunciation, start: int, policy: SoundGrading
) -> SoundComparison | None:
    reference = [sound_id(symbol) for symbol in pronunciation.sounds]
    places = {start + column: place for place, column in enumerate(pronunciation.columns)}
    heard_at = {places[at]: units[unit] for at, unit in visit.matched if at in places}
    if len(heard_at) < policy.heard_share * len(reference):
        return None
    unmatched = [unit for at, unit in visit.matched if at not in places]
    added = [units[unit] for unit in (*unmatched, *visit.inserted, *visit.strays)]
    tally = _tally(heard_at, added, reference, policy)
    if tally.consonants and not tally.consonants_heard and len(heard_at) <= len(reference) / 2:
        return None
    span = units[visit.span]
    error = tally.error / tally.weight
    heard = Verdict(
        grade=CORRECT,
        error=min(100, round(error * 100)),
        confidence=sum(unit.certainty for unit in span) // len(span),
        heard=" ".join(unit.symbol for unit in span),
        start_ms=span[0].start_ms,
        end_ms=span[-1].end_ms,
    )
    return SoundComparison(tally, error, len(heard_at), heard)


def _grade(tally: _Tally, error: float, noise: float | None, policy: SoundGrading) -> Grade:
    allowance = 0.0 if noise is None else min(noise * policy.noise_allowance, policy.noise_cap)
    leniency = policy.unknown_allowance if noise is None else allowance
    consonant_error = tally.consonant_error / tally.consonants if tally.consonants >= 2 else 0.0
    wrong_error = max(policy.wrong_error, policy.wrong_spread / sqrt(tally.weight))
    if error >= wrong_error + leniency or consonant_error >= policy.wrong_consonants + leniency:
        return WRONG
    return MINOR if error >= policy.minor_error + allowance else CORRECT


def _tally(
    heard_at: dict[int, HeardSound],
    inserted: Sequence[HeardSound],
    reference: Sequence[int],
    policy: SoundGrading,
) -> _Tally:
    weight = error = consonant_error = 0.0
    consonants = consonants_heard = 0
    added = [unit for unit in inserted if is_consonant(INVENTORY[unit.sound])]
    for place, sound in enumerate(reference):
        heard = heard_at.get(place)
        share = WEIGHT[sound] / 100
        weight += share
        if heard is None:
            wrong = policy.deleted_sound * (_UNSTABLE_SHARE if _unstable(place, reference) else 1.0)
        else:
            wrong = min(mismatch(heard, sound), 100) / 100
        error += share * wrong
        if is_consonant(INVENTORY[sound]):
            consonants += 1
            consonants_heard += heard is not None
            consonant_error += wrong
    # A consonant lost and another one gained is a consonant replaced, wherever the aligner put the two.
    replaced = min(consonants - consonants_heard, len(added)) * (1.0 - policy.deleted_sound)
    error += replaced
    error += sum(policy.inserted_sound * WEIGHT[unit.sound] / 100 * unit.certainty / 100 for unit in inserted)
    return _Tally(max(weight, 0.4), error, consonants, consonants_heard, consonant_error + replaced)


def _unstable(place: int, reference: Sequence[int]) -> bool:
    symbol = INVENTORY[reference[place]]
    return (place == len(reference) - 1 and symbol in SHORT_VOWELS) or (place == 0 and symbol == HAMZA)
