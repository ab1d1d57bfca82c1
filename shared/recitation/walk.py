"""The reference walk: the cheapest way through the reference that explains what was heard.

Each heard unit is matched to a reference unit or inserted; reference units are deleted; whole words
are skipped; the reciter may jump back to a word; the end is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, NamedTuple, TypeVar

import numpy as np

from shared.recitation.stretch import UNREACHABLE, Stretch
from shared.recitation.track import Row, Track, WalkCosts

U = TypeVar("U")

_SLACK: Final = 12
"""Reference units by which a reciter may be ahead of one matched unit per heard one, in a near row."""

_NEWEST: Final = 16
"""How many units tell whether the reciter is being followed easily: about three words."""


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


class _Lines:
    """One line per heard unit, and one before the first: what being at each position costs by then.

    A line is a row, or the part of one from position `first` on; the rest is out of reach.
    """

    def __init__(self, row: Row) -> None:
        self.firsts = [0]
        self.rows = [row]
        self.matching = [row[:0].astype(np.int16)]
        """Per line, what its unit costs when matched to the position before; counted as its row.
        Only steps are read from it: half as wide, as there are many lines in every session."""
        self.inserting = [0]

    def __len__(self) -> int:
        return len(self.rows)

    def cut(self, count: int) -> None:
        for column in (self.firsts, self.rows, self.matching, self.inserting):
            del column[count:]

    def extend(self, first: int, rows: Row, matching: Row, inserting: Row) -> None:
        self.firsts.extend([first] * len(rows))
        self.rows.extend(rows)
        self.matching.extend(matching.astype(np.int16))
        self.inserting.extend(inserting.tolist())

    def at(self, line: int, position: int) -> int:
        place, row = position - self.firsts[line], self.rows[line]
        return row.item(place) if 0 <= place < len(row) else UNREACHABLE


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
        first, prices = self._prices(len(self._units))
        place = int(prices.argmin())
        self._trace(first + place)
        return Path(tuple(self._traced), self._ground.first + first + place, int(prices[place]))

    def recent_cost(self, units: int) -> int:
        """What the last `units` of the units walked added to the cost of the best path."""
        return self._best(len(self._units)) - self._best(max(0, len(self._units) - units))

    def _best(self, count: int) -> int:
        """The cost of the best path of the first `count` units."""
        _first, prices = self._prices(count)
        return int(prices.min())

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
        matching, inserting = self._priced(units, first, stop)
        rows = np.empty((len(units), stop - first), dtype=np.int32)
        staying = inserting[:, np.newaxis] + ground.inside[first:stop]
        for row, after, match, stay in zip(rows, rows[:, 1:], matching, staying, strict=True):
            np.add(before, stay, out=row)
            np.minimum(after, before[:-1] + match, out=after)
            np.minimum.accumulate(row, out=row)
            before = row
        self._lines.extend(first, rows, matching, inserting)
        prices = rows + ground.deleted[first:stop]
        leaving = prices + ground.exits[first:stop]
        self._elsewhere = min(self._elsewhere, int(leaving.min()))
        if stop < ground.width:
            self._elsewhere = min(self._elsewhere, int(prices[:, -1].min()))
        return int(prices[-1].min()) < self._elsewhere

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
        before = self._lines.rows[-1]
        matching, inserting = self._priced(units, 0, ground.width)
        rows = np.empty((len(units), ground.width), dtype=np.int32)
        staying = inserting[:, np.newaxis] + ground.inside
        for row, after, match, stay in zip(rows, rows[:, 1:], matching, staying, strict=True):
            np.add(before, stay, out=row)
            np.minimum(after, before[:-1] + match, out=after)
            ground.close(row)
            before = row
        self._lines.extend(0, rows, matching, inserting)
        self._whole = len(self._lines)

    def _priced(self, units: Sequence[U], first: int, stop: int) -> tuple[Row, Row]:
        """What matching each unit to each position costs, less its deletion; what inserting it costs."""
        ground, costs = self._ground, self._costs
        matching = costs.substitutions(units, ground.first + first, ground.first + stop - 1)
        matching -= ground.deletion[first : stop - 1]
        return matching, np.array([costs.insertion(unit) for unit in units], dtype=np.int32)

    # -- the way back ----------------------------------------------------------------------------
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
            position = step.position - self._ground.first
            count -= 1
        del self._traced[count:]
        del self._reached[count:]
        self._traced.extend(reversed(steps))
        self._reached.extend(reversed(reached))

    def _step_to(self, count: int, position: int) -> Step:
        """The step of unit `count` on the best path that is at `position` after it."""
        lines, ground = self._lines, self._ground
        first, row, matching = lines.firsts[count], lines.rows[count], lines.matching[count]
        while True:
            here, place = row.item(position - first), position - first
            if place and here == lines.at(count - 1, position - 1) + matching.item(place - 1):
                return Step(ground.first + position - 1, True)
            staying = ground.inside.item(position) + lines.inserting[count]
            if here == lines.at(count - 1, position) + staying:
                return Step(ground.first + position, False)
            if place and here == row.item(place - 1):
                position -= 1
            else:
                position = ground.origin(row, position)
