"""Viterbi alignment as plainly as it can be written: full rows, in prices, in plain Python.

Slow, without memory of earlier calls, and the judge of `shared.recitation.alignment.viterbi`:
same path, same cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from shared.recitation.alignment.reference_units import MoveCosts, ReferenceUnits
from shared.recitation.alignment.viterbi import Path, Step

FAR = 1_000_000


class PlainViterbi:
    """Positions count from the first of the stretch; `bounds` are those where a word begins, and the end."""

    def __init__(
        self, reference: ReferenceUnits[Any], costs: MoveCosts, start: int, first_word: int, last_word: int
    ) -> None:
        self.costs = costs
        self.prices = reference.costs
        self.first, self.last = int(reference.starts[first_word]), int(reference.starts[last_word])
        self.size = self.last - self.first
        self.bounds = [int(at) - self.first for at in reference.starts[first_word : last_word + 1]]
        self.deletion = reference.deletion[self.first : self.last].tolist()
        self.skip = reference.skip[first_word:last_word].tolist()
        self.enter = [*reference.enter[first_word:last_word].tolist(), 0]
        self.word = [int(word) - first_word for word in reference.word_of[self.first : self.last]]
        self.word.append(last_word - first_word)
        self.start = start - self.first
        self.rows: list[list[int]] = []

    def path(self, units: Sequence[Any]) -> Path:
        row = [FAR] * (self.size + 1)
        row[self.start] = 0
        self.rows = [self.closed(row)]
        for unit in units:
            self.rows.append(self.closed(self.heard(self.rows[-1], unit)))
        cost = min(self.rows[-1])
        end = self.rows[-1].index(cost)
        return Path(tuple(self.steps(units, end)), self.first + end, cost)

    def recent_cost(self, units: int) -> int:
        return min(self.rows[-1]) - min(self.rows[max(0, len(self.rows) - 1 - units)])

    # -- one row -----------------------------------------------------------------------------------
    def inserted(self, unit: Any, position: int) -> int:
        return self.prices.insertion(unit) + (0 if position in self.bounds else self.costs.inside)

    def matched(self, unit: Any, position: int) -> int:
        at = self.first + position
        return int(self.prices.substitutions([unit], at, at + 1)[0, 0])

    def heard(self, row: list[int], unit: Any) -> list[int]:
        following = [price + self.inserted(unit, position) for position, price in enumerate(row)]
        for position in range(self.size):
            price = row[position] + self.matched(unit, position)
            following[position + 1] = min(following[position + 1], price)
        return following

    def closed(self, row: list[int]) -> list[int]:
        row = self.with_deletions(row)
        at_words = [min(row[bound], self.jumped(row, word)) for word, bound in enumerate(self.bounds)]
        for word, price in enumerate([min(self.skips(at_words, word)) for word in range(len(at_words))]):
            row[self.bounds[word]] = min(at_words[word], price)
        return self.with_deletions(row)

    def with_deletions(self, row: list[int]) -> list[int]:
        row = list(row)
        for position, price in enumerate(self.deletion):
            row[position + 1] = min(row[position + 1], row[position] + price)
        return row

    def jumped(self, row: list[int], word: int) -> int:
        """The least price of jumping back to a word."""
        from_anywhere = [
            row[position] + self.costs.back_per_word * (self.word[position] - word)
            for position in range(self.bounds[word], self.size + 1)
        ]
        return self.costs.back + min(from_anywhere)

    def skips(self, at_words: Sequence[int], word: int) -> list[int]:
        """What skipping to a word costs from each word up to it."""
        return [
            at_words[earlier] + min(sum(self.skip[earlier:word]), self.costs.skip_cap) + self.enter[word]
            for earlier in range(word + 1)
        ]

    # -- the way back ------------------------------------------------------------------------------
    def steps(self, units: Sequence[Any], position: int) -> list[Step]:
        steps = []
        for count in range(len(units), 0, -1):
            step = self.step(self.rows[count], self.rows[count - 1], units[count - 1], position)
            steps.append(step)
            position = step.position - self.first
        return steps[::-1]

    def step(self, row: list[int], before: list[int], unit: Any, position: int) -> Step:
        while True:
            here = row[position]
            if position and here == before[position - 1] + self.matched(unit, position - 1):
                return Step(self.first + position - 1, True)
            if here == before[position] + self.inserted(unit, position):
                return Step(self.first + position, False)
            position = self.origin(row, position)

    def origin(self, row: list[int], position: int) -> int:
        """Where a move that consumed nothing heard came from: a deletion, the nearest skip, a jump."""
        here = row[position]
        if position and here == row[position - 1] + self.deletion[position - 1]:
            return position - 1
        if position in self.bounds:
            word = self.bounds.index(position)
            skips = self.skips([row[bound] for bound in self.bounds], word)
            for earlier in range(word - 1, -1, -1):
                if skips[earlier] == here:
                    return self.bounds[earlier]
        ahead = range(position + 1, self.size + 1)
        return min(ahead, key=lambda at: (row[at] + self.costs.back_per_word * self.word[at], at))
