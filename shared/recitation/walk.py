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
        """Cost against the reference units [first, last); the array may be shared, it is only read."""
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
    word_at: tuple[int, ...] = field(init=False)
    """`word_of` as plain integers: a single look-up is several times faster."""

    def __post_init__(self) -> None:
        spans = np.diff(self.starts)
        word_of = np.repeat(np.arange(len(spans), dtype=np.int32), spans)
        object.__setattr__(self, "word_of", word_of)
        object.__setattr__(self, "word_at", tuple(word_of.tolist()))

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

    Rows are kept, so that units which have not changed since the last call cost nothing. They are
    kept less the price of deleting everything before each position: then a deletion costs nothing,
    and the cheapest deletions are a running minimum.
    """

    def __init__(
        self, track: Track[U], costs: WalkCosts, start: int, first_word: int, last_word: int
    ) -> None:
        self._costs = track.costs
        self._first = int(track.starts[first_word])
        self._last = int(track.starts[last_word])
        # As the index type: NumPy converts any other at every use.
        self._bounds = (track.starts[first_word : last_word + 1] - self._first).astype(np.intp)
        self._deletion = track.deletion[self._first : self._last]
        self._deleted = _running_sum(self._deletion)
        words = np.append(track.word_of[self._first : self._last] - first_word, last_word - first_word)
        distance = (words * costs.back_per_word).astype(np.int32)
        inside = np.full(self._last - self._first + 1, costs.inside, dtype=np.int32)
        inside[self._bounds] = 0
        self._inside = inside
        deleted_at_words = self._deleted[self._bounds]
        # Jumping back: to the price of being anywhere, and from there to the price of being at a word.
        self._jump_from = distance + self._deleted
        self._jump_to = costs.back - distance[self._bounds] - deleted_at_words
        # Skipping words one by one, and any number at the capped price.
        skipped = _running_sum(track.skip[first_word:last_word])
        enter = np.append(track.enter[first_word:last_word], np.int32(0))
        self._skip_from = np.stack((deleted_at_words - skipped, deleted_at_words))
        self._skip_to = np.stack((skipped, np.full_like(skipped, costs.skip_cap))) + enter - deleted_at_words
        row = np.full(self._last - self._first + 1, UNREACHABLE, dtype=np.int32)
        row[start - self._first] = 0
        row -= self._deleted
        self._rows = [self._close(row)]
        self._units: list[U] = []
        self._traced: list[Step] = []
        self._reached: list[int] = []
        """Per traced step, the position after it."""

    def path(self, units: Sequence[U]) -> Path:
        """The cheapest path of all `units` from the start position."""
        self._keep_common_prefix(units)
        for unit in units[len(self._units) :]:
            self._rows.append(self._next_row(self._rows[-1], unit))
            self._units.append(unit)
        row = self._rows[-1] + self._deleted
        end = int(row.argmin())
        self._trace(end)
        return Path(tuple(self._traced), self._first + end, int(row[end]))

    def recent_cost(self, units: int) -> int:
        """What the last `units` of the units walked added to the cost of the best path."""
        return self._best(len(self._rows) - 1) - self._best(max(0, len(self._rows) - 1 - units))

    def _best(self, row: int) -> int:
        return int((self._rows[row] + self._deleted).min())

    def _keep_common_prefix(self, units: Sequence[U]) -> None:
        same = 0
        for mine, theirs in zip(self._units, units, strict=False):
            if mine is not theirs and mine != theirs:
                break
            same += 1
        del self._units[same:]
        del self._rows[same + 1 :]
        del self._traced[same:]
        del self._reached[same:]

    def _next_row(self, row: Row, unit: U) -> Row:
        following = row + self._inside
        following += self._costs.insertion(unit)
        matched = row[:-1] - self._deletion
        matched += self._costs.substitution(unit, self._first, self._last)
        after = following[1:]
        np.minimum(after, matched, out=after)
        return self._close(following)

    def _close(self, row: Row) -> Row:
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
        return row

    def _trace(self, end: int) -> None:
        """Follow the best path back from `end`, as far as it differs from the one traced last."""
        steps: list[Step] = []
        reached: list[int] = []
        position = end
        count = len(self._units)
        known = self._reached
        while count and not (count <= len(known) and known[count - 1] == position):
            reached.append(position)
            step = self._step_to(count, position)
            steps.append(step)
            position = step.position - self._first
            count -= 1
        del self._traced[count:]
        del self._reached[count:]
        self._traced.extend(reversed(steps))
        self._reached.extend(reversed(reached))

    def _step_to(self, count: int, position: int) -> Step:
        """The step of unit `count` on the best path that is at `position` after it."""
        row, before, unit = self._rows[count], self._rows[count - 1], self._units[count - 1]
        insertion = self._costs.insertion(unit)
        while True:
            here, place = row.item(position), self._first + position
            if position:
                matching = self._costs.substitution(unit, place - 1, place).item()
                if here == before.item(position - 1) + matching - self._deletion.item(position - 1):
                    return Step(place - 1, True)
            if here == before.item(position) + self._inside.item(position) + insertion:
                return Step(place, False)
            position = self._origin(row, position)

    def _origin(self, row: Row, position: int) -> int:
        """Where a move that consumed nothing heard came from."""
        here = row.item(position)
        if position and here == row.item(position - 1):
            return position - 1
        word = int(np.searchsorted(self._bounds, position))
        at_words = row[self._bounds[:word]]
        skipped = (at_words + self._skip_from[:, :word] + self._skip_to[:, word, np.newaxis]).min(axis=0)
        for earlier in np.flatnonzero(skipped == here)[::-1]:
            return int(self._bounds[earlier])
        return position + 1 + int(np.argmin((row + self._jump_from)[position + 1 :]))


def _running_sum(prices: Row) -> Row:
    return np.concatenate((np.zeros(1, dtype=np.int32), np.cumsum(prices, dtype=np.int32)))


def lay_out(lengths: Sequence[int]) -> Row:
    """Start positions of words with these numbers of units, and the total, as `Track.starts`."""
    return _running_sum(np.array(lengths, dtype=np.int32))


def entry_prices(opens: Sequence[bool], price: int) -> Row:
    """`Track.enter`: the price at every word where a reciter cannot begin."""
    return np.where(np.array(opens), np.int32(0), np.int32(price)).astype(np.int32)
