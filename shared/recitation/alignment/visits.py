"""Reading an alignment path: which word was said when, what was extra, where the reciter went back."""

from __future__ import annotations

from typing import Any

import msgspec

from shared.recitation.alignment.reference_units import ReferenceUnits
from shared.recitation.alignment.viterbi import Path


class Visit(msgspec.Struct, frozen=True, gc=False, eq=False):
    """One passing through a word: its matched (position, unit) pairs and the units inserted inside.

    `strays` are heard units next to it that fit no word and may be part of what was said instead of it.
    """

    word: int
    matched: tuple[tuple[int, int], ...]
    inserted: tuple[int, ...]
    strays: tuple[int, ...] = ()

    @property
    def first_unit(self) -> int:
        return self.matched[0][1]

    @property
    def last_unit(self) -> int:
        return self.matched[-1][1]

    @property
    def span(self) -> slice:
        """All its units, the strays included."""
        if not self.strays:
            return slice(self.first_unit, self.last_unit + 1)
        return slice(min(self.first_unit, self.strays[0]), max(self.last_unit, self.strays[-1]) + 1)


class Jump(msgspec.Struct, frozen=True, gc=False):
    """At heard unit `unit` the reciter went back from reference word `left` to `resumed`."""

    unit: int
    left: int
    resumed: int


class PathEvents(msgspec.Struct, frozen=True, gc=False):
    """What happened along a path. `extras` are runs [first, last] of units that belong to no word."""

    visits: tuple[Visit, ...]
    extras: tuple[tuple[int, int], ...]
    jumps: tuple[Jump, ...]
    complete: bool
    """Whether the last visit reached the end of its word."""


def read_path(reference: ReferenceUnits[Any], path: Path) -> PathEvents:
    """The events along a path; unit numbers are indices into the heard units of that path."""
    word_at = reference.word_at
    visits: list[Visit] = []
    extras: list[tuple[int, int]] = []
    jumps: list[Jump] = []
    matched: list[tuple[int, int]] = []
    inserted: list[int] = []
    loose: list[int] = []
    word = last = -1
    for unit, (position, was_matched) in enumerate(path.steps):
        if not was_matched:
            loose.append(unit)
            continue
        before, word = word, word_at[position]
        if matched and (word != before or position <= last):
            visits.append(Visit(before, tuple(matched), tuple(inserted)))
            matched, inserted = [], []
            if position <= last:
                jumps.append(Jump(unit, before, word))
        if loose:
            if matched:
                inserted += loose
            else:
                extras.append((loose[0], loose[-1]))
            loose.clear()
        matched.append((position, unit))
        last = position
    if loose:
        extras.append((loose[0], loose[-1]))
    if not matched:
        return PathEvents((), tuple(extras), (), complete=False)
    visits.append(Visit(word, tuple(matched), tuple(inserted)))
    _, stop = reference.bounds(word)
    complete = reference.required[path.end] >= reference.required[stop]
    return PathEvents(tuple(visits), tuple(extras), tuple(jumps), complete)
