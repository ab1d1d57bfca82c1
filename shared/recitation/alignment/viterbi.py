"""The reference walk: the cheapest way through the reference that explains what was heard.

Each heard unit is matched to a reference unit or inserted; reference units are deleted; whole words
are skipped; the reciter may jump back to a word; the end is free.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from shared.recitation.alignment.reference_units import Row, Track, WalkCosts
from shared.recitation.alignment.search_band import UNREACHABLE, Stretch

U = TypeVar("U")

_SLACK: Final = 12
"""Reference units by which a reciter may be ahead of one matched unit per heard one, in a near row."""

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


@dataclass(frozen=True, slots=True)
class Path:
    """The best walk: one step per heard unit, the position reached, and its cost."""

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
    """Lines made in one go, behind a known one, row by row; then what moves may have led where."""

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


class Walk(Generic[U]):
    """Walks heard units along a stretch of a track, from a known position.

    Rows are kept, so that units which have not changed since the last call cost nothing.

    Skips and jumps are most of a row's work, and a good recitation has none. So rows are first made
    *near*: only around the reciter, only matches, insertions and deletions. While they are, the least
    that any path with a skip or a jump must cost is noted. As long as the best near path is cheaper
    than that, it is the best path of all, and every row position on it is as dear as it would be in a
    whole row. When it is not, the near rows are made again as whole rows.
    """

    def __init__(
        self,
        track: Track[U],
        costs: WalkCosts,
        start: int,
        first_word: int,
        last_word: int,
        pace: float = 0.0,
    ) -> None:
        """`pace`: what a unit may be expected to cost. It decides what is tried first, never the outcome."""
        self._costs = track.costs
        self._ground = Stretch(track, costs, first_word, last_word)
        self._reach = costs.back
        self._pace = pace
        self._units: list[U] = []
        self._lines = _Lines(self._ground.beginning(start))
        self._whole = 1
        """How many lines, from the first on, are whole rows."""
        self._elsewhere = 0
        """Of the near rows: what a path with a skip or a jump behind the whole rows costs at least."""
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
        self._walk_on(units[len(self._units) :])
        count = len(self._units)
        first, prices = self._prices(count)
        end = first + int(prices.argmin())
        self._trace(end)
        return Path(tuple(self._traced), self._ground.first + end, self._lines.bests[count])

    def recent_cost(self, units: int) -> int:
        """What the last `units` of the units walked added to the cost of the best path."""
        bests = self._lines.bests
        return bests[-1] - bests[max(0, len(bests) - 1 - units)]

    def _prices(self, count: int) -> tuple[int, Row]:
        """What being at each position costs after `count` units, from the first within reach on."""
        first, row = self._lines.firsts[count], self._lines.rows[count]
        return first, row + self._ground.deleted[first : first + len(row)]

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
        self._whole = min(self._whole, same + 1)

    def _walk_on(self, units: Sequence[U]) -> None:
        """Add a line for each of the next units."""
        if not units:
            return
        likely = self._near_is_likely(len(units))
        self._units.extend(units)
        if likely and self._walk_near(units):
            return
        self._lines.cut(self._whole)
        self._walk_whole(self._units[self._whole - 1 :])

    def _near_is_likely(self, units: int) -> bool:
        """Whether the near rows' cost will, at the pace so far, stay below that of a jump."""
        near = len(self._lines) - self._whole
        return (near + units) * self.pace < self._reach

    def _walk_near(self, units: Sequence[U]) -> bool:
        """Add near lines; False if one of them cannot be trusted."""
        ground = self._ground
        first, before, stop = self._near_start(len(units))
        block = self._block(units, first, before)
        block.fill()
        rows = block.rows
        prices = rows + ground.deleted[first:stop]
        bests = np.minimum.reduce(prices, axis=1).tolist()
        self._lines.extend(first, rows, block.moves(), bests)
        leaving = prices + ground.exits[first:stop]
        self._elsewhere = min(self._elsewhere, int(np.minimum.reduce(leaving, axis=None)))
        if stop < ground.width:
            self._elsewhere = min(self._elsewhere, int(np.minimum.reduce(prices[:, -1])))
        return bool(bests[-1] < self._elsewhere)

    def _near_start(self, units: int) -> tuple[int, Row, int]:
        """Where the next near rows begin and stop, and the line before them cut to that."""
        first, prices = self._prices(len(self._lines) - 1)
        if len(self._lines) == self._whole:
            self._elsewhere = int(prices.min()) + self._reach
        near = np.flatnonzero(prices < self._elsewhere)
        begin, end = int(near[0]), int(near[-1]) + 1
        stop = min(self._ground.width, first + end + units + _SLACK)
        before = np.full(stop - first - begin, UNREACHABLE, dtype=np.int32)
        before[: end - begin] = self._lines.rows[-1][begin:end]
        return first + begin, before, stop

    def _walk_whole(self, units: Sequence[U]) -> None:
        """Add whole rows behind whole rows."""
        ground = self._ground
        block = self._block(units, 0, self._lines.rows[-1])
        block.fill(ground.close)
        bests = np.minimum.reduce(block.rows + ground.deleted, axis=1).tolist()
        self._lines.extend(0, block.rows, block.moves(), bests)
        self._whole = len(self._lines)

    def _block(self, units: Sequence[U], first: int, before: Row) -> _Block:
        """Empty lines for these units behind `before`, which begins at position `first`."""
        ground, costs = self._ground, self._costs
        stop = first + len(before)
        matching = costs.substitutions(units, ground.first + first, ground.first + stop - 1)
        matching -= ground.deletion[first : stop - 1]
        inserting = np.array([costs.insertion(unit) for unit in units], dtype=np.int32)
        return _Block(before, matching, inserting[:, np.newaxis] + ground.inside[first:stop])

    # -- the way back ----------------------------------------------------------------------------
    def _trace(self, end: int) -> None:
        """Follow the best path back from `end`, as far as it differs from the one traced last."""
        steps: list[Step] = []
        reached: list[int] = []
        position = end
        count = len(self._units)
        known, base = self._reached, self._ground.first
        firsts, moves = self._lines.firsts, self._lines.moves
        while count and not (count <= len(known) and known[count - 1] == position):
            reached.append(position)
            first, line = firsts[count], moves[count]
            while (move := line[position - first]) & (_MATCHED | _INSERTED) == 0:
                # A line that was left out by a skip or a jump is a whole one.
                position = position - 1 if move else self._ground.origin(self._lines.rows[count], position)
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
