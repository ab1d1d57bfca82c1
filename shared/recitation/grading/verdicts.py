"""From visits to verdicts: judges every visit, and tells replaced words from words left out.

The aligner may explain a replaced word as one left out and one extra. Between two words that were
recognised, how much was said there tells a replaced word from one left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import msgspec

from shared.recitation.alignment.reference_units import ReferenceUnits
from shared.recitation.alignment.visits import PathEvents, Visit
from shared.recitation.grading.grader import CORRECT, WRONG, Grader, Verdict
from shared.recitation.grading.stray_sounds import assign_strays

U = TypeVar("U")


class WordVerdict(msgspec.Struct, frozen=True, gc=False):
    """One word's verdict, and the last heard unit it rests on."""

    index: int
    verdict: Verdict
    last_unit: int


class Verdicts(msgspec.Struct, frozen=True, gc=False):
    """All verdicts along one path, and the runs of units that are words after all, not extra."""

    entries: tuple[WordVerdict, ...]
    explained: tuple[tuple[int, int], ...]

    def best(self, before_unit: int | None = None) -> dict[int, Verdict]:
        """The best verdict of each word; only those that rest on units before `before_unit`, if given."""
        best: dict[int, Verdict] = {}
        for entry in self.entries:
            if before_unit is None or entry.last_unit < before_unit:
                keep_better(best, entry.index, entry.verdict)
        return best


def only_correct(verdicts: Verdicts) -> Verdicts:
    """Without the mistakes: where they cannot be told from mishearings."""
    kept = tuple(entry for entry in verdicts.entries if entry.verdict.grade == CORRECT)
    return Verdicts(kept, verdicts.explained)


def keep_better(verdicts: dict[int, Verdict], index: int, verdict: Verdict) -> None:
    """Keep the better of two verdicts on a word: a correct repetition heals."""
    earlier = verdicts.get(index)
    if earlier is None or verdict.beats(earlier):
        verdicts[index] = verdict


def judge_visits(
    grader: Grader[U],
    events: PathEvents,
    visits: Sequence[Visit],
    units: Sequence[U],
    noise: float | None,
    enough: float,
) -> Verdicts:
    """Judge `visits` along a path; `enough` as in `Grader.replaced_share`."""
    reference = grader.reference
    entries: list[WordVerdict] = []
    recognised: list[Visit] = []
    explained: list[tuple[int, int]] = []
    verdicts = [_judged(grader, visit, units, noise) for visit in visits]
    owned = assign_strays(grader, events, visits, verdicts, units)
    for place, (visit, verdict) in enumerate(zip(visits, verdicts, strict=True)):
        index, last = reference.word_index[visit.word], visit.last_unit
        if verdict is not None and place in owned:
            whole = msgspec.structs.replace(visit, strays=owned[place])
            worse = grader.judge_with_strays(verdict, whole, units, noise)
            if worse is not None:
                verdict, last = worse, whole.span.stop - 1
                explained.append((whole.span.start, last))
        if index is not None and verdict is not None:
            entries.append(WordVerdict(index, verdict, last))
        if index is None or (verdict is not None and verdict.grade != WRONG):
            recognised.append(visit)
    judged = {entry.index for entry in entries}
    for words, first, last in _replaced(reference, events, recognised, judged, enough):
        verdict = grader.judge_replaced(units[first : last + 1])
        entries.extend(WordVerdict(index, verdict, last) for index in words)
        explained.append((first, last))
    return Verdicts(tuple(entries), tuple(explained))


def _judged(grader: Grader[U], visit: Visit, units: Sequence[U], noise: float | None) -> Verdict | None:
    """The verdict on a visit to a word of the passage; formulas get none."""
    return None if grader.reference.word_index[visit.word] is None else grader.judge(visit, units, noise)


def _replaced(
    reference: ReferenceUnits[Any],
    events: PathEvents,
    recognised: Iterable[Visit],
    judged: set[int],
    enough: float,
) -> Iterator[tuple[list[int], int, int]]:
    """Words without a verdict between recognised visits, where enough was said: with the units said."""
    for before, after in pairwise(recognised):
        said = after.first_unit - before.last_unit - 1
        # Nearly every pair is of neighbours; no word can be missing between those.
        if not said or after.word <= before.word + 1:
            continue
        if any(before.last_unit < jump.unit <= after.first_unit for jump in events.jumps):
            continue
        indices = reference.word_index[before.word + 1 : after.word]
        words = [index for index in indices if index is not None and index not in judged]
        due = (
            reference.required[reference.starts[after.word]]
            - reference.required[reference.starts[before.word + 1]]
        )
        if words and said >= enough * due:
            yield words, before.last_unit + 1, after.first_unit - 1
