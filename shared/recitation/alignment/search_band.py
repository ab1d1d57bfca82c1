"""The part of the reference that an aligner may use, arranged so that one row is a few NumPy calls.

A row holds the least price of being at each position. It is kept less the price of deleting everything
before that position: then a deletion costs nothing, and the cheapest deletions are a running minimum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from shared.recitation.alignment.reference_units import MoveCosts, ReferenceUnits, Row, running_sum

UNREACHABLE: Final = 1_000_000
"""Far above any real path cost, far below int32 overflow."""


@dataclass(frozen=True, slots=True, eq=False)
class MovePrices:
    """What moving along a whole reference costs: arrays by position or by word, the end included.

    Jumping back and skipping is paid in two parts: to the price of being anywhere (`from`), and from
    there to the price of being at a word (`to`). The two rows of a skip are word by word, and any number
    of words at the capped price. `exits` is the least that a skip or a jump from a position can cost,
    where deletions would not do as well.
    """

    deletion: Row
    deleted: Row
    inside: Row
    exits: Row
    starts: NDArray[np.intp]
    enter: Row
    jump_from: Row
    jump_to: Row
    skip_from: Row
    skip_to: Row


@lru_cache(maxsize=128)
def prices(reference: ReferenceUnits[Any], costs: MoveCosts) -> MovePrices:
    """Made once for a reference, shared by all its aligners."""
    # As the index type: NumPy converts any other at every use.
    starts = reference.starts.astype(np.intp)
    deleted, skipped = running_sum(reference.deletion), running_sum(reference.skip)
    deleted_at_words = deleted[starts]
    distance = np.append(reference.word_of, reference.words).astype(np.int32) * np.int32(costs.back_per_word)
    inside = np.full_like(deleted, costs.inside)
    inside[starts] = 0
    enter = np.append(reference.enter, np.int32(0))
    exits = np.full_like(deleted, costs.back)
    exits[starts] = np.minimum(
        costs.back, _leaving(reference.skip, skipped, np.diff(deleted_at_words), costs.skip_cap)
    )
    return MovePrices(
        deletion=reference.deletion,
        deleted=deleted,
        inside=inside,
        exits=exits,
        starts=starts,
        enter=enter,
        jump_from=distance + deleted,
        jump_to=costs.back - distance[starts] - deleted_at_words,
        skip_from=np.stack((deleted_at_words - skipped, deleted_at_words)),
        skip_to=np.stack((skipped, np.full_like(skipped, costs.skip_cap))) + enter - deleted_at_words,
    )


def _leaving(skip: Row, skipped: Row, left_out: Row, cap: int) -> Row:
    """The least price of a skip from each word border that is cheaper than deleting the same words.

    Such a skip is capped, or it passes a word whose skip is cheaper than its deletion.
    """
    after = np.append(np.where(skip < left_out, skipped[1:], UNREACHABLE), UNREACHABLE)
    nearest = np.minimum.accumulate(after[::-1])[::-1]
    leaving: Row = np.minimum(nearest - skipped, cap).astype(np.int32)
    return leaving


class SearchBand:
    """Words `first_word` up to `last_word` of a reference; positions count from `first`, its first one."""

    def __init__(
        self, reference: ReferenceUnits[Any], costs: MoveCosts, first_word: int, last_word: int
    ) -> None:
        whole = prices(reference, costs)
        words = slice(first_word, last_word + 1)
        self.first, self.last = int(whole.starts[first_word]), int(whole.starts[last_word])
        positions = slice(self.first, self.last + 1)
        self.deletion = whole.deletion[self.first : self.last]
        self.deleted = whole.deleted[positions]
        self.inside = whole.inside[positions]
        self.exits = whole.exits[positions]
        self._bounds = whole.starts[words] - self.first
        self._jump_from = whole.jump_from[positions]
        self._jump_to = whole.jump_to[words]
        self._skip_from = whole.skip_from[:, words]
        self._skip_to = whole.skip_to[:, words]
        surcharge = int(whole.enter[last_word])
        if surcharge:
            # The end of the band is not the word that follows it: getting there is free.
            self._skip_to = self._skip_to.copy()
            self._skip_to[:, -1] -= surcharge

    @property
    def width(self) -> int:
        """Positions, the one after the last unit included."""
        return len(self.deleted)

    def beginning(self, position: int) -> Row:
        """The row before anything is heard, from a position of the reference."""
        row = np.full(self.width, UNREACHABLE, dtype=np.int32)
        row[position - self.first] = 0
        row -= self.deleted
        self.close(row)
        return row

    def close(self, row: Row) -> None:
        """Apply, in place, the moves that consume nothing heard: delete, jump back, skip, delete again."""
        np.minimum.accumulate(row, out=row)
        at_words = row.take(self._bounds)
        cheapest_ahead = np.minimum.reduceat(row + self._jump_from, self._bounds)[::-1]
        np.minimum.accumulate(cheapest_ahead, out=cheapest_ahead)
        jumped = cheapest_ahead[::-1]
        jumped += self._jump_to
        np.minimum(at_words, jumped, out=at_words)
        skipping = at_words + self._skip_from
        np.minimum.accumulate(skipping, axis=1, out=skipping)
        skipping += self._skip_to
        np.minimum(at_words, skipping[0], out=at_words)
        np.minimum(at_words, skipping[1], out=at_words)
        row[self._bounds] = at_words
        np.minimum.accumulate(row, out=row)

    def origin(self, row: Row, position: int) -> int:
        """Where the skip or jump came from that reached `position` in a closed row."""
        word = int(np.searchsorted(self._bounds, position))
        at_words = row[self._bounds[:word]]
        skipped = (at_words + self._skip_from[:, :word] + self._skip_to[:, word, np.newaxis]).min(axis=0)
        for earlier in np.flatnonzero(skipped == row[position])[::-1]:
            return int(self._bounds[earlier])
        return position + 1 + int(np.argmin((row + self._jump_from)[position + 1 :]))
