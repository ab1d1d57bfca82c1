"""All pronunciations of one word in one row of sounds, so that one alignment fits whichever was said.

Each pronunciation takes some of the columns, in order. A column that some pronunciation does without is
optional: leaving it out costs the aligner nothing. Which pronunciation was said is decided in grading.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from shared.recitation.alignment.phoneme_costs import distance

Sounds = tuple[str, ...]

_SHARED_COLUMN: Final = 60
"""Sounds at most this far apart (hundredths) may take one column; others get columns of their own."""
_OWN_COLUMN: Final = 45
"""Price of a column of its own, while columns are made: a near sound is put into an existing one."""


class Pronunciation(NamedTuple):
    """One way to say a word: its sounds, and the column of each."""

    sounds: Sounds
    columns: tuple[int, ...]


class SoundColumns(NamedTuple):
    """`sounds`: the symbol of each column. `others`: a second symbol of the column, the same one if there is
    none. `optional`: whether a pronunciation does without it; `usual`: whether the usual one, which is the
    first of `pronunciations`, has it."""

    sounds: Sounds
    others: Sounds
    optional: tuple[bool, ...]
    usual: tuple[bool, ...]
    pronunciations: tuple[Pronunciation, ...]


@lru_cache(maxsize=16_384)
def sound_columns(usual: Sounds, others: tuple[Sounds, ...]) -> SoundColumns:
    """The columns of a word said as `usual` or as any of `others`."""
    columns: list[list[str | None]] = [[symbol] for symbol in usual]
    for sounds in others:
        _add(columns, sounds)
    rows = range(1 + len(others))
    said = [[at for at, column in enumerate(columns) if column[row] is not None] for row in rows]
    forms = zip((usual, *others), said, strict=True)
    symbols = [[symbol for symbol in column if symbol is not None] for column in columns]
    return SoundColumns(
        sounds=tuple(present[0] for present in symbols),
        others=tuple(next((s for s in present if s != present[0]), present[0]) for present in symbols),
        optional=tuple(None in column for column in columns),
        usual=tuple(column[0] is not None for column in columns),
        pronunciations=tuple(Pronunciation(sounds, tuple(places)) for sounds, places in forms),
    )


def _add(columns: list[list[str | None]], sounds: Sequence[str]) -> None:
    """Add one more pronunciation: into existing columns where its sounds are near, else into new ones."""
    rows = len(columns[0])
    placed = iter(_cheapest(columns, sounds))
    old, columns[:] = list(columns), []
    for column, symbol in placed:
        entry = [None] * rows if column is None else old[column]
        columns.append([*entry, symbol])


def _cheapest(
    columns: Sequence[Sequence[str | None]], sounds: Sequence[str]
) -> list[tuple[int | None, str | None]]:
    """Pairs of a column (None: a new one) and a sound (None: the column is left out), in order."""
    prices = [[0.0] * (len(sounds) + 1) for _ in range(len(columns) + 1)]
    moves = [[(0, 0)] * (len(sounds) + 1) for _ in range(len(columns) + 1)]
    for i in range(len(columns) + 1):
        for j in range(len(sounds) + 1):
            choices = [(0.0, (0, 0))] if i == j == 0 else []
            if i and j and (apart := _apart(columns[i - 1], sounds[j - 1])) <= _SHARED_COLUMN:
                choices.append((prices[i - 1][j - 1] + apart, (1, 1)))
            if i:
                choices.append((prices[i - 1][j] + _OWN_COLUMN, (1, 0)))
            if j:
                choices.append((prices[i][j - 1] + _OWN_COLUMN, (0, 1)))
            prices[i][j], moves[i][j] = min(choices)
    pairs: list[tuple[int | None, str | None]] = []
    i, j = len(columns), len(sounds)
    while i or j:
        down, across = moves[i][j]
        pairs.append((i - 1 if down else None, sounds[j - 1] if across else None))
        i, j = i - down, j - across
    return pairs[::-1]


def _apart(column: Sequence[str | None], symbol: str) -> int:
    return min(distance(symbol, present) for present in column if present is not None)
