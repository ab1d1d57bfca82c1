"""From visits to verdicts: judges every visit, and tells replaced words from words left out.

The walk may explain a replaced word as one left out and one extra. Between two words that were
recognised, the amount said in their place tells the two apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, TypeVar

from shared.recitation.alignment.reference_units import Track
from shared.recitation.alignment.visits import Account, Visit
from shared.recitation.grading.grader import WRONG, Ear, Judgement
from shared.recitation.grading.stray_sounds import spoilt

U = TypeVar("U")


@dataclass(frozen=True, slots=True)
class Entry:
    """One word's verdict, and the last heard unit it rests on."""

    index: int
    judgement: Judgement
    last_unit: int


@dataclass(frozen=True, slots=True)
class Booking:
    """All verdicts of one account, and the runs of units that are words after all, not extra."""

    entries: tuple[Entry, ...]
    explained: tuple[tuple[int, int], ...]

    def best(self, before_unit: int | None = None) -> dict[int, Judgement]:
        """The best verdict of each word; only those that rest on units before `before_unit`, if given."""
        best: dict[int, Judgement] = {}
        for entry in self.entries:
            if before_unit is None or entry.last_unit < before_unit:
                better(best, entry.index, entry.judgement)
        return best


def better(verdicts: dict[int, Judgement], index: int, judgement: Judgement) -> None:
    """Keep the better of two verdicts on a word: a correct repetition heals."""
    earlier = verdicts.get(index)
    if earlier is None or judgement.beats(earlier):
        verdicts[index] = judgement


def book(
    ear: Ear[U],
    account: Account,
    visits: Sequence[Visit],
    units: Sequence[U],
    noise: float | None,
    enough: float,
) -> Booking:
    """Judge `visits` of an account; `enough` is the share of a stretch that makes it replaced."""
    track = ear.track
    entries: list[Entry] = []
    recognised: list[Visit] = []
    explained: list[tuple[int, int]] = []
    judgements = [_judged(ear, visit, units, noise) for visit in visits]
    owned = spoilt(ear, account, visits, judgements, units)
    for place, (visit, judgement) in enumerate(zip(visits, judgements, strict=True)):
        index, last = track.word_index[visit.word], visit.last_unit
        if judgement is not None and place in owned:
            whole = replace(visit, strays=owned[place])
            worse = ear.spoilt(judgement, whole, units, noise)
            if worse is not None:
                judgement, last = worse, whole.span.stop - 1
                explained.append((whole.span.start, last))
        if index is not None and judgement is not None:
            entries.append(Entry(index, judgement, last))
        if index is None or (judgement is not None and judgement.grade != WRONG):
            recognised.append(visit)
    judged = {entry.index for entry in entries}
    for words, first, last in _replaced(track, account, recognised, judged, enough):
        verdict = ear.mistaken(units[first : last + 1])
        entries.extend(Entry(index, verdict, last) for index in words)
        explained.append((first, last))
    return Booking(tuple(entries), tuple(explained))


def _judged(ear: Ear[U], visit: Visit, units: Sequence[U], noise: float | None) -> Judgement | None:
    """The verdict on a visit to a word of the passage; formulas get none."""
    return None if ear.track.word_index[visit.word] is None else ear.judge(visit, units, noise)


def _replaced(
    track: Track[Any], account: Account, recognised: Iterable[Visit], judged: set[int], enough: float
) -> Iterator[tuple[list[int], int, int]]:
    """Words without a verdict between recognised visits, where enough was said: with the units said."""
    jumps = [jump.unit for jump in account.jumps]
    for before, after in pairwise(recognised):
        said = after.first_unit - before.last_unit - 1
        if not said or any(before.last_unit < unit <= after.first_unit for unit in jumps):
            continue
        indices = track.word_index[before.word + 1 : after.word]
        words = [index for index in indices if index is not None and index not in judged]
        due = int(track.starts[after.word]) - int(track.starts[before.word + 1])
        if words and said >= enough * due:
            yield words, before.last_unit + 1, after.first_unit - 1
