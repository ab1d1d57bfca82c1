"""The reference walk: the cheapest way through the reference that explains what was heard.

Reference and heard material are sequences of units (words for text engines, sounds for phoneme
engines). Each heard unit is matched to a reference unit or inserted; reference units are deleted;
whole words are skipped; the reciter may jump back to a word; the end is free. Costs are integers,
so every machine finds the same path, and a row is a handful of NumPy operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.int32]
U = TypeVar("U")
U_contra = TypeVar("U_contra", contravariant=True)

UNREACHABLE: Final = 1_000_000
"""Far above any real path cost, far below int32 overflow."""


class UnitCosts(Protocol[U_contra]):
    """What it costs to hear `unit` at each reference position, or nowhere."""

    def substitution(self, unit: U_contra, first: int, last: int) -> Row:
        """Cost against the reference units [first, last), in an array of the caller's own."""
        ...

    def insertion(self, unit: U_contra) -> int: ...


@dataclass(frozen=True, slots=True)
class Track(Generic[U_contra]):
    """The reference laid out for walking: words as spans of units, each with the price of leaving it out.

    `starts` holds the first unit of each word and, last, the number of units. `word_index` is the
    word's place in the passage, or `None` for an optional formula. `enter` is the surcharge for
    skipping to a word: optional words cost nothing to skip, but may not be entered in their middle.
    """

    starts: Row
    word_index: tuple[int | None, ...]
    deletion: Row
    skip: Row
    enter: Row
    costs: UnitCosts[U_contra]
    word_of: Row = field(init=False)

    def __post_init__(self) -> None:
        spans = np.diff(self.starts)
        object.__setattr__(self, "word_of", np.repeat(np.arange(len(spans), dtype=np.int32), spans))

    @property
    def words(self) -> int:
        return len(self.word_index)


@dataclass(frozen=True, slots=True)
class WalkCosts:
    """Prices of the moves that are the same for every unit, in hundredths of a wrong unit."""

    back: int
    """A jump back to the start of a word (a restart or a repetition)."""
    back_per_word: int
    """Surcharge for each word jumped over: in noise, some far word always fits a little better."""
    skip_cap: int
    """What skipping any number of words costs at most: a forgotten verse must stay affordable."""
    inside: int
    """Surcharge for an insertion inside a word, so that foreign words gather between words."""


class Step(NamedTuple):
    """Where one heard unit went: matched to `position`, or inserted before it."""

    position: int
    matched: bool


@dataclass(frozen=True, slots=True)
class Path:
    """The best walk: one step per heard unit, the position reached, and its cost."""

    steps: tuple[Step, ...]
    end: int
    cost: int


