"""Sounds that fit no word, and the word next to them that was not said.

A word said instead of a short one mostly contains the short one's two or three sounds, in their order
(lmaŋfu:ʃ for ma:). The aligner matches those; the rest would count as an extra word next to a correct one.
But reciters hardly ever add sounds, and often mix up words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from shared.recitation.alignment.visits import PathEvents, Visit
from shared.recitation.grading.grader import WRONG, Grader, Verdict

U = TypeVar("U")

Run = tuple[int, int]
"""The first and the last of some heard units in a row."""


def strays(grader: Grader[U], events: PathEvents, units: Sequence[U]) -> list[Run]:
    """Runs outside every word that may be the rest of another word."""
    return [(first, last) for first, last in events.extras if grader.may_be_stray(units[first : last + 1])]


def assign_strays(
    grader: Grader[U],
    events: PathEvents,
    visits: Sequence[Visit],
    verdicts: Sequence[Verdict | None],
    units: Sequence[U],
) -> dict[int, tuple[int, ...]]:
    """The strays of each visit, by its place in `visits`; `verdicts` are those without strays.

    Strays before the first word of the passage, after its last one, and those after which the reciter
    went back (false starts) belong to no word.
    """
    word_index = grader.reference.word_index
    passage = [place for place, visit in enumerate(visits) if word_index[visit.word] is not None]
    ends = {visits[place].last_unit: place for place in passage}
    begins = {visits[place].first_unit: place for place in passage}
    turns = {jump.unit for jump in events.jumps}

    def blame(place: int) -> tuple[int, int]:
        """The word heard worse is to blame, or the shorter one: it is found in more words."""
        verdict, word = verdicts[place], visits[place].word
        grade = WRONG + 1 if verdict is None else verdict.grade
        return grade, -int(grader.reference.starts[word + 1] - grader.reference.starts[word])

    owned: dict[int, tuple[int, ...]] = {}
    for first, last in strays(grader, events, units):
        before, after = ends.get(first - 1), begins.get(last + 1)
        if before is not None and after is not None and last + 1 not in turns:
            owner = max(before, after, key=blame)
            owned[owner] = (*owned.get(owner, ()), *range(first, last + 1))
    return owned


def strays_still_open(
    grader: Grader[U], events: PathEvents, visits: Sequence[Visit], units: Sequence[U]
) -> bool:
    """Whether the strays after the last of `visits` may belong to it: known once the next word is heard."""
    if not visits:
        return False
    after, word_index = visits[-1].last_unit + 1, grader.reference.word_index
    if not any(first == after for first, _ in strays(grader, events, units)):
        return False
    if word_index[visits[-1].word] is None or any(jump.unit > after for jump in events.jumps):
        return False
    return any(index is not None for index in word_index[visits[-1].word + 1 :])
