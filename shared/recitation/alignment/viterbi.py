"""Viterbi alignment: the cheapest path through the reference that explains what was heard.

Each heard unit is matched to a reference unit or inserted; reference units are deleted; whole words
are skipped; the reciter may jump back to a word; the end is free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

import msgspec
import numpy as np

from shared.recitation.alignment.reference_units import MoveCosts, ReferenceUnits, Row
from shared.recitation.alignment.search_band import UNREACHABLE, SearchBand

U = TypeVar("U")

_SLACK: Final = 12
"""Reference units by which a reciter may be ahead of one matched unit per heard one, in a narrow row."""

_NEWEST: Final = 16
"""How many units tell whether the reciter is being followed easily: about three words."""

_MATCHED: Final = 1
_INSERTED: Final = 2
_DELETED: Final = 4
"""How a position may have been reached at its price, as bits; none of them: by a skip or a jump."""


class Step(NamedTuple):
    """Where one heard unit went: matched to `position`, or inserted before it."""

    position: int
    matched: bool


@lru_cache(maxsize=16_384)
def _step(position: int, matched: bool) -> Step:
    """The same few thousand over and over, kept by every session of a passage: made once."""
    return Step(position, matched)


class Path(msgspec.Struct, frozen=True, gc=False):
    """The best path: one step per heard unit, the position reached, and its cost."""

    steps: tuple[Step, ...]
    end: int
    cost: int


class _Lines:
    """One line per heard unit, and one before the first: what being at each position costs by then.

    A line is a row, or the part of one from position `first` on; the rest is out of reach.
    """

    def __init__(self, row: Row) -> None:
        self.firsts = [0]
        self.rows = [row]
        self.moves = [b""]
        """Per line and position, the moves that may have led there."""
        self.bests = [0]
        """Per line, the least price; of the first one it is known to be nothing."""

    def __len__(self) -> int:
        return len(self.rows)

    def cut(self, count: int) -> None:
        for column in (self.firsts, self.rows, self.moves, self.bests):
            del column[count:]

    def extend(self, first: int, rows: Row, moves: bytes, bests: list[int]) -> None:
        width = rows.shape[1]
        self.firsts.extend([first] * len(rows))
        self.rows.extend(rows)
        self.moves.extend([moves[at : at + width] for at in range(0, len(moves), width)])
        self.bests.extend(bests)


class _Block:
    """The lines that follow a known one, made together; and which moves may have led to each position."""

    def __init__(self, before: Row, matching: Row, staying: Row) -> None:
        """`matching`: per line, what its unit costs matched up to each position but the first; `staying`:
        inserted at each position."""
        count, width = staying.shape
        self._lines = np.empty((count + 1, width), dtype=np.int32)
        self._lines[0] = before
        self._matching = matching
        self._staying = staying
        self.rows = self._lines[1:]

    def fill(self, close: Callable[[Row], None] | None = None) -> None:
        """Make the rows; `close` applies the moves that consume nothing heard, without it only deletions."""
        lines, rows = self._lines, self.rows
        columns = (lines, lines[:, :-1], self._staying, self._matching, rows, rows[:, 1:])
        add, least, running_least = np.add, np.minimum, np.minimum.accumulate
        for before, left, stay, match, row, after in zip(*columns, strict=False):
            add(left, match, match)
            add(before, stay, row)
            least(after, match, out=after)
            if close is None:
                running_least(row, 0, None, row)
            else:
                close(row)

    def moves(self) -> bytes:
        """See `_Lines.moves`. Whatever led to a position of the best path is among the moves of a row."""
        rows = self.rows
        moves = np.equal(rows, self._lines[:-1] + self._staying).view(np.uint8)
        moves *= _INSERTED
        ways = np.equal(rows[:, 1:], rows[:, :-1]).view(np.uint8)
        ways *= _DELETED
        moves[:, 1:] += ways
        moves[:, 1:] += np.equal(rows[:, 1:], self._matching).view(np.uint8)
        return moves.tobytes()


class ViterbiAligner(Generic[U]):
    """Aligns heard units with a part of the reference, from a known position.

    Rows are kept, so that units which have not changed since the last call cost nothing.

    Skips and jumps are most of a row's work, and a good recitation has none. So rows are first *narrow*:
    only positions around the reciter; only matches, insertions and deletions. Meanwhile the least that any
    path with a skip or a jump can cost is kept. While the best path in narrow rows is cheaper than that,
    it is the best path of all, and its prices are those of full rows. When it is not, the narrow rows are
    made again as full rows.
    """

    def __init__(
        self,
        reference: ReferenceUnits[U],
        costs: MoveCosts,
        start: int,
        first_word: int,
        last_word: int,
        pace: float = 0.0,
    ) -> None:
        """`pace`: what a unit may be expected to cost. It decides what is tried first, never the outcome."""
        self._costs = reference.costs
        self._band = SearchBand(reference, costs, first_word, last_word)
        self._reach = costs.back
        self._pace = pace
        self._units: list[U] = []
        self._lines = _Lines(self._band.beginning(start))
        self._full = 1
        """How many lines, from the first on, are full rows."""
        self._elsewhere = 0
        """Of the narrow rows: the least that a path with a skip or a jump after the full rows costs."""
        self._traced: list[Step] = []
        self._reached: list[int] = []
        """Per traced step, the position after it."""

    @property
    def pace(self) -> float:
        """What the newest units cost each, hundredths."""
        newest = min(len(self._units), _NEWEST)
        return self.recent_cost(newest) / newest if newest else self._pace

    def path(self, units: Sequence[U]) -> Path:
        """The cheapest path of all `units` from the start position."""
        self._keep_common_prefix(units)
        self._add_rows(units[len(self._units) :])
        count = len(self._units)
        first, prices = self._prices(count)
        end = first + int(prices.argmin())
        self._trace(end)
        return Path(tuple(self._traced), self._band.first + end, self._lines.bests[count])

    def recent_cost(self, units: int) -> int:
        """What the last `units` of the aligned units added to the cost of the best path."""
        bests = self._lines.bests
        return bests[-1] - bests[max(0, len(bests) - 1 - units)]

    def _prices(self, count: int) -> tuple[int, Row]:
        """What being at each position costs after `count` units, from the first within reach on."""
        first, row = self._lines.firsts[count], self._lines.rows[count]
        return first, row + self._band.deleted[first : first + len(row)]

    # -- rows ------------------------------------------------------------------------------------
    def _keep_common_prefix(self, units: Sequence[U]) -> None:
        same = 0
        for mine, theirs in zip(self._units, units, strict=False):
            if mine is not theirs and mine != theirs:
                break
            same += 1
        del self._units[same:]
        self._lines.cut(same + 1)
        del self._traced[same:]
        del self._reached[same:]
        self._full = min(self._full, same + 1)

    def _add_rows(self, units: Sequence[U]) -> None:
        """Add a line for each of the next units."""
        if not units:
            return
        likely = self._narrow_is_likely(len(units))
        self._units.extend(units)
        if likely and self._add_narrow_rows(units):
            return
        self._lines.cut(self._full)
        self._add_full_rows(self._units[self._full - 1 :])

    def _narrow_is_likely(self, units: int) -> bool:
        """Whether the cost of the narrow rows will, at the pace so far, stay below that of a jump."""
        near = len(self._lines) - self._full
        return (near + units) * self.pace < self._reach

    def _add_narrow_rows(self, units: Sequence[U]) -> bool:
        """Add narrow rows; False if one of them cannot be trusted."""
        band = self._band
        first, before, stop = self._narrow_start(len(units))
        block = self._block(units, first, before)
        block.fill()
        rows = block.rows
        prices = rows + band.deleted[first:stop]
        bests = np.minimum.reduce(prices, axis=1).tolist()
        self._lines.extend(first, rows, block.moves(), bests)
        leaving = prices + band.exits[first:stop]
        self._elsewhere = min(self._elsewhere, int(np.minimum.reduce(leaving, axis=None)))
        if stop < band.width:
            self._elsewhere = min(self._elsewhere, int(np.minimum.reduce(prices[:, -1])))
        return bool(bests[-1] < self._elsewhere)

    def _narrow_start(self, units: int) -> tuple[int, Row, int]:
        """Where the next narrow rows begin and stop, and the line before them cut to that."""
        first, prices = self._prices(len(self._lines) - 1)
        if len(self._lines) == self._full:
            self._elsewhere = int(prices.min()) + self._reach
        near = (prices < self._elsewhere).nonzero()[0]
        begin, end = int(near[0]), int(near[-1]) + 1
        stop = min(self._band.width, first + end + units + _SLACK)
        before = np.empty(stop - first - begin, dtype=np.int32)
        before[: end - begin] = self._lines.rows[-1][begin:end]
        before[end - begin :] = UNREACHABLE
        return first + begin, before, stop

    def _add_full_rows(self, units: Sequence[U]) -> None:
        """Add full rows after full rows."""
        band = self._band
        block = self._block(units, 0, self._lines.rows[-1])
        block.fill(band.close)
        bests = np.minimum.reduce(block.rows + band.deleted, axis=1).tolist()
        self._lines.extend(0, block.rows, block.moves(), bests)
        self._full = len(self._lines)

    def _block(self, units: Sequence[U], first: int, before: Row) -> _Block:
        """Empty lines for these units after `before`, which begins at position `first`."""
        band, costs = self._band, self._costs
        stop = first + len(before)
        matching = costs.substitutions(units, band.first + first, band.first + stop - 1)
        matching -= band.deletion[first : stop - 1]
        inserting = np.array([costs.insertion(unit) for unit in units], dtype=np.int32)
        return _Block(before, matching, inserting[:, np.newaxis] + band.inside[first:stop])

    # -- the way back ----------------------------------------------------------------------------
    def _trace(self, end: int) -> None:
        """Follow the best path back from `end`, as far as it differs from the one traced last."""
        steps: list[Step] = []
        reached: list[int] = []
        position = end
        count = len(self._units)
        known, base = self._reached, self._band.first
        firsts, moves = self._lines.firsts, self._lines.moves
        while count and not (count <= len(known) and known[count - 1] == position):
            reached.append(position)
            first, line = firsts[count], moves[count]
            while (move := line[position - first]) & (_MATCHED | _INSERTED) == 0:
                # A line that was left by a skip or a jump is a full one.
                position = position - 1 if move else self._band.origin(self._lines.rows[count], position)
            if move & _MATCHED:
                position -= 1
                steps.append(_step(base + position, True))
            else:
                steps.append(_step(base + position, False))
            count -= 1
        del self._traced[count:]
        del self._reached[count:]
        self._traced.extend(reversed(steps))
        self._reached.extend(reversed(reached))
