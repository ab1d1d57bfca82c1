"""LocalAgreement: a word stands once two looks at the same audio in a row agree on it.

The rule is LocalAgreement-2 of Macháček, Dabre and Bojar (2023, arXiv 2307.14743): of two consecutive
hypotheses the longest common prefix is committed. What was committed is never taken back.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from shared.hearing import HeardWord

SAME_PLACE_MS = 100
"""A word whose middle lies less than this before the end of the committed words may still be the next one:
times of words differ by about a tenth of a second from one look to the next."""


class HypothesisBuffer:
    """The words of one utterance. `pending`: words of the last hypothesis that do not stand yet."""

    def __init__(self, committed: Sequence[HeardWord] = (), pending: Sequence[HeardWord] = ()) -> None:
        self._committed = list(committed)
        self._pending = tuple(pending)

    @property
    def committed(self) -> tuple[HeardWord, ...]:
        return tuple(self._committed)

    @property
    def pending(self) -> tuple[HeardWord, ...]:
        return self._pending

    def look(self, words: Sequence[HeardWord], start_ms: int = 0) -> tuple[HeardWord, ...]:
        """Another hypothesis, from a window that begins at `start_ms`; returns the words that stand now."""
        fresh = self._beyond_committed(words, start_ms)
        agreed = _common_prefix(self._pending, fresh)
        stands = fresh[:agreed]
        self._committed += stands
        self._pending = fresh[agreed:]
        return stands

    def last_look(self, words: Sequence[HeardWord], start_ms: int = 0) -> tuple[HeardWord, ...]:
        """The utterance has ended with this hypothesis: all its words stand."""
        stands = self._beyond_committed(words, start_ms)
        self._committed += stands
        self._pending = ()
        return stands

    def give_up(self) -> tuple[HeardWord, ...]:
        """No other look comes: what was heard once stands, for want of better."""
        stands, self._pending = self._pending, ()
        self._committed += stands
        return stands

    def _beyond_committed(self, words: Sequence[HeardWord], start_ms: int) -> tuple[HeardWord, ...]:
        """The words that follow the committed ones.

        By time where words have times, so that a phrase that is really said twice is kept; else by
        number: the window began with the words that were committed since then.
        """
        if not self._committed:
            return tuple(words)
        end_ms = self._committed[-1].end_ms
        if end_ms is None or any(word.start_ms is None or word.end_ms is None for word in words):
            again = sum(1 for word in self._committed if word.end_ms is None or word.end_ms > start_ms)
            return tuple(words[again:])
        return tuple(word for word in words if _middle_ms(word) > end_ms - SAME_PLACE_MS)


def _middle_ms(word: HeardWord) -> float:
    assert word.start_ms is not None
    assert word.end_ms is not None
    return (word.start_ms + word.end_ms) / 2


def _common_prefix(one: Sequence[HeardWord], other: Sequence[HeardWord]) -> int:
    for place, (first, second) in enumerate(zip(one, other, strict=False)):
        if folded(first.text) != folded(second.text):
            return place
    return min(len(one), len(other))


def folded(word: str) -> str:
    """A word to compare by: without case, punctuation and differences of encoding."""
    letters = unicodedata.normalize("NFKC", word).casefold()
    return "".join(letter for letter in letters if letter.isalnum()) or letters
