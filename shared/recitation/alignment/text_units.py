"""Text engines: heard words as units, the passage as a reference of words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np

from shared.recitation.alignment.reference_units import ReferenceUnits, Row, entry_prices, word_starts
from shared.recitation.alignment.word_similarity import similarity
from shared.recitation.grading.policy import WORD_ENTER, WORD_EXTRA, WORD_MOVES, WORD_SKIP, WORD_WRONG
from shared.recitation.reference.formulas import recitation_order
from shared.recitation.reference.passage import VerseRange, load_passage


class HeardToken(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One heard word: as written, its skeleton, session times in ms, confidence in hundredths."""

    text: str
    skeleton: str
    start_ms: int | None = None
    end_ms: int | None = None
    certainty: int = 100

    @property
    def centre_ms(self) -> float | None:
        return None if self.start_ms is None or self.end_ms is None else (self.start_ms + self.end_ms) / 2


class TextCosts:
    """Alignment costs against a fixed row of reference skeletons."""

    def __init__(self, skeletons: tuple[str, ...]) -> None:
        self._skeletons = skeletons

    def substitutions(self, units: Sequence[HeardToken], first: int, last: int) -> Row:
        words = self._skeletons[first:last]
        rows = [[_different(unit.skeleton, word) for word in words] for unit in units]
        return np.array(rows, dtype=np.int32)

    def insertion(self, unit: HeardToken) -> int:
        return WORD_EXTRA


def _different(heard: str, word: str) -> int:
    return round(WORD_WRONG * (1 - similarity(heard, word)))


@lru_cache(maxsize=64)
def text_reference(verses: VerseRange) -> tuple[ReferenceUnits[HeardToken], tuple[str, ...]]:
    """The reference of a passage with its optional formulas, and its row of reference skeletons; shared."""
    slots = recitation_order(load_passage(verses))
    skeletons = tuple(slot.skeleton for slot in slots)
    skip = np.array([0 if slot.word_index is None else WORD_SKIP for slot in slots], dtype=np.int32)
    # A word is one unit here: it is left out by skipping, never by deletion.
    deletion = np.full(len(slots), WORD_MOVES.skip_cap, dtype=np.int32)
    enter = entry_prices([slot.opens for slot in slots], WORD_ENTER)
    indices = tuple(slot.word_index for slot in slots)
    return ReferenceUnits(
        word_starts([1] * len(slots)), indices, deletion, skip, enter, TextCosts(skeletons)
    ), skeletons
