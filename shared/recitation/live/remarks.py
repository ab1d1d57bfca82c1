"""What is told beside the state of each word: words outside the passage, jumps back, the place."""

from __future__ import annotations

from typing import Any, TypeVar

from shared.recitation.alignment.reference_units import ReferenceUnits
from shared.recitation.alignment.visits import PathEvents
from shared.recitation.grading.grader import Grader
from shared.recitation.grading.verdicts import Verdicts
from shared.recitation.live.feedback import Repeat

U = TypeVar("U")


def extra_words(
    grader: Grader[U], events: PathEvents, verdicts: Verdicts, units: list[U], before: int
) -> list[str]:
    """Runs outside every word that end before unit `before`."""
    words = verdicts.explained
    runs = [
        units[first : last + 1]
        for first, last in events.extras
        if last < before and not any(start <= first and last <= end for start, end in words)
    ]
    return [text for run in runs if (text := grader.extra(run)) is not None]


def repeats(reference: ReferenceUnits[Any], events: PathEvents, before: int) -> list[Repeat]:
    """Jumps back to words of the passage at units before `before`."""
    indices = reference.word_index
    ends = [(indices[jump.left], indices[jump.resumed]) for jump in events.jumps if jump.unit < before]
    return [Repeat(left, resumed) for left, resumed in ends if left is not None and resumed is not None]


def pointer(reference: ReferenceUnits[Any], end: int, words: int) -> int:
    """The passage word at or after a reference position; `words`, their number, after the last one."""
    word = reference.words
    if end < len(reference.word_of):
        word = int(reference.word_of[end])
        start, stop = reference.bounds(word)
        if start < end and reference.required[end] >= reference.required[stop]:
            word += 1
    for index in reference.word_index[word:]:
        if index is not None:
            return index
    return words
