"""Phoneme engines: heard sounds as units, the passage as a reference of sounds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

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
from shared.recitation.alignment.reference_units import (
    OPTIONAL,
    ReferenceUnits,
    Row,
    entry_prices,
    running_sum,
    word_starts,
)
from shared.recitation.alignment.sound_columns import Pronunciation, sound_columns
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


_DOUBTS: Final = tuple(doubted(100, certainty) for certainty in range(101))
"""What is left of a cost of 100, by certainty."""


def mismatch(heard: HeardSound, reference: int) -> int:
    """How wrong the heard sound is for a reference sound, 0-110, doubt and alternatives considered."""
    cost = DISTANCES[heard.sound][reference]
    for sound, share in heard.others:
        cost = min(cost, DISTANCES[sound][reference] + _ALTERNATIVE_DOUBT * (100 - share) // 100)
    return doubted(cost, heard.certainty)


class SoundCosts:
    """Alignment costs against a fixed row of reference sounds, each with another that is as good."""

    def __init__(self, sounds: Row, others: Row) -> None:
        pairs, columns = np.unique(np.stack((sounds, others)), axis=1, return_inverse=True)
        self._distance: Row = np.minimum(DISTANCE[:, pairs[0]], DISTANCE[:, pairs[1]])
        """From each sound of the inventory to each pair of a sound and another: a fraction of a passage."""
        # As the index type: NumPy converts any other at every use.
        self._columns = columns.reshape(-1).astype(np.intp)

    def substitutions(self, units: Sequence[HeardSound], first: int, last: int) -> Row:
        prices = self._best_readings(units)
        doubts = [_DOUBTS[unit.certainty] for unit in units]
        if min(doubts) < 100:
            prices *= np.array(doubts, np.int32)[:, np.newaxis]
            prices //= 100
        return prices.take(self._columns[first:last], axis=1)

    def _best_readings(self, units: Sequence[HeardSound]) -> Row:
        """Per unit, how wrong it is for each pair, if it was whatever fits best."""
        if not any([unit.others for unit in units]):
            return self._distance.take([unit.sound for unit in units], axis=0)
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
        readings = self._distance.take(sounds, axis=0)
        readings += np.array(doubts, np.int32)[:, np.newaxis]
        best: Row = np.minimum.reduceat(readings, starts, axis=0)
        return best

    def insertion(self, unit: HeardSound) -> int:
        cost = INSERTION[unit.sound]
        return cost if unit.certainty == 100 else doubted(cost, unit.certainty)


@lru_cache(maxsize=64)
def expected_sounds(verses: VerseRange) -> tuple[str, ...]:
    """The sounds of each word of a passage, as remarks show them; shared."""
    return tuple(" ".join(word.phones) for word in load_passage(verses).words)


class SoundReference(NamedTuple):
    """The reference of a passage with its optional formulas; `pronunciations` of each of its words.

    `usual_before`: how many sounds of usual pronunciations come before each position. Positions are saved in
    these terms, which stay the same when words get more pronunciations.
    """

    units: ReferenceUnits[HeardSound]
    pronunciations: tuple[tuple[Pronunciation, ...], ...]
    usual_before: Row

    def saved_position(self, position: int) -> int:
        """A position as it is saved."""
        return int(self.usual_before[position])

    def position(self, saved: int) -> int:
        """The position of a saved one; at a word border the first of the word."""
        at_words = self.usual_before[self.units.starts]
        word = int(np.searchsorted(at_words, saved))
        if word < len(at_words) and at_words[word] == saved:
            return int(self.units.starts[word])
        return int(np.searchsorted(self.usual_before, min(saved, int(self.usual_before[-1]))))


@lru_cache(maxsize=64)
def sound_reference(verses: VerseRange) -> SoundReference:
    """The sounds to recite in a passage, laid out for alignment; shared."""
    slots = recitation_order(load_passage(verses))
    words = [sound_columns(slot.phones, slot.pronunciations) for slot in slots]
    sounds = _ids(symbol for word in words for symbol in word.sounds)
    optional = np.array([some for word in words for some in word.optional])
    usual = np.array([usual for word in words for usual in word.usual])
    deletion: Row = np.where(optional, OPTIONAL * usual, DELETION[sounds]).astype(np.int32)
    starts = word_starts([len(word.sounds) for word in words])
    left_out = np.add.reduceat(deletion, starts[:-1])
    lengths = np.array([len(slot.phones) for slot in slots], dtype=np.int32)
    skip = np.minimum(left_out, SOUND_SKIP + SOUND_SKIP_PER_SOUND * lengths).astype(np.int32)
    indices = tuple(slot.word_index for slot in slots)
    skip[[at for at, index in enumerate(indices) if index is None]] = 0
    enter = entry_prices([slot.opens for slot in slots], SOUND_ENTER)
    costs = SoundCosts(sounds, _ids(symbol for word in words for symbol in word.others))
    units = ReferenceUnits(starts, indices, deletion, skip, enter, costs)
    pronunciations = tuple(word.pronunciations for word in words)
    return SoundReference(units, pronunciations, running_sum(usual.astype(np.int32)))


def _ids(symbols: Iterable[str]) -> Row:
    return np.array([sound_id(symbol) for symbol in symbols], dtype=np.int32)
