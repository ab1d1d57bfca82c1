"""Replaced words: where enough was said in their place, words are wrong, not missing.

The walk may explain a replaced word as one left out and one extra. Between two words that were
recognised, the amount said tells the two apart.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from shared.recitation.visits import Account, Visit
from shared.recitation.walk import Track


@dataclass(frozen=True, slots=True)
class Gap:
    """Words passed over without a visit, and the heard units [first, last] in their stretch."""

    words: tuple[int, ...]
    first: int
    last: int


def replaced(
    track: Track[Any], account: Account, recognised: Collection[Visit], enough: float
) -> Iterator[Gap]:
    """Stretches between recognised visits where at least the share `enough` of the units was said."""
    anchors = [visit for visit in account.visits if visit in recognised]
    jumps = [jump.unit for jump in account.jumps]
    visited = {visit.word for visit in account.visits}
    for before, after in pairwise(anchors):
        said = after.first_unit - before.last_unit - 1
        if not said or any(before.last_unit < unit <= after.first_unit for unit in jumps):
            continue
        due = int(track.starts[after.word]) - int(track.starts[before.word + 1])
        words = tuple(
            word
            for word in range(before.word + 1, after.word)
            if word not in visited and track.word_index[word] is not None
        )
        if words and said >= enough * due:
            yield Gap(words, before.last_unit + 1, after.first_unit - 1)
