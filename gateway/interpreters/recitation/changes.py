"""What one result changed: which words stand otherwise now, which mistakes are certain. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.interpreters.recitation.interpreter import WordStates
from shared.recitation.live.feedback import WordFeedback, WordStatus

MISTAKES: Final[frozenset[WordStatus]] = frozenset({"minor_mistake", "wrong", "missing"})


class Changes(NamedTuple):
    """In the order of the passage. `words`: every word that is not as it was. Of these, `mistakes`: a mistake
    that is final from now on; `corrected`: a final mistake that a repetition has made better."""

    words: tuple[WordFeedback, ...]
    mistakes: tuple[WordFeedback, ...]
    corrected: tuple[WordFeedback, ...]


def changes_of(states: WordStates) -> Changes:
    """A function of the states alone, so that a resumed session tells each of them exactly once, too."""
    changed = [
        (before, now)
        for before, now in zip(states.before, states.feedback.words, strict=True)
        if now is not before and now != before
    ]
    return Changes(
        words=tuple(now for _, now in changed),
        mistakes=tuple(now for before, now in changed if _is_mistake(now) and not _is_mistake(before)),
        corrected=tuple(
            now for before, now in changed if _is_mistake(before) and now.status != before.status
        ),
    )


def _is_mistake(word: WordFeedback) -> bool:
    return word.final and word.status in MISTAKES
