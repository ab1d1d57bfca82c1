"""The reference as words made of units, with the price of each move the aligner may make.

Reference and heard material are sequences of units (words for text engines, sounds for phoneme
engines). Costs are integers, so every machine finds the same path.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Row = NDArray[np.int32]

OPTIONAL: Final = 2
"""A unit whose deletion costs at most this is said in some pronunciations of its word only. More than nothing
for units of the usual pronunciation, so that of two equal paths the one with the usual sounds is taken."""
U_contra = TypeVar("U_contra", contravariant=True)


class UnitCosts(Protocol[U_contra]):
    """What it costs to hear units at each reference position, or nowhere."""

    def substitutions(self, units: Sequence[U_contra], first: int, last: int) -> Row:
        """Costs against the reference units [first, last): one row per heard unit."""
        ...

    def insertion(self, unit: U_contra) -> int: ...


@dataclass(frozen=True, slots=True, eq=False)
class ReferenceUnits(Generic[U_contra]):
    """The reference: words as spans of units, each with the price of leaving it out.

    `starts` holds the first unit of each word and, last, the number of units. `word_index` is the
    word's place in the passage, or `None` for an optional formula. `enter` is the surcharge for
    skipping to a word: optional words cost nothing to skip, but may not be entered in their middle. See
    `OPTIONAL` for units that not every pronunciation has.
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
    required: tuple[int, ...] = field(init=False)
    """How many units before each position are said in every pronunciation; the end included."""

    def __post_init__(self) -> None:
        spans = np.diff(self.starts)
        word_of = np.repeat(np.arange(len(spans), dtype=np.int32), spans)
        object.__setattr__(self, "word_of", word_of)
        object.__setattr__(self, "word_at", tuple(word_of.tolist()))
        needed = (self.deletion > OPTIONAL).astype(np.int32)
        object.__setattr__(self, "required", tuple(running_sum(needed).tolist()))

    @property
    def words(self) -> int:
        return len(self.word_index)

    def bounds(self, word: int) -> tuple[int, int]:
        """The position of the first unit of a word, and the one after its last unit."""
        return int(self.starts[word]), int(self.starts[word + 1])


@dataclass(frozen=True, slots=True)
class MoveCosts:
    """MovePrices of the moves that are the same for every unit, in hundredths of a wrong unit."""

    back: int
    """A jump back to the start of a word (a restart or a repetition)."""
    back_per_word: int
    """Surcharge for each word jumped over: in noise, some far word always fits a little better."""
    skip_cap: int
    """What skipping any number of words costs at most: a forgotten verse must stay affordable."""
    inside: int
    """Surcharge for an insertion inside a word, so that foreign words gather between words."""


def running_sum(prices: Row) -> Row:
    """Sums of everything before each place, and the total."""
    return np.concatenate((np.zeros(1, dtype=np.int32), np.cumsum(prices, dtype=np.int32)))


def word_starts(lengths: Sequence[int]) -> Row:
    """Start positions of words with these numbers of units, and the total, as `ReferenceUnits.starts`."""
    return running_sum(np.array(lengths, dtype=np.int32))


def entry_prices(opens: Sequence[bool], price: int) -> Row:
    """`ReferenceUnits.enter`: the price at every word where a reciter cannot begin."""
    return np.where(np.array(opens), np.int32(0), np.int32(price)).astype(np.int32)
