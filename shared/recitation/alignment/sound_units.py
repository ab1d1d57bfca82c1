"""Phoneme engines: heard sounds as units, the passage as a reference of sounds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
import numpy as np

from shared.hearing import Phone
from shared.recitation.alignment.phoneme_costs import (
    DELETION,
    DISTANCE,
    DISTANCES,
    INSERTION,
    INVENTORY,
    sound_id,
)
from shared.recitation.alignment.reference_units import ReferenceUnits, Row, entry_prices, word_starts
from shared.recitation.grading.policy import SOUND_ENTER, SOUND_SKIP, SOUND_SKIP_PER_SOUND
from shared.recitation.reference.formulas import recitation_order
from shared.recitation.reference.passage import VerseRange, load_passage

_DOUBT_SHARE: Final = 50
"""A sound heard with no confidence at all still counts half: silence is no evidence, a sound is."""
_ALTERNATIVE_DOUBT: Final = 60
"""What an alternative costs at probability 0, in hundredths of a wrong sound; nothing at 1."""
_MAX_ALTERNATIVES: Final = 3


class HeardSound(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One heard sound: inventory id, session times in ms, confidence in hundredths, other readings."""

    sound: int
    start_ms: int
    end_ms: int
    certainty: int = 100
    others: tuple[tuple[int, int], ...] = ()

    @property
    def centre_ms(self) -> float:
        return (self.start_ms + self.end_ms) / 2

    @property
    def symbol(self) -> str:
        return INVENTORY[self.sound]


def heard_sound(phone: Phone) -> HeardSound:
    """A phone as a unit of the aligner."""
    others: tuple[tuple[int, int], ...] = ()
    if phone.alternatives:
        found = phone.alternatives[:_MAX_ALTERNATIVES]
        others = tuple([(sound_id(symbol), _hundredths(share)) for symbol, share in found])
    certainty = 100 if phone.confidence == 1 else _hundredths(phone.confidence)
    return HeardSound(sound_id(phone.symbol), phone.start_ms, phone.end_ms, certainty, others)


def _hundredths(share: float) -> int:
    hundredths = round(share * 100)
    return hundredths if 0 <= hundredths <= 100 else 100 * (hundredths > 0)


def doubted(cost: int, certainty: int) -> int:
    """A cost, less the doubt about what was heard."""
    if certainty == 100:
        return cost
    return cost * (_DOUBT_SHARE + certainty * (100 - _DOUBT_SHARE) // 100) // 100


def mismatch(heard: HeardSound, reference: int) -> int:
    """How wrong the heard sound is for a reference sound, 0-110, doubt and alternatives considered."""
    cost = DISTANCES[heard.sound][reference]
    for sound, share in heard.others:
        cost = min(cost, DISTANCES[sound][reference] + _ALTERNATIVE_DOUBT * (100 - share) // 100)
    return doubted(cost, heard.certainty)


class SoundCosts:
    """ViterbiAligner costs against a fixed row of reference sounds."""

    def __init__(self, sounds: Row) -> None:
        # As the index type: NumPy converts any other at every use.
        self._sounds = sounds.astype(np.intp)

    def substitutions(self, units: Sequence[HeardSound], first: int, last: int) -> Row:
        # Against the whole inventory first: that is a fraction of a passage.
        prices = _best_readings(units)
        if any(unit.certainty < 100 for unit in units):
            prices *= np.array([[doubted(100, unit.certainty)] for unit in units], np.int32)
            prices //= 100
        return prices.take(self._sounds[first:last], axis=1)

    def insertion(self, unit: HeardSound) -> int:
        cost = INSERTION[unit.sound]
        return cost if unit.certainty == 100 else doubted(cost, unit.certainty)


def _best_readings(units: Sequence[HeardSound]) -> Row:
    """Per unit, how wrong it is for each sound of the inventory, if it was whatever fits best."""
    if not any(unit.others for unit in units):
        return DISTANCE.take([unit.sound for unit in units], axis=0)
    sounds: list[int] = []
    doubts: list[int] = []
    starts: list[int] = []
    for unit in units:
        starts.append(len(sounds))
        sounds.append(unit.sound)
        doubts.append(0)
        for sound, share in unit.others:
            sounds.append(sound)
            doubts.append(_ALTERNATIVE_DOUBT * (100 - share) // 100)
    readings = DISTANCE.take(sounds, axis=0)
    readings += np.array(doubts, np.int32)[:, np.newaxis]
    best: Row = np.minimum.reduceat(readings, starts, axis=0)
    return best


@lru_cache(maxsize=64)
def expected_sounds(verses: VerseRange) -> tuple[str, ...]:
    """The sounds of each word of a passage, as remarks show them; shared."""
    return tuple(" ".join(word.phones) for word in load_passage(verses).words)


@lru_cache(maxsize=64)
def sound_reference(verses: VerseRange) -> tuple[ReferenceUnits[HeardSound], Row]:
    """The reference of a passage with its optional formulas, and its row of reference sounds; shared."""
    slots = recitation_order(load_passage(verses))
    sounds = np.array([sound_id(symbol) for slot in slots for symbol in slot.phones], dtype=np.int32)
    deletion: Row = DELETION[sounds]
    starts = word_starts([len(slot.phones) for slot in slots])
    left_out = np.add.reduceat(deletion, starts[:-1])
    skip = np.minimum(left_out, SOUND_SKIP + SOUND_SKIP_PER_SOUND * np.diff(starts)).astype(np.int32)
    indices = tuple(slot.word_index for slot in slots)
    skip[[at for at, index in enumerate(indices) if index is None]] = 0
    enter = entry_prices([slot.opens for slot in slots], SOUND_ENTER)
    return ReferenceUnits(starts, indices, deletion, skip, enter, SoundCosts(sounds)), sounds
