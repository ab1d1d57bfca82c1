"""How well one visit to a word was recited, judged by its sounds. Lenient where recognisers err."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Final, NamedTuple

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


class _Tally(msgspec.Struct, frozen=True, gc=False):
    """What a visit's sounds add up to; 1.0 = one whole consonant."""

    weight: float
    error: float
    consonants: int
    consonants_heard: int
    consonant_error: float


class SoundComparison(msgspec.Struct, frozen=True, gc=False):
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


class _Sound(NamedTuple):
    """One reference sound of a pronunciation. `share`: its weight, 1.0 = one whole consonant; `kept`: the
    part of the price of leaving it out that counts."""

    sound: int
    share: float
    kept: float
    consonant: bool


class WordSounds(NamedTuple):
    """One way to say a word, as comparisons need it. `place_of`: column of the word to place in `sounds`."""

    sounds: tuple[_Sound, ...]
    place_of: dict[int, int]
    weight: float
    consonants: int


def word_sounds(pronunciation: Pronunciation) -> WordSounds:
    """What is compared when a word is said like this."""
    symbols = pronunciation.sounds
    sounds = tuple(
        _Sound(
            sound_id(symbol),
            WEIGHT[sound_id(symbol)] / 100,
            _UNSTABLE_SHARE if _unstable(place, symbols) else 1.0,
            is_consonant(INVENTORY[sound_id(symbol)]),
        )
        for place, symbol in enumerate(symbols)
    )
    place_of = {column: place for place, column in enumerate(pronunciation.columns)}
    weight = 0.0
    for sound in sounds:
        weight += sound.share
    return WordSounds(sounds, place_of, max(weight, 0.4), sum(sound.consonant for sound in sounds))


def compare_sounds(
    visit: Visit, units: Sequence[HeardSound], ways: Sequence[WordSounds], start: int, policy: SoundGrading
) -> SoundComparison | None:
    """Compare a visit with whichever of its word's `ways` fits best.

    `start` is the position of the word's first column. `None` when too little of the word was heard to
    call it said.
    """
    best: tuple[_Tally, int] | None = None
    for way in ways:
        compared = _compare(visit, units, way, start, policy)
        if compared is not None and (best is None or compared[0].error < best[0].error):
            # By what is wrong in all: a share would favour long pronunciations.
            best = compared
        if best is not None and best[0].error == 0:
            break
    if best is None:
        return None
    tally, matched = best
    span = units[visit.span]
    error = tally.error / tally.weight
    heard = Verdict(
        grade=CORRECT,
        error=min(100, round(error * 100)),
        confidence=sum([unit.certainty for unit in span]) // len(span),
        heard=" ".join([INVENTORY[unit.sound] for unit in span]),
        start_ms=span[0].start_ms,
        end_ms=span[-1].end_ms,
    )
    return SoundComparison(tally, error, matched, heard)


def _compare(
    visit: Visit, units: Sequence[HeardSound], way: WordSounds, start: int, policy: SoundGrading
) -> tuple[_Tally, int] | None:
    """What the sounds add up to, and how many of the word's own were heard."""
    heard_at: dict[int, HeardSound] = {}
    added: list[HeardSound] = []
    place_of = way.place_of
    for at, unit in visit.matched:
        place = place_of.get(at - start)
        if place is None:
            added.append(units[unit])
        else:
            heard_at[place] = units[unit]
    if len(heard_at) < policy.heard_share * len(way.sounds):
        return None
    if visit.inserted or visit.strays:
        added += [units[unit] for unit in (*visit.inserted, *visit.strays)]
    tally = _tally(heard_at, added, way, policy)
    if tally.consonants and not tally.consonants_heard and len(heard_at) <= len(way.sounds) / 2:
        return None
    return tally, len(heard_at)


def _grade(tally: _Tally, error: float, noise: float | None, policy: SoundGrading) -> Grade:
    allowance = 0.0 if noise is None else min(noise * policy.noise_allowance, policy.noise_cap)
    leniency = policy.unknown_allowance if noise is None else allowance
    consonant_error = tally.consonant_error / tally.consonants if tally.consonants >= 2 else 0.0
    wrong_error = max(policy.wrong_error, policy.wrong_spread / sqrt(tally.weight))
    if error >= wrong_error + leniency or consonant_error >= policy.wrong_consonants + leniency:
        return WRONG
    return MINOR if error >= policy.minor_error + allowance else CORRECT


def _tally(
    heard_at: dict[int, HeardSound], added: Sequence[HeardSound], way: WordSounds, policy: SoundGrading
) -> _Tally:
    error = consonant_error = 0.0
    consonants_heard = 0
    for place, (sound, share, kept, consonant) in enumerate(way.sounds):
        heard = heard_at.get(place)
        if heard is None:
            wrong = policy.deleted_sound * kept
        else:
            consonants_heard += consonant
            if heard.sound == sound:  # most are, and then nothing is wrong
                continue
            wrong = min(mismatch(heard, sound), 100) / 100
        error += share * wrong
        if consonant:
            consonant_error += wrong
    lost = way.consonants - consonants_heard
    if lost and added:
        # A consonant lost and another one gained is a consonant replaced, wherever the aligner put the two.
        gained = sum([is_consonant(INVENTORY[unit.sound]) for unit in added])
        replaced = min(lost, gained) * (1.0 - policy.deleted_sound)
        error += replaced
        consonant_error += replaced
    if added:
        error += sum(
            [policy.inserted_sound * WEIGHT[unit.sound] / 100 * unit.certainty / 100 for unit in added]
        )
    return _Tally(way.weight, error, way.consonants, consonants_heard, consonant_error)


def _unstable(place: int, symbols: Sequence[str]) -> bool:
    symbol = symbols[place]
    return (place == len(symbols) - 1 and symbol in SHORT_VOWELS) or (place == 0 and symbol == HAMZA)
