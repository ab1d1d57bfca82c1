"""Reading an alignment path: which word was said when, what was extra, where the reciter went back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from shared.recitation.alignment.reference_units import ReferenceUnits
from shared.recitation.alignment.viterbi import Path


@dataclass(frozen=True, slots=True, eq=False)
class Visit:
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


@dataclass(frozen=True, slots=True)
class Jump:
    """At heard unit `unit` the reciter went back from reference word `left` to `resumed`."""

    unit: int
    left: int
    resumed: int


@dataclass(frozen=True, slots=True)
class PathEvents:
    """What happened along a path. `extras` are runs [first, last] of units that belong to no word."""

    visits: tuple[Visit, ...]
    extras: tuple[tuple[int, int], ...]
    jumps: tuple[Jump, ...]
    complete: bool
    """Whether the last visit reached the end of its word."""


class _PathReader:
    """Collects visits while the steps go by."""

    def __init__(self, reference: ReferenceUnits[Any]) -> None:
        self._reference = reference
        self.visits: list[Visit] = []
        self.extras: list[tuple[int, int]] = []
        self.jumps: list[Jump] = []
        self._matched: list[tuple[int, int]] = []
        self._inserted: list[int] = []
        self._loose: list[int] = []
        self._last: int | None = None

    def match(self, unit: int, position: int) -> None:
        word_at = self._reference.word_at
        word = word_at[position]
        if self._last is not None and position <= self._last:
            left = word_at[self._last]
            self._end_visit()
            self.jumps.append(Jump(unit, left, word))
        elif self._last is not None and word != word_at[self._last]:
            self._end_visit()
        if self._matched:
            self._inserted.extend(self._loose)
        elif self._loose:
            self.extras.append((self._loose[0], self._loose[-1]))
        self._loose.clear()
        self._matched.append((position, unit))
        self._last = position

    def insert(self, unit: int) -> None:
        self._loose.append(unit)

    def finish(self) -> None:
        self._end_visit()
        if self._loose:
            self.extras.append((self._loose[0], self._loose[-1]))

    def _end_visit(self) -> None:
        if self._matched:
            word = self._reference.word_at[self._matched[0][0]]
            self.visits.append(Visit(word, tuple(self._matched), tuple(self._inserted)))
        self._matched.clear()
        self._inserted.clear()


def read_path(reference: ReferenceUnits[Any], path: Path) -> PathEvents:
    """The events along a path; unit numbers are indices into the heard units of that path."""
    reader = _PathReader(reference)
    for unit, step in enumerate(path.steps):
        if step.matched:
            reader.match(unit, step.position)
        else:
            reader.insert(unit)
    reader.finish()
    complete = False
    if reader.visits:
        _, stop = reference.bounds(reader.visits[-1].word)
        complete = reference.required[path.end] >= reference.required[stop]
    return PathEvents(tuple(reader.visits), tuple(reader.extras), tuple(reader.jumps), complete)
