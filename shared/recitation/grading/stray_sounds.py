"""Sounds that fit no word, and the word beside them that was not said.

Another word in the place of a short one mostly holds the short one's two or three sounds, in their order
(lmaŋfu:ʃ for ma:). The walk matches those and leaves the rest over, where it would pass for an extra
word beside a correct one. But hardly anybody adds sounds to a recitation, and many mix up words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from shared.recitation.alignment.visits import Account, Visit
from shared.recitation.grading.grader import WRONG, Ear, Judgement

U = TypeVar("U")

Run = tuple[int, int]
"""The first and the last of some heard units in a row."""


def strays(ear: Ear[U], account: Account, units: Sequence[U]) -> list[Run]:
    """Runs outside every word that may be the rest of another word."""
    return [(first, last) for first, last in account.extras if ear.stray(units[first : last + 1])]


def spoilt(
    ear: Ear[U],
    account: Account,
    visits: Sequence[Visit],
    judgements: Sequence[Judgement | None],
    units: Sequence[U],
) -> dict[int, tuple[int, ...]]:
    """The strays of a visit, by its place in `visits`; `judgements` are the verdicts without them.

    Nobody's are strays before the first and after the last word of the passage, and those after which
    the reciter went back: false starts.
    """
    word_index = ear.track.word_index
    passage = [place for place, visit in enumerate(visits) if word_index[visit.word] is not None]
    ends = {visits[place].last_unit: place for place in passage}
    begins = {visits[place].first_unit: place for place in passage}
    turns = {jump.unit for jump in account.jumps}

    def blame(place: int) -> tuple[int, int]:
        """The word heard worse is to blame, or the shorter one: it is found in more words."""
        judgement, word = judgements[place], visits[place].word
        grade = WRONG + 1 if judgement is None else judgement.grade
        return grade, -int(ear.track.starts[word + 1] - ear.track.starts[word])

    owned: dict[int, tuple[int, ...]] = {}
    for first, last in strays(ear, account, units):
        before, after = ends.get(first - 1), begins.get(last + 1)
        if before is not None and after is not None and last + 1 not in turns:
            owner = max(before, after, key=blame)
            owned[owner] = (*owned.get(owner, ()), *range(first, last + 1))
    return owned


def unfinished(ear: Ear[U], account: Account, visits: Sequence[Visit], units: Sequence[U]) -> bool:
    """Whether the strays behind the last of `visits` may turn out to be its: the next word will tell."""
    if not visits:
        return False
    behind, word_index = visits[-1].last_unit + 1, ear.track.word_index
    if not any(first == behind for first, _ in strays(ear, account, units)):
        return False
    if word_index[visits[-1].word] is None or any(jump.unit > behind for jump in account.jumps):
        return False
    return any(index is not None for index in word_index[visits[-1].word + 1 :])