class Walk(Generic[U]):
    """Walks heard units along a stretch of a track, from a known position.

    Rows are kept, so that units which have not changed since the last call cost nothing.
    """

    def __init__(
        self, track: Track[U], costs: WalkCosts, start: int, first_word: int, last_word: int
    ) -> None:
        self._track = track
        self._costs = costs
        self._first = int(track.starts[first_word])
        self._last = int(track.starts[last_word])
        self._bounds = track.starts[first_word : last_word + 1] - self._first
        self._skip_so_far = _running_sum(track.skip[first_word:last_word])
        self._enter = np.append(track.enter[first_word:last_word], np.int32(0))
        self._deleted_so_far = _running_sum(track.deletion[self._first : self._last])
        words = np.append(track.word_of[self._first : self._last] - first_word, last_word - first_word)
        self._distance = (words * costs.back_per_word).astype(np.int32)
        self._inside = np.full(self._last - self._first + 1, costs.inside, dtype=np.int32)
        self._inside[self._bounds] = 0
        row = np.full(self._last - self._first + 1, UNREACHABLE, dtype=np.int32)
        row[start - self._first] = 0
        self._back = costs.back - self._distance[self._bounds]
        self._rows = [self._close(row)]
        self._units: list[U] = []

    def path(self, units: Sequence[U]) -> Path:
        """The cheapest path of all `units` from the start position."""
        self._keep_common_prefix(units)
        for unit in units[len(self._units) :]:
            self._rows.append(self._next_row(self._rows[-1], unit))
            self._units.append(unit)
        end = int(self._rows[-1].argmin())
        return Path(self._trace(end), self._first + end, int(self._rows[-1][end]))

    def recent_cost(self, units: int) -> int:
        """What the last `units` of the units walked added to the cost of the best path."""
        return int(self._rows[-1].min() - self._rows[max(0, len(self._rows) - 1 - units)].min())

    def _keep_common_prefix(self, units: Sequence[U]) -> None:
        same = 0
        for mine, theirs in zip(self._units, units, strict=False):
            if mine is not theirs and mine != theirs:
                break
            same += 1
        del self._units[same:]
        del self._rows[same + 1 :]

    def _next_row(self, row: Row, unit: U) -> Row:
        following = row + self._inside
        following += self._track.costs.insertion(unit)
        matched = self._track.costs.substitution(unit, self._first, self._last)
        matched += row[:-1]
        np.minimum(following[1:], matched, out=following[1:])
        return self._close(following)

    def _close(self, row: Row) -> Row:
        """Apply, in place, the moves that consume nothing heard: delete, jump back, skip, delete again."""
        self._delete(row)
        at_words = row[self._bounds]
        jumping = row + self._distance
        cheapest_ahead = np.minimum.accumulate(jumping[::-1])[::-1][self._bounds]
        cheapest_ahead += self._back
        np.minimum(at_words, cheapest_ahead, out=at_words)
        skipped = np.minimum.accumulate(at_words - self._skip_so_far)
        skipped += self._skip_so_far
        far_skipped = np.minimum.accumulate(at_words)
        far_skipped += self._costs.skip_cap
        np.minimum(skipped, far_skipped, out=skipped)
        skipped += self._enter
        row[self._bounds] = np.minimum(at_words, skipped)
        self._delete(row)
        return row

    def _delete(self, row: Row) -> None:
        row -= self._deleted_so_far
        np.minimum.accumulate(row, out=row)
        row += self._deleted_so_far

    def _trace(self, end: int) -> tuple[Step, ...]:
        steps: list[Step] = []
        position = end
        for count in range(len(self._units), 0, -1):
            row, before = self._rows[count], self._rows[count - 1]
            unit = self._units[count - 1]
            surcharge = self._inside + self._track.costs.insertion(unit)
            matching = self._track.costs.substitution(unit, self._first, self._last)
            while True:
                here = row[position]
                if position and here == before[position - 1] + matching[position - 1]:
                    position -= 1
                    steps.append(Step(self._first + position, True))
                    break
                if here == before[position] + surcharge[position]:
                    steps.append(Step(self._first + position, False))
                    break
                position = self._origin(row, position)
        return tuple(reversed(steps))

    def _origin(self, row: Row, position: int) -> int:
        """Where a move that consumed nothing heard came from."""
        here = row[position]
        deleted = self._deleted_so_far
        if position and here == row[position - 1] + deleted[position] - deleted[position - 1]:
            return position - 1
        word = int(np.searchsorted(self._bounds, position))
        at_words = row[self._bounds]
        skip = np.minimum(self._skip_so_far[word] - self._skip_so_far[:word], self._costs.skip_cap)
        skip = skip + self._enter[word]
        for earlier in np.flatnonzero(at_words[:word] + skip == here)[::-1]:
            return int(self._bounds[earlier])
        return position + 1 + int(np.argmin((row + self._distance)[position + 1 :]))


def _running_sum(prices: Row) -> Row:
    return np.concatenate((np.zeros(1, dtype=np.int32), np.cumsum(prices, dtype=np.int32)))


def lay_out(lengths: Sequence[int]) -> Row:
    """Start positions of words with these numbers of units, and the total, as `Track.starts`."""
    return _running_sum(np.array(lengths, dtype=np.int32))


def entry_prices(opens: Sequence[bool], price: int) -> Row:
    """`Track.enter`: the price at every word where a reciter cannot begin."""
    return np.where(np.array(opens), np.int32(0), np.int32(price)).astype(np.int32)
